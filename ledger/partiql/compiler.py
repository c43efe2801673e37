"""Expressions -> closures.

Rules:
- Everything that can be decided once is decided here: names become slots, constants are folded, patterns compiled.
- An operator that has no answer for the values it meets gives MISSING and counts a type error; on constants that is a PlanError.
- Functions and operators give NULL for NULL and MISSING; AND, OR, IS, COALESCE and CASE look at them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ledger.catalog import Catalog
from ledger.errors import PlanError
from ledger.partiql import operators, subqueries
from ledger.partiql.arithmetic import negate
from ledger.partiql.casts import cast, is_type
from ledger.partiql.code import Code, Env, Evaluate, FoldingRun, QueryCode, constant
from ledger.partiql.comparison import MistypedError, bare, is_absent, text_of
from ledger.partiql.functions import FUNCTIONS
from ledger.partiql.navigation import element, elements_of, struct_of
from ledger.partiql.patterns import like
from ledger.partiql.positions import error_at
from ledger.partiql.scope import Scope, any_field_code, field_code
from ledger.partiql.statements import (
    Aggregate,
    AllElements,
    AllFields,
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Container,
    ElementStep,
    Expression,
    FieldStep,
    In,
    IsType,
    Like,
    Literal,
    Logical,
    Name,
    Parameter,
    Path,
    Query,
    Step,
    StructOf,
    Subquery,
    Unary,
    Window,
)
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.values import Sexp, fields_of

__all__ = ["Compiler", "did_you_mean"]

_SIGNS = {"+": "+", "-": "-", "*": "*", "/": "/", "%": "%", "||": "||"}
_CONSTANTS_AS_SET = 8
"""From so many constants on, IN looks into a set."""


class Compiler:
    """Compiles the expressions of one statement, and hands out its slots.

    Args:
        text: of the statement, for errors.
        parameter_count: parameters stand in env before the first slot.
        plan_query: compiles a query in a scope.
        catalog: what names of tables mean.
        constants: names that mean a value unless something nearer has them.
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
        naive: bool = False,
    ) -> None:
        self.text, self.catalog, self.naive = text, catalog, naive
        self.tables: dict[str, None] = {}  # names that the plan relies on, in order
        self.scans: dict[str, None] = {}  # names of tables that it may scan
        self.constants = constants or {}
        self.next_slot = self.first_slot = 1 + parameter_count
        self.reads: set[int] = set()
        self.makes_foreign = False  # bags, or MISSING inside of collections, may come into results
        self._plan_query = plan_query

    def slots(self, count: int = 1) -> int:
        """Give the first of `count` new slots."""
        self.next_slot += count
        return self.next_slot - count

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

    # Names and paths.

    def _literal(self, node: Literal, _: Scope) -> Code:
        return constant(node.value)

    def _parameter(self, node: Parameter, _: Scope) -> Code:
        slot = 1 + node.index
        return Code(lambda env: env[slot])

    def _name(self, node: Name, scope: Scope) -> Code:
        found = scope.variable(node.text)
        if found is not None:
            if found.path is not None:
                self.reads.add(found.path[0])
            return found
        candidates = scope.candidates(node.text)
        if sum(candidate.is_table for candidate in candidates) > 1:
            names = " or ".join(f"{c.name}.{node.text}" for c in candidates if c.is_table)
            self.refuse(f"{node.text} may belong to several tables: write {names}", node.at)
        if node.text in self.constants:
            return constant(self.constants[node.text])
        self.reads.update(candidate.slot for candidate in candidates)
        if len(candidates) == 1:
            return field_code(Code(_never, path=(candidates[0].slot, ())), node.text)
        if candidates:
            return any_field_code(tuple(candidate.slot for candidate in candidates), node.text)
        if scope.has_sources():
            return constant(MISSING)
        return self.unknown_name(node, scope)

    def unknown_name(self, node: Name, scope: Scope) -> NoReturn:
        known: list[str] = []
        above: Scope | None = scope
        while above is not None:
            known += above.names
            above = above.parent
        self.refuse(f"No such variable named '{node.text}'" + did_you_mean(node.text, known), node.at)

    def _path(self, node: Path, scope: Scope) -> Code:
        return self.steps(self.compile(node.root, scope), node.steps, scope)

    def steps(self, code: Code, steps: Sequence[Step], scope: Scope) -> Code:
        """Go on from `code` by the steps of a path."""
        for i, step in enumerate(steps):
            if isinstance(step, FieldStep):
                after = field_code(code, step.name)
                code = self.folded(after.run, (code,), step.at) if code.constant else after
            elif isinstance(step, ElementStep):
                key = self.compile(step.key, scope)
                code = self.folded(_element(code.run, key.run), (code, key), step.at)
            else:
                return self._wildcard(code, step, steps[i + 1 :], scope)
        return code

    def _wildcard(self, code: Code, step: AllElements | AllFields, rest: Sequence[Step], scope: Scope) -> Code:
        """Go on from each element, or each field's value: the results are a bag."""
        self.makes_foreign = True
        slot = self.slots()
        below = self.steps(Code(lambda env: env[slot]), rest, scope)
        several = any(isinstance(later, AllElements | AllFields) for later in rest)
        items = elements_of if isinstance(step, AllElements) else _field_values
        run, run_below = code.run, below.run

        def each(env: Env) -> QueryValue:
            found = Bag()
            for item in items(run(env)):
                env[slot] = item
                value = run_below(env)
                if several:
                    found.extend(value)  # type: ignore[arg-type]
                else:
                    found.append(value)  # type: ignore[arg-type]
            return found

        return Code(each)

    # Operators.

    def _unary(self, node: Unary, scope: Scope) -> Code:
        operand = self.compile(node.operand, scope)
        if node.operator == "not":
            return self.folded(operators.negation(operand.run), (operand,), node.at)
        function = negate if node.operator == "-" else _positive
        return self.folded(operators.guarded(function, operand.run), (operand,), node.at)

    def _binary(self, node: Binary, scope: Scope) -> Code:
        return self.binary(node, self.compile(node.left, scope), self.compile(node.right, scope))

    def binary(self, node: Binary, left: Code, right: Code) -> Code:
        make = operators.arithmetic if node.operator in _SIGNS else operators.comparison
        return self.folded(make(node.operator, left.run, right.run), (left, right), node.at)

    def _logical(self, node: Logical, scope: Scope) -> Code:
        operands = self.many(node.operands, scope)
        make = operators.conjunction if node.operator == "and" else operators.disjunction
        return self.folded(make([operand.run for operand in operands]), operands, node.at)

    def _between(self, node: Between, scope: Scope) -> Code:
        parts = self.many((node.operand, node.low, node.high), scope)
        return self._negated(node.negated, operators.between(*(part.run for part in parts)), parts, node.at)

    def _negated(self, negated: bool, evaluate: Evaluate, parts: Sequence[Code], at: int) -> Code:
        return self.folded(operators.negation(evaluate) if negated else evaluate, parts, at)

    def _in(self, node: In, scope: Scope) -> Code:
        return self.membership(node, self.compile(node.operand, scope), scope)[0]

    def membership(self, node: In, operand: Code, scope: Scope) -> tuple[Code, Evaluate]:
        """Compile IN once its left side is; give also the code of its right side."""
        if isinstance(node.collection, Container):
            items = self.many(node.collection.items, scope)
            runs = [item.run for item in items]
            if len(items) >= _CONSTANTS_AS_SET and all(item.constant for item in items):
                evaluate = operators.member_of_constants(operand.run, [self.value(item) for item in items])
            else:
                evaluate = operators.member_of_items(operand.run, runs)
            found = self._negated(node.negated, evaluate, (operand, *items), node.at)
            return found, lambda env: [run(env) for run in runs]  # type: ignore[misc]
        collection = self.collection(node.collection, scope)
        evaluate = operators.member_of_value(operand.run, collection.run)
        return self._negated(node.negated, evaluate, (operand, collection), node.at), collection.run

    def _like(self, node: Like, scope: Scope) -> Code:
        parts = self.many((node.operand, node.pattern, *((node.escape,) if node.escape else ())), scope)
        texts = [text_of(self.value(part)) if part.constant else None for part in parts[1:]]
        evaluate = operators.guarded(like, *(part.run for part in parts))
        if all(text is not None for text in texts) and not parts[0].constant:
            try:
                like("", *texts)
                evaluate = operators.like_pattern(parts[0].run, *texts)  # type: ignore[arg-type]
            except MistypedError as error:
                self.refuse(str(error), node.at)
        return self._negated(node.negated, evaluate, parts, node.at)

    def _is_type(self, node: IsType, scope: Scope) -> Code:
        operand = self.compile(node.operand, scope)
        run, name, wanted = operand.run, node.type.name, not node.negated
        return self.folded(lambda env: is_type(run(env), name) is wanted, (operand,), node.at)

    def _cast(self, node: Cast, scope: Scope) -> Code:
        operand = self.compile(node.operand, scope)
        name, arguments = node.type.name, node.type.arguments
        self.makes_foreign |= name == "bag"
        if node.function == "can_cast":
            return self.folded(
                operators.guarded(lambda v: _can_cast(v, name, arguments), operand.run), (operand,), node.at
            )
        return self.folded(operators.guarded(lambda v: cast(v, name, arguments), operand.run), (operand,), node.at)

    def _case(self, node: Case, scope: Scope) -> Code:
        conditions = [self.compile(condition, scope) for condition, _ in node.branches]
        if node.operand is not None:
            operand = self.compile(node.operand, scope)
            conditions = [Code(operators.equality(operand.run, c.run)) for c in conditions]
        results = [self.compile(result, scope) for _, result in node.branches]
        otherwise = (self.compile(node.otherwise, scope) if node.otherwise else constant(None)).run
        pairs = [(c.run, r.run) for c, r in zip(conditions, results, strict=True)]

        def choose(env: Env) -> QueryValue:
            for condition, result in pairs:
                if bare(condition(env)) is True:
                    return result(env)
            return otherwise(env)

        return Code(choose)

    # Functions.

    def _call(self, node: Call, scope: Scope) -> Code:
        special = _SPECIAL.get(node.function)
        if special is not None:
            return special(self, node, scope)
        function = FUNCTIONS.get(node.function)
        if function is None:
            known = [*FUNCTIONS, *_SPECIAL, "count", "sum", "min", "max", "avg", "cast", "history"]
            self.refuse(
                f"No such function: {node.function.upper()}" + did_you_mean(node.function, known, str.upper), node.at
            )
        self._check_count(node, function.least, function.most)
        self.makes_foreign |= node.function in ("bag", "list", "sexp", "filter_distinct")
        compile_one = self.collection if function.collections else self.compile
        arguments = [compile_one(argument, scope) for argument in node.arguments]
        runs = [argument.run for argument in arguments]
        if function.takes_absent:
            return self.folded(operators.guarded(function.call, *runs), arguments, node.at)
        return self.folded(operators.called(function.call, runs), arguments, node.at)

    def _check_count(self, node: Call, least: int, most: int | None) -> None:
        count = len(node.arguments)
        if count < least or (most is not None and count > most):
            wanted = str(least) if most == least else f"{least} to {most}" if most is not None else f"{least} or more"
            self.refuse(f"{node.function.upper()} takes {wanted} arguments, not {count}", node.at)

    def _coalesce(self, node: Call, scope: Scope) -> Code:
        self._check_count(node, 1, None)
        arguments = self.many(node.arguments, scope)
        runs = [argument.run for argument in arguments]

        def first_known(env: Env) -> QueryValue:
            for run in runs:
                value = run(env)
                if not is_absent(value):
                    return value
            return None

        return self.folded(first_known, arguments, node.at)

    def _txid(self, node: Call, _: Scope) -> Code:
        self._check_count(node, 0, 0)
        return Code(lambda env: env[0].context.transaction_id)

    def _utcnow(self, node: Call, _: Scope) -> Code:
        self._check_count(node, 0, 0)
        return Code(lambda env: env[0].context.now)

    def _history(self, node: Call, _: Scope) -> NoReturn:
        self.refuse("HISTORY(...) stands in FROM only", node.at)

    def _aggregate(self, node: Aggregate, _: Scope) -> NoReturn:
        self.refuse(f"{node.function.upper()} stands in SELECT, HAVING or ORDER BY of a query only", node.at)

    def _window(self, node: Window, _: Scope) -> NoReturn:
        self.refuse("window functions (OVER) are not supported yet", node.at)

    # Containers.

    def _container(self, node: Container, scope: Scope) -> Code:
        self.makes_foreign = True
        items = self.many(node.items, scope)
        runs = [item.run for item in items]
        kind: Callable[[Iterable[Any]], Any] = {"list": list, "bag": Bag, "sexp": Sexp}[node.kind]
        return self.folded(lambda env: kind([run(env) for run in runs]), items, node.at)

    def _struct(self, node: StructOf, scope: Scope) -> Code:
        names = [self.compile(name, scope) for name, _ in node.fields]
        values = [self.compile(value, scope) for _, value in node.fields]
        if all(name.constant for name in names):
            texts = [text_of(self.value(name)) for name in names]
            for text, (name_node, _) in zip(texts, node.fields, strict=True):
                if text is None:
                    self.refuse("a field's name is text", name_node.at)
            return self.folded(struct_of_constant_names(texts, [v.run for v in values]), values, node.at)
        pairs = [(name.run, value.run) for name, value in zip(names, values, strict=True)]

        def build(env: Env) -> QueryValue:
            found = ((_name_text(env, name(env)), value(env)) for name, value in pairs)
            return struct_of((text, value) for text, value in found if text is not None)

        return Code(build)

    # Queries inside of expressions.

    def collection(self, expression: Expression, scope: Scope) -> Code:
        """Compile what is used as a collection: a subquery of one column gives that column's values only to IN."""
        if not isinstance(expression, Subquery):
            return self.compile(expression, scope)
        query, correlated = self.query(expression.query, scope)
        one_column = query.columns is not None and len(query.columns) == 1
        evaluate = subqueries.column(query) if one_column else subqueries.all_rows(query)
        return Code(evaluate if correlated else self.once(evaluate))

    def collection_rows(self, expression: Expression, scope: Scope) -> Code:
        """Compile what FROM ranges over."""
        if not isinstance(expression, Subquery):
            return self.compile(expression, scope)
        query, correlated = self.query(expression.query, scope)
        evaluate = subqueries.all_rows(query)
        return Code(evaluate if correlated else self.once(evaluate))

    def _subquery(self, node: Subquery, scope: Scope) -> Code:
        query, correlated = self.query(node.query, scope)
        evaluate = subqueries.all_rows(query)
        if query.columns is not None and len(query.columns) == 1:
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
        return found, bool(read)

    def once(self, evaluate: Evaluate) -> Evaluate:
        """Evaluate at most once in an execution."""
        slot = self.slots()

        def remembered(env: Env) -> QueryValue:
            value: QueryValue = env[slot]
            if value is MISSING:
                value = env[slot] = evaluate(env)
            return value

        return remembered


