"""The ways to a table's documents: by id, by an index, by several of these, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.catalog import IndexKey, Table
from ledger.partiql.code import Env, Evaluate, SlotPath
from ledger.partiql.comparison import bare, text_of
from ledger.partiql.context import Document, Fields
from ledger.partiql.estimates import FETCH, LOOK_UP, Estimates
from ledger.partiql.hints import Either, Equality, Hint
from ledger.partiql.history import AsOf, Interval
from ledger.partiql.index_ways import OnKey, index_way
from ledger.partiql.way import Direction, Documents, Way, once
from ledger.query_values import Bag, QueryValue
from ledger.values import Sexp

__all__ = ["Stored", "best_way", "ordered_way", "scan"]

_ID = ()
"""Stands for the path of a document's id."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A table as FROM sees it.

    `kind`: table, committed, history, as_of; `slot`: of the value, the next one is the document's; `fields`: tells when it runs which ones
    are looked at, None: all.
    """

    table: Table
    kind: str
    slot: int
    fields: Callable[[], Fields | None]
    interval: Interval | AsOf | None = None

    def of_document(self, path: SlotPath) -> IndexKey | None:
        """Give the path inside of the document, `()` for its id; None if the path leads elsewhere."""
        slot, fields = path
        if slot == self.slot + 1:
            return None if fields else _ID
        if slot != self.slot or not fields:
            return None
        if self.kind == "table":
            return fields
        if self.kind == "as_of":
            return None
        if fields == ("metadata", "id"):
            return _ID
        return fields[1:] or None if self.kind == "committed" and fields[0] == "data" else None


def best_way(stored: Stored, hints: Sequence[Hint], estimates: Estimates) -> Way | None:
    """Give the way that is thought to be the cheapest of those that hints give; None if there is none."""
    by_id, on, either = _sorted_out(stored, hints)
    ways = [_by_id(stored, hint, estimates) for hint in by_id]
    found = (
        index_way(stored.table, index, on, estimates, stored.fields)
        for index in stored.table.indexes
        if index.status == "ONLINE"
    )
    ways += [way for way in found if way is not None]
    ways += [way for hint in either if (way := _union(stored, hint, estimates)) is not None]
    best = min(ways, key=_cost, default=None)
    if best is not None and len(ways) > 1 and not _finds_one(best):
        estimates.chosen = True
    return best


def ordered_way(
    stored: Stored, hints: Sequence[Hint], estimates: Estimates, wanted: Sequence[Direction], *, nulls: bool = True
) -> Way | None:
    """Give the cheapest way that gives documents in an order, those without a first key only with `nulls`; None if there is none."""
    _, on, _ = _sorted_out(stored, hints)
    found = (
        index_way(stored.table, index, on, estimates, stored.fields, wanted, nulls=nulls)
        for index in stored.table.indexes
        if index.status == "ONLINE"
    )
    return min((way for way in found if way is not None), key=_cost, default=None)


def _finds_one(way: Way) -> bool:
    """Tell whether a way is as good as any can be, whatever the counts."""
    return way.operator == "look-up by id" or (
        way.operator == "index look-up" and way.index is not None and way.index.unique
    )


def _cost(way: Way) -> tuple[float, int]:
    return way.cost, len(way.reads)


def _sorted_out(stored: Stored, hints: Sequence[Hint]) -> tuple[list[Equality], dict[IndexKey, OnKey], list[Either]]:
    by_id: list[Equality] = []
    on: dict[IndexKey, OnKey] = {}
    either: list[Either] = []
    for hint in hints:
        if isinstance(hint, Either):
            either.append(hint)
            continue
        path = stored.of_document(hint.path)
        if path is None:
            continue
        if isinstance(hint, Equality):
            by_id.append(hint) if path == _ID else on.setdefault(path, OnKey()).equalities.append(hint)
        elif path != _ID:
            on.setdefault(path, OnKey()).ranges.append(hint)
    return by_id, on if stored.kind in ("table", "committed") else {}, either


def _union(stored: Stored, hint: Either, estimates: Estimates) -> Way | None:
    found = [best_way(stored, branch, estimates) for branch in hint.branches]
    ways = [way for way in found if way is not None]
    if len(ways) < len(found):
        return None
    reads = frozenset(slot for way in ways for slot in way.reads)
    return Way(
        "union of look-ups",
        None,
        sum(way.rows for way in ways),
        sum(way.cost for way in ways),
        reads,
        _any_of([way.documents for way in ways]),
    )


def _any_of(ways: Sequence[Documents]) -> Documents:
    return once(lambda env: (document for way in ways for document in way(env)))


_VERSIONS, _IDS = 2.0, 3.0
"""How many versions a document is thought to have, and how many values IN."""


def _by_id(stored: Stored, hint: Equality, estimates: Estimates) -> Way:
    one, value = _found_by_id(stored), hint.value
    rows = (_VERSIONS if stored.kind == "history" else 1.0) * (_IDS if hint.several else 1.0)
    documents = _each(one, value) if hint.several else lambda env: one(env, value(env))
    return Way("look-up by id", None, rows, rows * (LOOK_UP / 2 + FETCH), hint.reads, documents)


def _each(one: Callable[[Env, QueryValue], Iterator[Document]], values: Evaluate) -> Documents:
    def documents(env: Env) -> Iterator[Document]:
        items = bare(values(env))
        for item in items if type(items) in (list, Bag, Sexp) else ():
            yield from one(env, item)

    return once(documents)


def _found_by_id(stored: Stored) -> Callable[[Env, QueryValue], Iterator[Document]]:
    table, interval = stored.table, stored.interval

    def look_up(env: Env, value: QueryValue) -> Iterator[Document]:
        document_id = value if type(value) is str else text_of(value)
        if document_id is None:
            return iter(())
        run = env[0]
        run.look_ups += 1
        if interval is not None:
            return interval.documents(env, table, document_id)
        document = run.context.document(table, document_id)
        return iter(()) if document is None else iter((document,))

    return look_up


def scan(stored: Stored) -> Documents:
    """Give all documents, and note the scan."""
    table, interval, fields = stored.table, stored.interval, stored.fields

    def documents(env: Env) -> Iterator[Document]:
        run = env[0]
        run.scans.append(table.name)
        if interval is not None:
            return interval.documents(env, table, None)
        return run.context.scan(table, fields())  # type: ignore[no-any-return]

    return documents
