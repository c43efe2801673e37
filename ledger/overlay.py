"""Uncommitted changes laid over a reader: what a transaction, or a batch, sees before it is durable.

Layers: the durable snapshot <- earlier winners of the batch <- the transaction's own writes. Each is a `Reader`, so that
they stack. Pure: it holds changes and merges; the snapshot below does the I/O.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from ledger.catalog import Catalog, Index, Table
from ledger.index_entries import entry_changes
from ledger.partiql.context import Document, Fields, IndexCounts
from ledger.values import Timestamp

__all__ = ["Change", "Overlay", "Reader", "indexed_keys"]


class Reader(Protocol):
    """A consistent state of the ledger. Iterators are ascending by document id (history: then by version)."""

    @property
    def catalog(self) -> Catalog: ...

    def document(self, table_id: str, document_id: str, fields: Fields | None = None) -> Document | None:
        """Give a document, of which only `fields` need to be read (None: all)."""
        ...

    def scan(self, table_id: str, fields: Fields | None = None) -> Iterator[Document]: ...

    def index_look_up(self, index_id: str, key: bytes) -> Iterator[str]: ...

    def index_range(
        self, index_id: str, start: bytes, end: bytes, *, descending: bool = False
    ) -> Iterator[tuple[bytes, str]]:
        """Give (key, document id) of the entries from key `start` up to, not including, `end`; ids ascending in either order of keys."""
        ...

    def count(self, table_id: str) -> int:
        """Give how many documents a table has."""
        ...

    def index_counts(self, index_id: str) -> IndexCounts:
        """Give what is kept of an index's size: below all overlays."""
        ...

    def history(self, table_id: str, document_id: str | None) -> Iterator[Document]: ...

    def as_of(self, table_id: str, document_id: str | None, sequence_no: int) -> Iterator[Document | None]: ...

    def block_time(self, sequence_no: int) -> Timestamp: ...

    def blocks_of_document(self, table_id: str, document_id: str) -> list[int]:
        """Give the numbers of the blocks that changed a document, ascending."""
        ...


@dataclass(slots=True)
class Change:
    """What one transaction did to one document: the state it found (None: absent) and the one it leaves (None: deleted)."""

    table: Table
    document_id: str
    before: Document | None
    after: Document | None
    statements: list[int]

    @property
    def version(self) -> int:
        return 0 if self.before is None else self.before.version + 1


