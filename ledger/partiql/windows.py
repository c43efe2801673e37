"""Window functions: a value for each row, from the rows of its partition.

    ROW_NUMBER() RANK() DENSE_RANK() LAG(e [, n [, default]]) LEAD(...) and COUNT SUM AVG MIN MAX EVERY ANY,
    each OVER ([PARTITION BY e, ...] [ORDER BY e, ...])

Rules:
- They see the rows after WHERE, GROUP BY and HAVING, before DISTINCT, ORDER BY and LIMIT; all rows are held.
- An aggregate without ORDER BY is over the whole partition; with it, over the rows up to this one and those that sort equal.
- LAG and LEAD outside of the partition give `default`, or NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.partiql.aggregates import AGGREGATES
from ledger.partiql.code import Code, Env, Evaluate, Rows, constant
from ledger.partiql.comparison import MistypedError, a_type_of, bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.grouping_keys import group_key
from ledger.partiql.ordering import Ordering
from ledger.partiql.run import Holding
from ledger.partiql.scope import Scope, did_you_mean, slot_code
from ledger.partiql.tree.expressions import Expression, Window
from ledger.partiql.tree.parts import holds
from ledger.query_values import QueryValue

__all__ = ["has_windows", "plan_windows"]

_Partition = list[tuple[int, list[bytes]]]
"""The rows of a partition in their order: (number of the row, its sort keys)."""


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
    values: Callable[[Env, _Partition, Sequence[Sequence[QueryValue]]], Iterator[tuple[int, QueryValue]]]


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
        if has_windows((node.arguments, node.partition_by, node.order_by)):
            compiler.refuse("a window function inside of a window function", node.at)
        values = self._values(node)
        arguments = tuple(code.run for code in compiler.many(node.arguments, self.inner)) or (constant(True).run,)
        partition_by = tuple(code.run for code in compiler.many(node.partition_by, self.inner))
        keys = [compiler.compile(key.expression, self.inner).run for key in node.order_by]
        function = _Function(compiler.slots(), arguments, partition_by, Ordering(node.order_by, keys), values)
        self.functions.append(function)
        return slot_code(function.slot)

    def _values(self, node: Window) -> Callable[..., Iterator[tuple[int, QueryValue]]]:
        least, most, values = _FUNCTIONS.get(node.function, (0, 0, None))
        if node.function in AGGREGATES:
            least, most, values = (
                0 if node.function == "count" else 1,
                1,
                _aggregate(node.function, bool(node.order_by)),
            )
        if values is None:
            known = [*_FUNCTIONS, *AGGREGATES]
            message = f"No such window function: {node.function.upper()}"
            self.compiler.refuse(message + did_you_mean(node.function, known, str.upper), node.at)
        if not least <= len(node.arguments) <= most:
            self.compiler.refuse(f"{node.function.upper()} OVER takes {least} to {most} arguments", node.at)
        return values

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
    partitions: dict[object, _Partition] = {}
    for number, (partition, keys, _) in enumerate(rows):
        partitions.setdefault(partition, []).append((number, keys))
    arguments = [values for _, _, values in rows]
    results: list[QueryValue] = [None] * len(rows)
    for members in partitions.values():
        function.ordering.sort(members, keys_of=_keys_of)
        for number, value in function.values(env, members, arguments):
            results[number] = value
    return results


def _keys_of(member: tuple[int, list[bytes]]) -> list[bytes]:
    return member[1]


def _row_number(_: Env, members: _Partition, __: object) -> Iterator[tuple[int, QueryValue]]:
    for position, (number, _keys) in enumerate(members, 1):
        yield number, position


def _rank(_: Env, members: _Partition, __: object) -> Iterator[tuple[int, QueryValue]]:
    for group_start, group in _peers(members):
        for number, _keys in group:
            yield number, group_start + 1


def _dense_rank(_: Env, members: _Partition, __: object) -> Iterator[tuple[int, QueryValue]]:
    for rank, (_start, group) in enumerate(_peers(members), 1):
        for number, _keys in group:
            yield number, rank


def _peers(members: _Partition) -> Iterator[tuple[int, _Partition]]:
    """Cut an ordered partition into runs that sort equal: (position of the first, the run)."""
    start = 0
    for end in range(1, len(members) + 1):
        if end == len(members) or members[end][1] != members[start][1]:
            yield start, members[start:end]
            start = end


def _shifted(sign: int) -> Callable[..., Iterator[tuple[int, QueryValue]]]:
    def values(
        env: Env, members: _Partition, arguments: Sequence[Sequence[QueryValue]]
    ) -> Iterator[tuple[int, QueryValue]]:
        for position, (number, _keys) in enumerate(members):
            distance = bare(arguments[number][1]) if len(arguments[number]) > 1 else 1
            if type(distance) is not int or distance < 0:
                yield (
                    number,
                    env[0].mistyped(
                        MistypedError(f"LAG and LEAD go by an int of 0 or more, not {a_type_of(distance)}")
                    ),
                )
                continue
            other = position + sign * distance
            if 0 <= other < len(members):
                yield number, arguments[members[other][0]][0]
            else:
                yield number, arguments[number][2] if len(arguments[number]) > 2 else None

    return values


def _aggregate(name: str, running: bool) -> Callable[..., Iterator[tuple[int, QueryValue]]]:
    def values(
        env: Env, members: _Partition, arguments: Sequence[Sequence[QueryValue]]
    ) -> Iterator[tuple[int, QueryValue]]:
        accumulator = AGGREGATES[name]()
        for _start, group in _peers(members) if running else [(0, members)]:
            for number, _keys in group:
                try:
                    accumulator.add(arguments[number][0])
                except MistypedError as error:
                    env[0].mistyped(error)
            result = accumulator.result()
            for number, _keys in group:
                yield number, result

    return values


_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Iterator[tuple[int, QueryValue]]] | None]] = {
    "row_number": (0, 0, _row_number),
    "rank": (0, 0, _rank),
    "dense_rank": (0, 0, _dense_rank),
    "lag": (1, 3, _shifted(-1)),
    "lead": (1, 3, _shifted(1)),
}
