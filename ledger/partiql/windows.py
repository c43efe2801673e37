"""Window functions: a value for each row, from the rows of its partition.

    function(...) OVER ([PARTITION BY e, ...] [ORDER BY e, ...] [frame])

They see the rows after WHERE, GROUP BY and HAVING, before DISTINCT, ORDER BY and LIMIT; all rows are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.partiql.code import Code, Env, Evaluate, Rows, constant
from ledger.partiql.compiler import Compiler
from ledger.partiql.grouping_keys import group_key
from ledger.partiql.ordering import Ordering
from ledger.partiql.run import Holding
from ledger.partiql.scope import Scope, did_you_mean, slot_code
from ledger.partiql.tree.expressions import Expression, Window
from ledger.partiql.tree.parts import holds
from ledger.partiql.window_frames import Frames, Partition, plan_frames
from ledger.partiql.window_functions import WINDOW_FUNCTIONS, Values, WindowFunction
from ledger.query_values import QueryValue

__all__ = ["has_windows", "plan_windows"]


def has_windows(node: object) -> bool:
    """Tell whether an expression, or a tuple of nodes, holds a window function of its own query."""
    return holds(node, Window)


@dataclass(frozen=True, slots=True)
class _Function:
    """One compiled window function. `values` gives, for a partition and the arguments of all rows, (number of the row, value)."""

    slot: int
    arguments: tuple[Evaluate, ...]
    partition_by: tuple[Evaluate, ...]
    ordering: Ordering
    frames: Frames
    values: Values


class _Windows:
    """The window functions of one query; found while what stands above them is compiled."""

    def __init__(self, compiler: Compiler, inner: Scope, below: Sequence[int]) -> None:
        self.compiler, self.inner, self.below = compiler, inner, below
        self.functions: list[_Function] = []
        self.outer = Scope(inner.parent, inner.names, inner.sources, inner.queries, self)

    def slots(self) -> list[int]:
        return [function.slot for function in self.functions]

    def substitute(self, expression: Expression) -> Code | None:
        if not isinstance(expression, Window):
            return None if self.inner.grouping is None else self.inner.grouping.substitute(expression)
        node, compiler = expression, self.compiler
        if has_windows((node.arguments, node.partition_by, node.order_by, node.frame)):
            compiler.refuse("a window function inside of a window function", node.at)
        values, frames = self._values(node).values, plan_frames(compiler, node)
        arguments = tuple(code.run for code in compiler.many(node.arguments, self.inner)) or (constant(True).run,)
        partition_by = tuple(code.run for code in compiler.many(node.partition_by, self.inner))
        keys = [compiler.compile(key.expression, self.inner).run for key in node.order_by]
        function = _Function(compiler.slots(), arguments, partition_by, Ordering(node.order_by, keys), frames, values)
        self.functions.append(function)
        return slot_code(function.slot)

    def _values(self, node: Window) -> WindowFunction:
        function = WINDOW_FUNCTIONS.get(node.function)
        if function is None:
            message = f"No such window function: {node.function.upper()}"
            self.compiler.refuse(message + did_you_mean(node.function, WINDOW_FUNCTIONS, str.upper), node.at)
        if not function.least <= len(node.arguments) <= function.most:
            self.compiler.refuse(
                f"{node.function.upper()} OVER takes {function.least} to {function.most} arguments", node.at
            )
        if node.frame is not None and not function.framed:
            self.compiler.refuse(f"{node.function.upper()} takes no frame: it is of the whole partition", node.frame.at)
        return function

    def rows(self, below: Rows) -> Rows:
        computed = [] if self.inner.grouping is None else self.inner.grouping.slots()
        slots, functions = [*self.below, *(slot for slot in computed if slot not in self.below)], self.functions

        def rows(env: Env) -> Iterator[None]:
            with env[0].holding("a window function") as holding:
                yield from windowed(env, holding)

        def windowed(env: Env, holding: Holding) -> Iterator[None]:
            held: list[list[Any]] = []
            seen: list[list[tuple[object, list[bytes], list[QueryValue]]]] = [[] for _ in functions]
            for _ in below(env):
                held.append([env[slot] for slot in slots])
                for function, rows_of in zip(functions, seen, strict=True):
                    partition = tuple(group_key(run(env)) for run in function.partition_by)
                    rows_of.append((partition, function.ordering.keys(env), [run(env) for run in function.arguments]))
                holding.add((held[-1], [rows_of[-1] for rows_of in seen]))
            results = [_results(env, function, rows_of) for function, rows_of in zip(functions, seen, strict=True)]
            for number, values in enumerate(held):
                for slot, value in zip(slots, values, strict=True):
                    env[slot] = value
                for function, result in zip(functions, results, strict=True):
                    env[function.slot] = result[number]
                yield

        return rows


def plan_windows(compiler: Compiler, inner: Scope, first_slot: int, below: Rows) -> tuple[Callable[[], Rows], Scope]:
    """Give the scope for what stands above, and, to be called once that is compiled, the rows.

    Args:
        first_slot: the slots from there on are those of this query.
    """
    of_rows = [slot for slot in range(first_slot, compiler.next_slot) if slot not in compiler.kept_slots]
    windows = _Windows(compiler, inner, of_rows)
    return lambda: windows.rows(below), windows.outer


def _results(
    env: Env, function: _Function, rows: Sequence[tuple[object, list[bytes], list[QueryValue]]]
) -> list[QueryValue]:
    partitions: dict[object, Partition] = {}
    for number, (partition, keys, _) in enumerate(rows):
        partitions.setdefault(partition, []).append((number, keys))
    arguments = [values for _, _, values in rows]
    results: list[QueryValue] = [None] * len(rows)
    for members in partitions.values():
        function.ordering.sort(members, keys_of=_keys_of)
        for number, value in function.values(env, members, arguments, function.frames):
            results[number] = value
    return results


def _keys_of(member: tuple[int, list[bytes]]) -> list[bytes]:
    return member[1]