class Overlay:
    """A reader with changes on top. `catalog` is set by whoever lays DDL over the base."""

    def __init__(self, base: Reader) -> None:
        self._base = base
        self.catalog = base.catalog
        self._tables: dict[str, dict[str, Document | None]] = {}
        self._entries: dict[str, dict[bytes, dict[str, bool]]] = {}
        """Index -> key -> document -> whether it came or went."""
        self._keys_in_order: dict[str, list[bytes]] = {}
        self._added: dict[str, int] = {}

    def put(self, table: Table, document_id: str, before: Document | None, after: Document | None) -> None:
        """Lay one change on top; `before` is what this reader showed until now."""
        self._tables.setdefault(table.table_id, {})[document_id] = after
        if (before is None) is not (after is None):
            self._added[table.table_id] = self._added.get(table.table_id, 0) + (1 if before is None else -1)
        for index, gone, come in _moves(table, before, after):
            entries = self._entries.setdefault(index.index_id, {})
            for key in gone:
                entries.setdefault(key, {})[document_id] = False
            for key in come:
                entries.setdefault(key, {})[document_id] = True

    def document(self, table_id: str, document_id: str, fields: Fields | None = None) -> Document | None:
        changed = self._tables.get(table_id)
        if changed is not None and document_id in changed:
            return changed[document_id]
        return self._base.document(table_id, document_id, fields)

    def scan(self, table_id: str, fields: Fields | None = None) -> Iterator[Document]:
        changed = self._tables.get(table_id)
        below = self._base.scan(table_id, fields)
        if not changed:
            return below
        own = [document for _, document in sorted(changed.items()) if document is not None]
        rest = (document for document in below if document.document_id not in changed)
        return heapq.merge(rest, own, key=attrgetter("document_id"))

    def index_look_up(self, index_id: str, key: bytes) -> Iterator[str]:
        entries = self._entries.get(index_id)
        changed = None if entries is None else entries.get(key)
        below = self._base.index_look_up(index_id, key)
        if not changed:
            return below
        found = {document_id for document_id in below if changed.get(document_id, True)}
        return iter(sorted(found | {document_id for document_id, present in changed.items() if present}))

    def index_range(
        self, index_id: str, start: bytes, end: bytes, *, descending: bool = False
    ) -> Iterator[tuple[bytes, str]]:
        below = self._base.index_range(index_id, start, end, descending=descending)
        entries = self._entries.get(index_id)
        keys = [] if entries is None else self._changed_keys(index_id, entries, start, end)
        if entries is None or not keys:
            return below
        if descending:
            keys.reverse()
        own = [(key, document_id) for key in keys for document_id, come in sorted(entries[key].items()) if come]
        rest = (entry for entry in below if entry[1] not in entries.get(entry[0], ()))
        return _merged(rest, own, descending=descending)

    def _changed_keys(
        self, index_id: str, entries: dict[bytes, dict[str, bool]], start: bytes, end: bytes
    ) -> list[bytes]:
        ordered = self._keys_in_order.get(index_id, [])
        if len(ordered) != len(entries):
            ordered = self._keys_in_order[index_id] = sorted(entries)
        first = bisect_left(ordered, start)
        return ordered[first : bisect_left(ordered, end, first)]

    def count(self, table_id: str) -> int:
        return self._base.count(table_id) + self._added.get(table_id, 0)

    def index_counts(self, index_id: str) -> IndexCounts:
        return self._base.index_counts(index_id)

    def history(self, table_id: str, document_id: str | None) -> Iterator[Document]:
        """Give committed versions only: a transaction's own writes are no history yet."""
        return self._base.history(table_id, document_id)

    def as_of(self, table_id: str, document_id: str | None, sequence_no: int) -> Iterator[Document | None]:
        """Give committed versions only, as `history` does."""
        return self._base.as_of(table_id, document_id, sequence_no)

    def block_time(self, sequence_no: int) -> Timestamp:
        return self._base.block_time(sequence_no)

    def blocks_of_document(self, table_id: str, document_id: str) -> list[int]:
        return self._base.blocks_of_document(table_id, document_id)


def indexed_keys(table: Table, before: Document | None, after: Document | None) -> Iterator[tuple[str, bytes]]:
    """Give (index id, key) for each index entry that going from `before` to `after` removes or adds."""
    for index, gone, come in _moves(table, before, after):
        for key in gone | come:
            yield index.index_id, key


def _moves(
    table: Table, before: Document | None, after: Document | None
) -> Iterator[tuple[Index, frozenset[bytes], frozenset[bytes]]]:
    old, new = None if before is None else before.data, None if after is None else after.data
    for index in table.indexes:
        if index.status == "FAILED":
            continue
        gone, come = entry_changes(index, old, new)
        if gone or come:
            yield index, gone, come


def _merged(
    below: Iterator[tuple[bytes, str]], own: list[tuple[bytes, str]], *, descending: bool
) -> Iterator[tuple[bytes, str]]:
    """Merge entries in the same order of keys, ids ascending inside of equal ones; none is on both sides."""
    next_own = 0
    for entry in below:
        while next_own < len(own) and _precedes(own[next_own], entry, descending=descending):
            yield own[next_own]
            next_own += 1
        yield entry
    yield from own[next_own:]


def _precedes(one: tuple[bytes, str], other: tuple[bytes, str], *, descending: bool) -> bool:
    if one[0] == other[0]:
        return one[1] < other[1]
    return (one[0] > other[0]) is descending
