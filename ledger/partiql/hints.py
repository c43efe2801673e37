"""What a condition says about where to look: on which path, for which values.

A hint is good for one conjunct: a document that it does not lead to cannot meet the condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from ledger.catalog import EACH
from ledger.partiql.code import Env, Evaluate, SlotPath
from ledger.partiql.context import Bound

__all__ = ["Either", "Equality", "FindBound", "Hint", "Range", "moved", "slots_of"]

FindBound: TypeAlias = Callable[[Env], Bound | None]
"""Gives one end of a range; None if nothing can be in it."""


@dataclass(frozen=True, slots=True)
class Equality:
    """`path = value`, or with `several` `path IN values`. `key` is the code of the path; `reads`: the slots that `value` needs."""

    path: SlotPath
    key: Evaluate
    value: Evaluate
    reads: frozenset[int]
    several: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """`path` lies between: at least one end is there. `reads`: the slots that the ends need."""

    path: SlotPath
    low: FindBound | None
    high: FindBound | None
    reads: frozenset[int]


@dataclass(frozen=True, slots=True)
class Either:
    """`... OR ...`: for each branch the hints any one of which finds all that the branch can."""

    branches: tuple[tuple[Hint, ...], ...]

    @property
    def reads(self) -> frozenset[int]:
        return frozenset()  # each branch's own hints say what they need


Hint: TypeAlias = "Equality | Range | Either"


def slots_of(hint: Hint) -> Iterator[int]:
    """Give the slots of the sources that a hint, or a part of it, could lead to."""
    if isinstance(hint, Either):
        for branch in hint.branches:
            for inner in branch:
                yield from slots_of(inner)
    else:
        yield hint.path[0]


def moved(hint: Hint, slot: int, collection: SlotPath) -> Hint | None:
    """Say of a hint on `slot`, which ranges over `collection`, what it means there: there is such an element. None: nothing."""
    if isinstance(hint, Either):
        branches = tuple(tuple(_of_branch(branch, slot, collection)) for branch in hint.branches)
        return Either(branches) if all(branches) else None
    if hint.path[0] != slot:
        return None
    return replace(hint, path=(collection[0], (*collection[1], EACH, *hint.path[1])))


def _of_branch(branch: tuple[Hint, ...], slot: int, collection: SlotPath) -> Iterator[Hint]:
    for hint in branch:
        if not isinstance(hint, Either) and hint.path[0] in (collection[0], collection[0] + 1):
            yield hint
        elif (found := moved(hint, slot, collection)) is not None:
            yield found
