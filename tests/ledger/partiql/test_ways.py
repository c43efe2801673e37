"""Which plans look up and which scan, and that they say so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plain_world import PlainWorld

from ledger import partiql
from ledger.limits import Limits
from ledger.values import Symbol, Value

TABLES = {
    "T": [{"a": i, "b": i % 3, "c": str(i)} for i in range(10)],
    "U": [{"k": i, "v": i * i} for i in range(10)],
    "Plain": [{"a": i} for i in range(3)],
}
INDEXES = {"T": ["a", "b"], "U": ["k"]}


@pytest.fixture
def world() -> PlainWorld:
    return PlainWorld(TABLES, INDEXES)


@pytest.mark.parametrize(
    ("statement", "parameters", "look_ups", "documents"),
    [
        ("SELECT * FROM T WHERE a = 3", (), 1, 1),
        ("SELECT * FROM T WHERE 3 = a", (), 1, 1),
        ("SELECT * FROM T WHERE a = ?", (3,), 1, 1),
        ("SELECT * FROM T WHERE a = ?", (None,), 0, 0),
        ("SELECT * FROM T WHERE a = ? AND c LIKE '%3' AND (b = 1 OR b = 0)", (3,), 1, 1),
        ("SELECT * FROM T AS t WHERE t.c = '3' AND t.a = 3", (), 1, 1),
        ("SELECT * FROM T WHERE a IN (1, 2, 2, 77)", (), 4, 2),
        ("SELECT * FROM T WHERE a IN ?", ([1, 2],), 2, 2),
        ("SELECT * FROM T WHERE a IN (SELECT VALUE u.v FROM U AS u WHERE u.k IN (1, 2))", (), 4, 4),
        ("SELECT * FROM T WHERE b = 1 AND a = 1", (), 1, 3),
        ("SELECT * FROM T WHERE a = 3 OR b = 1 OR a IN (4, 5)", (), 4, 5),
        ("SELECT * FROM T BY d WHERE (a = 3 AND c = '3') OR d = 'D000000000000000000004'", (), 2, 2),
        ("SELECT * FROM T BY d WHERE d = ?", ("D000000000000000000004",), 1, 1),
        ("SELECT * FROM T BY d WHERE d = ?", (Symbol("D000000000000000000004"),), 1, 1),
        ("SELECT * FROM T BY d WHERE d = ?", (5,), 0, 0),
        ("SELECT * FROM T BY d WHERE d IN ('D000000000000000000004', 'nobody')", (), 2, 1),
        ("SELECT * FROM T BY d WHERE a = 3 AND d = 'D000000000000000000004'", (), 1, 1),
        ("SELECT * FROM _ql_committed_T WHERE metadata.id = 'D000000000000000000004'", (), 1, 1),
        ("SELECT * FROM _ql_committed_T WHERE data.a = 3", (), 1, 1),
        ("SELECT * FROM history(T) AS h WHERE h.metadata.id = 'D000000000000000000004'", (), 1, 1),
        ("SELECT * FROM T AS t, U AS u WHERE t.a = 3 AND u.k = t.b", (), 2, 2),
        ("SELECT * FROM U AS u, T AS t WHERE t.a = 3 AND u.k = t.b", (), 2, 2),
        ("SELECT * FROM U AS u, T AS t WHERE u.v = t.b AND t.a = 3 AND u.k = 1", (), 2, 2),
        ("SELECT * FROM T AS t JOIN U AS u ON u.k = t.b WHERE t.a = 3", (), 2, 2),
        ("SELECT * FROM T AS t LEFT JOIN U AS u ON u.k = t.b WHERE t.a = 3", (), 2, 2),
        ("SELECT * FROM << 1, 2 >> AS x, T AS t WHERE t.a = x", (), 2, 2),
        ("SELECT * FROM T AS t, << 1, 2 >> AS x WHERE t.a = x", (), 2, 2),
        ("SELECT VALUE (SELECT u.v FROM U AS u WHERE u.k = t.b) FROM T AS t WHERE t.a = 3", (), 2, 2),
        ("SELECT COUNT(*) FROM T AS t, @t.list AS x WHERE t.a = 3", (), 1, 1),
        ("UPDATE T SET c = 'x' WHERE a = 3", (), 1, 1),
        ("DELETE FROM T BY d WHERE d = 'D000000000000000000004'", (), 1, 1),
        ("FROM T AS t WHERE t.a = 3 SET t.c = 'x'", (), 1, 1),
    ],
)  # fmt: skip
def test_equality_with_an_index_or_an_id_looks_up(
    world: PlainWorld, statement: str, parameters: tuple[Value, ...], look_ups: int, documents: int
) -> None:
    plan = partiql.make_plan(partiql.parse(statement), world.catalog)
    assert plan.scans == ()
    statistics = world.execute(statement, *parameters).statistics
    assert (statistics.look_ups, statistics.documents_read, statistics.scans) == (look_ups, documents, ())
    assert "scan" not in world.calls


@pytest.mark.parametrize(
    ("statement", "scans"),
    [
        ("SELECT * FROM T", ("T",)),
        ("SELECT * FROM T WHERE c = '3'", ("T",)),
        ("SELECT * FROM T WHERE a = 3 OR c = '1'", ("T",)),
        ("SELECT * FROM T WHERE a > 3", ("T",)),
        ("SELECT * FROM T WHERE a NOT IN (3)", ("T",)),
        ("SELECT * FROM T WHERE a = b", ("T",)),
        ("SELECT * FROM T WHERE a.x = 3", ("T",)),
        ("SELECT * FROM history(T) AS h WHERE h.data.a = 3", ("T",)),
        ("SELECT * FROM Plain, T AS t WHERE t.a = Plain.a", ("Plain",)),
        ("SELECT * FROM T AS t, Plain AS p WHERE t.a = p.a", ("Plain",)),
        ("SELECT * FROM T AS t FULL JOIN U AS u ON u.k = t.b WHERE t.a = 3", ("U", "T")),
        ("UPDATE Plain SET a = 1", ("Plain",)),
    ],
)
def test_everything_else_scans_and_says_so(world: PlainWorld, statement: str, scans: tuple[str, ...]) -> None:
    plan = partiql.make_plan(partiql.parse(statement), world.catalog)
    assert set(plan.scans) == set(scans)
    assert set(world.execute(statement).statistics.scans) == set(scans)


def test_an_index_that_is_not_online_is_not_used(world: PlainWorld) -> None:
    table = world.catalog.by_name["T"]
    building = replace(table, indexes=tuple(replace(index, status="BUILDING") for index in table.indexes))
    catalog = world.catalog.with_table(99, building)
    assert partiql.make_plan(partiql.parse("SELECT * FROM T WHERE a = 3"), catalog).scans == ("T",)


def test_a_field_of_a_document_that_is_called_metadata_is_just_a_field() -> None:
    world = PlainWorld({"T": [{"metadata": {"id": "x"}, "data": {"a": 1}}]}, {"T": ["a"]})
    assert world.rows("SELECT VALUE metadata.id FROM T WHERE metadata.id = 'x' AND data.a = 1") == ["x"]
    assert world.rows("SELECT VALUE data.metadata.id FROM _ql_committed_T WHERE data.metadata.id = 'x'") == ["x"]


def test_a_plan_names_the_tables_it_relied_on(world: PlainWorld) -> None:
    text = "SELECT (SELECT u.v FROM U AS u) FROM _ql_committed_T AS c, history(Plain) AS h, information_schema.user_tables AS s"
    plan = partiql.make_plan(partiql.parse(text), world.catalog)
    assert set(plan.tables) == {"T", "U", "Plain", "information_schema.user_tables"}


def test_a_subquery_that_depends_on_nothing_runs_once(world: PlainWorld) -> None:
    statistics = world.execute("SELECT VALUE a FROM T WHERE b IN (SELECT VALUE p.a FROM Plain AS p)").statistics
    assert statistics.documents_read == 10 + 3


@pytest.mark.parametrize(
    ("statement", "documents", "rows"),
    [
        ("SELECT * FROM Plain AS p, T AS t WHERE t.c = CAST(p.a AS string)", 3 + 10, 3),
        ("SELECT * FROM Plain AS p LEFT JOIN U AS u ON u.v = p.a AND u.v < 2", 3 + 10, 3),
        ("SELECT VALUE (SELECT u.k FROM U AS u WHERE u.v = p.a) FROM Plain AS p", 3 + 10, 3),
        ("SELECT * FROM Plain AS p, U AS u, T AS t WHERE u.v = p.a AND t.c = '1'", 3 + 10 + 2 * 10, 2),
    ],
)
def test_without_an_index_a_join_scans_each_table_once_and_goes_by_key(
    world: PlainWorld, statement: str, documents: int, rows: int
) -> None:
    result = world.execute(statement)
    assert (result.statistics.documents_read, len(result.rows)) == (documents, rows)


def test_a_table_too_large_to_hold_is_scanned_again_for_each_row() -> None:
    world = PlainWorld(TABLES, INDEXES, limits=Limits(rows_per_statement_max=5))
    result = world.execute("SELECT * FROM Plain AS p, U AS u WHERE u.v = p.a")
    assert len(result.rows) == 2
    assert result.statistics.documents_read == 3 + 6 + 3 * 10


def test_an_ordered_query_holds_little_more_than_it_is_asked_for() -> None:
    world = PlainWorld({"T": [{"a": i % 7, "n": i} for i in range(5_000)]}, limits=Limits(rows_per_statement_max=1_100))
    rows = world.rows("SELECT VALUE n FROM T ORDER BY a DESC, n LIMIT 3 OFFSET 1")
    assert rows == [13, 20, 27]
