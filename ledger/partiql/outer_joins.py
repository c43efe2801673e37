"""LEFT, RIGHT and FULL JOIN: they keep their place and their own conjuncts, and fill the side that found no partner with nulls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ledger.partiql.code import Env, Rows
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import Conjunct, all_hold, conditions_told
from ledger.partiql.from_plan import FromPlan, InnerPlan, JoinPlan
from ledger.partiql.run import Holding
from ledger.partiql.sources import SourcePlan
from ledger.query_values import UNMATCHED

__all__ = ["outer_join"]

Joined: TypeAlias = Callable[[Compiler, FromPlan, Sequence[Conjunct]], Rows]


def outer_join(compiler: Compiler, plan: JoinPlan, kept: Sequence[Conjunct], joined: Joined) -> Rows:
    """Give the rows of an outer join.

    Args:
        kept: conjuncts that the rows of the kept side must meet besides.
        joined: gives the rows of a part of FROM that meet conjuncts.
    """
    left = joined(compiler, plan.left, kept)
    right_slots, nulls = plan.right.slots, _nulls(plan.right)
    compiler.makes_foreign = True
    if plan.kind == "full":
        return _full_join(compiler, plan, left, joined)
    right = joined(compiler, plan.right, plan.on)

    def rows(env: Env) -> Iterator[None]:
        for _ in left(env):
            matched = False
            for _ in right(env):
                matched = True
                yield
            if not matched:
                _restore(env, right_slots, nulls)
                yield

    return compiler.noted(rows, "left join", left, right, **conditions_told(plan.on))


def _full_join(compiler: Compiler, plan: JoinPlan, left: Rows, joined: Joined) -> Rows:
    """Both sides are kept: the right one is held in memory, to know at the end which of its rows found nobody."""
    right = joined(compiler, plan.right, ())
    left_slots, right_slots = plan.left.slots, plan.right.slots
    left_nulls, right_nulls = _nulls(plan.left), _nulls(plan.right)
    predicate = all_hold(plan.on)

    def rows(env: Env) -> Iterator[None]:
        with env[0].holding("FULL JOIN") as holding:
            yield from both_kept(env, holding)

    def both_kept(env: Env, holding: Holding) -> Iterator[None]:
        held: list[list[object]] = []
        for _ in right(env):
            held.append([env[slot] for slot in right_slots])
            holding.add(held[-1])
        lonely = [True] * len(held)
        for _ in left(env):
            matched = False
            for i, values in enumerate(held):
                env[0].visit()
                _restore(env, right_slots, values)
                if predicate(env) is True:
                    matched, lonely[i] = True, False
                    yield
            if not matched:
                _restore(env, right_slots, right_nulls)
                yield
        for i, values in enumerate(held):
            if lonely[i]:
                _restore(env, left_slots, left_nulls)
                _restore(env, right_slots, values)
                yield

    return compiler.noted(rows, "full join", left, right, **conditions_told(plan.on))


def _nulls(leaf: FromPlan) -> list[object]:
    """Give what stands in the slots of a side that found no partner: no document, no ordinal, a value that is null all through."""
    if isinstance(leaf, SourcePlan):
        return [UNMATCHED, *[None] * (len(leaf.slots) - 1)]
    leaves = leaf.leaves if isinstance(leaf, InnerPlan) else (leaf.left, leaf.right)
    return [null for inner in leaves for null in _nulls(inner)]


def _restore(env: Env, slots: Sequence[int], values: Sequence[object]) -> None:
    for slot, value in zip(slots, values, strict=True):
        env[slot] = value
