"""FROM and WHERE together: in which order the sources are visited, and by which way each.

Rules:
- Nested loops, the innermost last. A conjunct is checked as soon as all that it reads is set.
- Of what could come next, that comes which makes the whole the cheapest, as far as one step ahead shows, by the counts that are kept or by
  rules of thumb (`ledger.partiql.estimates`); of equals the first written one.
- A table is looked up, by document id or by index, where a hint says what to look for; else it is scanned. What is not the first, and is
  neither looked up nor small against the look-ups, is held by key if an equality with what came before allows it, and scanned once.
- A hint on what ranges over a path of a document leads to the document, by an index over those elements.
- What a constant condition lets nothing through is not read at all.
- Outer joins keep their place and their own conjuncts: what WHERE says of the kept side is checked below, the rest above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.catalog import EACH, IndexKey, Table
from ledger.partiql.code import Env, Evaluate, Rows
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import Conjunct, all_hold, conditions_told
from ledger.partiql.diagnostics import index_advice, paths_of, telling_unknown_fields
from ledger.partiql.estimates import HOLD, PASSING, PROBE
from ledger.partiql.explain import Detail
from ledger.partiql.from_plan import FromPlan, InnerPlan, JoinPlan, Leaf
from ledger.partiql.hash_join import hashed
from ledger.partiql.hints import Either, Equality, Hint, moved, slots_of
from ledger.partiql.outer_joins import outer_join
from ledger.partiql.sources import SourcePlan
from ledger.partiql.way import Way
from ledger.partiql.ways import Stored, best_way

__all__ = ["implied_hints", "joined"]

_WEIGHED_MAX = 8
"""Of more leaves that could come next, the first written one comes: to weigh each against each would take too long."""
_UNSEEN = 1_000.0
"""How much worse it is to read all of a table of unknown size than to wait until it can be looked up."""
_ELEMENTS = 3.0
"""How many elements a list, and how many rows a key of a hash join, is thought to have."""


def joined(compiler: Compiler, plan: FromPlan, conjuncts: Sequence[Conjunct]) -> Rows:
    """Give the rows of a part of FROM that meet `conjuncts`."""
    if not isinstance(plan, InnerPlan):
        plan = InnerPlan((plan,))
    conjuncts = [*plan.on, *conjuncts]
    if any(conjunct.never for conjunct in conjuncts) and not compiler.naive:
        return compiler.noted(_no_rows, "nothing", **conditions_told([c for c in conjuncts if c.never]))
    order = Order(compiler, plan, conjuncts)
    left = list(plan.leaves)
    while left:
        leaf = order.next_leaf(left)
        left.remove(leaf)
        order.visit(leaf)
    return order.rows()


def _no_rows(_: Env) -> Iterator[None]:
    return iter(())


class _Access(NamedTuple):
    """How a leaf is come by: by a way, else by key (`probe`), else all of it. `cost` of all, `rows` for each row before it."""

    way: Way | None
    probe: Equality | None
    cost: float
    rows: float


class Order:
    """The search for an order: `own` are the slots of this FROM, `bound` those of them that are set by now."""

    def __init__(self, compiler: Compiler, plan: InnerPlan, conjuncts: Sequence[Conjunct]) -> None:
        self.compiler = compiler
        self.own = frozenset(plan.slots)
        self.bound: frozenset[int] = frozenset()
        self.count = 1.0  # of the rows up to here
        self.waiting = [(conjunct, conjunct.reads & self.own) for conjunct in conjuncts]
        self.steps: list[Rows] = []
        self._scanned: list[tuple[Table, tuple[IndexKey, ...]]] = []  # with the paths that hints are about
        self._hints: dict[Leaf, list[Hint]] = {leaf: [] for leaf in plan.leaves}
        self._found: dict[tuple[Leaf, tuple[bool, ...]], Way | None] = {}
        if not compiler.naive:
            for slot, hint in all_hints(plan, conjuncts):
                leaf = next((leaf for leaf in plan.leaves if slot in leaf.slots), None)
                if leaf is not None:
                    self._hints[leaf].append(hint)

    def usable_hints(self, leaf: Leaf) -> list[Hint]:
        """Give the hints on a leaf that goes first."""
        found = (_usable(hint, self.own, self.bound) for hint in self._hints[leaf])
        return [hint for hint in found if hint is not None]

    def best_way(self, leaf: SourcePlan, known: frozenset[int]) -> Way | None:
        """Give the best look-up of a table by what is known."""
        usable = [_usable(hint, self.own, known) for hint in self._hints[leaf]]
        if leaf.stored is None or not any(usable):
            return None
        key = leaf, tuple(hint is not None for hint in usable)
        if key not in self._found:
            hints = [hint for hint in usable if hint is not None]
            self._found[key] = best_way(leaf.stored, hints, self.compiler.estimates)
        return self._found[key]

    def access(self, leaf: Leaf, known: frozenset[int], outer: float) -> _Access:
        """Say how to come by a leaf for each of `outer` rows."""
        estimates = self.compiler.estimates
        if not isinstance(leaf, SourcePlan):
            documents = max(map(estimates.documents, leaf.tables), default=_ELEMENTS)
            return _Access(None, None, outer * documents, documents)
        way, probe = self.best_way(leaf, known), self._probe(leaf, known)
        counted = leaf.table is not None and estimates.known(leaf.table)
        documents = _ELEMENTS if leaf.table is None else estimates.documents(leaf.table)
        if not counted and way is None and self.best_way(leaf, self.own.difference(leaf.slots)) is not None:
            documents *= _UNSEEN
        held = documents * HOLD + outer * PROBE
        if way is not None and not (probe and counted and way.reads & self.own and held < outer * way.cost):
            return _Access(way, None, outer * way.cost, way.rows)
        if probe is not None:
            return _Access(None, probe, held, _ELEMENTS)
        conditions = sum(needs <= known.union(leaf.slots) and not needs <= known for _, needs in self.waiting)
        return _Access(None, None, outer * documents, max(1.0, documents * PASSING**conditions))

    def _probe(self, leaf: SourcePlan, known: frozenset[int]) -> Equality | None:
        """Find an equality with what changes from row to row, for which it pays to hold the leaf's rows by key."""
        if leaf.reads:
            return None
        own = frozenset(leaf.slots)
        for hint in self._hints[leaf]:
            if not isinstance(hint, Equality) or hint.several or hint.path[0] not in own or EACH in hint.path[1]:
                continue
            if hint.reads and not hint.reads & own and hint.reads & self.own <= known:
                return hint
        return None

    def next_leaf(self, leaves: Sequence[Leaf]) -> Leaf:
        ready = [leaf for leaf in leaves if leaf.reads & self.own <= self.bound]
        if self.compiler.naive or len(ready) == 1:
            return ready[0]
        if len(leaves) > _WEIGHED_MAX:
            looked_up = (leaf for leaf in ready if isinstance(leaf, SourcePlan) and self.best_way(leaf, self.bound))
            return next(looked_up, ready[0])
        self.compiler.estimates.chosen = True
        costs = [self._cost_with_next(leaf, leaves) for leaf in ready]
        return ready[costs.index(min(costs))]

    def _cost_with_next(self, leaf: Leaf, leaves: Sequence[Leaf]) -> float:
        first = self.access(leaf, self.bound, self.count)
        known, count = self.bound.union(leaf.slots), self.count * first.rows
        return first.cost + sum(self.access(other, known, count).cost for other in leaves if other is not leaf)

    def visit(self, leaf: Leaf, forced: Way | None = None) -> None:
        """Put a leaf at the end of the order, with the conjuncts that can be checked there."""
        access = self.access(leaf, self.bound, self.count)
        if isinstance(leaf, SourcePlan):
            self._visit_source(leaf, access if forced is None else _Access(forced, None, forced.cost, forced.rows))
        else:
            self._visit_outer_join(leaf)
        self.count *= access.rows

    def _visit_source(self, leaf: SourcePlan, access: _Access) -> None:
        if access.way is None and leaf.stored is not None and self._hints[leaf]:
            self._note_scan(leaf, leaf.stored)
        checked = self._checked(leaf)
        probe = access.probe
        if probe is None or self.compiler.naive:
            rows = leaf.rows(self.compiler, access.way, all_hold(checked))
            self.steps.append(self._told(leaf, rows, access, checked))
            return
        own = frozenset(leaf.slots)
        alone = [c for c in checked if c.reads <= own]
        rows = leaf.rows(self.compiler, None, all_hold(alone))
        rows = self._told(leaf, rows, _Access(None, None, access.cost, access.rows), alone)
        rest = [c for c in checked if not c.reads <= own]
        found = hashed(rows, leaf.slots, probe.key, probe.value, all_hold(rest), self.compiler.kept_slot())
        self.steps.append(self.compiler.noted(found, "hash join", rows, **conditions_told(rest)))

    def _note_scan(self, leaf: SourcePlan, stored: Stored) -> None:
        """Have people told that a table is scanned which a hint is about."""
        hints = self._hints[leaf]
        if self.best_way(leaf, self.own.difference(leaf.slots)) is None:
            self.compiler.advice.update(dict.fromkeys(index_advice(stored, hints)))
        self._scanned.append((stored.table, paths_of(stored, hints)))

    def _told(self, leaf: SourcePlan, rows: Rows, access: _Access, checked: Sequence[Conjunct]) -> Rows:
        if self.compiler.explainer is None:
            return rows
        details: dict[str, Detail] = {**leaf.told(), **conditions_told(checked)}
        if access.way is None or access.way.operator == "index range":  # look-ups give whole documents
            details["fields"] = leaf.fields_told
        details["estimatedRows"] = round(access.rows)
        operator = "scan" if leaf.table is not None else "values"
        if access.way is not None:
            operator = access.way.operator
            if access.way.index is not None:
                details["index"] = access.way.index.expr
        return self.compiler.noted(rows, operator, **details)

    def _visit_outer_join(self, leaf: JoinPlan) -> None:
        kept = frozenset(leaf.left.slots)
        below = [c for c, needs in self.waiting if needs & kept and needs <= self.bound | kept]
        rows = outer_join(self.compiler, leaf, below if leaf.kind == "left" else [], joined)
        checked = self._checked(leaf)
        if checked:
            rows = self.compiler.noted(_filtered(rows, all_hold(checked)), "filter", rows, **conditions_told(checked))
        self.steps.append(rows)

    def _checked(self, leaf: Leaf) -> list[Conjunct]:
        """Bind the leaf's slots, and take the conjuncts that can be checked now."""
        self.bound = self.bound.union(leaf.slots)
        checked = [c for c, needs in self.waiting if needs <= self.bound]
        self.waiting = [(c, needs) for c, needs in self.waiting if not needs <= self.bound]
        return checked

    def rows(self) -> Rows:
        """Give the rows of all leaves visited, one nested in the other."""
        rows = self.steps[0]
        for step in self.steps[1:]:
            rows = _nested(rows, step)
        if len(self.steps) > 1:
            rows = self.compiler.noted(rows, "nested loops", *self.steps)
        return self.compiler.noted_as(telling_unknown_fields(rows, self._scanned), rows) if self._scanned else rows


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


