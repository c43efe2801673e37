"""What a query inside of an expression becomes: a collection, the values of its one column, or a scalar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ledger.partiql.code import Env, Evaluate, QueryCode
from ledger.partiql.navigation import field_of
from ledger.query_values import MISSING, Bag, QueryValue

__all__ = ["all_rows", "column", "scalar"]


def all_rows(query: QueryCode, *, kept: bool) -> Evaluate:
    """Give the rows: a list if they have an order, else a bag; of PIVOT its struct. `kept`: until the statement ends."""
    rows = query.rows
    if query.single:
        return lambda env: next(rows(env))
    kind: Callable[[], Any] = list if query.ordered else Bag
    return lambda env: _collected(env, kind(), rows(env), kept)


def column(query: QueryCode, *, kept: bool) -> Evaluate:
    """Give the values of the only column."""
    assert query.columns is not None
    rows, name = query.rows, query.columns[0]
    return lambda env: _collected(env, Bag(), (field_of(row, name) for row in rows(env)), kept)


def _collected(env: Env, found: Any, values: Iterable[QueryValue], kept: bool) -> QueryValue:
    with env[0].holding("a subquery") as held:
        for value in values:
            found.append(value)
            held.add(value)
        if kept:
            held.keep()
    return found  # type: ignore[no-any-return]


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
