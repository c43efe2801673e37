"""Queries -> generators of rows: FROM and WHERE, GROUP BY, SELECT, DISTINCT, ORDER BY, OFFSET and LIMIT, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ledger.errors import EvaluationError
from ledger.partiql import bag_operators
from ledger.partiql.code import Code, Env, Evaluate, QueryCode, Rows
from ledger.partiql.comparison import MistypedError, a_type_of, bare, shown, text_of
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import conjuncts_of
from ledger.partiql.from_plan import declare_all
from ledger.partiql.grouping import has_aggregates, plan_grouping
from ledger.partiql.joins import implied_hints, joined
from ledger.partiql.navigation import elements_of, struct_of
from ledger.partiql.ordering import Ordering
from ledger.partiql.projection import Projected, project_groups, project_list, project_star
from ledger.partiql.scope import Scope, Variable
from ledger.partiql.tree.expressions import Container, Expression, Name, Subquery
from ledger.partiql.tree.queries import OrderKey, Pivot, Query, Select, SelectList, SelectValue, SetOperation, With
from ledger.partiql.windows import has_windows, plan_windows
from ledger.query_values import MISSING, QueryValue

__all__ = ["plan_query"]


def plan_query(compiler: Compiler, query: Query, scope: Scope) -> QueryCode:
    """Compile a query whose outer names are `scope`'s."""
    if isinstance(query, With):
        inner = Scope(parent=scope)
        for name, bound in query.bindings:
            inner.queries[name] = compiler.collection_rows(Subquery(bound, 0), inner).run
        return plan_query(compiler, query.query, inner)
    if isinstance(query, SetOperation):
        return _plan_set_operation(compiler, query, scope)
    return _plan_select(compiler, query, scope)


def _plan_select(compiler: Compiler, select: Select, scope: Scope) -> QueryCode:
    assert select.source is not None
    inner, first_slot = Scope(parent=scope), compiler.next_slot
    plan = declare_all(compiler, select.source, inner)
    conjuncts = conjuncts_of(compiler, select.where, inner)
    rows = joined(compiler, plan, conjuncts)
    alone = True
    if select.group_by or select.having or has_aggregates((select.projection, select.order_by)):
        rows, inner = plan_grouping(compiler, select.group_by, inner, rows)
        alone = select.group_by is not None
    if select.having is not None:
        rows = _filtered(rows, compiler.compile(select.having, inner).run)
    finish: Callable[[], Rows] = lambda: rows  # noqa: E731
    if has_windows((select.projection, select.order_by)):
        finish, inner = plan_windows(compiler, inner, first_slot, rows)
    projected = _project(compiler, select, inner)
    ordering = _ordering(compiler, select.order_by, inner, projected.codes)
    cut = _cut(compiler, select, scope)
    values = _projected(finish(), projected.run)
    if ordering is not None:
        wanted = None if select.distinct else cut.wanted()
        values = _sorted(finish(), projected.run, ordering, wanted)
    values = cut.of(bag_operators.distinct(values) if select.distinct else values)
    if isinstance(select.projection, Pivot):
        return QueryCode(_pivoted(values), single=True)
    implied = implied_hints(plan, conjuncts) if alone else ()
    return QueryCode(values, projected.columns, ordered=ordering is not None, implied=implied)


def _project(compiler: Compiler, select: Select, scope: Scope) -> Projected:
    projection = select.projection
    if isinstance(projection, SelectList):
        return project_list(compiler, projection, scope)
    if isinstance(projection, SelectValue):
        return Projected(compiler.compile(projection.expression, scope).run, None, {})
    if isinstance(projection, Pivot):
        pair = Container("list", (projection.name, projection.value), 0)
        return Projected(compiler.compile(pair, scope).run, None, {})
    if scope.grouping is not None:
        return project_groups(scope)
    assert select.source is not None
    return project_star(select.source, scope)


def _filtered(below: Rows, condition: Evaluate) -> Rows:
    def rows(env: Env) -> Iterator[None]:
        for _ in below(env):
            if bare(condition(env)) is True:
                yield

    return rows


def _pivoted(below: Callable[[Env], Iterator[QueryValue]]) -> Callable[[Env], Iterator[QueryValue]]:
    """Make one struct of rows that are lists of a name and a value."""

    def one_struct(env: Env) -> Iterator[QueryValue]:
        pairs = []
        pair: Any
        with env[0].holding("PIVOT") as holding:
            for pair in below(env):
                name, value = pair
                text = text_of(name)
                if text is None:
                    env[0].mistyped(MistypedError("PIVOT names fields by text"))
                else:
                    pairs.append((text, value))
                    holding.add(pair)
        yield struct_of(pairs)

    return one_struct


# ORDER BY.


def _ordering(compiler: Compiler, order: Sequence[OrderKey], scope: Scope, columns: dict[str, Code]) -> Ordering | None:
    if not order:
        return None
    return Ordering(order, [_order_key(compiler, key, scope, columns) for key in order])


def _order_key(compiler: Compiler, key: OrderKey, scope: Scope, columns: dict[str, Code]) -> Evaluate:
    """Compile one key: a bare name is a column first, deeper in an expression only if nothing else has the name."""
    if isinstance(key.expression, Name) and key.expression.text in columns:
        return columns[key.expression.text].run
    names = {**columns, **scope.names}
    code = compiler.compile(key.expression, Scope(scope.parent, names, scope.sources, scope.queries, scope.grouping))
    if code.constant:
        compiler.refuse("ORDER BY a constant orders nothing; name a column or an expression", key.at)
    return code.run


