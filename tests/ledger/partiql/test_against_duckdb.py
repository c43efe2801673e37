"""The SQL part of the language gives what DuckDB gives; the differences by design are in duckdb_world.py's table."""

from __future__ import annotations

import random
from contextlib import closing

from duckdb import InternalException, InvalidInputException
from duckdb_world import DuckDbWorld, assert_same_answer, comparable
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_world import PlainWorld
from sql_at_random import Sql, SqlAtRandom, tables_at_random

from ledger.errors import LimitExceededError
from ledger.limits import Limits
from ledger.values import Struct

INDEXES = {"T": ["id", "a", "s", "b, x"], "U": ["a", "x", "s, id"], "V": ["id", "f", "a, b, s"]}


LIMITS = Limits(visits_per_statement_max=500_000)


def worlds(tables: dict[str, list[Struct]]) -> list[PlainWorld]:
    """Plans without any index; by what is written; by the counts of tables and indexes."""
    naive = PlainWorld(tables, INDEXES, naive=True, limits=LIMITS)
    return [naive, *(PlainWorld(tables, INDEXES, counted=counted, limits=LIMITS) for counted in (False, True))]


def check(chance: random.Random) -> int:
    """Ask all of them one query at random; give the number of its rows, 0 if it is passed over."""
    absent = chance.random() < 0.3
    tables = tables_at_random(chance, absent=absent)
    query = SqlAtRandom(chance, absent=absent).query()
    with closing(DuckDbWorld(tables)) as duckdb:
        try:
            theirs = duckdb.rows(query)
            ours = [world.rows(query.strandline()) for world in worlds(tables)]
        except (InternalException, InvalidInputException, LimitExceededError):
            return 0
    for rows in ours:
        assert_same_answer(query, comparable(rows, query.columns), theirs)
    return len(theirs)


@given(st.integers(0, 2**64))
@settings(max_examples=150)
def test_a_query_of_sql_gives_the_rows_of_duckdb(seed: int) -> None:
    check(random.Random(seed))


def test_queries_at_random_are_about_something() -> None:
    """Many have rows, and each clause is written again and again: else the comparison would say little."""
    rows = [check(random.Random(seed)) for seed in range(60)]
    assert sum(count > 0 for count in rows) > 20
    text = " ".join(SqlAtRandom(random.Random(seed), absent=False).query().text for seed in range(500))
    for words in (
        "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "GROUP BY", "HAVING", "DISTINCT", "LIMIT", "OFFSET", "UNION ALL", "INTERSECT",
        "EXCEPT ALL", "EXISTS(", "NOT IN (SELECT", "CASE", "OVER", "RANK()", "LAG(", "WITH", "NULLS LAST", "LIKE", "BETWEEN",
    ):  # fmt: skip
        assert text.count(words) >= 10, words


def test_an_answer_that_differs_is_seen() -> None:
    query = Sql("SELECT 1 AS c0 FROM T", 1, (0,))
    for wrong in ([("1",)], [("2",), ("1",)], [("1",), ("2",), ("2",)], []):
        try:
            assert_same_answer(query, wrong, [("1",), ("2",)])
        except AssertionError:
            continue
        raise AssertionError(wrong)
