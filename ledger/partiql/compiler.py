"""Expressions -> closures.

Rules:
- Everything that can be decided once is decided here: names become slots, constants are folded, patterns compiled.
- An operator that has no answer for the values it meets gives MISSING and counts a type error; on constants that is a PlanError.
- Functions and operators give NULL for NULL and MISSING; AND, OR, IS, COALESCE and CASE look at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ledger.catalog import Catalog
from ledger.errors import PlanError
from ledger.partiql import calls, operations, paths, subqueries
from ledger.partiql.code import Code, Env, Evaluate, FoldingRun, QueryCode, constant
from ledger.partiql.comparison import MistypedError
from ledger.partiql.estimates import Counts, Estimates
from ledger.partiql.explain import Detail, Explainer
from ledger.partiql.looked_at import LookedAt
from ledger.partiql.positions import error_at
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import (
    Aggregate,
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Container,
    Expression,
    In,
    IsType,
    Like,
    Literal,
    Logical,
    Name,
    Parameter,
    Path,
    StructOf,
    Subquery,
    Unary,
    Window,
)
from ledger.partiql.tree.queries import Query
from ledger.query_values import MISSING, QueryValue

if TYPE_CHECKING:
    from ledger.partiql.hints import Hint

__all__ = ["Compiler"]

_T = TypeVar("_T")
_R = TypeVar("_R", bound=Callable[..., Any])


class Compiler:
    """Compiles the expressions of one statement, and hands out its slots.

    Args:
        text: of the statement, for errors.
        parameter_count: parameters stand in env before the first slot.
        plan_query: compiles a query in a scope.
        catalog: what names of tables mean.
        constants: names that mean a value unless something nearer has them.
        counts: of the indexes' entries, None if nobody knows.
        naive: no look-ups and no other order than the written one: the oracle that clever plans are compared with.
    """

    def __init__(
        self,
        text: str,
        parameter_count: int,
        plan_query: Callable[[Compiler, Query, Scope], QueryCode],
        catalog: Catalog,
        *,
        constants: Mapping[str, QueryValue] | None = None,
        counts: Counts | None = None,
        naive: bool = False,
    ) -> None:
        self.explainer: Explainer | None = None  # listens while EXPLAIN is planned
        self.text, self.catalog, self.naive = text, catalog, naive
        self.tables: dict[str, None] = {}  # names that the plan relies on, in order
        self.scans: dict[str, None] = {}  # names of tables that it may scan
        self.advice: dict[str, None] = {}  # statements that would make scans needless
        self.constants = constants or {}
        self.estimates = Estimates(counts)
        self.next_slot = self.first_slot = 1 + parameter_count
        self.reads: set[int] = set()
        self.looked_at = LookedAt()
        self.growth = calls.Growth()
        self.implied: tuple[Hint, ...] = ()  # what a row of the query compiled last says of outer rows
        self.kept_slots: set[int] = set()
        self.makes_foreign = False  # bags, or MISSING inside of collections, may come into results
        self._plan_query = plan_query

    def noted(
        self, rows: Callable[[Env], Iterator[_T]], operator: str, *below: Callable[..., Any], **details: Detail
    ) -> Callable[[Env], Iterator[_T]]:
        """Tell EXPLAIN, if it is listening, what `rows` is and what it stands on; give what to run instead of it."""
        return rows if self.explainer is None else self.explainer.note(rows, operator, below, details)

    def noted_as(self, rows: _R, below: Callable[..., Any]) -> _R:
        """Tell EXPLAIN that `rows` is what `below` is, in another shape."""
        if self.explainer is not None:
            self.explainer.same(rows, below)
        return rows

    def slots(self, count: int = 1) -> int:
        """Give the first of `count` new slots."""
        self.next_slot += count
        return self.next_slot - count

    def kept_slot(self) -> int:
        """Give a new slot for what is computed once a statement: it is no part of a row."""
        self.kept_slots.add(self.next_slot)
        return self.slots()

    def refuse(self, message: str, at: int) -> NoReturn:
        raise error_at(PlanError, message, self.text, at)

    def recorded(self, expression: Expression, scope: Scope) -> tuple[Code, frozenset[int]]:
        """Compile, and tell the slots that the code reads."""
        outside, self.reads = self.reads, set()
        code = self.compile(expression, scope)
        found = frozenset(self.reads)
        self.reads |= outside
        return code, found

    def compile(self, expression: Expression, scope: Scope) -> Code:
        """Compile an expression; a subquery of one column gives a scalar."""
        if scope.grouping is not None:
            found = scope.grouping.substitute(expression)
            if found is not None:
                return found
        return _COMPILERS[type(expression)](self, expression, scope)

    def many(self, expressions: Iterable[Expression], scope: Scope) -> list[Code]:
        return [self.compile(expression, scope) for expression in expressions]

    def folded(self, evaluate: Evaluate, parts: Iterable[Code], at: int) -> Code:
        """Give the code of a node; what depends on constants only is evaluated now."""
        if not all(part.constant for part in parts):
            return Code(evaluate)
        try:
            return constant(evaluate([FoldingRun()]))
        except MistypedError as error:
            self.refuse(str(error), at)

    def value(self, code: Code) -> QueryValue:
        """Give the value of a constant."""
        return code.run([])

    # Queries inside of expressions.

    def collection(self, expression: Expression, scope: Scope) -> Code:
        """Compile what is used as a collection: a subquery of one column gives that column's values only to IN."""
        if not isinstance(expression, Subquery):
            return self.compile(expression, scope)
        query, correlated = self.query(expression.query, scope)
        one_column = query.columns is not None and len(query.columns) == 1
        collect = subqueries.column if one_column else subqueries.all_rows
        evaluate = collect(query, kept=not correlated)
        return Code(evaluate if correlated else self.once(evaluate))

    def collection_rows(self, expression: Expression, scope: Scope) -> Code:
        """Compile what FROM ranges over."""
        if not isinstance(expression, Subquery):
            return self.compile(expression, scope)
        query, correlated = self.query(expression.query, scope)
        evaluate = subqueries.all_rows(query, kept=not correlated)
        return Code(evaluate if correlated else self.once(evaluate))

    def _subquery(self, node: Subquery, scope: Scope) -> Code:
        query, correlated = self.query(node.query, scope)
        evaluate = subqueries.all_rows(query, kept=not correlated)
        if query.columns is not None:
            if len(query.columns) > 1:
                self.refuse(
                    f"a query of {len(query.columns)} columns where one value is wanted; SELECT VALUE gives a bag",
                    node.at,
                )
            evaluate = subqueries.scalar(query)
        return Code(evaluate if correlated else self.once(evaluate))

    def query(self, query: Query, scope: Scope) -> tuple[QueryCode, bool]:
        """Compile a query inside of this one; tell whether it reads variables from outside."""
        self.makes_foreign = True
        outside, self.reads = self.reads, set()
        first_own = self.next_slot
        found = self._plan_query(self, query, scope)
        read = {slot for slot in self.reads if slot < first_own}
        self.reads = outside | read
        self.implied = found.implied
        if self.explainer is not None:
            self.explainer.set_apart(found.rows)
        return found, bool(read)

    def once(self, evaluate: Evaluate) -> Evaluate:
        """Evaluate at most once in an execution."""
        slot = self.kept_slot()

        def remembered(env: Env) -> QueryValue:
            value: QueryValue = env[slot]
            if value is MISSING:
                value = env[slot] = evaluate(env)
            return value

        return remembered


_COMPILERS: dict[type, Callable[[Compiler, Any, Scope], Code]] = {
    Literal: paths.literal,
    Parameter: paths.parameter,
    Name: paths.name,
    Path: paths.path,
    Unary: operations.unary,
    Binary: operations.binary,
    Logical: operations.logical,
    Between: operations.between,
    In: operations.in_collection,
    IsType: operations.type_test,
    Like: operations.like_pattern,
    Cast: operations.cast_to,
    Case: operations.case,
    Call: calls.call,
    Aggregate: calls.aggregate,
    Window: calls.window,
    Container: calls.container,
    StructOf: calls.struct,
    Subquery: Compiler._subquery,
}
