"""GROUP BY and aggregates: many rows become one a group.

Rules:
- Without GROUP BY all rows are one group, and there is one even of no rows.
- Values that are equal under `=` are one group; NULL and MISSING are one group, returned as null.
- Above the grouping an expression is a key (written the same way, or by its alias), an aggregate, or made of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, is_dataclass

from ledger.catalog import Table
from ledger.partiql.aggregates import AGGREGATES, Accumulator, Distinct
from ledger.partiql.code import Code, Env, Evaluate, Rows, constant
from ledger.partiql.comparison import MistypedError, is_absent
from ledger.partiql.compiler import Compiler
from ledger.partiql.grouping_keys import group_key
from ledger.partiql.navigation import struct_of
from ledger.partiql.projection import column_name
from ledger.partiql.run import Holding
from ledger.partiql.scope import Scope, slot_code
from ledger.partiql.tree.expressions import Aggregate, Expression, Name, Path
from ledger.partiql.tree.parts import found_in, holds, names_of_parts
from ledger.partiql.tree.queries import GroupBy
from ledger.query_values import Bag, QueryValue

__all__ = ["aggregates_in", "has_aggregates", "plan_count", "plan_grouping"]


def has_aggregates(node: object) -> bool:
    """Tell whether an expression, or a tuple of nodes, holds an aggregate of its own query."""
    return holds(node, Aggregate)


def aggregates_in(node: object) -> Iterator[Aggregate]:
    """Give the aggregates of its own query that an expression, or a tuple of nodes, holds."""
    return found_in(node, Aggregate)


def _shape(node: object) -> object:
    """Give what two nodes have in common when they are written the same way, wherever they stand."""
    if isinstance(node, tuple):
        return tuple(map(_shape, node))
    kind: type = type(node)
    return kind, tuple(_shape(getattr(node, name)) for name in names_of_parts(kind)) if is_dataclass(kind) else repr(
        node
    )


@dataclass(slots=True)
class _Group:
    keys: list[QueryValue]
    accumulators: list[Accumulator]
    takers: Sequence[tuple[Callable[[QueryValue], None], Evaluate]]
    """What takes a row's value, and what gives it: one an accumulator."""
    rows: Bag = field(default_factory=Bag)


