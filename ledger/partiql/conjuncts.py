"""A condition cut into what must all hold, and the look-ups that each part allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ledger.partiql.code import Code, Env, Evaluate
from ledger.partiql.compiler import Compiler
from ledger.partiql.operations import binary_of, membership
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import Binary, Expression, In, Logical

__all__ = ["Conjunct", "Either", "Equality", "Hint", "all_hold", "conjuncts_of"]


@dataclass(frozen=True, slots=True)
class Equality:
    """`path = value`, or with `several` `path IN values`. `key` is the code of the path; `reads`: the slots that `value` needs."""

    path: tuple[int, tuple[str, ...]]
    key: Evaluate
    value: Evaluate
    reads: frozenset[int]
    several: bool


@dataclass(frozen=True, slots=True)
class Either:
    """`... OR ...`: for each branch the hints any one of which finds all that the branch can."""

    branches: tuple[tuple[Hint, ...], ...]


Hint: TypeAlias = "Equality | Either"


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A condition that every row must meet. `reads`: the slots it needs; `hints`: the look-ups that it allows."""

    run: Evaluate
    reads: frozenset[int]
    hints: tuple[Hint, ...] = ()


def conjuncts_of(compiler: Compiler, condition: Expression | None, scope: Scope) -> tuple[Conjunct, ...]:
    """Compile a condition as the conjuncts it consists of."""
    if condition is None:
        return ()
    if isinstance(condition, Logical) and condition.operator == "and":
        return tuple(c for operand in condition.operands for c in conjuncts_of(compiler, operand, scope))
    if isinstance(condition, Binary) and condition.operator == "=":
        left, left_reads = compiler.recorded(condition.left, scope)
        right, right_reads = compiler.recorded(condition.right, scope)
        hints = (*_equality(left, right, right_reads), *_equality(right, left, left_reads))
        return (Conjunct(binary_of(compiler, condition, left, right).run, left_reads | right_reads, hints),)
    if isinstance(condition, In) and not condition.negated:
        return (_in_conjunct(compiler, condition, scope),)
    code, reads = compiler.recorded(condition, scope)
    if isinstance(condition, Logical) and not compiler.naive:
        return (Conjunct(code.run, reads, tuple(_either(compiler, condition, scope))),)
    return (Conjunct(code.run, reads),)


def _equality(path: Code, value: Code, reads: frozenset[int]) -> Iterator[Equality]:
    if path.path is not None and path.path[0] not in reads:
        yield Equality(path.path, path.run, value.run, reads, several=False)


def _in_conjunct(compiler: Compiler, condition: In, scope: Scope) -> Conjunct:
    operand, reads = compiler.recorded(condition.operand, scope)
    outside, compiler.reads = compiler.reads, set()
    code, items = membership(compiler, condition, operand, scope)
    item_reads = frozenset(compiler.reads)
    compiler.reads |= outside
    hints: tuple[Hint, ...] = ()
    if operand.path is not None and operand.path[0] not in item_reads:
        hints = (Equality(operand.path, operand.run, items, item_reads, several=True),)
    return Conjunct(code.run, reads | item_reads, hints)


def _either(compiler: Compiler, condition: Logical, scope: Scope) -> Iterator[Either]:
    branches = []
    for operand in condition.operands:
        hints = tuple(hint for c in conjuncts_of(compiler, operand, scope) for hint in c.hints)
        if not hints:
            return
        branches.append(hints)
    yield Either(tuple(branches))


def all_hold(conjuncts: Sequence[Conjunct]) -> Evaluate:
    """Give a predicate that is True where all conjuncts are True; it need not tell false from unknown."""
    runs = [conjunct.run for conjunct in conjuncts]
    if not runs:
        return lambda _: True
    if len(runs) == 1:
        return runs[0]

    def every_one(env: Env) -> bool:
        for run in runs:  # noqa: SIM110 (a generator for each row would cost more than the conjuncts)
            if run(env) is not True:
                return False
        return True

    return every_one
