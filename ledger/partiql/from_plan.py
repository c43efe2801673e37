"""FROM bound to slots: which sources there are, and how they are joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ledger.catalog import Table
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import Conjunct, conjuncts_of
from ledger.partiql.scope import Scope
from ledger.partiql.sources import SourcePlan, declare
from ledger.partiql.tree.queries import From, Source

__all__ = ["FromPlan", "InnerPlan", "JoinPlan", "Leaf", "declare_all", "tables_of"]


@dataclass(frozen=True, slots=True, eq=False)
class JoinPlan:
    """An outer join, bound to slots. `kind`: left, full (a right join is a left one with its sides exchanged)."""

    kind: str
    left: FromPlan
    right: FromPlan
    on: tuple[Conjunct, ...]

    @property
    def slots(self) -> tuple[int, ...]:
        return (*self.left.slots, *self.right.slots)

    @property
    def reads(self) -> frozenset[int]:
        return (self.left.reads | self.right.reads) - frozenset(self.slots)

    @property
    def tables(self) -> tuple[Table, ...]:
        return (*self.left.tables, *self.right.tables)


@dataclass(frozen=True, slots=True)
class InnerPlan:
    """Sources that are joined without regard to order, with the conjuncts of their ONs."""

    leaves: tuple[Leaf, ...]
    on: tuple[Conjunct, ...] = ()

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(slot for leaf in self.leaves for slot in leaf.slots)

    @property
    def reads(self) -> frozenset[int]:
        return frozenset(slot for leaf in self.leaves for slot in leaf.reads) - frozenset(self.slots)

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(table for leaf in self.leaves for table in leaf.tables)


Leaf: TypeAlias = "SourcePlan | JoinPlan"
FromPlan: TypeAlias = "SourcePlan | JoinPlan | InnerPlan"


def tables_of(plan: FromPlan) -> Iterator[SourcePlan]:
    """Give the sources that are tables: as they are now, and no view of them."""
    if isinstance(plan, InnerPlan):
        for leaf in plan.leaves:
            yield from tables_of(leaf)
    elif isinstance(plan, JoinPlan):
        yield from tables_of(plan.left)
        yield from tables_of(plan.right)
    elif plan.kind == "table":
        yield plan


def declare_all(compiler: Compiler, tree: From, scope: Scope, *, ordinals: bool = False) -> InnerPlan:
    """Bind all sources to slots, in the order in which they are written."""
    found = _declared(compiler, tree, scope, ordinals)
    return found if isinstance(found, InnerPlan) else InnerPlan((found,))


def _declared(compiler: Compiler, tree: From, scope: Scope, ordinals: bool) -> FromPlan:
    if isinstance(tree, Source):
        return declare(compiler, tree, scope, ordinals=ordinals)
    left = _declared(compiler, tree.left, scope, ordinals)
    right = _declared(compiler, tree.right, scope, ordinals)
    on = conjuncts_of(compiler, tree.on, scope)
    if tree.kind == "inner":
        sides = [side if isinstance(side, InnerPlan) else InnerPlan((side,)) for side in (left, right)]
        return InnerPlan((*sides[0].leaves, *sides[1].leaves), (*sides[0].on, *sides[1].on, *on))
    if tree.kind != "left" and right.reads & frozenset(left.slots):
        compiler.refuse(
            f"the right side of a {tree.kind.upper()} JOIN cannot range over a path of the left side", tree.at
        )
    if tree.kind == "right":
        return JoinPlan("left", right, left, on)
    return JoinPlan(tree.kind, left, right, on)