def did_you_mean(name: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Give the end of a message: the known name that is meant, if one is near."""
    near = difflib.get_close_matches(name, list(known)[:2_000], n=1)
    return f"; did you mean {shown(near[0])}?" if near else ""


def struct_of_constant_names(names: Sequence[str | None], values: Sequence[Evaluate]) -> Evaluate:
    pairs = list(zip(names, values, strict=True))
    if len(set(names)) < len(names):
        return lambda env: struct_of((name, run(env)) for name, run in pairs)

    def build(env: Env) -> QueryValue:
        found = {}
        for name, run in pairs:
            value = run(env)
            if value is not MISSING:
                found[name] = value
        return found  # type: ignore[return-value]

    return build


def _name_text(env: Env, value: QueryValue) -> str | None:
    text = text_of(value)
    if text is None and not is_absent(value):
        env[0].mistyped(MistypedError("a field's name is text"))
    return text


def _never(_: Env) -> QueryValue:
    raise AssertionError("the code of a slot is never run without its field")


def _positive(value: QueryValue) -> QueryValue:
    number = negate(value)  # for its errors
    return None if number is None else value


def _can_cast(value: QueryValue, name: str, arguments: tuple[int, ...]) -> bool:
    try:
        cast(value, name, arguments)
    except MistypedError:
        return False
    return True


def _element(base: Evaluate, key: Evaluate) -> Evaluate:
    return lambda env: element(base(env), key(env))


def _field_values(value: QueryValue) -> Iterable[QueryValue]:
    plain = bare(value)
    return [found for _, found in fields_of(plain)] if struct_like(plain) else [value]


def struct_like(value: QueryValue) -> bool:
    return hasattr(value, "fields") or type(value) is dict


_SPECIAL: dict[str, Callable[[Compiler, Any, Scope], Code]] = {
    "coalesce": Compiler._coalesce,
    "txid": Compiler._txid,
    "utcnow": Compiler._utcnow,
    "history": Compiler._history,
}
_COMPILERS: dict[type, Callable[[Compiler, Any, Scope], Code]] = {
    Literal: Compiler._literal,
    Parameter: Compiler._parameter,
    Name: Compiler._name,
    Path: Compiler._path,
    Unary: Compiler._unary,
    Binary: Compiler._binary,
    Logical: Compiler._logical,
    Between: Compiler._between,
    In: Compiler._in,
    IsType: Compiler._is_type,
    Like: Compiler._like,
    Cast: Compiler._cast,
    Case: Compiler._case,
    Call: Compiler._call,
    Aggregate: Compiler._aggregate,
    Window: Compiler._window,
    Container: Compiler._container,
    StructOf: Compiler._struct,
    Subquery: Compiler._subquery,
}
