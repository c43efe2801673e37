"""Frames: which rows around a row a window function looks at.

Rules:
- Without a frame an ORDER BY makes it RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, no ORDER BY the whole partition.
- RANGE's CURRENT ROW is all rows that sort equal, ROWS' is the row alone.
- A distance is the same for all rows: a constant or a parameter.

Source: SQL:2003, 6.10 and 7.11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ledger.errors import EvaluationError
from ledger.partiql.code import Env
from ledger.partiql.comparison import a_type_of, bare, shown
from ledger.partiql.compiler import Compiler
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import FrameBound, Window
from ledger.query_values import QueryValue

__all__ = ["Frames", "Partition", "peers", "plan_frames"]

Partition: TypeAlias = list[tuple[int, list[bytes]]]
"""The rows of a partition in their order: (number of the row, its sort keys)."""
Frames: TypeAlias = Callable[[Env, Partition], list[tuple[int, int]]]
"""Gives for each row of a partition the positions (first, one after the last) of its frame; both never go back."""
_Edge = Callable[[Env], int]


def peers(members: Partition) -> Iterator[tuple[int, int]]:
    """Cut an ordered partition into runs that sort equal: (position of the first, one after the last)."""
    start = 0
    for end in range(1, len(members) + 1):
        if end == len(members) or members[end][1] != members[start][1]:
            yield start, end
            start = end


def plan_frames(compiler: Compiler, node: Window) -> Frames:
    """Compile the frame of a window function."""
    frame = node.frame
    if frame is None:
        return _ranges(whole_start=True, whole_end=not node.order_by)
    if frame.unit == "range":
        return _ranges(whole_start=frame.start.step != 0, whole_end=frame.end.step != 0)
    return _rows(_edge(compiler, frame.start), _edge(compiler, frame.end))


def _ranges(*, whole_start: bool, whole_end: bool) -> Frames:
    def frames(_: Env, members: Partition) -> list[tuple[int, int]]:
        size = len(members)
        if whole_start and whole_end:
            return [(0, size)] * size
        return [
            (0 if whole_start else start, size if whole_end else end)
            for start, end in peers(members)
            for _ in range(start, end)
        ]

    return frames


def _rows(start: _Edge | None, end: _Edge | None) -> Frames:
    def frames(env: Env, members: Partition) -> list[tuple[int, int]]:
        size = len(members)
        first = -size if start is None else start(env)
        last = size if end is None else end(env)
        found = []
        for i in range(size):
            low = min(max(i + first, 0), size)
            found.append((low, max(low, min(i + last + 1, size))))
        return found

    return frames


def _edge(compiler: Compiler, bound: FrameBound) -> _Edge | None:
    """Give how many rows after its row a frame begins or ends; None: at the partition's own end."""
    if bound.step == 0:
        return lambda env: 0
    if bound.distance is None:
        return None
    code, step = compiler.compile(bound.distance, Scope()), bound.step
    if code.constant:
        try:
            _distance(compiler.value(code))
        except EvaluationError as error:
            compiler.refuse(str(error), bound.at)
    return lambda env: step * _distance(code.run(env))


def _distance(value: QueryValue) -> int:
    plain = bare(value)
    if type(plain) is not int or plain < 0:
        wrong = shown(plain) if type(plain) is int else a_type_of(plain)
        raise EvaluationError(f"a frame goes by an int of 0 or more, not {wrong}")
    return min(plain, 2**62)
