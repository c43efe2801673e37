"""FROM and WHERE together: in which order the sources are visited, and by which way each.

Rules:
- Nested loops, the innermost last. A conjunct is checked as soon as all that it reads is set.
- A table is looked up, by document id or by index, where a conjunct says what to look for; else it is scanned. Among what could
  come next, a look-up comes before a scan, and a source that makes later look-ups possible before one that does not.
- What is neither looked up nor the first is held by key, if an equality with what came before allows it, and scanned once.
- Outer joins keep their place and their own conjuncts: what WHERE says of the kept side is checked below, the rest above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.partiql.code import Env, Evaluate, Rows
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import Conjunct, Equality, Hint, all_hold, conjuncts_of
from ledger.partiql.hash_join import hashed
from ledger.partiql.run import Holding
from ledger.partiql.scope import Scope
from ledger.partiql.sources import SourcePlan, declare
from ledger.partiql.tree.expressions import Expression
from ledger.partiql.tree.queries import From, Source
from ledger.partiql.ways import Way, way_to
from ledger.query_values import UNMATCHED

__all__ = ["declare_all", "joined", "plan_from"]


@dataclass(frozen=True, slots=True, eq=False)
class JoinPlan:
    """An outer join, bound to slots. `kind`: left, full (a right join is a left one with its sides exchanged)."""

    kind: str
    left: Leaf
    right: Leaf
    on: tuple[Conjunct, ...]

    @property
    def slots(self) -> tuple[int, ...]:
        return (*self.left.slots, *self.right.slots)

    @property
    def reads(self) -> frozenset[int]:
        return (self.left.reads | self.right.reads) - frozenset(self.slots)


@dataclass(frozen=True, slots=True)
class InnerPlan:
    """Sources that are joined without regard to order, with the conjuncts of their ONs."""

    leaves: tuple[SourcePlan | JoinPlan, ...]
    on: tuple[Conjunct, ...] = ()

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(slot for leaf in self.leaves for slot in leaf.slots)

    @property
    def reads(self) -> frozenset[int]:
        return frozenset(slot for leaf in self.leaves for slot in leaf.reads) - frozenset(self.slots)


Leaf = SourcePlan | JoinPlan | InnerPlan


def plan_from(
    compiler: Compiler, tree: From, where: Expression | None, scope: Scope, *, ordinals: bool = False
) -> Rows:
    """Compile FROM and WHERE; the sources' names come into `scope`."""
    plan = declare_all(compiler, tree, scope, ordinals=ordinals)
    return joined(compiler, plan, conjuncts_of(compiler, where, scope))


def declare_all(compiler: Compiler, tree: From, scope: Scope, *, ordinals: bool = False) -> InnerPlan:
    """Bind all sources to slots, in the order in which they are written."""
    found = _declared(compiler, tree, scope, ordinals)
    return found if isinstance(found, InnerPlan) else InnerPlan((found,))


def _declared(compiler: Compiler, tree: From, scope: Scope, ordinals: bool) -> SourcePlan | JoinPlan | InnerPlan:
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


# Ways and order.


_GAINS_OF = 8
"""Of more leaves that could come next, the first written one comes: to weigh each against each would take too long."""