class _Grouping:
    """What one GROUP BY computes; aggregates are added while the expressions above it are compiled."""

    def __init__(self, compiler: Compiler, group_by: GroupBy | None, inner: Scope) -> None:
        self.compiler, self.inner = compiler, inner
        self.first_own = min((v.slot for v in inner.sources), default=compiler.next_slot)
        self.keys: list[Code] = []
        self.key_slots: list[int] = []
        self.shapes: dict[object, int] = {}
        self.paths: dict[object, int] = {}
        self.aggregates: list[tuple[Callable[[Holding], Accumulator], Evaluate]] = []
        self.aggregate_slots: list[int] = []
        self.group_slot: int | None = None
        self.outer = Scope(parent=inner.parent, grouping=self)
        for expression, alias in group_by.keys if group_by else ():
            self._add_key(expression, alias)
        if group_by is not None and group_by.group_as is not None:
            compiler.makes_foreign = True
            for variable in inner.sources:
                compiler.looked_at.all_of(variable.slot)
            self.group_slot = compiler.slots()
            self.outer.names[group_by.group_as] = slot_code(self.group_slot)

    def _add_key(self, expression: Expression, alias: str | None) -> None:
        code = self.compiler.compile(expression, self.inner)
        slot = self.compiler.slots()
        self.keys.append(code)
        self.key_slots.append(slot)
        self.shapes[_shape(expression)] = slot
        if code.path is not None:
            self.paths[code.path] = slot
        self.outer.names[column_name(expression, len(self.keys)) if alias is None else alias] = slot_code(slot)

    def slots(self) -> list[int]:
        return [*self.key_slots, *self.aggregate_slots, *([] if self.group_slot is None else [self.group_slot])]

    def substitute(self, expression: Expression) -> Code | None:
        if isinstance(expression, Aggregate):
            return self._aggregate(expression)
        slot = self.shapes.get(_shape(expression))
        if slot is not None:
            return slot_code(slot)
        root = expression.root if isinstance(expression, Path) else expression
        if not isinstance(root, Name) or root.text in self.outer.names:
            return None
        code, reads = self.compiler.recorded(expression, self.inner)
        if code.path in self.paths:
            return slot_code(self.paths[code.path])
        if not code.constant and any(slot >= self.first_own for slot in reads):
            self.compiler.refuse(f"{root.text} is neither in GROUP BY nor inside of an aggregate", expression.at)
        return code

    def _aggregate(self, node: Aggregate) -> Code:
        shape = _shape(node)
        if shape not in self.shapes:
            if has_aggregates(node.argument):
                self.compiler.refuse("an aggregate inside of an aggregate", node.at)
            argument = constant(True) if node.argument is None else self.compiler.compile(node.argument, self.inner)
            make = AGGREGATES[node.function]
            new: Callable[[Holding], Accumulator] = lambda _: make()  # noqa: E731
            if node.distinct:
                new = lambda held: Distinct(make(), held)  # noqa: E731
            self.aggregates.append((new, argument.run))
            self.aggregate_slots.append(self.compiler.slots())
            self.shapes[shape] = self.aggregate_slots[-1]
        return slot_code(self.shapes[shape])

    def rows(self, below: Rows) -> Rows:
        keys = [key.run for key in self.keys]
        named = [(v.name, v.slot) for v in self.inner.sources if v.name is not None]
        key_slots, aggregate_slots, group_slot = self.key_slots, self.aggregate_slots, self.group_slot
        aggregates = self.aggregates  # complete by the time that a row comes

        def new(values: list[QueryValue], held: Holding) -> _Group:
            held.add(values)
            accumulators = [make(held) for make, _ in aggregates]
            takers = [(a.add, argument) for a, (_, argument) in zip(accumulators, aggregates, strict=True)]
            return _Group(values, accumulators, takers)

        def grouped(env: Env, held: Holding) -> Iterable[_Group]:
            run = env[0]
            groups: dict[object, _Group] = {} if keys else {(): new([], held)}
            one = len(keys) == 1
            for _ in below(env):
                values = [key(env) for key in keys]
                group_of = group_key(values[0]) if one else tuple(map(group_key, values))
                group = groups.get(group_of)
                if group is None:
                    group = groups[group_of] = new([None if is_absent(value) else value for value in values], held)
                for take, argument in group.takers:
                    try:
                        take(argument(env))
                    except MistypedError as error:
                        run.mistyped(error)
                if group_slot is not None:
                    group.rows.append(struct_of((name, env[slot]) for name, slot in named))
                    held.add(group.rows[-1])
            return groups.values()

        def rows(env: Env) -> Iterator[None]:
            with env[0].holding("GROUP BY" if keys else "an aggregate") as held:
                yield from set_each(env, grouped(env, held))

        def set_each(env: Env, groups: Iterable[_Group]) -> Iterator[None]:
            for group in groups:
                _set(env, key_slots, group.keys)
                _set(env, aggregate_slots, [accumulator.result() for accumulator in group.accumulators])
                if group_slot is not None:
                    env[group_slot] = group.rows
                yield

        return rows

    def count(self, table: Table) -> Rows:
        """Give the one group of all documents of a table, whose only aggregate is COUNT(*)."""
        slots = self.aggregate_slots  # complete by the time that a row comes

        def rows(env: Env) -> Iterator[None]:
            _set(env, slots, [env[0].context.count(table)])
            yield

        return rows


def _set(env: Env, slots: Sequence[int], values: Sequence[QueryValue]) -> None:
    for slot, value in zip(slots, values, strict=True):
        env[slot] = value


def plan_grouping(compiler: Compiler, group_by: GroupBy | None, inner: Scope, below: Rows) -> tuple[Rows, Scope]:
    """Group the rows of `below`; give the groups, and the scope in which what stands above is compiled."""
    grouping = _Grouping(compiler, group_by, inner)
    operator = "aggregate" if group_by is None else "group"
    return compiler.noted(grouping.rows(below), operator, below), grouping.outer


def plan_count(compiler: Compiler, inner: Scope, table: Table) -> tuple[Rows, Scope]:
    """Give the one group of all documents of a table, of which only COUNT(*) is asked; else as `plan_grouping`."""
    grouping = _Grouping(compiler, None, inner)
    return compiler.noted(grouping.count(table), "count", table=table.name), grouping.outer
