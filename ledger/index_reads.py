"""What a transaction reads through indexes: documents by key and by range, and who holds a unique key. All of it is noted as read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.catalog import Index, Table
from ledger.errors import UniqueViolationError
from ledger.index_entries import NO_KEYS, NULL_PART, joined_key, shown_value, unique_changes, unique_keys
from ledger.index_key import EXACT_SIZE, order_key
from ledger.index_ranges import KeyRange, after_key, in_order
from ledger.occ import RangeRead, ReadSet
from ledger.overlay import Reader
from ledger.partiql.context import Document, Fields
from ledger.values import Struct, Value

__all__ = ["check_unique", "conflicting", "documents_in_ranges", "documents_with_key", "noted_document"]

_DOCUMENTS_NOTED_MAX, _RANGES_NOTED_MAX = 10_000, 2_000
"""A range of more documents, and a transaction of more ranges, has read the whole table, as far as conflicts go: the read set stays small,
and checking it quick."""


def noted_document(
    reader: Reader, reads: ReadSet, table: Table, document_id: str, fields: Fields | None = None
) -> Document | None:
    reads.keys.add(("document", table.table_id, document_id))
    return reader.document(table.table_id, document_id, fields)


def documents_with_key(
    reader: Reader, reads: ReadSet, table: Table, index: Index, values: Sequence[Value]
) -> Iterator[Document]:
    """Give the documents that have an entry with these values, in order of document id; null equals nothing."""
    parts = tuple(map(order_key, values))
    if NULL_PART in parts:
        return
    key = joined_key(parts)
    reads.keys.add(("index", index.index_id, key))
    for document_id in reader.index_look_up(index.index_id, key):
        document = noted_document(reader, reads, table, document_id)
        if document is not None:
            yield document


def documents_in_ranges(
    reader: Reader,
    reads: ReadSet,
    table: Table,
    index: Index,
    ranges: Sequence[KeyRange],
    *,
    descending: bool,
    fields: Fields | None = None,
) -> Iterator[Document]:
    """Give the documents of ascending ranges in order of the index; through an index of elements each once.

    Of a document only `fields` and those of the index need to be read (None: all).
    """
    wanted = None if fields is None else fields | index.fields
    turned = reversed(ranges) if descending else ranges
    found = (
        document
        for asked in turned
        for document in _in_range(reader, reads, table, index, asked, wanted, descending=descending)
    )
    return _each_once(found) if index.of_elements else found


def _in_range(
    reader: Reader,
    reads: ReadSet,
    table: Table,
    index: Index,
    asked: KeyRange,
    fields: Fields | None,
    *,
    descending: bool,
) -> Iterator[Document]:
    """Note what was passed, not what was never asked for."""
    start, end = asked.start, asked.end
    read = RangeRead(index.index_id, end, end) if descending else RangeRead(index.index_id, start, start)
    if len(reads.ranges) < _RANGES_NOTED_MAX:
        reads.ranges.append(read)
    else:
        reads.keys.add(("table", table.table_id))
    cut: list[tuple[bytes, Document]] = []  # of keys that begin alike: their order is not that of their entries
    count = 0
    for key, document_id in reader.index_range(index.index_id, start, end, descending=descending):
        if cut and key[:EXACT_SIZE] != cut[0][0][:EXACT_SIZE]:
            yield from in_order(index, asked, cut, descending=descending)
            cut = []
        if descending:
            read.start = key[:EXACT_SIZE]
        else:
            read.end = key + b"\x00" if len(key) <= EXACT_SIZE else after_key(key[:EXACT_SIZE])
        count += 1
        if count > _DOCUMENTS_NOTED_MAX:
            reads.keys.add(("table", table.table_id))
            document = reader.document(table.table_id, document_id, fields)
        else:
            document = noted_document(reader, reads, table, document_id, fields)
        if document is None:
            continue
        if len(key) > EXACT_SIZE:
            cut.append((key, document))
        elif asked.exact or asked.holds(key):
            yield document
    read.start, read.end = start, end
    yield from in_order(index, asked, cut, descending=descending)


def _each_once(documents: Iterator[Document]) -> Iterator[Document]:
    seen: set[str] = set()
    for document in documents:
        if document.document_id not in seen:
            seen.add(document.document_id)
            yield document


def conflicting(reader: Reader, reads: ReadSet, table: Table, data: Struct, document_id: str | None) -> Document | None:
    """Give a document, other than `document_id`, that has a unique key of `data`."""
    for index in table.indexes:
        for key in unique_keys(index, data) if _enforced(index) else NO_KEYS:
            other = _other_holder(reader, reads, index, key, document_id)
            if other is not None:
                return noted_document(reader, reads, table, other)
    return None


def check_unique(
    reader: Reader, reads: ReadSet, table: Table, document_id: str, before: Struct | None, after: Struct
) -> None:
    """Check that no other document has a unique key that this one gets.

    Raises:
        UniqueViolationError
    """
    for index in table.indexes:
        for key in unique_changes(index, before, after) if _enforced(index) else NO_KEYS:
            other = _other_holder(reader, reads, index, key, document_id)
            if other is not None:
                raise UniqueViolationError(table.name, index.expr, shown_value(index, after, key), other)


def _enforced(index: Index) -> bool:
    return index.unique and index.status == "ONLINE"


def _other_holder(reader: Reader, reads: ReadSet, index: Index, key: bytes, document_id: str | None) -> str | None:
    reads.keys.add(("index", index.index_id, key))
    return next((other for other in reader.index_look_up(index.index_id, key) if other != document_id), None)
