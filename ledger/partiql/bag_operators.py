"""UNION, INTERSECT and EXCEPT of bags, with or without ALL; equality as GROUP BY has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from ledger.index_key import order_key
from ledger.partiql.code import Env
from ledger.partiql.navigation import field_of, struct_of
from ledger.partiql.run import Holding
from ledger.query_values import QueryValue

__all__ = ["combined", "distinct", "of_columns"]

_Values = Callable[[Env], Iterator[QueryValue]]


def combined(operator: str, left: _Values, right: _Values, *, keep: bool) -> _Values:
    """Combine two bags; `keep`: duplicates count."""
    if operator == "union":
        return _union_all(left, right) if keep else distinct(_union_all(left, right), "UNION")
    if keep:
        return _counted(left, right, operator)
    return distinct(_uncounted(left, right, operator), operator.upper())


def _union_all(left: _Values, right: _Values) -> _Values:
    return lambda env: chain(left(env), right(env))


def distinct(below: _Values, operator: str = "DISTINCT") -> _Values:
    """Give each value once. `operator` is named when it holds too much."""

    def values(env: Env) -> Iterator[QueryValue]:
        seen = set()
        with env[0].holding(operator) as held:
            for value in below(env):
                key = order_key(value)
                if key not in seen:
                    seen.add(key)
                    held.add(key)
                    yield value

    return values


def of_columns(below: _Values, columns: Sequence[str]) -> _Values:
    """Give rows of these fields only."""
    return lambda env: (struct_of((name, field_of(row, name)) for name in columns) for row in below(env))


def _counted(left: _Values, right: _Values, operator: str) -> _Values:
    """Take each value of the right side once for an equal one of the left: INTERSECT keeps these, EXCEPT the others."""
    wanted = operator == "intersect"

    def values(env: Env) -> Iterator[QueryValue]:
        with env[0].holding(operator.upper()) as held:
            counts = Counter(_keys(right(env), held))
            for value in left(env):
                key = order_key(value)
                found = counts[key] > 0
                counts[key] -= found
                if found is wanted:
                    yield value

    return values


def _uncounted(left: _Values, right: _Values, operator: str) -> _Values:
    wanted = operator == "intersect"

    def values(env: Env) -> Iterator[QueryValue]:
        with env[0].holding(operator.upper()) as held:
            keys = set(_keys(right(env), held))
            for value in left(env):
                if (order_key(value) in keys) is wanted:
                    yield value

    return values


def _keys(values: Iterator[QueryValue], held: Holding) -> Iterator[bytes]:
    for value in values:
        key = order_key(value)
        held.add(key)
        yield key
