"""Rows in the order of an index, where that is thought to cost less than to sort them.

Rules:
- The order is that of sorting: equal rows by document id, as a scan gives them, so all keys of the index after those that are fixed must be
  keys of the order, and no other.
- The first source in FROM is the one that is ordered; the others follow it as they are written.
- Whoever stops early has read only what he was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.catalog import Table
from ledger.partiql.code import Env, Rows, SlotPath
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import Conjunct
from ledger.partiql.estimates import SORT
from ledger.partiql.from_plan import InnerPlan
from ledger.partiql.joins import Order
from ledger.partiql.sources import SourcePlan
from ledger.partiql.way import Direction, Way
from ledger.partiql.ways import Stored, ordered_way

__all__ = ["WantedOrder", "counted_table", "extreme_first", "in_order"]


class WantedOrder(NamedTuple):
    """ORDER BY paths; of `first` rows, None: of all."""

    keys: tuple[tuple[SlotPath, bool], ...]
    first: int | None


def in_order(compiler: Compiler, plan: InnerPlan, conjuncts: Sequence[Conjunct], wanted: WantedOrder) -> Rows | None:
    """Give the rows of FROM and WHERE in an order; None if it is better to sort."""
    alone = len(plan.leaves) == 1
    if not alone and wanted.first is None:
        return None
    return _by_index(compiler, plan, conjuncts, wanted, nulls=True)


def extreme_first(
    compiler: Compiler, plan: InnerPlan, conjuncts: Sequence[Conjunct], path: SlotPath, *, greatest: bool
) -> Rows | None:
    """Give the one row whose `path` is the least or the greatest and not null, if there is one; None: look at all rows."""
    if len(plan.leaves) != 1:
        return None
    found = _by_index(compiler, plan, conjuncts, WantedOrder(((path, greatest),), 1), nulls=False)
    if found is None:
        return None
    below = found

    def first(env: Env) -> Iterator[None]:
        for _ in below(env):
            yield
            return

    return compiler.noted(first, "end of an index", below)


def counted_table(plan: InnerPlan) -> Table | None:
    """Give the table whose documents are the rows of FROM, one each; None if FROM is anything else."""
    leaf = plan.leaves[0]
    if len(plan.leaves) > 1 or not isinstance(leaf, SourcePlan) or plan.on or leaf.kind not in ("table", "committed"):
        return None
    return leaf.table


def _by_index(
    compiler: Compiler, plan: InnerPlan, conjuncts: Sequence[Conjunct], wanted: WantedOrder, *, nulls: bool
) -> Rows | None:
    leaf = plan.leaves[0]
    stored = leaf.stored if isinstance(leaf, SourcePlan) else None
    if compiler.naive or not isinstance(leaf, SourcePlan) or stored is None:
        return None
    if stored.kind not in ("table", "committed"):
        return None
    if not all(isinstance(other, SourcePlan) for other in plan.leaves):
        return None
    directions = _directions(stored, wanted)
    if directions is None:
        return None
    order = Order(compiler, plan, [*plan.on, *conjuncts])
    way = ordered_way(stored, order.usable_hints(leaf), compiler.estimates, directions, nulls=nulls)
    if way is None or not _cheaper(order, leaf, way, wanted.first):
        return None
    order.visit(leaf, way)
    for other in plan.leaves[1:]:
        order.visit(other)
    return order.rows()


def _directions(stored: Stored, wanted: WantedOrder) -> list[Direction] | None:
    found = []
    for path, descending in wanted.keys:
        inside = stored.of_document(path)
        if not inside:
            return None
        found.append(Direction(inside, descending))
    return found


def _cheaper(order: Order, leaf: SourcePlan, way: Way, first: int | None) -> bool:
    """Compare reading in order, up to the last row that is wanted, with the best other way and sorting what it gives."""
    order.compiler.estimates.chosen = True
    other = order.access(leaf, frozenset(), 1.0)
    part = 1.0 if first is None else min(1.0, first / max(1.0, other.rows))
    return way.cost * part <= other.cost + other.rows * SORT
