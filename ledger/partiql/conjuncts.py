"""A condition cut into what must all hold, and the hints that each part gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.catalog import EACH
from ledger.partiql.code import Code, Env, Evaluate, SlotPath
from ledger.partiql.comparison import bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.hints import Either, Equality, FindBound, Hint, Range
from ledger.partiql.operations import between_of, binary_of, like_of, membership
from ledger.partiql.ranges import bound_of, prefix_range
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import Between, Binary, Call, Expression, In, Like, Logical, Subquery
from ledger.partiql.tree.text import text_of_expression
from ledger.values import Value

__all__ = ["Conjunct", "all_hold", "conditions_told", "conjuncts_of"]

_Recorded = tuple[Code, frozenset[int]]
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A condition that every row must meet.

    `reads`: the slots it needs; `hints`: the look-ups that it allows; `never`: it is constant, and no row meets it.
    """

    run: Evaluate
    reads: frozenset[int]
    hints: tuple[Hint, ...] = ()
    node: Expression | None = None
    never: bool = False


def conjuncts_of(compiler: Compiler, condition: Expression | None, scope: Scope) -> tuple[Conjunct, ...]:
    """Compile a condition as the conjuncts it consists of."""
    if condition is None:
        return ()
    if isinstance(condition, Logical) and condition.operator == "and":
        return tuple(c for operand in condition.operands for c in conjuncts_of(compiler, operand, scope))
    code, reads, hints = _HINTED.get(type(condition), _plain)(compiler, condition, scope)
    if code.constant and compiler.value(code) is True:
        return ()
    return (Conjunct(code.run, reads, hints, condition, never=code.constant),)


_Hinted = tuple[Code, frozenset[int], tuple[Hint, ...]]


def _plain(compiler: Compiler, node: Expression, scope: Scope) -> _Hinted:
    return *compiler.recorded(node, scope), ()


def _comparison(compiler: Compiler, node: Binary, scope: Scope) -> _Hinted:
    left, right = compiler.recorded(node.left, scope), compiler.recorded(node.right, scope)
    code = binary_of(compiler, node, left[0], right[0])
    hints: tuple[Hint, ...] = ()
    if node.operator in _MIRRORED:
        hints = (*_compared(left, node.operator, right), *_compared(right, _MIRRORED[node.operator], left))
    return code, left[1] | right[1], hints


def _compared(path: _Recorded, operator: str, other: _Recorded) -> Iterator[Hint]:
    code, (value, reads) = path[0], other
    found = _path_of(code, reads)
    if found is None:
        return
    if operator == "=":
        yield Equality(found, code.run, value.run, reads)
        return
    end = _end(value.run, inclusive=operator in ("<=", ">="))
    low, high = (end, None) if operator in (">", ">=") else (None, end)
    yield Range(found, low, high, reads)


def _path_of(code: Code, reads: frozenset[int]) -> SlotPath | None:
    """Give the path that a code is, if it can be looked up by what `reads` says."""
    return None if code.path is None or code.path[0] in reads or EACH in code.path[1] else code.path


def _end(value: Evaluate, *, inclusive: bool) -> FindBound:
    return lambda env: bound_of(value(env), inclusive=inclusive)


def _between(compiler: Compiler, node: Between, scope: Scope) -> _Hinted:
    (operand, reads), (low, low_reads), (high, high_reads) = (
        compiler.recorded(part, scope) for part in (node.operand, node.low, node.high)
    )
    code, needs = between_of(compiler, node, (operand, low, high)), low_reads | high_reads
    hints: tuple[Hint, ...] = ()
    path = None if node.negated else _path_of(operand, needs)
    if path is not None:
        hints = (Range(path, _end(low.run, inclusive=True), _end(high.run, inclusive=True), needs),)
    return code, reads | needs, hints


def _like(compiler: Compiler, node: Like, scope: Scope) -> _Hinted:
    operand, reads = compiler.recorded(node.operand, scope)
    patterns = [compiler.recorded(part, scope) for part in (node.pattern, node.escape) if part is not None]
    code = like_of(compiler, node, (operand, *(part for part, _ in patterns)))
    needs = frozenset(slot for _, found in patterns for slot in found)
    path = None if node.negated else _path_of(operand, needs)
    if path is None:
        return code, reads | needs, ()
    runs = [part.run for part, _ in patterns]

    def end(which: int) -> FindBound:
        def found(env: Env) -> Any:
            both = prefix_range(*(run(env) for run in runs))
            return None if both is None else both[which]

        return found

    return code, reads | needs, (Range(path, end(0), end(1), needs),)


def _membership(compiler: Compiler, node: In, scope: Scope) -> _Hinted:
    operand, reads = compiler.recorded(node.operand, scope)
    outside, compiler.reads = compiler.reads, set()
    code, items = membership(compiler, node, operand, scope)
    item_reads = frozenset(compiler.reads)
    compiler.reads |= outside
    hints: list[Hint] = []
    if not node.negated:
        found = _path_of(operand, item_reads)
        if found is not None:
            hints.append(Equality(found, operand.run, items.run, item_reads, several=True))
        if items.path is not None and items.path[0] not in reads:  # value IN path: the path's list has the value
            slot, fields = items.path
            path = items.path if EACH in fields else (slot, (*fields, EACH))
            hints.append(Equality(path, items.run, operand.run, reads))
    return code, reads | item_reads, tuple(hints)


def _either(compiler: Compiler, node: Logical, scope: Scope) -> _Hinted:
    branches = [conjuncts_of(compiler, operand, scope) for operand in node.operands]
    runs = [all_hold(branch) for branch in branches]
    reads = frozenset(slot for branch in branches for conjunct in branch for slot in conjunct.reads)
    hints = tuple(tuple(hint for conjunct in branch for hint in conjunct.hints) for branch in branches)

    def any_holds(env: Env) -> bool:
        for run in runs:  # noqa: SIM110 (a generator for each row would cost more than the branches)
            if bare(run(env)) is True:
                return True
        return False

    return Code(any_holds), reads, (Either(hints),) if all(hints) else ()


def _exists(compiler: Compiler, node: Call, scope: Scope) -> _Hinted:
    """EXISTS over a path of a document: what its rows must meet, an element of that path must."""
    code, reads = compiler.recorded(node, scope)
    if node.function != "exists" or not isinstance(node.arguments[0], Subquery):
        return code, reads, ()
    return code, reads, compiler.implied


_HINTED: dict[type, Callable[[Compiler, Any, Scope], _Hinted]] = {
    Binary: _comparison,
    Between: _between,
    Like: _like,
    In: _membership,
    Logical: _either,
    Call: _exists,
}


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


def conditions_told(conjuncts: Sequence[Conjunct]) -> dict[str, Value]:
    """Tell EXPLAIN what is checked."""
    texts = [text_of_expression(conjunct.node) for conjunct in conjuncts if conjunct.node is not None]
    return {"condition": " AND ".join(texts)} if texts else {}
