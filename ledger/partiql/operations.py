"""Operators, tests, casts and CASE -> closures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.partiql import operators
from ledger.partiql.arithmetic import negate
from ledger.partiql.casts import cast, is_type
from ledger.partiql.code import Code, Env, Evaluate, constant
from ledger.partiql.comparison import MistypedError, bare, text_of
from ledger.partiql.patterns import like
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import Between, Binary, Case, Cast, Container, In, IsType, Like, Logical, Unary
from ledger.query_values import QueryValue

if TYPE_CHECKING:
    from ledger.partiql.compiler import Compiler

__all__ = [
    "between",
    "between_of",
    "binary",
    "binary_of",
    "case",
    "cast_to",
    "in_collection",
    "like_of",
    "like_pattern",
    "logical",
    "membership",
    "type_test",
    "unary",
]

_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "||"})
_CONSTANTS_AS_SET = 8
"""From so many constants on, IN looks into a set."""


def unary(compiler: Compiler, node: Unary, scope: Scope) -> Code:
    operand = compiler.compile(node.operand, scope)
    if node.operator == "not":
        return compiler.folded(operators.negation(operand.run), (operand,), node.at)
    function = negate if node.operator == "-" else _positive
    return compiler.folded(operators.guarded(function, operand.run), (operand,), node.at)


def binary(compiler: Compiler, node: Binary, scope: Scope) -> Code:
    return binary_of(compiler, node, compiler.compile(node.left, scope), compiler.compile(node.right, scope))


def binary_of(compiler: Compiler, node: Binary, left: Code, right: Code) -> Code:
    make = operators.arithmetic if node.operator in _ARITHMETIC else operators.comparison
    return compiler.folded(make(node.operator, left.run, right.run), (left, right), node.at)


def logical(compiler: Compiler, node: Logical, scope: Scope) -> Code:
    operands = compiler.many(node.operands, scope)
    make = operators.conjunction if node.operator == "and" else operators.disjunction
    return compiler.folded(make([operand.run for operand in operands]), operands, node.at)


def between(compiler: Compiler, node: Between, scope: Scope) -> Code:
    return between_of(compiler, node, compiler.many((node.operand, node.low, node.high), scope))


def between_of(compiler: Compiler, node: Between, parts: Sequence[Code]) -> Code:
    """Compile BETWEEN once its operands are."""
    return _negated(compiler, node.negated, operators.between(*(part.run for part in parts)), parts, node.at)


def _negated(compiler: Compiler, negated: bool, evaluate: Evaluate, parts: Sequence[Code], at: int) -> Code:
    return compiler.folded(operators.negation(evaluate) if negated else evaluate, parts, at)


def in_collection(compiler: Compiler, node: In, scope: Scope) -> Code:
    return membership(compiler, node, compiler.compile(node.operand, scope), scope)[0]


def membership(compiler: Compiler, node: In, operand: Code, scope: Scope) -> tuple[Code, Code]:
    """Compile IN once its left side is; give also the code of its right side."""
    if isinstance(node.collection, Container):
        items = compiler.many(node.collection.items, scope)
        runs = [item.run for item in items]
        if len(items) >= _CONSTANTS_AS_SET and all(item.constant for item in items):
            evaluate = operators.member_of_constants(operand.run, [compiler.value(item) for item in items])
        else:
            evaluate = operators.member_of_items(operand.run, runs)
        found = _negated(compiler, node.negated, evaluate, (operand, *items), node.at)
        return found, Code(lambda env: [run(env) for run in runs])  # type: ignore[misc]
    collection = compiler.collection(node.collection, scope)
    evaluate = operators.member_of_value(operand.run, collection.run)
    return _negated(compiler, node.negated, evaluate, (operand, collection), node.at), collection


def like_pattern(compiler: Compiler, node: Like, scope: Scope) -> Code:
    parts = (node.operand, node.pattern, *((node.escape,) if node.escape else ()))
    return like_of(compiler, node, compiler.many(parts, scope))


def like_of(compiler: Compiler, node: Like, parts: Sequence[Code]) -> Code:
    """Compile LIKE once its operands are."""
    texts = [text_of(compiler.value(part)) if part.constant else None for part in parts[1:]]
    evaluate = operators.guarded(like, *(part.run for part in parts))
    if all(text is not None for text in texts) and not parts[0].constant:
        try:
            like("", *texts)
            evaluate = operators.like_pattern(parts[0].run, *texts)  # type: ignore[arg-type]
        except MistypedError as error:
            compiler.refuse(str(error), node.at)
    return _negated(compiler, node.negated, evaluate, parts, node.at)


def type_test(compiler: Compiler, node: IsType, scope: Scope) -> Code:
    operand = compiler.compile(node.operand, scope)
    run, name, arguments, wanted = operand.run, node.type.name, node.type.arguments, not node.negated
    return compiler.folded(lambda env: is_type(run(env), name, arguments) is wanted, (operand,), node.at)


def cast_to(compiler: Compiler, node: Cast, scope: Scope) -> Code:
    operand = compiler.compile(node.operand, scope)
    name, arguments = node.type.name, node.type.arguments
    compiler.makes_foreign |= name == "bag"
    if node.function == "can_cast":
        return compiler.folded(
            operators.guarded(lambda v: _can_cast(v, name, arguments), operand.run), (operand,), node.at
        )
    return compiler.folded(operators.guarded(lambda v: cast(v, name, arguments), operand.run), (operand,), node.at)


def case(compiler: Compiler, node: Case, scope: Scope) -> Code:
    conditions = [compiler.compile(condition, scope) for condition, _ in node.branches]
    if node.operand is not None:
        operand = compiler.compile(node.operand, scope)
        conditions = [Code(operators.equality(operand.run, c.run)) for c in conditions]
    results = [compiler.compile(result, scope) for _, result in node.branches]
    otherwise = (compiler.compile(node.otherwise, scope) if node.otherwise else constant(None)).run
    pairs = [(c.run, r.run) for c, r in zip(conditions, results, strict=True)]

    def choose(env: Env) -> QueryValue:
        for condition, result in pairs:
            if bare(condition(env)) is True:
                return result(env)
        return otherwise(env)

    return Code(choose)


def _positive(value: QueryValue) -> QueryValue:
    number = negate(value)  # for its errors
    return None if number is None else value


def _can_cast(value: QueryValue, name: str, arguments: tuple[int, ...]) -> bool:
    try:
        cast(value, name, arguments)
    except MistypedError:
        return False
    return True
