"""What one statement may do: visits, rows and bytes held, and whoever watches it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from plain_world import PlainWorld

from ledger.errors import LedgerError, LimitExceededError
from ledger.limits import Limits
from ledger.partiql import make_plan, parse
from ledger.partiql.executor import Execution, execute
from ledger.values import Value

ROWS: list[Value] = [{"id": i, "group": i % 1000, "text": f"{i}" * 100} for i in range(2_000)]
NUMBERS: list[Value] = list(range(2_000))


def given(text: str, limits: Limits, parameter: list[Value] = ROWS, watch: object = None) -> list[Value]:
    world = PlainWorld({})
    plan = make_plan(parse(text), world.catalog)
    parameters = [parameter] * plan.parameter_count
    return execute(plan, parameters, world, limits, watch).rows  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("SELECT r.* FROM ? AS r ORDER BY r.id DESC LIMIT 1999", "ORDER BY"),
        ("SELECT DISTINCT r.text FROM ? AS r", "DISTINCT"),
        ("SELECT r.text, COUNT(*) AS n FROM ? AS r GROUP BY r.text", "GROUP BY"),
        ("SELECT g FROM ? AS r GROUP BY 1 AS one GROUP AS g", "GROUP BY"),
        ("SELECT COUNT(DISTINCT r.text) AS n FROM ? AS r", "an aggregate"),
        ("SELECT a.id FROM ? AS a, (SELECT VALUE r FROM ? AS r) AS b WHERE a.id = b.id", "a subquery"),
        ("SELECT a.id FROM ? AS a, ? AS b WHERE a.id = b.id", "a hash join"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY r.id) AS n FROM ? AS r", "a window function"),
        ("(SELECT VALUE r FROM ? AS r) EXCEPT (SELECT VALUE r FROM ? AS r)", "EXCEPT"),
        ("SELECT a.id FROM ? AS a FULL JOIN ? AS b ON a.id = b.id", "FULL JOIN"),
        ("PIVOT r AT r.text FROM ? AS r", "PIVOT"),
    ],
)
def test_what_an_operator_may_hold_is_bounded_in_bytes_and_named(text: str, operator: str) -> None:
    with pytest.raises(LimitExceededError, match=r"statement_memory_bytes_max is 100000, asked for \d+ by ") as raised:
        given(text, Limits(statement_memory_bytes_max=100_000))
    assert (raised.value.limit, raised.value.operator) == ("statement_memory_bytes_max", operator)
    given(text, Limits())


def test_memory_that_is_let_go_of_is_counted_no_more() -> None:
    """A thousand small sorts, one after the other, hold no more than one of them; nor does a top-N over many rows."""
    limits = Limits(statement_memory_bytes_max=50_000)
    sorts = "SELECT VALUE (SELECT VALUE x FROM [3, 1, 2, 6, 5, 4, 9, 8, 7, 13, 12, 11, 19, 18, 17, 16, n] AS x ORDER BY x) FROM ? AS n"
    assert len(given(sorts, limits, NUMBERS)) == 2_000
    assert given(
        "SELECT VALUE r.id FROM ? AS r ORDER BY r.id DESC LIMIT 2", Limits(statement_memory_bytes_max=2_000_000)
    ) == [1999, 1998]


def test_a_result_is_bounded_in_bytes() -> None:
    with pytest.raises(LimitExceededError, match="result_bytes_max"):
        given("SELECT r.* FROM ? AS r", Limits(result_bytes_max=100_000))
    with pytest.raises(LimitExceededError, match="rows_per_statement_max is 1999, asked for 2000 by the rows"):
        given("SELECT r.* FROM ? AS r", Limits(rows_per_statement_max=1_999))
    assert len(given("SELECT r.* FROM ? AS r", Limits(rows_per_statement_max=2_000))) == 2_000


def test_rows_come_one_by_one_before_the_last_one_is_found() -> None:
    """A stream of more rows than a statement may hold: none is kept."""
    world, limits = PlainWorld({}), Limits(rows_per_statement_max=10, statement_memory_bytes_max=1_000)
    plan = make_plan(parse("SELECT a, b FROM ? AS a, ? AS b"), world.catalog)
    execution = Execution(plan, [NUMBERS, NUMBERS], world, limits)
    rows: Iterator[Value] = iter(execution.rows)
    for i in range(2_500):
        assert next(rows) == {"a": i // 2_000, "b": i % 2_000}


class Stop(LedgerError):
    pass


class StopAt:
    """Ends the statement as soon as it is asked at `end` or later."""

    def __init__(self, end: int) -> None:
        self.end, self.seen = end, -1

    def look(self, visited: int) -> int:
        self.seen = visited
        if visited >= self.end:
            raise Stop
        return min(visited + 100, self.end)

    def ended(self, visited: int) -> None:
        self.seen = visited


def test_a_watch_is_asked_between_visits_and_ends_the_statement() -> None:
    watch = StopAt(777)
    with pytest.raises(Stop):
        given("SELECT a FROM ? AS a, ? AS b", Limits(), NUMBERS, watch)
    assert watch.seen == 778
    assert given("COLL_COUNT(?)", Limits(), NUMBERS, watch) == [2_000]
    assert watch.seen == 0


@pytest.mark.parametrize(
    "source",
    ["history(T, `2020-01-01T00:00:00Z`, `2020-01-02T00:00:00Z`)", "T AS OF `2020-01-01T00:00:00Z`"],
)
def test_revisions_that_are_passed_over_are_work_too(source: str) -> None:
    world = PlainWorld({"T": [{"n": n} for n in range(50)]}, limits=Limits(visits_per_statement_max=30))
    with pytest.raises(LimitExceededError, match="visits_per_statement_max is 30, asked for 31"):
        world.rows(f"SELECT * FROM {source} AS h")
