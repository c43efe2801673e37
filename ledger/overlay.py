"""Uncommitted changes laid over a reader: what a transaction, or a batch, sees before it is durable.

Layers: the durable snapshot <- earlier winners of the batch <- the transaction's own writes. Each is a `Reader`, so that
they stack. Pure: it holds changes and merges; the snapshot below does the I/O.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from ledger.catalog import Catalog, Index, Table
from ledger.index_entries import entry_keys
from ledger.partiql.context import Document

__all__ = ["Change", "Overlay", "Reader", "indexed_keys"]


class Reader(Protocol):
    """A consistent state of the ledger. Iterators are ascending by document id (history: then by version)."""

    @property
    def catalog(self) -> Catalog: ...

    def document(self, table_id: str, document_id: str) -> Document | None: ...

    def scan(self, table_id: str) -> Iterator[Document]: ...

    def index_look_up(self, index_id: str, key: bytes) -> Iterator[str]: ...

    def history(self, table_id: str, document_id: str | None) -> Iterator[Document]: ...


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
        self._index_entries: dict[tuple[str, bytes], dict[str, bool]] = {}

    def put(self, table: Table, document_id: str, before: Document | None, after: Document | None) -> None:
        """Lay one change on top; `before` is what this reader showed until now."""
        self._tables.setdefault(table.table_id, {})[document_id] = after
        for index in table.indexes:
            old, new = _keys(index, before), _keys(index, after)
            for key in old - new:
                self._index_entries.setdefault((index.index_id, key), {})[document_id] = False
            for key in new - old:
                self._index_entries.setdefault((index.index_id, key), {})[document_id] = True

    def document(self, table_id: str, document_id: str) -> Document | None:
        changed = self._tables.get(table_id)
        if changed is not None and document_id in changed:
            return changed[document_id]
        return self._base.document(table_id, document_id)

    def scan(self, table_id: str) -> Iterator[Document]:
        changed = self._tables.get(table_id)
        below = self._base.scan(table_id)
        if not changed:
            return below
        own = [document for _, document in sorted(changed.items()) if document is not None]
        rest = (document for document in below if document.document_id not in changed)
        return heapq.merge(rest, own, key=attrgetter("document_id"))

    def index_look_up(self, index_id: str, key: bytes) -> Iterator[str]:
        changed = self._index_entries.get((index_id, key))
        below = self._base.index_look_up(index_id, key)
        if not changed:
            return below
        found = {document_id for document_id in below if changed.get(document_id, True)}
        return iter(sorted(found | {document_id for document_id, present in changed.items() if present}))

    def history(self, table_id: str, document_id: str | None) -> Iterator[Document]:
        """Give committed versions only: a transaction's own writes are no history yet."""
        return self._base.history(table_id, document_id)


def indexed_keys(table: Table, before: Document | None, after: Document | None) -> Iterator[tuple[str, bytes]]:
    """Give (index id, key) for each index entry that going from `before` to `after` removes or adds."""
    for index in table.indexes:
        for key in _keys(index, before) ^ _keys(index, after):
            yield index.index_id, key


def _keys(index: Index, document: Document | None) -> frozenset[bytes]:
    return entry_keys(index, None if document is None else document.data)
