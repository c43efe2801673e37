"""A source that is scanned once and then asked by key, where nothing better leads to its rows.

The rows that pass the conditions on the source alone are kept in env, in a slot of the statement, so also for each row of an outer
query; a source with more rows than a statement may hold is scanned again and again instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.partiql.code import Env, Evaluate, Rows
from ledger.partiql.comparison import is_absent
from ledger.partiql.grouping_keys import group_key
from ledger.query_values import MISSING

__all__ = ["hashed"]

_Held = dict[object, list[list[Any]]]


def hashed(
    below: Rows, slots: Sequence[int], key: Evaluate, probe: Evaluate, predicate: Evaluate, cache_slot: int
) -> Rows:
    """Give those rows of `below` whose `key` equals the value of `probe`, and that pass `predicate`.

    Args:
        below: sets `slots`, and depends on nothing that changes within the statement.
        cache_slot: a slot of the statement's own, MISSING until the first row.
    """

    def hold(env: Env) -> _Held | None:
        held: _Held = {}
        maximum = env[0].limits.rows_per_statement_max
        with env[0].holding("a hash join") as holding:
            for count, _ in enumerate(below(env), 1):
                if count > maximum:
                    return None
                value = key(env)
                if not is_absent(value):
                    row = [env[slot] for slot in slots]
                    held.setdefault(group_key(value), []).append(row)
                    holding.add(row)
            holding.keep()
        return held

    def rows(env: Env) -> Iterator[None]:
        wanted = probe(env)
        if is_absent(wanted):
            return
        held = env[cache_slot]
        if held is MISSING:
            held = env[cache_slot] = hold(env)
        if held is None:
            for _ in below(env):
                if predicate(env) is True:
                    yield
            return
        visit = env[0].visit
        for values in held.get(group_key(wanted), ()):
            visit()
            for slot, value in zip(slots, values, strict=True):
                env[slot] = value
            if predicate(env) is True:
                yield

    return rows