def _projected(rows: Rows, project: Evaluate) -> Callable[[Env], Iterator[QueryValue]]:
    def values(env: Env) -> Iterator[QueryValue]:
        for _ in rows(env):
            value = project(env)
            if value is not MISSING:
                yield value

    return values


def _sorted(
    rows: Rows, project: Evaluate, ordering: Ordering, wanted: Callable[[Env], int] | None
) -> Callable[[Env], Iterator[QueryValue]]:
    """Sort; where only the first `wanted` rows are asked for, no more than a few times as many are held."""

    def values(env: Env) -> Iterator[QueryValue]:
        first = wanted(env) if wanted else None
        held: list[tuple[list[bytes], QueryValue]] = []
        most = None if first is None else 2 * first + 1_000
        with env[0].holding("ORDER BY") as holding:
            for _ in rows(env):
                value = project(env)
                if value is MISSING:
                    continue
                held.append((ordering.keys(env), value))
                holding.add(held[-1])
                if len(held) == most:
                    ordering.sort(held, keys_of=_first)
                    del held[first:]
                    holding.cut(len(held))
            ordering.sort(held, keys_of=_first)
            for _, value in held[:first]:
                yield value

    return values


def _first(row: tuple[list[bytes], QueryValue]) -> list[bytes]:
    return row[0]


# LIMIT, OFFSET.


@dataclass(frozen=True, slots=True)
class _Cut:
    """LIMIT and OFFSET of one query."""

    limit: Callable[[Env], int] | None
    offset: Callable[[Env], int] | None

    def wanted(self) -> Callable[[Env], int] | None:
        """How many rows from the first on are needed."""
        limit, offset = self.limit, self.offset
        if limit is None or offset is None:
            return limit
        return lambda env: limit(env) + offset(env)

    def of(self, below: Callable[[Env], Iterator[QueryValue]]) -> Callable[[Env], Iterator[QueryValue]]:
        limit, offset = self.limit, self.offset
        if limit is None and offset is None:
            return below

        def values(env: Env) -> Iterator[QueryValue]:
            first = offset(env) if offset else 0
            return islice(below(env), first, first + limit(env) if limit else None)

        return values


def _cut(compiler: Compiler, query: Select | SetOperation, scope: Scope) -> _Cut:
    return _Cut(
        None if query.limit is None else _count(compiler, "LIMIT", query.limit, scope),
        None if query.offset is None else _count(compiler, "OFFSET", query.offset, scope),
    )


def _count(compiler: Compiler, clause: str, expression: Expression, scope: Scope) -> Callable[[Env], int]:
    code = compiler.compile(expression, scope)

    def checked(value: QueryValue) -> int:
        plain = bare(value)
        if type(plain) is not int or plain < 0:
            wrong = shown(plain) if type(plain) is int else a_type_of(plain)
            raise EvaluationError(f"{clause} takes an int of 0 or more, not {wrong}")
        return min(plain, 2**62)

    if code.constant:
        try:
            checked(compiler.value(code))
        except EvaluationError as error:
            compiler.refuse(str(error), expression.at)
    return lambda env: checked(code.run(env))


# UNION, INTERSECT, EXCEPT.


def _plan_set_operation(compiler: Compiler, node: SetOperation, scope: Scope) -> QueryCode:
    left, right = (_operand(compiler, side, scope) for side in (node.left, node.right))
    right_rows = right.rows
    columns = None
    if not node.outer and left.columns is not None and right.columns is not None:
        if len(left.columns) != len(right.columns):
            compiler.refuse(
                f"{node.operator.upper()} of {len(left.columns)} columns and of {len(right.columns)}", node.at
            )
        columns = left.columns
        if left.columns != right.columns:
            right_rows = _renamed(right.rows, right.columns, left.columns)
    values = bag_operators.combined(node.operator, left.rows, right_rows, keep=node.all)
    slot, cut = compiler.slots(), _cut(compiler, node, scope)
    ordering = _ordering(compiler, node.order_by, Scope(parent=scope, sources=[Variable(None, slot)]), {})
    if ordering is not None:
        row: Evaluate = lambda env: env[slot]  # noqa: E731
        values = _sorted(_into_slot(values, slot), row, ordering, cut.wanted())
    return QueryCode(cut.of(values), columns, ordered=ordering is not None)


def _operand(compiler: Compiler, node: Query | Expression, scope: Scope) -> QueryCode:
    if isinstance(node, Select | SetOperation | With):
        return plan_query(compiler, node, scope)
    run = compiler.compile(node, scope).run

    def values(env: Env) -> Iterator[QueryValue]:
        return elements_of(run(env))

    return QueryCode(values)


def _renamed(
    below: Callable[[Env], Iterator[QueryValue]], old: Sequence[str], new: Sequence[str]
) -> Callable[[Env], Iterator[QueryValue]]:
    def values(env: Env) -> Iterator[QueryValue]:
        for row in below(env):
            assert isinstance(row, dict), "a row of distinct columns"
            yield {name: row[was] for was, name in zip(old, new, strict=True) if was in row}

    return values


def _into_slot(values: Callable[[Env], Iterator[QueryValue]], slot: int) -> Rows:
    def rows(env: Env) -> Iterator[None]:
        for value in values(env):
            env[slot] = value
            yield

    return rows
