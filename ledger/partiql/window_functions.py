"""The window functions: what each gives for the rows of a partition.

    ROW_NUMBER() RANK() DENSE_RANK() PERCENT_RANK() CUME_DIST() NTILE(n) LAG(e [, n [, default]]) LEAD(...)       of the partition
    FIRST_VALUE(e) LAST_VALUE(e) NTH_VALUE(e, n) COUNT SUM AVG MIN MAX EVERY ANY                                 of the row's frame

LAG, LEAD outside of the partition give `default`, or NULL; FIRST_VALUE and its like NULL where the frame has no such row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from ledger.partiql.aggregates import AGGREGATES
from ledger.partiql.arithmetic import calculate
from ledger.partiql.code import Env
from ledger.partiql.comparison import MistypedError, a_type_of, bare, shown
from ledger.partiql.window_frames import Frames, Partition, peers
from ledger.query_values import QueryValue

__all__ = ["WINDOW_FUNCTIONS", "Values", "WindowFunction"]

_Arguments: TypeAlias = Sequence[Sequence[QueryValue]]
_Found: TypeAlias = Iterator[tuple[int, QueryValue]]
Values: TypeAlias = Callable[[Env, Partition, _Arguments, Frames], _Found]
"""Gives, for a partition, the arguments of all rows and the frames, (number of the row, value)."""


@dataclass(frozen=True, slots=True)
class WindowFunction:
    """`least` and `most`: how many arguments. `framed`: it goes by the frame."""

    values: Values
    least: int
    most: int
    framed: bool = False


def _row_number(_: Env, members: Partition, __: _Arguments, ___: Frames) -> _Found:
    for position, (number, _keys) in enumerate(members, 1):
        yield number, position


def _of_peers(value: Callable[[int, int, int, int], QueryValue]) -> Values:
    """Give a function of (position of the first that sorts equal, one after the last, how many different ones came before, all)."""

    def values(_: Env, members: Partition, __: _Arguments, ___: Frames) -> _Found:
        for before, (start, end) in enumerate(peers(members)):
            found = value(start, end, before, len(members))
            for number, _keys in members[start:end]:
                yield number, found

    return values


def _part(count: int, whole: int) -> QueryValue:
    return calculate("/", Decimal(count), Decimal(whole)) if whole else Decimal(0)


def _ntile(env: Env, members: Partition, arguments: _Arguments, _: Frames) -> _Found:
    size = len(members)
    for position, (number, _keys) in enumerate(members):
        buckets = bare(arguments[number][0])
        if type(buckets) is not int or buckets < 1:
            yield number, _no_count(env, "NTILE", buckets, 1)
            continue
        small, large = divmod(size, buckets)  # the first `large` buckets have one row more
        if position < large * (small + 1):
            yield number, position // (small + 1) + 1
        else:
            yield number, large + (position - large * (small + 1)) // small + 1


def _no_count(env: Env, function: str, value: QueryValue, least: int) -> QueryValue:
    wrong = shown(value) if type(value) is int else a_type_of(value)
    found: QueryValue = env[0].mistyped(MistypedError(f"{function} takes an int of {least} or more, not {wrong}"))
    return found


def _shifted(name: str, sign: int) -> Values:
    def values(env: Env, members: Partition, arguments: _Arguments, _: Frames) -> _Found:
        for position, (number, _keys) in enumerate(members):
            distance = bare(arguments[number][1]) if len(arguments[number]) > 1 else 1
            if type(distance) is not int or distance < 0:
                yield number, _no_count(env, name, distance, 0)
                continue
            other = position + sign * distance
            if 0 <= other < len(members):
                yield number, arguments[members[other][0]][0]
            else:
                yield number, arguments[number][2] if len(arguments[number]) > 2 else None

    return values


def _at_edge(*, last: bool) -> Values:
    def values(env: Env, members: Partition, arguments: _Arguments, frames: Frames) -> _Found:
        for (number, _keys), (start, end) in zip(members, frames(env, members), strict=True):
            yield number, arguments[members[end - 1 if last else start][0]][0] if start < end else None

    return values


def _nth_value(env: Env, members: Partition, arguments: _Arguments, frames: Frames) -> _Found:
    for (number, _keys), (start, end) in zip(members, frames(env, members), strict=True):
        nth = bare(arguments[number][1])
        if type(nth) is not int or nth < 1:
            yield number, _no_count(env, "NTH_VALUE", nth, 1)
        else:
            yield number, arguments[members[start + nth - 1][0]][0] if start + nth <= end else None


def _aggregate(name: str) -> Values:
    def values(env: Env, members: Partition, arguments: _Arguments, frames: Frames) -> _Found:
        found = [arguments[number][0] for number, _keys in members]
        bounds = frames(env, members)
        if all(end == len(members) for _, end in bounds) and bounds and bounds[-1][0] > 0:
            # An aggregate does not mind the order, so frames that all end at the end grow backwards.
            backwards = [(0, len(members) - start) for start, _ in reversed(bounds)]
            results = [*_aggregated(env, name, found[::-1], backwards)][::-1]
        else:
            results = [*_aggregated(env, name, found, bounds)]
        for (number, _keys), result in zip(members, results, strict=True):
            yield number, result

    return values


def _aggregated(
    env: Env, name: str, values: Sequence[QueryValue], bounds: Sequence[tuple[int, int]]
) -> Iterator[QueryValue]:
    """Give the aggregate of each frame; one that only grows is not begun anew."""
    accumulator, begun, added = AGGREGATES[name](), 0, 0
    for start, end in bounds:
        if start != begun:
            accumulator, begun, added = AGGREGATES[name](), start, start
        for position in range(added, end):
            env[0].visit()
            try:
                accumulator.add(values[position])
            except MistypedError as error:
                env[0].mistyped(error)
        added = max(added, end)
        yield accumulator.result()


WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    "row_number": WindowFunction(_row_number, 0, 0),
    "rank": WindowFunction(_of_peers(lambda start, end, before, size: start + 1), 0, 0),
    "dense_rank": WindowFunction(_of_peers(lambda start, end, before, size: before + 1), 0, 0),
    "percent_rank": WindowFunction(_of_peers(lambda start, end, before, size: _part(start, size - 1)), 0, 0),
    "cume_dist": WindowFunction(_of_peers(lambda start, end, before, size: _part(end, size)), 0, 0),
    "ntile": WindowFunction(_ntile, 1, 1),
    "lag": WindowFunction(_shifted("LAG", -1), 1, 3),
    "lead": WindowFunction(_shifted("LEAD", 1), 1, 3),
    "first_value": WindowFunction(_at_edge(last=False), 1, 1, framed=True),
    "last_value": WindowFunction(_at_edge(last=True), 1, 1, framed=True),
    "nth_value": WindowFunction(_nth_value, 2, 2, framed=True),
    **{name: WindowFunction(_aggregate(name), 1, 1, framed=True) for name in AGGREGATES if name != "count"},
    "count": WindowFunction(_aggregate("count"), 0, 1, framed=True),
}