class _Order:
    """The search for an order: `own` are the slots of this FROM, `bound` those of them that are set by now."""

    def __init__(self, compiler: Compiler, plan: InnerPlan, conjuncts: Sequence[Conjunct]) -> None:
        self.compiler = compiler
        self.own = frozenset(plan.slots)
        self.bound: set[int] = set()
        self.waiting = [(conjunct, conjunct.reads & self.own) for conjunct in conjuncts]
        self.steps: list[Rows] = []
        self._ways = {leaf: [] for leaf in plan.leaves} if compiler.naive else self._all_ways(plan.leaves, conjuncts)

    def _all_ways(self, leaves: Sequence[SourcePlan | JoinPlan], conjuncts: Sequence[Conjunct]) -> _Ways:
        """Find, for each table, the look-ups that conjuncts allow, the best first, each with the slots that it needs."""
        of_slot = {slot: leaf for leaf in leaves if isinstance(leaf, SourcePlan) for slot in leaf.slots}
        ways: _Ways = {leaf: [] for leaf in leaves}
        for hint in (hint for conjunct in conjuncts for hint in conjunct.hints):
            for leaf in {of_slot[slot]: None for slot in _slots_of(hint) if slot in of_slot}:
                way = None if leaf.stored is None else way_to(leaf.stored, hint)
                if way is not None:
                    ways[leaf].append((way, way.reads & self.own))
        for found in ways.values():
            found.sort(key=lambda way: (way[0].rank, len(way[1])))
        return ways

    def best_way(self, leaf: SourcePlan | JoinPlan, besides: Iterable[int] = ()) -> Way | None:
        """Find the best look-up of a table by what is set, and what `besides` would be."""
        known = self.bound.union(besides) if besides else self.bound
        return next((way for way, needs in self._ways[leaf] if needs <= known), None)

    def next_leaf(self, leaves: Sequence[SourcePlan | JoinPlan]) -> SourcePlan | JoinPlan:
        ready = [leaf for leaf in leaves if leaf.reads & self.own <= self.bound]
        if self.compiler.naive or len(ready) == 1:
            return ready[0]
        looked_up = [(way.rank, i) for i, leaf in enumerate(ready) if (way := self.best_way(leaf)) is not None]
        if looked_up:
            return ready[min(looked_up)[1]]
        if len(leaves) > _GAINS_OF:
            return ready[0]
        gains = [
            sum(other is not leaf and self.best_way(other, leaf.slots) is not None for other in leaves)
            for leaf in ready
        ]
        return ready[gains.index(max(gains))]

    def visit(self, leaf: SourcePlan | JoinPlan) -> None:
        """Put a leaf at the end of the order, with the conjuncts that can be checked there."""
        if isinstance(leaf, JoinPlan):
            kept = frozenset(leaf.left.slots)
            below = [c for c, needs in self.waiting if needs & kept and needs <= self.bound | kept]
            rows = _outer_join(self.compiler, leaf, below if leaf.kind == "left" else [])
            checked = self._checked(leaf)
            self.steps.append(_filtered(rows, all_hold(checked)) if checked else rows)
            return
        way = self.best_way(leaf)
        checked = self._checked(leaf)
        probe = None if way is not None or leaf.reads or self.compiler.naive else _probe(leaf, checked)
        if probe is None:
            self.steps.append(leaf.rows(self.compiler, way, all_hold(checked)))
            return
        own = frozenset(leaf.slots)
        rows = leaf.rows(self.compiler, None, all_hold([c for c in checked if c.reads <= own]))
        rest = all_hold([c for c in checked if not c.reads <= own])
        self.steps.append(hashed(rows, leaf.slots, probe.key, probe.value, rest, self.compiler.slots()))

    def _checked(self, leaf: SourcePlan | JoinPlan) -> list[Conjunct]:
        """Bind the leaf's slots, and take the conjuncts that can be checked now."""
        self.bound.update(leaf.slots)
        checked = [c for c, needs in self.waiting if needs <= self.bound]
        self.waiting = [(c, needs) for c, needs in self.waiting if not needs <= self.bound]
        return checked


def _probe(leaf: SourcePlan, checked: Sequence[Conjunct]) -> Equality | None:
    """Find an equality with what changes from row to row, for which it pays to hold the leaf's rows by key."""
    own = frozenset(leaf.slots)
    for hint in (hint for conjunct in checked for hint in conjunct.hints):
        if (
            isinstance(hint, Equality)
            and not hint.several
            and hint.path[0] in own
            and hint.reads
            and not hint.reads & own
        ):
            return hint
    return None


def _slots_of(hint: Hint) -> Iterator[int]:
    """Give the slots of the sources that a hint could lead to."""
    if isinstance(hint, Equality):
        yield hint.path[0]
    else:
        for inner in hint.branches[0]:
            yield from _slots_of(inner)


_Ways = dict[SourcePlan | JoinPlan, list[tuple[Way, frozenset[int]]]]


def joined(compiler: Compiler, plan: Leaf, conjuncts: Sequence[Conjunct]) -> Rows:
    """Give the rows of a part of FROM that meet `conjuncts`."""
    if not isinstance(plan, InnerPlan):
        plan = InnerPlan((plan,))
    order = _Order(compiler, plan, [*plan.on, *conjuncts])
    left = list(plan.leaves)
    while left:
        leaf = order.next_leaf(left)
        left.remove(leaf)
        order.visit(leaf)
    rows = order.steps[0]
    for step in order.steps[1:]:
        rows = _nested(rows, step)
    return rows


def _nested(outer: Rows, inner: Rows) -> Rows:
    def rows(env: Env) -> Iterator[None]:
        for _ in outer(env):
            yield from inner(env)

    return rows


def _filtered(below: Rows, predicate: Evaluate) -> Rows:
    def rows(env: Env) -> Iterator[None]:
        for _ in below(env):
            if predicate(env) is True:
                yield

    return rows


def _outer_join(compiler: Compiler, plan: JoinPlan, kept: Sequence[Conjunct]) -> Rows:
    left = joined(compiler, plan.left, kept)
    right_slots, nulls = plan.right.slots, _nulls(plan.right)
    compiler.makes_foreign = True
    if plan.kind == "full":
        return _full_join(compiler, plan, left)
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

    return rows


def _full_join(compiler: Compiler, plan: JoinPlan, left: Rows) -> Rows:
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

    return rows


def _nulls(leaf: Leaf) -> list[object]:
    """Give what stands in the slots of a side that found no partner: no document, no ordinal, a value that is null all through."""
    if isinstance(leaf, SourcePlan):
        return [UNMATCHED, *[None] * (len(leaf.slots) - 1)]
    leaves = leaf.leaves if isinstance(leaf, InnerPlan) else (leaf.left, leaf.right)
    return [null for inner in leaves for null in _nulls(inner)]


def _restore(env: Env, slots: Sequence[int], values: Sequence[object]) -> None:
    for slot, value in zip(slots, values, strict=True):
        env[slot] = value
