"""Tokens -> queries: SELECT and its clauses, set operations, WITH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ledger.errors import ParseError
from ledger.partiql.expression_parser import OPERAND, QUERY_BEGINS, SET_OPERATORS, TAIL_BEGINS, ExpressionParser
from ledger.partiql.tree.expressions import AllFields, Expression, Name, Path, Subquery
from ledger.partiql.tree.queries import (
    From,
    GroupBy,
    Item,
    Join,
    Let,
    OrderKey,
    Pivot,
    Projection,
    Query,
    Select,
    SelectList,
    SelectStar,
    SelectValue,
    SetOperation,
    Source,
    StarOf,
    With,
)

__all__ = ["QueryParser"]

_T = TypeVar("_T")
_ROW = " row"
"""A name that nobody can have written without quotes and a space."""
_JOIN_BEGINS = frozenset({",", "join", "inner", "left", "right", "full", "cross"})


class QueryParser(ExpressionParser):
    """The half of the parser that reads queries."""

    def query(self) -> Query:
        """Read a query: SELECT, PIVOT or WITH, set operations, ORDER BY, LIMIT, OFFSET."""
        self.enter()
        found = self._with() if self.token.word == "with" else self._tail(self._set_operations(self._select()))
        self.taller(2)
        self.leave()
        return found

    def set_operations(self, left: Query | Expression) -> Query:
        """Go on after the left operand of UNION, INTERSECT or EXCEPT."""
        return self._tail(self._set_operations(left))

    def _with(self) -> With:
        at = self.advance().at
        if self.token.word == "recursive" and self.peek().word != "as":
            self.refuse("WITH RECURSIVE is not supported yet", at)
        bindings = self.several(self._with_binding)
        return With(bindings, self._query_in_parentheses() if self.token.word == "(" else self.query(), at)

    def _query_in_parentheses(self) -> Query:
        """Read `(SELECT ...)`, perhaps the left side of a set operation."""
        self.enter()
        left = self._set_operand()
        if not isinstance(left, Subquery):
            self.fail("a query")
        found = self._tail(_unwrapped(self._set_operations(left)))
        self.leave()
        return found

    def _with_binding(self) -> tuple[str, Query]:
        name = self.name("a name for the query")
        self.expect("as")
        self.expect("(")
        query = self.query()
        self.expect(")")
        return name, query

    def _set_operations(self, left: Query | Expression) -> Query | Expression:
        """Read what follows `left`; INTERSECT binds more strongly than UNION and EXCEPT."""
        left = self._intersections(left)
        while self.token.word in SET_OPERATORS:
            left = self._set_operation(left, lambda: self._intersections(self._set_operand()))
        return left

    def _intersections(self, left: Query | Expression) -> Query | Expression:
        while self.token.word == "intersect" or (self.token.word == "outer" and self.peek().word == "intersect"):
            left = self._set_operation(left, self._set_operand)
        return left

    def _set_operation(self, left: Query | Expression, right: Callable[[], Query | Expression]) -> Query:
        at = self.token.at
        outer = self.accept("outer")
        if self.token.word not in ("union", "intersect", "except"):
            self.fail("UNION, INTERSECT or EXCEPT")
        operator = self.advance().word
        keep = self.accept("all")
        if not keep:
            self.accept("distinct")
        columns = self._corresponding() if self.accept("corresponding") else None
        found = SetOperation(operator, keep, outer, columns, _unwrapped(left), _unwrapped(right()), (), None, None, at)
        self.taller()
        return found

    def _corresponding(self) -> tuple[str, ...]:
        """Read `BY (column, ...)` if it stands here."""
        if not self.accept("by"):
            return ()
        self.expect("(")
        at = self.token.at
        columns = self.several(lambda: self.name("a column's name"))
        if len(set(columns)) < len(columns):
            self.refuse("a column stands twice in CORRESPONDING BY", at)
        self.expect(")")
        return columns

    def _set_operand(self) -> Query | Expression:
        if self.token.word in ("select", "pivot"):
            return self._select()
        return self.expression(OPERAND)

    def _tail(self, query: Query | Expression) -> Query:
        """Read ORDER BY, LIMIT and OFFSET if they stand here."""
        assert isinstance(query, Select | SetOperation | With), (
            "an expression comes here only with an operator after it"
        )
        if self.token.word not in TAIL_BEGINS:
            return query
        at = self.token.at
        order = self.order_keys()
        limit = self.expression() if self.accept("limit") else None
        offset = self.expression() if self.accept("offset") else None
        if offset is not None and self.token.word == "limit":
            self.refuse("LIMIT stands before OFFSET", self.token.at)
        if isinstance(query, With) or query.order_by or query.limit or query.offset:  # it has a tail of its own
            source = Source(Subquery(query, at), _ROW, None, None, False, at)
            query = Select(False, SelectValue(Name(_ROW, True, at)), source, (), None, None, None, (), None, None, at)
        return replace(query, order_by=order, limit=limit, offset=offset)

    def tail_of(self, found: Subquery) -> Subquery:
        """Read what follows a query in parentheses that stands for itself."""
        return Subquery(self._tail(found.query), found.at)

    # SELECT.

    def _select(self) -> Select:
        self.enter()
        at = self.token.at
        distinct = False
        if self.accept("pivot"):
            projection: Projection = self._pivot()
        else:
            self.expect("select")
            distinct = self.accept("distinct")
            if not distinct:
                self.accept("all")
            projection = self._projection()
        if self.token.word != "from":
            self.fail("FROM")
        self.advance()
        source = self.from_list()
        lets = self.several(self._let) if self.accept("let") else ()
        where = self.expression() if self.accept("where") else None
        group_by = self._group_by() if self.token.word == "group" else None
        having = self.expression() if self.accept("having") else None
        self.leave()
        return Select(distinct, projection, source, lets, where, group_by, having, (), None, None, at)

    def _let(self) -> Let:
        at = self.token.at
        expression = self.expression()
        self.expect("as", " and a name")
        return Let(expression, self.name("a name"), at)

    def _pivot(self) -> Pivot:
        value = self.expression()
        self.expect("at", " of PIVOT")
        return Pivot(value, self.expression())

    def _projection(self) -> Projection:
        if self.accept("value"):
            return SelectValue(self.expression())
        if self.token.word == "*":
            at = self.advance().at
            if self.token.word == ",":
                self.refuse("SELECT * stands alone; for one source among several write alias.*", self.token.at)
            return SelectStar(at)
        return SelectList(self.several(self.item))

    def item(self) -> Item | StarOf:
        """Read an item of a SELECT list."""
        at = self.token.at
        if self.token.word == "*":
            self.refuse("SELECT * stands alone; for one source among several write alias.*", at)
        expression = self.expression()
        if isinstance(expression, Path) and isinstance(expression.steps[-1], AllFields):
            steps = expression.steps[:-1]
            return StarOf(Path(expression.root, steps, expression.at) if steps else expression.root, at)
        return Item(expression, self.alias(), at)

    def _group_by(self) -> GroupBy:
        at = self.advance().at
        if self.token.word == "as":
            self.fail("BY and the expressions to group by")
        if self.token.word == "partial":
            self.refuse(
                "GROUP PARTIAL BY: PartiQL has the words and no meaning for them; GROUP BY is meant?", self.token.at
            )
        self.expect("by")

        def key() -> tuple[Expression, str | None]:
            return self.expression(), self.alias()

        keys = self.several(key)
        group_as = None
        if self.accept("group"):
            self.expect("as")
            group_as = self.name("a name for the group")
        return GroupBy(keys, group_as, at)

    def order_keys(self) -> tuple[OrderKey, ...]:
        """Read ORDER BY if it stands here."""
        if not self.accept("order"):
            return ()
        self.expect("by")
        return self.several(self._order_key)

    def _order_key(self) -> OrderKey:
        at = self.token.at
        expression = self.expression()
        descending = self.accept("desc")
        if not descending:
            self.accept("asc")
        nulls_first = None
        if self.accept("nulls"):
            if self.token.word not in ("first", "last"):
                self.fail("FIRST or LAST")
            nulls_first = self.advance().word == "first"
        return OrderKey(expression, descending, nulls_first, at)

    # FROM.

    def from_list(self) -> From:
        """Read what FROM ranges over: sources between commas and JOINs."""
        left: From = self._from_source()
        while self.token.word in _JOIN_BEGINS:
            left = self._join(left)
            self.taller()
        return left

    def _join(self, left: From) -> From:
        at = self.token.at
        if self.accept(","):
            return Join("inner", left, self._from_source(), None, at)
        kind = "inner"
        if self.token.word in ("inner", "left", "right", "full"):
            kind = self.advance().word
            self.accept("outer")
        cross = self.accept("cross")
        self.expect("join")
        right = self._from_source()
        if cross:
            return Join(kind, left, right, None, at)
        self.expect("on", " of JOIN")
        return Join(kind, left, right, self.expression(), at)

    def _from_source(self) -> From:
        self.enter()
        found = (self._join_in_parentheses() if self.token.word == "(" else None) or self.source()
        self.leave()
        return found

    def _join_in_parentheses(self) -> From | None:
        """Read `(a JOIN b ON ...)`; None, with nothing read, if the parentheses hold something else."""
        state = self.state()
        self.advance()
        if self.token.word not in QUERY_BEGINS:
            try:
                found = self.from_list()
                if isinstance(found, Join) and self.accept(")"):
                    return found
            except ParseError:
                pass  # what is wrong there will be said of the expression
        self.restore(state)
        return None

    def source(self) -> Source:
        """Read `[UNPIVOT] expression [AS OF moment] [AS alias] [AT alias] [BY alias]`."""
        at = self.token.at
        unpivot = self.accept("unpivot")
        expression = self.expression(OPERAND)
        as_of = None
        if self.token.word == "as" and self.peek().word == "of":
            self.advance()
            self.advance()
            as_of = self.expression(OPERAND)
        alias = self.alias()
        at_alias = self.name("an alias") if self.accept("at") else None
        by_alias = self.name("an alias") if self.accept("by") else None
        return Source(expression, alias, at_alias, by_alias, unpivot, at, as_of)

    def several(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        """Read one or more between commas."""
        found = [read()]
        while self.accept(","):
            found.append(read())
        return tuple(found)


def _unwrapped(operand: Query | Expression) -> Query | Expression:
    return operand.query if isinstance(operand, Subquery) else operand
