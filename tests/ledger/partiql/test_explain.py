"""What EXPLAIN tells of a plan, and EXPLAIN ANALYZE of its execution."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_world import PlainWorld
from statements_at_random import CHANGES, DOCUMENTS, ORDERED, QUERIES

from ledger import ion, partiql
from ledger.errors import LedgerError, ParseError, StatementError
from ledger.limits import Limits
from ledger.values import Struct, Value

TABLES = {"T": [{"a": i, "b": i % 3} for i in range(9)], "U": [{"k": i} for i in range(3)]}
INDEXES = {"T": ["a"], "U": ["k"]}


def explained(world: PlainWorld, text: str, *parameters: Value) -> Any:
    (row,) = world.rows(text, *parameters)
    return row


def operators(part: Any) -> Any:
    """Give the operators alone: (operator, those below)."""
    below = [operators(child) for child in part.get("children", [])]
    return (part["operator"], *below)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM T WHERE b = 1", ("select", ("scan",))),
        ("SELECT * FROM T WHERE a = 1 ORDER BY b LIMIT 1", ("select", ("limit", ("sort", ("index look-up",))))),
        ("SELECT * FROM T ORDER BY a LIMIT 1", ("select", ("limit", ("index range",)))),
        ("SELECT * FROM T BY d WHERE d = 'x'", ("select", ("look-up by id",))),
        ("SELECT * FROM T, U WHERE T.a = U.k", ("select", ("nested loops", ("scan",), ("index look-up",)))),
        ("SELECT * FROM T AS t, T AS u WHERE t.b = u.b", ("select", ("nested loops", ("scan",), ("hash join", ("scan",))))),
        ("SELECT b, COUNT(*) FROM T GROUP BY b", ("select", ("group", ("scan",)))),
        ("SELECT MAX(a) FROM T", ("select", ("aggregate", ("end of an index", ("index range",))))),
        ("SELECT COUNT(*) FROM T", ("select", ("count",))),
        ("SELECT DISTINCT b FROM T UNION SELECT k FROM U", ("select", ("union", ("distinct", ("scan",)), ("scan",)))),
        ("SELECT * FROM T AS t LEFT JOIN U AS u ON u.k = t.a", ("select", ("left join", ("scan",), ("index look-up",)))),
        ("SELECT * FROM T WHERE a IN (SELECT VALUE u.k FROM U AS u)", ("select", ("index look-up",), ("subquery", ("scan",)))),
        ("UPDATE T SET b = 1 WHERE a = 2 OR a = 3", ("update", ("union of look-ups",))),
        ("DELETE FROM T", ("delete", ("scan",))),
        ("INSERT INTO T VALUE {'a': 1}", ("insert",)),
    ],
)  # fmt: skip
def test_the_plan_is_told_as_a_tree(statement: str, expected: Any) -> None:
    world = PlainWorld(TABLES, INDEXES)
    before = world.documents("T")
    world.calls.clear()
    assert operators(explained(world, f"EXPLAIN {statement}")) == expected
    assert world.calls == []
    assert world.documents("T") == before


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT t.b FROM T AS t WHERE t.c = 1", ["b", "c"]),
        ("SELECT t.b FROM T AS t WHERE t.a > 1", ["a", "b"]),
        ("SELECT VALUE 1 FROM T AS t", []),
        ("SELECT * FROM T WHERE a > 1", None),
        ("SELECT t.b FROM T AS t WHERE t.a = 1", None),
        ("SELECT h.data.a FROM history(T) AS h", None),
    ],
)
def test_the_fields_that_are_read_are_told_unless_it_is_all_of_them(statement: str, expected: list[str] | None) -> None:
    (part,) = explained(PlainWorld(TABLES, INDEXES), f"EXPLAIN {statement}")["children"]
    assert part.get("fields") == expected


def test_a_part_tells_its_table_index_condition_and_estimate() -> None:
    statement = "EXPLAIN SELECT * FROM T AS t WHERE t.a BETWEEN 1 AND ? AND NOT t.b = 2"
    plan = explained(PlainWorld(TABLES, INDEXES), statement)
    assert plan == explained(PlainWorld(TABLES, INDEXES), statement, 3)
    assert plan["children"] == [
        {
            "operator": "index range",
            "table": "T",
            "index": "[a]",
            "condition": "t.a BETWEEN 1 AND ? AND NOT (t.b = 2)",
            "estimatedRows": 100,
        }
    ]


def test_analyze_executes_and_counts_what_each_part_gave() -> None:
    world = PlainWorld(TABLES, INDEXES)
    plan = explained(world, "EXPLAIN ANALYZE SELECT * FROM T AS t, U AS u WHERE t.a = u.k AND t.b < 2 ORDER BY t.b")
    (sort,) = plan["children"]
    (loops,) = sort["children"]
    outer, inner = loops["children"]
    assert (plan["rows"], sort["rows"], loops["rows"]) == (2, 2, 2)
    assert (outer["rows"], outer["loops"], outer["documentsRead"], outer["lookUps"]) == (6, 1, 9, 0)
    assert (inner["rows"], inner["loops"], inner["documentsRead"], inner["lookUps"]) == (2, 6, 2, 6)
    assert (
        sort["bytesRead"]
        == outer["bytesRead"] + inner["bytesRead"]
        > outer["bytesRead"]
        >= 9 * len(ion.encode({"a": 1}))
    )
    assert "timeMicroseconds" not in sort


def test_a_plan_that_is_executed_wants_all_its_parameters() -> None:
    world = PlainWorld(TABLES, INDEXES)
    for statement in ("EXPLAIN ANALYZE SELECT * FROM T WHERE a = ?", "SELECT * FROM T WHERE a = ?"):
        with pytest.raises(StatementError, match="expects 1 parameters, but statement has 0"):
            world.execute(statement)
    with pytest.raises(StatementError, match="expects 1 parameters, but statement has 2"):
        world.execute("EXPLAIN SELECT * FROM T WHERE a = ?", 1, 2)


def test_analyze_tells_times_by_the_clock_that_it_is_given() -> None:
    world = PlainWorld(TABLES, INDEXES)
    ticks = count(0, 5_000_000)
    plans = partiql.PlanCache(clock_ns=lambda: next(ticks))
    plan = plans.plan("EXPLAIN ANALYZE SELECT * FROM U", world.catalog)
    row: Any = partiql.execute(plan, [], world, Limits()).rows[0]
    assert row["children"][0]["timeMicroseconds"] == 4 * 5_000  # three rows and the end


def test_analyze_of_a_change_changes() -> None:
    world = PlainWorld(TABLES, INDEXES)
    assert explained(world, "EXPLAIN ANALYZE UPDATE T SET b = 7 WHERE a < 2")["rows"] == 2
    assert [document["b"] for document in TABLES["T"][:2]] == [0, 1]
    assert sum(isinstance(d, dict) and d["b"] == 7 for d in world.documents("T")) == 2
    assert partiql.parse("EXPLAIN ANALYZE DELETE FROM T").kind == "dml"
    assert partiql.parse("EXPLAIN DELETE FROM T").kind == "query"


def test_a_definition_has_no_plan() -> None:
    with pytest.raises(ParseError, match="a definition has none"):
        partiql.parse("EXPLAIN CREATE TABLE X")


@given(DOCUMENTS, DOCUMENTS, st.one_of(QUERIES, ORDERED, CHANGES))
@settings(max_examples=300, deadline=None)
def test_analyze_counts_the_rows_that_the_statement_gives(t: list[Struct], u: list[Struct], text: str) -> None:
    text = text.replace("|", "")
    tables, indexes = {"T": t, "U": u}, {"T": ["a", "c", "l[*].k"], "U": ["a, b"]}
    try:
        rows = PlainWorld(tables, indexes).rows(text)
    except LedgerError:
        return
    assert explained(PlainWorld(tables, indexes), f"EXPLAIN ANALYZE {text}")["rows"] == len(rows)
