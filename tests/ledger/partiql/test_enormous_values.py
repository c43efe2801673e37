"""Short statements that would make enormous values are refused, wherever they run; nobody waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from plain_world import PlainWorld

import ledger
from ledger.database import open_ledger
from ledger.errors import BesideError, EvaluationError, InvalidValueError, LimitExceededError
from ledger.limits import Limits
from ledger.partiql import calls
from ledger.request import OneShot, Waiter
from ledger.sizes import estimated_size, size_bound
from ledger.values import Value


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ledger.Database]:
    with open_ledger(tmp_path / "cars") as db:
        db.execute("CREATE TABLE Vehicle")
        yield db


def doubling(first: str, again: str, times: int = 60) -> str:
    """Give a FROM whose last variable, `doubled`, is `first`, doubled so often."""
    steps = [f"{again.format(f'a{i}', f'a{i}')} AS a{i + 1}" for i in range(times)]
    return f"FROM [1] AS one LET {first} AS a0, {', '.join(steps)}, a{times} AS doubled"


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("'0123456789'", "{} || {}"),
        ("1234567890", "{} * {}"),
        ("[1]", "[{}, {}]"),
        ("[1]", "<<{}, {}>>"),
        ("[1]", "{{'a': {}, 'b': {}}}"),
        ("[1]", "{{'a': {}, 'a': {}}}"),
        ("[1]", "{{'a' || CAST(one AS STRING): {}, 'b': {}}}"),
    ],
)
def test_what_is_doubled_60_times_is_refused_at_once(
    db: ledger.Database, monkeypatch: pytest.MonkeyPatch, first: str, again: str
) -> None:
    monkeypatch.setattr(calls, "_BUILT_BYTES_MAX", 1024 * 1024)
    with pytest.raises(EvaluationError, match="more than"):
        db.execute(f"SELECT VALUE doubled {doubling(first, again)}")


@pytest.mark.parametrize(
    "again",
    [
        "(SELECT VALUE {0} FROM [1, 2] AS i)",
        "((SELECT VALUE {0} FROM [1] AS i) UNION ALL (SELECT VALUE {0} FROM [1] AS i))",
        "(SELECT VALUE g FROM {0} AS a, [1, 2] AS b GROUP BY 1 AS q GROUP AS g)",
    ],
)
def test_what_queries_as_values_double_is_refused_before_it_is_copied_or_compared(again: str) -> None:
    limits = Limits(statement_memory_bytes_max=1024 * 1024)
    world = PlainWorld(limits=limits)
    with pytest.raises(LimitExceededError, match="statement_memory_bytes_max"):
        world.rows(f"SELECT VALUE doubled = doubled {doubling('[one]', again, 40)}")


@pytest.mark.parametrize(
    "around",
    [
        "SELECT t AS a, t AS b FROM ({}) AS t",
        "SELECT t AS a, t AS a FROM ({}) AS t",
        "SELECT t.a AS a, t.a AS b FROM (SELECT t AS a FROM ({}) AS t) AS t",
        "SELECT x AS a, x AS b FROM Vehicle AS v LET ({}) AS x",
        "SELECT MAX(t) AS a, MAX(t) AS b FROM ({}) AS t",
        "SELECT k AS a, k AS b FROM ({}) AS t GROUP BY t AS k",
        "SELECT * FROM ({0}) AS a, ({0}) AS b",
        "SELECT t.*, t.* FROM ({}) AS t",
        "SELECT * FROM ({}) AS t GROUP BY t AS a, t AS b",
        "SELECT FIRST_VALUE(t) OVER () AS a, LAST_VALUE(t) OVER () AS b FROM ({}) AS t",
    ],
)
def test_queries_around_queries_that_double_a_row_are_refused(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    monkeypatch.setattr(calls, "_BUILT_BYTES_MAX", 1024 * 1024)
    world = PlainWorld({"Vehicle": [{"n": 1}]}, limits=Limits(statement_memory_bytes_max=8 * 1024 * 1024))
    queries = ", ".join(f"q{n} AS ({around.format(f'SELECT * FROM q{m}')})" for m, n in pairwise(range(25)))
    with pytest.raises((EvaluationError, LimitExceededError), match=r"more than|statement_memory_bytes_max"):
        world.rows(f"WITH q0 AS (SELECT 1 AS a FROM << 0 >>), {queries} SELECT * FROM q24")


def test_what_is_doubled_runs_beside_the_committer(db: ledger.Database) -> None:
    waiter = Waiter()
    text = f"INSERT INTO Vehicle SELECT VALUE {{'x': doubled}} {doubling('[1]', '[{}, {}]', 20)}"
    request = OneShot(waiter.notify, statements=[(text, [])])
    db.submit(request)
    with pytest.raises(BesideError):
        waiter.wait(request)


def test_nobody_looks_to_the_end_of_an_enormous_value() -> None:
    value: Value = [1]
    for _ in range(60):
        value = [value, value]
    assert estimated_size(value) > 2**60
    with pytest.raises(InvalidValueError, match="more than"):
        size_bound(value, 64)