# Hints.


def all_hints(plan: InnerPlan, conjuncts: Sequence[Conjunct]) -> Iterator[tuple[int, Hint]]:
    """Give (slot, hint on it): those of the conjuncts, and for each on an element of a list the one on the document that has the list."""
    collections = {
        leaf.slot: leaf.path for leaf in plan.leaves if isinstance(leaf, SourcePlan) and leaf.path is not None
    }
    for hint in (hint for conjunct in conjuncts for hint in conjunct.hints):
        for slot in dict.fromkeys(slots_of(hint)):
            yield slot, hint
            at, found = slot, hint
            while at in collections and (above := moved(found, at, collections[at])) is not None:
                at, found = collections[at][0], above
                yield at, found


def implied_hints(plan: InnerPlan, conjuncts: Sequence[Conjunct]) -> tuple[Hint, ...]:
    """Give what a row of this FROM says of the sources of an outer query."""
    own = frozenset(plan.slots)
    found = (hint for slot, hint in all_hints(plan, [*plan.on, *conjuncts]) if slot not in own)
    usable = (_usable(hint, own, frozenset()) for hint in found)
    return tuple(hint for hint in usable if hint is not None and not own.intersection(slots_of(hint)))


def _usable(hint: Hint, own: frozenset[int], known: frozenset[int]) -> Hint | None:
    """Give the hint, or what of it goes by what is known; None if nothing does."""
    if not isinstance(hint, Either):
        return hint if hint.reads & own <= known else None
    branches = tuple(
        tuple(found for inner in branch if (found := _usable(inner, own, known)) is not None)
        for branch in hint.branches
    )
    return Either(branches) if all(branches) else None
