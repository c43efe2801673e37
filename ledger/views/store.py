"""The LMDB door: the one module of the ledger that opens and writes the view store. (`ledger.views.snapshot` reads it.)

Rules:
- One thread writes, in one LMDB transaction a batch. It is the caller who commits.
- LMDB itself syncs nothing; what a power cut leaves is not believed (`ledger.views.trust`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import lmdb

from ledger.block import SYSTEM_TABLE_ID
from ledger.catalog import Catalog, Index, table_of_document
from ledger.errors import IntegrityError, JournalFailedError, LimitExceededError
from ledger.limits import Limits
from ledger.partiql.context import Document
from ledger.views import apply, rows
from ledger.views.cache import DocumentCache
from ledger.views.names import Names
from ledger.views.snapshot import Head, documents_in, entries_in
from ledger.views.trust import DATA_FILE, Doubt

__all__ = ["LMDB_FILES", "Store", "failure"]

LMDB_FILES = (DATA_FILE, "lock.mdb")
_ENTRIES_AT_ONCE = 10_000


class Store:
    """The open LMDB environment, with what its rows need to be read: the strand's id, the shared names, the cache."""

    def __init__(self, directory: Path, strand_id: str, limits: Limits) -> None:
        """Open the environment; make it if there is none.

        Raises:
            lmdb.Error: LMDB refuses the file.
            Doubt: the file is cut short.
        """
        self.limits, self.strand_id = limits, strand_id
        self.env = lmdb.open(
            str(directory),
            map_size=limits.view_map_bytes_max,
            max_readers=limits.view_snapshots_max,
            sync=False,
            metasync=False,
            writemap=False,  # with it, a stray write of this process could change the store
            readahead=False,  # look-ups are random, and the store may be larger than memory
        )
        if (directory / DATA_FILE).stat().st_size < (self.env.info()["last_pgno"] + 1) * self.env.stat()["psize"]:
            self.env.close()
            raise Doubt("its file is cut short")  # and reading beyond its end would kill the process
        self.env.reader_check()  # slots of killed processes would keep old pages from being used again
        self.names = Names([])
        self.cache = DocumentCache(limits.cached_documents_max)

    def create(self) -> Head:
        """Write the position of a store that has applied nothing."""
        head = Head(-1, b"", Catalog())
        with self.env.begin(write=True) as transaction:
            transaction.put(rows.POSITION, rows.pack_position(head.sequence_no, head.block_hash))
        return head

    def head(self) -> Head:
        """Read what the store has applied.

        Raises:
            Doubt, lmdb.Error: it cannot be read.
        """
        try:
            with self.env.begin() as transaction:
                position = transaction.get(rows.POSITION)
                self.names = Names([name.decode() for _, name in entries_in(transaction, rows.NAME)])
                tables = [d for _, d in documents_in(transaction, SYSTEM_TABLE_ID, b"", self.strand_id, self.names)]
            if position is None:
                raise Doubt("it does not say what it has applied")
            changed = max((d.block_address.sequence_no for d in tables if d.block_address), default=-1)
            catalog = Catalog.of_tables(changed, [table_of_document(d.data) for d in tables if d.data is not None])
        except (
            IntegrityError,
            UnicodeDecodeError,
        ) as error:  # rot: what was closed cleanly and then changed on the disk
            raise Doubt(f"it cannot be read: {error}") from error
        return Head(*rows.unpack_position(position), catalog)

    def begin_read(self) -> lmdb.Transaction[bytes]:
        """Raises LimitExceededError: too many are open."""
        try:
            return self.env.begin()
        except lmdb.ReadersFullError as error:
            maximum = self.limits.view_snapshots_max
            raise LimitExceededError("view_snapshots_max", maximum, maximum + 1) from error

    def write(self, transaction: lmdb.Transaction[bytes], run: apply.Run, catalog: Catalog) -> Catalog:
        """Write what a run changed; give the catalogue after it.

        Raises:
            IntegrityError: a table's revisions do not follow those that it has.
            lmdb.Error
        """
        for table_id, changed in run.tables.items():
            self._write_documents(transaction, run, changed, apply.indexes_of(catalog, table_id))
            self._advance_table(transaction, table_id, changed)
        for key, value in run.entries:
            transaction.put(key, value)
        for number, name in self.names.take_added():
            transaction.put(rows.NAME + number.to_bytes(2, "big"), name.encode())
        after = apply.catalog_after(run, catalog)
        if after is not catalog:
            self._follow_catalog(transaction, catalog, after)
        return after

    def _write_documents(
        self, transaction: lmdb.Transaction[bytes], run: apply.Run, changed: apply.TableRun, indexes: Sequence[Index]
    ) -> None:
        for key, document in changed.documents.items():
            if indexes:
                for removed, added in apply.entry_moves(indexes, self._stored(transaction, key), document):
                    for entry in removed:
                        transaction.delete(entry)
                    for entry in added:
                        transaction.put(entry, b"")
            if document is None:
                transaction.delete(key)
                continue
            row = rows.current_row(document, run.times_ms, self.names)
            transaction.put(key, row)
            self.cache.put(key, document, len(row))

    def _stored(self, transaction: lmdb.Transaction[bytes], key: bytes) -> Document | None:
        row = transaction.get(key)
        if row is None:
            return None
        found = self.cache.get(key, rows.version_of_row(row))
        return found or rows.document_of_row(key, row, self.strand_id, self.names)

    def _advance_table(self, transaction: lmdb.Transaction[bytes], table_id: str, changed: apply.TableRun) -> None:
        key = rows.TABLE + table_id.encode()
        row = transaction.get(key)
        sequence_no, live = (0, 0) if row is None else rows.unpack_table(row)
        if sequence_no != changed.first_sequence_no:
            raise apply.sequence_gap(table_id, sequence_no, changed.first_sequence_no)
        transaction.put(key, rows.pack_table(changed.next_sequence_no, live + changed.live_added))

    def _follow_catalog(self, transaction: lmdb.Transaction[bytes], before: Catalog, after: Catalog) -> None:
        """Build the indexes that are new, remove those that are gone."""
        for table in after.by_id.values():
            old = {index.index_id for index in apply.indexes_of(before, table.table_id)}
            for index in table.indexes:
                if index.index_id not in old:
                    self._build_index(transaction, table.table_id, index)
            for index_id in old.difference(index.index_id for index in table.indexes):
                for entry, _ in list(entries_in(transaction, rows.INDEX + index_id.encode())):
                    transaction.delete(entry)

    def _build_index(self, transaction: lmdb.Transaction[bytes], table_id: str, index: Index) -> None:
        """Enter all current documents of a table, a part at a time: no cursor is open while entries are put."""
        last = b""
        while part := list(self._entries_after(transaction, table_id, index, last)):
            last = part[-1][0]
            for _, entries in part:
                for entry in entries:
                    transaction.put(entry, b"")

    def _entries_after(
        self, transaction: lmdb.Transaction[bytes], table_id: str, index: Index, last: bytes
    ) -> Iterator[tuple[bytes, frozenset[bytes]]]:
        documents = documents_in(transaction, table_id, last, self.strand_id, self.names)
        return ((key, apply.index_rows(index, document)) for key, document in islice(documents, _ENTRIES_AT_ONCE))


def failure(directory: Path, limits: Limits, error: Exception) -> JournalFailedError:
    """Say what failed, and what to do about it."""
    if isinstance(error, lmdb.MapFullError):
        return JournalFailedError(
            f"the view store in {directory} has reached the limit view_map_bytes_max of"
            f" {limits.view_map_bytes_max} bytes; raise it and open the ledger again: nothing is lost"
        )
    return JournalFailedError(f"the view store in {directory} could not be opened or written: {error}")
