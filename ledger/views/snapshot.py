"""The ledger as of one block: a short read transaction of the view store.

Rules:
- Everything that a snapshot shows is as of its `sequence_no`, also while newer blocks are applied beside it.
- A snapshot belongs to one thread at a time, and is closed within a statement: an open one keeps the store from reusing space.
- Iterators are lazy and end with the snapshot.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, starmap
from typing import Protocol

import lmdb

from ledger.block import Block, Revision
from ledger.catalog import Catalog
from ledger.errors import IntegrityError
from ledger.ids import ID_LENGTH
from ledger.partiql.context import Commit, Document, Fields, IndexCounts
from ledger.values import Timestamp
from ledger.views import rows
from ledger.views.cache import DocumentCache

__all__ = ["Head", "Snapshot", "entries_in"]

_INDEX_PREFIX_SIZE = len(rows.INDEX) + ID_LENGTH
_REVISIONS_REMEMBERED_MAX = 1_000
"""Bounds the blocks that one history() keeps decoded: neighbours in a table were often written by one block."""


@dataclass(frozen=True, slots=True)
class Head:
    """A state of the store that was committed: the last block applied, and the catalogue then."""

    sequence_no: int
    block_hash: bytes
    catalog: Catalog


class Readable(Protocol):
    """What rows need to be read."""

    strand_id: str
    cache: DocumentCache
    document_of_row: Callable[[bytes, bytes], Document]


class Snapshot:
    """A consistent view as of `sequence_no` (-1: before any block). A context manager."""

    def __init__(
        self,
        head: Head,
        transaction: lmdb.Transaction[bytes],
        readable: Readable,
        block: Callable[[int], Block],
        ended: Callable[[], None],
    ) -> None:
        self.sequence_no = head.sequence_no
        self.catalog: Catalog = head.catalog
        self._transaction, self._block = transaction, block
        self._ended: Callable[[], None] | None = ended
        self._strand_id, self._cache, self._whole = readable.strand_id, readable.cache, readable.document_of_row

    def document(self, table_id: str, document_id: str, fields: Fields | None = None) -> Document | None:
        """Give the current version of a document; of `fields` at least. Only a whole one (None) is remembered."""
        if not rows.is_id(document_id):
            return None
        key = f"d{table_id}{document_id}".encode()
        row = self._transaction.get(key)
        if row is None:
            return None
        document = self._cache.get(key, rows.version_of_row(row))
        if document is None:
            if fields is not None:
                return self._reader(fields)(key, row)
            document = self._whole(key, row)
            self._cache.put(key, document, len(row))
        return document

    def scan(self, table_id: str, fields: Fields | None = None) -> Iterator[Document]:
        """Give the current documents of a table, ascending by document id; of each `fields` at least.

        What it decodes is not remembered: one scan would push everything hot out of the cache.
        """
        document_of_row, entries = self._reader(fields), entries_in(self._transaction, rows.CURRENT + table_id.encode())
        if fields is not None:  # to look into the cache would cost more than to decode them
            return starmap(document_of_row, entries)
        return (self._cache.get(key, rows.version_of_row(row)) or document_of_row(key, row) for key, row in entries)

    def _reader(self, fields: Fields | None) -> Callable[[bytes, bytes], Document]:
        return self._whole if fields is None else rows.reader(self._strand_id, fields)

    def index_look_up(self, index_id: str, key: bytes) -> Iterator[str]:
        """Give the ids of the documents that have an entry with that key (`ledger.index_entries`), ascending."""
        prefix = rows.index_prefix(index_id) + key
        size = len(prefix) + ID_LENGTH
        for entry in _keys(self._transaction, prefix):
            if len(entry) == size:  # else the key of a longer value, of which this one is the beginning
                yield entry[-ID_LENGTH:].decode()

    def index_range(
        self, index_id: str, start: bytes, end: bytes, *, descending: bool = False
    ) -> Iterator[tuple[bytes, str]]:
        """Give (key, document id) of the entries from key `start` up to, not including, `end`; ids ascending in either order of keys."""
        prefix = rows.index_prefix(index_id)
        entries = _backwards if descending else _forwards
        for row in entries(self._transaction, prefix + start, prefix + end):
            yield row[_INDEX_PREFIX_SIZE:-ID_LENGTH], row[-ID_LENGTH:].decode()

    def index_counts(self, index_id: str) -> IndexCounts:
        """Give how many entries an index has, under how many keys; none if there is no such index yet."""
        if self._transaction.get(rows.INDEX_STATE + index_id.encode()) is None:
            return IndexCounts(0, 0)
        row = rows.index_row(self._transaction, index_id)
        return IndexCounts(row.entries, row.keys)

    def history(self, table_id: str, document_id: str | None) -> Iterator[Document]:
        """Give all versions of one document, or of a whole table, by document id, then version; read from the journal.

        Raises:
            IntegrityError: the journal's block has no such revision.
        """
        if document_id is not None and not rows.is_id(document_id):
            return
        prefix = rows.HISTORY + (table_id + (document_id or "")).encode()
        blocks = _RecentBlocks(self._block)
        for key, number in entries_in(self._transaction, prefix):
            block = blocks.get(rows.unpack_number(number))
            yield _version(block, table_id, key[23:45].decode(), int.from_bytes(key[45:], "big"))

    def as_of(self, table_id: str, document_id: str | None, sequence_no: int) -> Iterator[Document | None]:
        """Give the version that each document had after a block; deletions too, None if it was not yet there. One block is read for each.

        Raises:
            IntegrityError: the journal's block has no such revision.
        """
        if document_id is not None and not rows.is_id(document_id):
            return
        prefix = rows.HISTORY + (table_id + (document_id or "")).encode()
        blocks = _RecentBlocks(self._block)
        for found, versions in groupby(entries_in(self._transaction, prefix), key=lambda entry: entry[0][23:45]):
            last: tuple[int, bytes] | None = None
            for key, packed in versions:
                number = rows.unpack_number(packed)
                if number > sequence_no:
                    break
                last = number, key[45:]
            yield last and _version(blocks.get(last[0]), table_id, found.decode(), int.from_bytes(last[1], "big"))

    def block_time(self, sequence_no: int) -> Timestamp:
        """Give the time of a block."""
        return self._block(sequence_no).block_timestamp

    def blocks_of_document(self, table_id: str, document_id: str) -> list[int]:
        """Give the numbers of the blocks that changed a document, ascending."""
        if not rows.is_id(document_id):
            return []
        versions = entries_in(self._transaction, rows.HISTORY + (table_id + document_id).encode())
        return [rows.unpack_number(number) for _, number in versions]

    def revision_location(self, document_id: str, version: int) -> tuple[int, str] | None:
        """Give (sequence number of the block, table id) of a revision: one look-up for each table there is."""
        if not rows.is_id(document_id) or not 0 <= version < 2**32:
            return None
        suffix = document_id.encode() + version.to_bytes(4, "big")
        for table in _keys(self._transaction, rows.TABLE):
            number = self._transaction.get(rows.HISTORY + table[1:] + suffix)
            if number is not None:
                return rows.unpack_number(number), table[1:].decode()
        return None

    def sequence_of_transaction(self, transaction_id: str) -> int | None:
        """Give the number of the block that a transaction wrote."""
        if not rows.is_id(transaction_id):
            return None
        number = self._transaction.get(rows.TRANSACTION + transaction_id.encode())
        return None if number is None else rows.unpack_number(number)

    def next_sequence_no(self, table_id: str) -> int:
        """Give the number of the table's next revision, which is how many it has."""
        row = self._transaction.get(rows.TABLE + table_id.encode())
        return 0 if row is None else rows.unpack_table(row)[0]

    def count(self, table_id: str) -> int:
        """Give how many current documents a table has."""
        return rows.live_documents(self._transaction, table_id)

    def rows(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Give every (key, value) of one kind as another store would have it: documents as `rows.plain_row`, none from the cache."""
        for key, row in entries_in(self._transaction, prefix):
            yield key, rows.plain_row(key, row) if prefix == rows.CURRENT else row

    def close(self) -> None:
        """Let go of the store's space. Closing twice does nothing."""
        self._transaction.abort()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def entries_in(
    transaction: lmdb.Transaction[bytes], prefix: bytes, start: bytes = b""
) -> Iterator[tuple[bytes, bytes]]:
    """Give (key, value) of all keys that begin with `prefix`, from `start` on."""
    with transaction.cursor() as cursor:
        if cursor.set_range(max(prefix, start)):
            for key, value in cursor.iternext():
                if not key.startswith(prefix):
                    return
                yield key, value


def _keys(transaction: lmdb.Transaction[bytes], prefix: bytes) -> Iterator[bytes]:
    with transaction.cursor() as cursor:
        if cursor.set_range(prefix):
            for key in cursor.iternext(keys=True, values=False):
                if not key.startswith(prefix):
                    return
                yield key


def _forwards(transaction: lmdb.Transaction[bytes], start: bytes, end: bytes) -> Iterator[bytes]:
    """Give the keys from `start` up to, not including, `end`."""
    with transaction.cursor() as cursor:
        if cursor.set_range(start):
            for key in cursor.iternext(keys=True, values=False):
                if key >= end:
                    return
                yield key


def _backwards(transaction: lmdb.Transaction[bytes], start: bytes, end: bytes) -> Iterator[bytes]:
    """Give the index rows of `_forwards`, the greatest index key first, the rows of one index key ascending."""
    with transaction.cursor() as cursor:
        found = cursor.prev() if cursor.set_range(end) else cursor.last()
        while found and (last := cursor.key()) >= start:
            index_key = last[:-ID_LENGTH]
            found = cursor.prev()
            if not found or cursor.key()[:-ID_LENGTH] != index_key:
                yield last
                continue
            cursor.set_range(index_key)  # it has several rows: go to the first of them
            for row in cursor.iternext(keys=True, values=False):
                if row[:-ID_LENGTH] != index_key:
                    break
                yield row
            found = cursor.set_range(index_key) and cursor.prev()


class _RecentBlocks:
    """The blocks that one history() read last."""

    def __init__(self, read: Callable[[int], Block]) -> None:
        self._read, self._revisions = read, 0
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    def get(self, sequence_no: int) -> Block:
        block = self._blocks.get(sequence_no)
        if block is None:
            block = self._blocks[sequence_no] = self._read(sequence_no)
            self._revisions += _revision_count(block)
            while self._revisions > _REVISIONS_REMEMBERED_MAX and len(self._blocks) > 1:
                self._revisions -= _revision_count(self._blocks.popitem(last=False)[1])
        return block


def _revision_count(block: Block) -> int:
    return sum(len(table.revisions) for table in block.tables)


def _version(block: Block, table_id: str, document_id: str, version: int) -> Document:
    revision = _find(block, table_id, document_id, version)
    commit = Commit(block.address, block.block_timestamp, block.transaction_id, revision.hash, revision.data_hash)
    return Document(table_id, document_id, version, revision.data, commit)


def _find(block: Block, table_id: str, document_id: str, version: int) -> Revision:
    for table, _, revision in block.revisions():
        if revision.id == document_id and revision.version == version and table.table_id == table_id:
            return revision
    raise IntegrityError(
        "the views say that this block has a revision that it has not",
        address=block.address,
        expected=f"{document_id} version {version} in table {table_id}",
    )
