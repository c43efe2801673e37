"""Building indexes while the ledger is in use, and clearing away what is left of those that are gone.

    new index -> of a small table, or the store is not open yet: built at once -> ONLINE | FAILED
              -> BUILDING: a part after each batch, and while idle ---------^

    documents in order of their ids     | built ........ | to come ........... | newer than the index |
                                        up to `done`      up to `last`
    a write enters its entries             yes              no: the scan will      yes

Rules:
- The row of the index says how far it is, and changes in the same LMDB transaction as the entries: a crash loses one part at most.
- Two documents with one key make a unique index FAILED as soon as the second is entered, by the scan or by a write.
- An index that was made while the store was catching up with the journal is built before the store is opened (`last` is
  `EVERYTHING`): a unique one may have been ONLINE, and must not let anything through now.
- Entries of a dropped or failed index are garbage, removed a part at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

import lmdb

from ledger.catalog import Catalog, Index
from ledger.index_entries import entry_keys, shown_value, unique_keys
from ledger.limits import Limits
from ledger.partiql.context import Document
from ledger.views import rows
from ledger.views.entries import Entries
from ledger.views.snapshot import entries_in

__all__ = [
    "Building",
    "discard",
    "duplicate",
    "enters",
    "fail",
    "is_rebuilding",
    "is_unfinished",
    "known_index",
    "register",
]

EVERYTHING: Final = b"\xff" * 22
"""`last` of an index that must be built before the store is opened."""
_NOTHING: Final = b"\x00" * 22
_PART_BYTES = 256 * 1024
"""Rows of documents decoded for one part; with the count of documents, what bounds its time to a few milliseconds."""
_GARBAGE_AT_ONCE = 2_000


class Building:
    """One transaction of the store that builds. `catalog` has the states as they are after what was done."""

    def __init__(self, transaction: lmdb.Transaction[bytes], catalog: Catalog, strand_id: str, limits: Limits) -> None:
        self.catalog = catalog
        self._transaction, self._strand_id, self._limits = transaction, strand_id, limits

    def begin(self) -> None:
        """Build the new indexes of small tables, and note for the others up to where there is something to build."""
        at_once_max = self._limits.index_build_at_once_max
        for table_id, index in list(_in_building(self.catalog)):
            row = rows.index_row(self._transaction, index.index_id)
            if row.rest != _NOTHING + EVERYTHING:
                continue
            last = rows.last_document(self._transaction, table_id)
            rows.put_index_row(self._transaction, index.index_id, row._replace(rest=_NOTHING + last))
            if rows.live_documents(self._transaction, table_id) <= at_once_max:
                while self._build(table_id, index, at_once_max):
                    pass

    def go_on(self, documents_max: int) -> None:
        """Enter the next documents of one index, or remove some garbage.

        Raises:
            IntegrityError: a stored document is not what was written.
        """
        for table_id, index in _in_building(self.catalog):
            self._build(table_id, index, documents_max)
            return
        for key, _ in entries_in(self._transaction, rows.GARBAGE):
            _remove_entries(self._transaction, key[1:].decode(), _GARBAGE_AT_ONCE)
            return

    def _build(self, table_id: str, index: Index, documents_max: int) -> bool:
        """Enter the next documents; tell whether there are more."""
        row = rows.index_row(self._transaction, index.index_id)
        done, last = row.rest[:22], row.rest[22:]
        part = list(self._documents(table_id, index, done, last, documents_max))
        entries = Entries(self._transaction)
        for document in part:
            wrong = self._enter(entries, index, document)
            if wrong is not None:
                self.catalog = self.catalog.with_index(table_id, fail(self._transaction, index, wrong))
                return False
        entries.finish()
        row = rows.index_row(self._transaction, index.index_id)
        done = part[-1].document_id.encode() if part else last
        more = bool(part) and done < last
        row = row._replace(rest=done + last) if more else row._replace(state=rows.ONLINE, rest=b"")
        rows.put_index_row(self._transaction, index.index_id, row)
        if not more:
            self.catalog = self.catalog.with_index(table_id, replace(index, status="ONLINE"))
        return more

    def _enter(self, entries: Entries, index: Index, document: Document) -> str | None:
        """Enter a document; say what is wrong if it must not be in the index."""
        keys = entry_keys(index, document.data)
        maximum = self._limits.index_entries_per_document_max
        if len(keys) > maximum:
            return (
                f"document {document.document_id} has {len(keys)} entries, index_entries_per_document_max is {maximum}"
            )
        for key in keys:
            other = entries.add(index.index_id, key, document.document_id)
            wrong = duplicate(index, document, key, other)
            if wrong is not None:
                return wrong
        return None

    def _documents(
        self, table_id: str, index: Index, done: bytes, last: bytes, documents_max: int
    ) -> Iterator[Document]:
        document_of_row = rows.reader(self._strand_id, index.fields)
        prefix = rows.CURRENT + table_id.encode()
        size = 0
        rows_after = entries_in(self._transaction, prefix, prefix + done + b"\x00")
        for key, row in islice(rows_after, documents_max):
            if key[len(prefix) :] > last or size > _PART_BYTES:
                return
            size += len(row)
            yield document_of_row(key, row)


def register(transaction: lmdb.Transaction[bytes], index_id: str) -> None:
    """Make the row of a new index, of which nothing is built."""
    if transaction.delete(rows.GARBAGE + index_id.encode()):  # it was here before, and is not cleared away
        _remove_entries(transaction, index_id, None)
    rows.put_index_row(transaction, index_id, rows.IndexRow(rows.BUILDING, 0, 0, _NOTHING + EVERYTHING))


def discard(transaction: lmdb.Transaction[bytes], index_id: str) -> None:
    """Forget an index that is gone; its entries are removed later."""
    transaction.delete(rows.INDEX_STATE + index_id.encode())
    transaction.put(rows.GARBAGE + index_id.encode(), b"")


def fail(transaction: lmdb.Transaction[bytes], index: Index, message: str) -> Index:
    """Give up an index; its entries are removed later."""
    rows.put_index_row(transaction, index.index_id, rows.IndexRow(rows.FAILED, 0, 0, message.encode()))
    transaction.put(rows.GARBAGE + index.index_id.encode(), b"")
    return replace(index, status="FAILED", message=message)


def known_index(transaction: lmdb.Transaction[bytes], index: Index) -> Index:
    """Give an index in the state that its row has."""
    row = rows.index_row(transaction, index.index_id)
    if row.state == rows.FAILED:
        return replace(index, status="FAILED", message=row.rest.decode())
    return replace(index, status="BUILDING" if row.state == rows.BUILDING else "ONLINE")


def enters(transaction: lmdb.Transaction[bytes], index: Index) -> Callable[[str], bool]:
    """Tell which documents have entries in an index when they are written."""
    if index.status == "ONLINE":
        return lambda _: True
    row = rows.index_row(transaction, index.index_id)
    if row.state != rows.BUILDING:
        return lambda _: False
    done, last = row.rest[:22], row.rest[22:]
    return lambda document_id: not done < document_id.encode() <= last


def duplicate(index: Index, document: Document, key: bytes, other_id: str | None) -> str | None:
    """Say what is wrong if `document` got an entry that `other_id` has as well; None if that may be."""
    if other_id is None or not index.unique or key not in unique_keys(index, document.data):
        return None
    assert document.data is not None
    return f"{shown_value(index, document.data, key)} is in two documents: {other_id} and {document.document_id}"


def is_rebuilding(transaction: lmdb.Transaction[bytes], catalog: Catalog) -> bool:
    """Tell whether an index must be built before the store is opened."""
    building = (rows.index_row(transaction, index.index_id) for _, index in _in_building(catalog))
    return any(row.rest[22:] == EVERYTHING for row in building)


def is_unfinished(transaction: lmdb.Transaction[bytes], catalog: Catalog) -> bool:
    """Tell whether there is anything to build or to remove."""
    garbage = entries_in(transaction, rows.GARBAGE)
    return next(_in_building(catalog), None) is not None or next(garbage, None) is not None


def _in_building(catalog: Catalog) -> Iterator[tuple[str, Index]]:
    for table in catalog.by_id.values():
        for index in table.indexes:
            if index.status == "BUILDING":
                yield table.table_id, index


def _remove_entries(transaction: lmdb.Transaction[bytes], index_id: str, entries_max: int | None) -> None:
    """Remove entries of an index that is gone, and the note of them with the last one."""
    prefix = rows.index_prefix(index_id)
    with transaction.cursor() as cursor:
        found = cursor.set_range(prefix)
        removed = 0
        while found and cursor.key().startswith(prefix):
            if removed == entries_max:
                return
            found = cursor.delete()  # goes to the next one; False at the end
            removed += 1
            found = found and bool(cursor.key())
    transaction.delete(rows.GARBAGE + index_id.encode())
