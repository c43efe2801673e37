"""Which plans look up and which scan, and that they say so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plain_world import PlainWorld

from ledger import partiql
from ledger.limits import Limits
from ledger.values import Struct, Symbol, Value

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
        ("SELECT * FROM T WHERE 1 = 2", (), 0, 0),
        ("SELECT * FROM T WHERE c = 'x' AND NULL", (), 0, 0),
        ("DELETE FROM T WHERE false", (), 0, 0),
        ("SELECT * FROM T WHERE a = 3", (), 1, 1),
        ("SELECT * FROM T WHERE 3 = a", (), 1, 1),
        ("SELECT * FROM T WHERE a = ?", (3,), 1, 1),
        ("SELECT * FROM T WHERE a = ?", (None,), 0, 0),
        ("SELECT * FROM T WHERE a = ? AND c LIKE '%3' AND (b = 1 OR b = 0)", (3,), 1, 1),
        ("SELECT * FROM T AS t WHERE t.c = '3' AND t.a = 3", (), 1, 1),
        ("SELECT * FROM T WHERE a IN (1, 2, 2, 77)", (), 4, 2),
        ("SELECT * FROM T WHERE a IN ?", ([1, 2],), 2, 2),
        ("SELECT * FROM T WHERE a IN (SELECT VALUE u.v FROM U AS u WHERE u.k IN (1, 2))", (), 4, 4),
        ("SELECT * FROM T WHERE b = 1 AND a = 1", (), 1, 1),
        ("SELECT x FROM T AS t LET t.a AS x WHERE x = 3", (), 1, 1),
        ("SELECT VALUE y.c FROM T AS t LET t AS y, y.a AS x, x + 1 AS z WHERE x = 3 AND z = 4", (), 1, 1),
        ("SELECT MAX(x) FROM T LET a AS x", (), 1, 1),
        ("SELECT x FROM T LET a AS x ORDER BY x DESC LIMIT 2", (), 1, 2),
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
        ("SELECT * FROM T WHERE a <> 3", ("T",)),
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
        ("SELECT * FROM Plain AS p, U AS u, T AS t WHERE u.v = p.a AND t.c = '1'", 3 + 10 + 10, 2),
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


PEOPLE = [
    {
        "n": i,
        "name": f"{'ab'[i % 2]}{i}",
        "home": {"city": "XYZ"[i % 3], "street": i},
        "cars": [{"plate": f"P{i}", "year": 2000 + i}, {"plate": f"Q{i}", "year": 2010}],
        "tags": ["even" if i % 2 == 0 else "odd", i],
    }
    for i in range(12)
]
PEOPLE_INDEXES = ["n", "name", "home.city, home.street", "cars[*].plate", "tags[*]", "cars[*].year, n"]


@pytest.mark.parametrize(
    ("statement", "parameters", "call", "documents"),
    [
        ("SELECT * FROM P WHERE n < 3", (), "index_range", 3),
        ("SELECT * FROM P WHERE 3 >= n", (), "index_range", 4),
        ("SELECT * FROM P WHERE n > ? AND n <= ?", (2, 5), "index_range", 3),
        ("SELECT * FROM P WHERE n BETWEEN ? AND ?", (2, 5), "index_range", 4),
        ("SELECT * FROM P WHERE n > ?", (None,), None, 0),
        ("SELECT * FROM P WHERE n > ?", ([1],), None, 0),
        ("SELECT * FROM P WHERE n > ?", ("a",), "index_range", 0),
        ("SELECT * FROM P WHERE name LIKE 'a%'", (), "index_range", 6),
        ("SELECT * FROM P WHERE name LIKE ?", ("b1%",), "index_range", 2),
        ("SELECT * FROM P WHERE name LIKE 'b!_%' ESCAPE '!'", (), "index_range", 0),
        ("SELECT * FROM P WHERE name LIKE ?", (None,), None, 0),
        ("SELECT * FROM P AS p WHERE p.home.street = 4 AND p.home.city = 'Y'", (), "look_up", 1),
        ("SELECT * FROM P AS p WHERE p.home.city = 'Y'", (), "index_range", 4),
        ("SELECT * FROM P AS p WHERE p.home.street > 4 AND p.home.city = 'Y'", (), "index_range", 2),
        ("SELECT * FROM P AS p WHERE p.home.city IN ('Y', 'Z') AND p.home.street = 4", (), "look_up", 1),
        ("SELECT * FROM _ql_committed_P AS p WHERE p.data.home.city LIKE 'X%'", (), "index_range", 4),
        ("SELECT * FROM P AS p, @p.cars AS c WHERE c.plate = 'Q5'", (), "look_up", 1),
        ("SELECT * FROM P AS p, @p.cars AS c WHERE c.plate LIKE 'Q1%'", (), "index_range", 3),
        ("SELECT * FROM P AS p WHERE 'odd' IN p.tags", (), "look_up", 6),
        ("SELECT * FROM P AS p WHERE 'P3' IN p.cars[*].plate", (), "look_up", 1),
        ("SELECT * FROM P AS p, @p.tags AS t WHERE t = 7", (), "look_up", 1),
        ("SELECT * FROM P AS p WHERE EXISTS(SELECT 1 FROM @p.cars AS c WHERE c.plate = ?)", ("P2",), "look_up", 1),
        ("SELECT * FROM P AS p, @p.cars AS c WHERE c.year = 2010 AND p.n > 9", (), "index_range", 2),
        ("SELECT * FROM P AS p WHERE p.n > 10 OR p.name LIKE 'a1%'", (), "index_range", 2),
        ("SELECT * FROM _ql_committed_P AS p, @p.data.cars AS c WHERE c.plate = 'Q5'", (), "look_up", 1),
        ("UPDATE P AS p SET p.n = 0 WHERE p.n >= 10", (), "index_range", 2),
        ("DELETE FROM P AS p WHERE 'P3' IN p.cars[*].plate", (), "look_up", 1),
    ],
)  # fmt: skip
def test_what_an_index_can_serve_it_serves(
    statement: str, parameters: tuple[Value, ...], call: str | None, documents: int
) -> None:
    world = PlainWorld({"P": PEOPLE}, {"P": PEOPLE_INDEXES})
    statistics = world.execute(statement, *parameters).statistics
    assert statistics.documents_read == documents
    assert set(world.calls) - {"update", "delete"} == {call} - {None}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM P AS p WHERE p.name NOT LIKE 'a%'",
        "SELECT * FROM P AS p WHERE p.n NOT BETWEEN 1 AND 2",
        "SELECT * FROM P AS p WHERE p.home.street = 4",
        "SELECT * FROM P AS p WHERE p.cars[*].plate = 'P3'",
        "SELECT * FROM P AS p WHERE EXISTS(SELECT COUNT(*) FROM @p.cars AS c WHERE c.plate = 'P1')",
        "SELECT * FROM P AS p LEFT JOIN @p.cars AS c ON c.plate = 'P1'",
        "SELECT * FROM P AS p, UNPIVOT @p.cars AS c WHERE c.plate = 'P1'",
    ],
)
def test_what_an_index_cannot_serve_is_scanned(statement: str) -> None:
    world = PlainWorld({"P": PEOPLE}, {"P": PEOPLE_INDEXES})
    assert world.execute(statement).statistics.scans == ("P",)


def test_each_of_several_conditions_on_a_list_may_be_met_by_another_element() -> None:
    world = PlainWorld({"P": PEOPLE}, {"P": ["cars[*].year"]})
    text = "SELECT VALUE p.n FROM P AS p, @p.cars AS c, @p.cars AS d WHERE c.year > 2009 AND d.year < 2001"
    assert world.rows(text) == [0]
    assert "index_range" in world.calls


def test_counts_decide_between_two_indexes() -> None:
    documents: list[Struct] = [{"kind": i % 2, "number": i} for i in range(100)]
    for expressions in (["kind", "number"], ["number", "kind"]):
        world = PlainWorld({"T": documents}, {"T": expressions}, counted=True)
        assert world.execute("SELECT * FROM T WHERE kind = 1 AND number = 3").statistics.documents_read == 1


def test_counts_decide_whether_a_join_looks_up_or_holds_by_key() -> None:
    tables: dict[str, list[Struct]] = {
        "Many": [{"k": i % 60} for i in range(600)],
        "Few": [{"k": i} for i in range(60)],
    }
    world = PlainWorld(tables, {"Many": ["id"], "Few": ["k"]}, counted=True)
    statistics = world.execute("SELECT * FROM Many AS m, Few AS f WHERE f.k = m.k").statistics
    assert (statistics.documents_read, statistics.look_ups) == (660, 0)
    statistics = world.execute("SELECT * FROM Many AS m, Few AS f WHERE f.k = m.k AND m.id = 5").statistics
    assert statistics.look_ups == 1


def test_as_of_by_document_id_reads_one_document() -> None:
    world = PlainWorld({"T": [{"a": n} for n in range(5)]})
    statement = "SELECT t.a FROM T AS OF 3 AS t BY id WHERE id = 'D000000000000000000003'"
    result = world.execute(statement)
    assert result.rows == [{"a": 1}]
    assert (result.statistics.look_ups, result.statistics.scans, world.calls) == (1, (), ["as_of"])


ORDERED_INDEXES = ["n", "home.city, n", "cars[*].plate"]


@pytest.mark.parametrize(
    ("statement", "call", "documents"),
    [
        ("SELECT VALUE n FROM P ORDER BY n", "index_range", 12),
        ("SELECT VALUE n FROM P ORDER BY n DESC LIMIT 2", "index_range", 2),
        ("SELECT VALUE n FROM P ORDER BY n LIMIT 2 OFFSET 3", "index_range", 5),
        ("SELECT VALUE n FROM P ORDER BY n NULLS LAST LIMIT 2", "index_range", 2),
        ("SELECT VALUE n FROM P WHERE n > 3 ORDER BY n LIMIT 2", "index_range", 2),
        ("SELECT VALUE n FROM P WHERE n < 8 AND name LIKE 'b%' ORDER BY n DESC LIMIT 2", "index_range", 3),
        ("SELECT n AS m FROM P ORDER BY m LIMIT 2", "index_range", 2),
        ("SELECT VALUE p.n FROM P AS p ORDER BY p.home.city DESC, p.n DESC LIMIT 3", "index_range", 3),
        ("SELECT VALUE p.n FROM P AS p WHERE p.home.city = 'Y' ORDER BY p.n LIMIT 3", "index_range", 3),
        ("SELECT VALUE p.n FROM P AS p WHERE p.home.city = 'Y' ORDER BY p.home.city, p.n LIMIT 3", "index_range", 3),
        ("SELECT VALUE p.data.n FROM _ql_committed_P AS p ORDER BY p.data.n DESC LIMIT 1", "index_range", 1),
        ("SELECT VALUE c.plate FROM P AS p, @p.cars AS c ORDER BY p.n LIMIT 3", "index_range", 2),
        ("SELECT DISTINCT VALUE n FROM P ORDER BY n LIMIT 3", "index_range", 3),
        ("SELECT MIN(n) FROM P", "index_range", 1),
        ("SELECT MAX(n) + 1 AS x FROM P HAVING MAX(n) > 1", "scan", 12),
        ("SELECT MAX(p.n) FROM P AS p WHERE p.home.city = 'Z'", "index_range", 1),
        ("SELECT MAX(p.n) FROM P AS p WHERE p.n < 5", "index_range", 1),
        ("SELECT COUNT(*) FROM P", "count", 0),
        ("SELECT COUNT(*) FROM _ql_committed_P", "count", 0),
        ("SELECT VALUE n FROM P ORDER BY n NULLS FIRST LIMIT 2", "scan", 12),
        ("SELECT VALUE p.n FROM P AS p ORDER BY p.home.city, p.n DESC LIMIT 3", "scan", 12),
        ("SELECT VALUE p.n FROM P AS p ORDER BY p.home.city LIMIT 3", "scan", 12),
        ("SELECT VALUE p.n FROM P AS p ORDER BY p.cars[*].plate LIMIT 3", "scan", 12),
        ("SELECT MIN(n), MAX(n) FROM P", "scan", 12),
        ("SELECT COUNT(n) FROM P", "scan", 12),
    ],
)  # fmt: skip
def test_an_order_that_an_index_has_is_not_sorted(statement: str, call: str, documents: int) -> None:
    world = PlainWorld({"P": PEOPLE}, {"P": ORDERED_INDEXES})
    result = world.execute(statement)
    assert (world.calls, result.statistics.documents_read) == ([call], documents)
    assert result.rows == PlainWorld({"P": PEOPLE}, naive=True).rows(statement)


def test_few_rows_by_a_look_up_are_sorted_rather_than_many_read_in_order() -> None:
    people: list[Struct] = [{"n": i, "id": i // 2} for i in range(100)]
    world = PlainWorld({"P": people}, {"P": ["n", "id"]}, counted=True)
    assert world.rows("SELECT VALUE n FROM P WHERE id = 30 ORDER BY n DESC") == [61, 60]
    assert world.calls == ["look_up"]


def test_a_plan_that_chose_by_counts_is_made_anew_when_they_change() -> None:
    world = PlainWorld(
        {"T": [{"kind": i, "number": i % 2} for i in range(100)]}, {"T": ["kind", "number"]}, counted=True
    )
    plans, text = partiql.PlanCache(), "SELECT * FROM T WHERE kind = ? AND number = ?"
    first = plans.plan(text, world.catalog, world.counts)
    assert plans.plan(text, world.catalog, world.counts) is first
    table = world.catalog.by_name["T"]
    for i in range(500):
        world.insert(table, {"kind": 1, "number": i})
    second = plans.plan(text, world.catalog, world.counts)
    assert second is not first
    reads = [partiql.execute(plan, [1, 7], world, Limits()).statistics.documents_read for plan in (first, second)]
    assert reads == [501, 1]


def test_a_plan_without_a_choice_asks_for_no_counts() -> None:
    world = PlainWorld(TABLES, {"T": ["a"]}, counted=True)
    assert partiql.PlanCache().plan("SELECT * FROM T WHERE a = ? AND b = ?", world.catalog, world.counts).basis == ()


def test_a_side_of_an_outer_join_that_can_never_match_is_not_read(world: PlainWorld) -> None:
    result = world.execute("SELECT p.a, u.k FROM Plain AS p LEFT JOIN U AS u ON false")
    assert result.rows == [{"a": i, "k": None} for i in range(3)]
    assert result.statistics.scans == ("Plain",)
    (plan,) = world.rows("EXPLAIN SELECT * FROM U WHERE 1 = 2")
    assert plan == {"operator": "select", "children": [{"operator": "nothing", "condition": "1 = 2"}]}
