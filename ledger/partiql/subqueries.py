"""What a query inside of an expression becomes: a collection, the values of its one column, or a scalar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ledger.partiql.code import Env, Evaluate, QueryCode
from ledger.partiql.navigation import field_of
from ledger.query_values import MISSING, Bag, QueryValue

__all__ = ["all_rows", "column", "scalar"]


def all_rows(query: QueryCode) -> Evaluate:
    """Give the rows: a list if they have an order, else a bag; of PIVOT its struct."""
    rows = query.rows
    if query.single:
        return lambda env: next(rows(env))
    kind: Callable[[Iterable[Any]], Any] = list if query.ordered else Bag

    def collect(env: Env) -> QueryValue:
        found = kind(rows(env))
        env[0].hold(len(found))
        return found  # type: ignore[no-any-return]

    return collect


def column(query: QueryCode) -> Evaluate:
    """Give the values of the only column."""
    assert query.columns is not None
    rows, name = query.rows, query.columns[0]

    def collect(env: Env) -> QueryValue:
        found: Any = Bag(field_of(row, name) for row in rows(env))  # type: ignore[misc]
        env[0].hold(len(found))
        return found  # type: ignore[no-any-return]

    return collect


def scalar(query: QueryCode) -> Evaluate:
    """Give the value of the only column of the only row: no row is NULL, several are MISSING."""
    assert query.columns is not None
    rows, name = query.rows, query.columns[0]

    def only(env: Env) -> QueryValue:
        found: QueryValue = None
        for i, row in enumerate(rows(env)):
            if i:
                return MISSING
            found = field_of(row, name)
        return found

    return only
