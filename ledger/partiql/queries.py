"""Queries -> generators of rows: FROM and WHERE, GROUP BY, SELECT, DISTINCT, ORDER BY, OFFSET and LIMIT, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ledger.errors import EvaluationError
from ledger.partiql import bag_operators
from ledger.partiql.bindings import binding, plan_lets, split_condition
from ledger.partiql.code import Code, Env, Evaluate, QueryCode, Rows
from ledger.partiql.comparison import MistypedError, a_type_of, bare, shown, text_of
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import Conjunct, conjuncts_of
from ledger.partiql.from_plan import InnerPlan, declare_all, tables_of
from ledger.partiql.grouping import aggregates_in, has_aggregates, plan_count, plan_grouping
from ledger.partiql.index_order import WantedOrder, counted_table, extreme_first, in_order
from ledger.partiql.joins import implied_hints, joined
from ledger.partiql.navigation import elements_of, struct_of
from ledger.partiql.ordering import Ordering, nulls_are_out_of_place
from ledger.partiql.projection import Projected, project_groups, project_list, project_star
from ledger.partiql.scope import Scope, Variable
from ledger.partiql.tree.expressions import Container, Expression, Literal, Name, Subquery
from ledger.partiql.tree.queries import OrderKey, Pivot, Query, Select, SelectList, SelectValue, SetOperation, With
from ledger.partiql.tree.text import text_of_expression
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
    bound = plan_lets(compiler, select.lets, inner)
    below, above = split_condition(select.where, {each.name for each in bound}) if bound else (select.where, None)
    conjuncts = conjuncts_of(compiler, below, inner)
    bind = binding(compiler, bound, above, inner)
    alone = not (select.group_by or select.having or has_aggregates((select.projection, select.order_by)))
    finish: Callable[[], Rows] = lambda: bind(joined(compiler, plan, conjuncts))  # noqa: E731
    if not alone:
        rows, inner = _plan_groups(compiler, select, plan, conjuncts, inner, bind if bound else None)
        finish = lambda: rows  # noqa: E731
    if has_windows((select.projection, select.order_by)):
        alone = False
        framed = finish()
        windowed, inner = plan_windows(compiler, inner, first_slot, framed)
        finish = lambda: compiler.noted(windowed(), "windows", framed)  # noqa: E731
    projected = _project(compiler, select, inner)
    keys = [_order_key(compiler, key, inner, projected.codes) for key in select.order_by]
    cut = _cut(compiler, select, scope)
    in_place = _in_order(compiler, plan, conjuncts, select, keys, cut) if alone and keys and not bound else None
    if in_place is not None or not keys:
        unsorted = finish() if in_place is None else in_place
        values = compiler.noted_as(_projected(unsorted, projected.run), unsorted)
    else:
        ordering = Ordering(select.order_by, [key.run for key in keys])
        unsorted = finish()
        values = _sorted(unsorted, projected.run, ordering, None if select.distinct else cut.wanted())
        values = compiler.noted(values, "sort", unsorted, by=_told_order(select.order_by))
    if select.distinct:
        values = compiler.noted(bag_operators.distinct(values), "distinct", values)
    values = _limited(compiler, cut, values)
    for table in tables_of(plan) if not compiler.naive else ():
        compiler.looked_at.complete(table.slot)
    if isinstance(select.projection, Pivot):
        return QueryCode(compiler.noted(_pivoted(values), "pivot", values), single=True)
    one_group = not alone and select.group_by is None  # even of no rows
    implied = () if one_group else implied_hints(plan, conjuncts)
    return QueryCode(values, projected.columns, ordered=bool(keys), implied=implied)


def _plan_groups(
    compiler: Compiler,
    select: Select,
    plan: InnerPlan,
    conjuncts: Sequence[Conjunct],
    inner: Scope,
    bind: Callable[[Rows], Rows] | None,
) -> tuple[Rows, Scope]:
    """Group; where the only aggregate is COUNT(*) or the end of an index, without reading all rows."""
    aggregates = aggregates_in((select.projection, select.having, select.order_by))
    only = next(aggregates, None) if select.group_by is None and bind is None else None
    below = None
    if only is not None and next(aggregates, None) is None and not compiler.naive:
        table = counted_table(plan) if only.argument is None and not conjuncts else None
        if table is not None:
            rows, outer = plan_count(compiler, inner, table)
            return _having(compiler, select, rows, outer)
        argument = None if has_aggregates(only.argument) else only.argument
        path = None if argument is None else compiler.compile(argument, inner).path
        if only.function in ("min", "max") and path is not None:
            below = extreme_first(compiler, plan, conjuncts, path, greatest=only.function == "max")
    if below is None:
        found = joined(compiler, plan, conjuncts)
        below = found if bind is None else bind(found)
    rows, outer = plan_grouping(compiler, select.group_by, inner, below)
    return _having(compiler, select, rows, outer)


def _having(compiler: Compiler, select: Select, rows: Rows, outer: Scope) -> tuple[Rows, Scope]:
    if select.having is not None:
        below, condition = rows, text_of_expression(select.having)
        rows = _filtered(below, compiler.compile(select.having, outer).run)
        rows = compiler.noted(rows, "filter", below, condition=condition)
    return rows, outer


def _limited(
    compiler: Compiler, cut: _Cut, values: Callable[[Env], Iterator[QueryValue]]
) -> Callable[[Env], Iterator[QueryValue]]:
    return values if cut.limit is None and cut.offset is None else compiler.noted(cut.of(values), "limit", values)


def _told_order(order: Sequence[OrderKey]) -> str:
    return ", ".join(text_of_expression(key.expression) + (" DESC" if key.descending else "") for key in order)


def _project(compiler: Compiler, select: Select, scope: Scope) -> Projected:
    projection = select.projection
    if isinstance(projection, SelectList):
        return project_list(compiler, projection, scope)
    if isinstance(projection, SelectValue):
        return Projected(compiler.compile(projection.expression, scope).run, None, {})
    if isinstance(projection, Pivot):
        pair = Container("list", (projection.name, projection.value), 0)
        return Projected(compiler.compile(pair, scope).run, None, {})
    if not scope.sources:  # above a grouping
        return project_groups(compiler, scope)
    assert select.source is not None
    return project_star(compiler, select.source, scope)


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


def _in_order(
    compiler: Compiler,
    plan: InnerPlan,
    conjuncts: Sequence[Conjunct],
    select: Select,
    keys: Sequence[Code],
    cut: _Cut,
) -> Rows | None:
    """Give the rows in the order of an index, if one has it and it pays."""
    wanted = []
    for node, key in zip(select.order_by, keys, strict=True):
        if key.path is None or nulls_are_out_of_place(node):
            return None
        wanted.append((key.path, node.descending))
    return in_order(compiler, plan, conjuncts, WantedOrder(tuple(wanted), cut.first))


def _order_key(compiler: Compiler, key: OrderKey, scope: Scope, columns: dict[str, Code]) -> Code:
    """Compile one key: a bare name is a column first, deeper in an expression only if nothing else has the name."""
    if isinstance(key.expression, Name) and key.expression.text in columns:
        return columns[key.expression.text]
    names = {**columns, **scope.names}
    code = compiler.compile(key.expression, Scope(scope.parent, names, scope.sources, scope.queries, scope.grouping))
    if code.constant:
        compiler.refuse("ORDER BY a constant orders nothing; name a column or an expression", key.at)
    return code


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
    first: int | None
    """About how many rows from the first on are needed; None: all of them."""

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
    counts = [_about(node) for node in (query.limit, query.offset)]
    return _Cut(
        None if query.limit is None else _count(compiler, "LIMIT", query.limit, scope),
        None if query.offset is None else _count(compiler, "OFFSET", query.offset, scope),
        None if query.limit is None else sum(counts),
    )


_USUAL_COUNT = 20
"""What LIMIT and OFFSET are thought to be where a parameter says it."""


def _about(node: Expression | None) -> int:
    if node is None:
        return 0
    return node.value if isinstance(node, Literal) and type(node.value) is int else _USUAL_COUNT


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
    if node.corresponding is not None:
        columns = _corresponding(compiler, node, left, right)
        left = QueryCode(bag_operators.of_columns(left.rows, columns), columns)
        right_rows = bag_operators.of_columns(right.rows, columns)
    elif not node.outer and left.columns is not None and right.columns is not None:
        if len(left.columns) != len(right.columns):
            compiler.refuse(
                f"{node.operator.upper()} of {len(left.columns)} columns and of {len(right.columns)}", node.at
            )
        columns = left.columns
        if left.columns != right.columns:
            right_rows = compiler.noted_as(_renamed(right.rows, right.columns, left.columns), right.rows)
    values = bag_operators.combined(node.operator, left.rows, right_rows, keep=node.all)
    values = compiler.noted(values, node.operator, left.rows, right_rows)
    slot, cut = compiler.slots(), _cut(compiler, node, scope)
    inner = Scope(parent=scope, sources=[Variable(None, slot)])
    keys = [_order_key(compiler, key, inner, {}).run for key in node.order_by]
    if keys:
        row: Evaluate = lambda env: env[slot]  # noqa: E731
        below, values = values, _sorted(_into_slot(values, slot), row, Ordering(node.order_by, keys), cut.wanted())
        values = compiler.noted(values, "sort", below, by=_told_order(node.order_by))
    return QueryCode(_limited(compiler, cut, values), columns, ordered=bool(keys))


def _corresponding(compiler: Compiler, node: SetOperation, left: QueryCode, right: QueryCode) -> tuple[str, ...]:
    """Give the columns of CORRESPONDING (PartiQL RFC 0007)."""
    known = [side.columns for side in (left, right) if side.columns is not None]
    if node.corresponding:
        for name in node.corresponding:
            if any(name not in columns for columns in known):
                compiler.refuse(f"{name} of CORRESPONDING BY is no column of both sides", node.at)
        return node.corresponding
    if len(known) < 2:
        compiler.refuse("CORRESPONDING of columns that nobody names: write CORRESPONDING BY (column, ...)", node.at)
    common = tuple(name for name in known[0] if name in known[1])
    if not common:
        compiler.refuse(f"{node.operator.upper()} CORRESPONDING of sides without a common column", node.at)
    return common


def _operand(compiler: Compiler, node: Query | Expression, scope: Scope) -> QueryCode:
    if isinstance(node, Select | SetOperation | With):
        return plan_query(compiler, node, scope)
    run = compiler.compile(node, scope).run

    def values(env: Env) -> Iterator[QueryValue]:
        value = run(env)
        # PartiQL's tests: what is absent is a bag of one null; RFC 0007: an empty one.
        return elements_of(None if value is MISSING else value)

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
