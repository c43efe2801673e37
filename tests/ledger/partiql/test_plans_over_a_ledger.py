"""Plans give the naive rows over the real views too, with a transaction's own writes on top."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statements_at_random import DOCUMENTS, ORDERED, QUERIES

import ledger
from ledger import partiql
from ledger.errors import LedgerError
from ledger.index_key import order_key
from ledger.limits import Limits
from ledger.partiql import PlanCache
from ledger.transaction import Transaction, run_statement
from ledger.values import Timestamp, Value

INDEXES = {
    "T": ["a", "n.k", "a, b", "c, n.m, a", "l[*]", "l[*].k", "b, l[*].k"],
    "U": ["b", "b, a", "c", "l[*].k"],
}
NOW = Timestamp(2026, 11, 22, 12, 0, 0, offset=0)


@pytest.fixture(scope="module")
def transaction(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transaction]:
    path: Path = tmp_path_factory.mktemp("ledger") / "plans"
    with ledger.open(path) as database:
        for table, expressions in INDEXES.items():
            database.execute(f"CREATE TABLE {table}")
            for expression in expressions:
                database.execute(f"CREATE INDEX ON {table} ({expression})")
        _fill(database)
        with database._views.snapshot() as snapshot:
            ids = iter(f"{n:022d}" for n in range(100))
            transaction = Transaction("t" * 22, snapshot, 0, NOW, lambda: next(ids), Limits())
            plans = PlanCache()
            for text in (
                "DELETE FROM T WHERE a = 2",
                "UPDATE T SET a = 3 WHERE b = 1",
                "INSERT INTO T << {'a': 1, 'l': [{'k': 1}, 2]}, {'a': 2, 'n': {'k': 'x'}} >>",
                "INSERT INTO U VALUE {'a': 1, 'b': 1, 'c': 'x'}",
            ):
                run_statement(plans, transaction, text, [], NOW)
            yield transaction


def _fill(database: ledger.Database) -> None:
    @given(DOCUMENTS)
    @settings(max_examples=12, database=None, deadline=None, derandomize=True)
    def insert(documents: list[Value]) -> None:
        for number, document in enumerate(documents[:5]):
            database.execute(f"INSERT INTO {'TU'[number % 2]} ?", document)

    insert()


def outcome(transaction: Transaction, text: str, *, naive: bool) -> list[Value] | str:
    try:
        plan = partiql.make_plan(
            partiql.parse(text), transaction.catalog, counts=None if naive else transaction.counts, naive=naive
        )
        return partiql.execute(plan, [], transaction, Limits()).rows
    except LedgerError as error:
        return type(error).__name__


@given(st.one_of(QUERIES, ORDERED))
@settings(max_examples=200, deadline=None)
def test_a_planned_query_gives_the_naive_rows_of_a_ledger(transaction: Transaction, query: str) -> None:
    text = query.replace("|", "")
    planned, naive = outcome(transaction, text, naive=False), outcome(transaction, text, naive=True)
    if isinstance(planned, str) or isinstance(naive, str):
        assert planned == naive
        return
    if "ORDER BY" in text:  # of rows that are equal under the order a LIMIT may take others
        planned, naive = ([row[0] for row in rows if isinstance(row, list)] for rows in (planned, naive))
        assert list(map(order_key, planned)) == list(map(order_key, naive))
    assert sorted(map(order_key, planned)) == sorted(map(order_key, naive))
