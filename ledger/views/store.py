"""The LMDB door: the one module of the ledger that opens and writes the view store. (`ledger.views.snapshot` reads it.)

Rules:
- One thread writes, in one LMDB transaction a batch. It is the caller who commits.
- LMDB itself syncs nothing; what a power cut leaves is not believed (`ledger.views.trust`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import lmdb

from ledger.block import SYSTEM_TABLE_ID
from ledger.catalog import Catalog, Index, table_of_document
from ledger.errors import IntegrityError, JournalFailedError, LimitExceededError
from ledger.ids import ID_LENGTH
from ledger.index_entries import entry_changes
from ledger.limits import Limits
from ledger.partiql.context import Document
from ledger.views import apply, building, rows
from ledger.views.building import Building
from ledger.views.cache import DocumentCache
from ledger.views.entries import Entries
from ledger.views.snapshot import Head, entries_in
from ledger.views.trust import DATA_FILE, Doubt

__all__ = ["LMDB_FILES", "Store", "failure"]

LMDB_FILES = (DATA_FILE, "lock.mdb")


class Store:
    """The open LMDB environment, with what its rows need to be read: the strand's id and the cache."""

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
        self.document_of_row = rows.reader(strand_id)
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
                catalog = self._catalog(transaction)
            if position is None:
                raise Doubt("it does not say what it has applied")
        except (
            IntegrityError,
            UnicodeDecodeError,
        ) as error:  # rot: what was closed cleanly and then changed on the disk
            raise Doubt(f"it cannot be read: {error}") from error
        return Head(*rows.unpack_position(position), catalog)

    def _catalog(self, transaction: lmdb.Transaction[bytes]) -> Catalog:
        tables, changed = [], -1
        for key, row in entries_in(transaction, rows.CURRENT + SYSTEM_TABLE_ID.encode()):
            document = self.document_of_row(key, row)
            assert document.commit is not None
            changed = max(changed, document.commit.block_address.sequence_no)
            if document.data is not None:
                table = table_of_document(document.data)
                indexes = tuple(building.known_index(transaction, index) for index in table.indexes)
                tables.append(replace(table, indexes=indexes))
        return Catalog.of_tables(changed, tables)

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
            catalog = self._write_documents(transaction, run, table_id, catalog)
            self._advance_table(transaction, table_id, changed)
        for key, value in run.entries:
            transaction.put(key, value)
        after = apply.catalog_after(run, catalog)
        if after is not catalog:
            self._follow_catalog(transaction, catalog, after)
        return after

    def _write_documents(
        self, transaction: lmdb.Transaction[bytes], run: apply.Run, table_id: str, catalog: Catalog
    ) -> Catalog:
        """Write documents and their entries; give the catalogue, in which a unique index may have failed."""
        indexes = [(index, building.enters(transaction, index)) for index in apply.indexes_of(catalog, table_id)]
        entries = Entries(transaction) if indexes else None
        come: list[tuple[Index, bytes, Document]] = []
        failed: dict[str, Index] = {}
        for key, document in run.tables[table_id].documents.items():
            if entries is not None:
                come += self._entries_that_come(transaction, indexes, entries, key, document)
            if document is None:
                transaction.delete(key)
                continue
            row = rows.current_row(document, run.times_ms)
            transaction.put(key, row)
            self.cache.put(key, document, len(row))
        if entries is not None:  # when all that goes is gone: a key may pass from one document to another
            for index, entry, document in come:
                other = entries.add(index.index_id, entry, document.document_id)
                if index.status == "BUILDING" and (wrong := building.duplicate(index, document, entry, other)):
                    failed.setdefault(index.index_id, building.fail(transaction, index, wrong))
            entries.finish()
        for index in failed.values():
            catalog = catalog.with_index(table_id, index)
        return catalog

    def _entries_that_come(
        self,
        transaction: lmdb.Transaction[bytes],
        indexes: Sequence[tuple[Index, Callable[[str], bool]]],
        entries: Entries,
        key: bytes,
        document: Document | None,
    ) -> Iterator[tuple[Index, bytes, Document]]:
        """Remove the entries that a document no longer has; give those that it gets."""
        stored = self._stored(transaction, key)
        document_id = key[-ID_LENGTH:].decode()
        before, after = None if stored is None else stored.data, None if document is None else document.data
        for index, enters in indexes:
            if not enters(document_id):
                continue
            gone, come = entry_changes(index, before, after)
            for entry in gone:
                entries.remove(index.index_id, entry, document_id)
            for entry in come:
                assert document is not None
                yield index, entry, document

    def _stored(self, transaction: lmdb.Transaction[bytes], key: bytes) -> Document | None:
        row = transaction.get(key)
        if row is None:
            return None
        return self.cache.get(key, rows.version_of_row(row)) or self.document_of_row(key, row)

    def _advance_table(self, transaction: lmdb.Transaction[bytes], table_id: str, changed: apply.TableRun) -> None:
        key = rows.TABLE + table_id.encode()
        row = transaction.get(key)
        sequence_no, live = (0, 0) if row is None else rows.unpack_table(row)
        if sequence_no != changed.first_sequence_no:
            raise apply.sequence_gap(table_id, sequence_no, changed.first_sequence_no)
        transaction.put(key, rows.pack_table(changed.next_sequence_no, live + changed.live_added))

    def _follow_catalog(self, transaction: lmdb.Transaction[bytes], before: Catalog, after: Catalog) -> None:
        for table in after.by_id.values():
            old = {index.index_id for index in apply.indexes_of(before, table.table_id)}
            new = {index.index_id for index in table.indexes}
            for index_id in sorted(new - old):
                building.register(transaction, index_id)
            for index_id in old - new:
                building.discard(transaction, index_id)

    def begin_building(self, transaction: lmdb.Transaction[bytes], catalog: Catalog) -> Catalog:
        """Build the new indexes of small tables, and make the others ready to be built in parts."""
        work = Building(transaction, catalog, self.strand_id, self.limits)
        work.begin()
        return work.catalog

    def build_part(self, transaction: lmdb.Transaction[bytes], catalog: Catalog, documents_max: int) -> Catalog:
        """Build a part of what is to be built, or remove some of what is to be removed."""
        work = Building(transaction, catalog, self.strand_id, self.limits)
        work.go_on(documents_max)
        return work.catalog


def failure(directory: Path, limits: Limits, error: Exception) -> JournalFailedError:
    """Say what failed, and what to do about it."""
    if isinstance(error, lmdb.MapFullError):
        return JournalFailedError(
            f"the view store in {directory} has reached the limit view_map_bytes_max of"
            f" {limits.view_map_bytes_max} bytes; raise it and open the ledger again: nothing is lost"
        )
    return JournalFailedError(f"the view store in {directory} could not be opened or written: {error}")
