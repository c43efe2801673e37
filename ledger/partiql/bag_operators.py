"""UNION, INTERSECT and EXCEPT of bags, with or without ALL; equality as GROUP BY has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from ledger.index_key import order_key
from ledger.partiql.code import Env
from ledger.query_values import QueryValue

__all__ = ["combined", "distinct"]

_Values = Callable[[Env], Iterator[QueryValue]]


def combined(operator: str, left: _Values, right: _Values, *, keep: bool) -> _Values:
    """Combine two bags; `keep`: duplicates count."""
    if operator == "union":
        return _union_all(left, right) if keep else distinct(_union_all(left, right))
    found = _counted(left, right, wanted=operator == "intersect")
    return found if keep else distinct(_uncounted(left, right, wanted=operator == "intersect"))


def _union_all(left: _Values, right: _Values) -> _Values:
    return lambda env: chain(left(env), right(env))


def distinct(below: _Values) -> _Values:
    """Give each value once."""

    def values(env: Env) -> Iterator[QueryValue]:
        seen = set()
        for value in below(env):
            key = order_key(value)
            if key not in seen:
                seen.add(key)
                env[0].hold(len(seen))
                yield value

    return values


def _counted(left: _Values, right: _Values, *, wanted: bool) -> _Values:
    """Take each value of the right side once for an equal one of the left: INTERSECT keeps these, EXCEPT the others."""

    def values(env: Env) -> Iterator[QueryValue]:
        counts = Counter(_keys(env, right))
        for value in left(env):
            key = order_key(value)
            found = counts[key] > 0
            counts[key] -= found
            if found is wanted:
                yield value

    return values


def _uncounted(left: _Values, right: _Values, *, wanted: bool) -> _Values:
    def values(env: Env) -> Iterator[QueryValue]:
        keys = set(_keys(env, right))
        for value in left(env):
            if (order_key(value) in keys) is wanted:
                yield value

    return values


def _keys(env: Env, values: _Values) -> Iterator[bytes]:
    for count, value in enumerate(values(env), 1):
        env[0].hold(count)
        yield order_key(value)
