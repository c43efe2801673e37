"""The rows of the view store: every key and every value, drawn here and nowhere else.

    key                                                    value
    d | tableId 22 | documentId 22                         current document: header, data, CRC-32C 4 of both
    h | tableId 22 | documentId 22 | version 4             one version: sequenceNo 8
    i | indexId 22 | index key (1-288) | documentId 22     index entry: nothing
    x | indexId 22                                         index: state 1, entries 8, different keys 8, rest
    g | indexId 22                                         an index that is gone or failed, whose entries are to be removed: nothing
    t | transactionId 22                                   transaction: sequenceNo 8
    s | tableId 22                                         table: next revision's sequence number 8, live documents 8
    p                                                      position: sequenceNo 8 (signed, -1 before any), block hash 32 or nothing

    header = version 4 | sequenceNo 8 | txTime 8 (ms since 1970, signed) | txId 22 | revision hash 32
    data   = MessagePack (`ledger.views.packing`); absent when the revision was redacted
    state  = O online, nothing more | F failed, the reason in UTF-8 | B building, the last document built 22, the last to build 22

Rules:
- One B+ tree, keys in bytes order. Ids are ASCII of one width and numbers big-endian, so a table's documents, a document's versions
  and an index's keys each lie together, in their order. The longest key is 333 bytes; LMDB's limit is 511.
- History points into the journal. It needs no copy of a document, and both of its questions (one document, a whole table) are one range.
- A document's header is read when somebody asks for it, its data as far as somebody asks for it. The CRC is looked at first: what has
  rotted must not come into an answer, nor into the next version. (It is little-endian: the CRC of a whole row is always the same number.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final, NamedTuple

import lmdb
from crc32c import crc32c

from ledger import ion
from ledger.block import BlockAddress
from ledger.errors import IntegrityError, InvalidValueError
from ledger.ids import ID_LENGTH
from ledger.partiql.context import Commit, Document, Fields
from ledger.values import MultiStruct, Precision, Struct, Timestamp, Value
from ledger.views.packing import packed, unpacked, unpacker

__all__ = [
    "BUILDING",
    "CURRENT",
    "FAILED",
    "GARBAGE",
    "HISTORY",
    "INDEX",
    "INDEX_STATE",
    "ONLINE",
    "POSITION",
    "TABLE",
    "TRANSACTION",
    "IndexRow",
    "current_row",
    "index_prefix",
    "index_row",
    "is_id",
    "last_document",
    "live_documents",
    "milliseconds",
    "pack_number",
    "pack_position",
    "pack_table",
    "plain_row",
    "put_index_row",
    "reader",
    "unpack_number",
    "unpack_position",
    "unpack_table",
    "version_of_row",
]

CURRENT: Final = b"d"
HISTORY: Final = b"h"
INDEX: Final = b"i"
TRANSACTION: Final = b"t"
TABLE: Final = b"s"
INDEX_STATE: Final = b"x"
GARBAGE: Final = b"g"
POSITION: Final = b"p"

ONLINE: Final = b"O"
BUILDING: Final = b"B"
FAILED: Final = b"F"

_INDEX = struct.Struct(">cQQ")
_HEADER = struct.Struct(">IQq22s32s")
_HEADER_SIZE = _HEADER.size
_CRC_SIZE, _CRC_OF_ROW = 4, 0x48674BC7
_TABLE = struct.Struct(">QQ")
_POSITION = struct.Struct(">q")
_number = struct.Struct(">Q")
pack_number = _number.pack
pack_table = _TABLE.pack
unpack_table = _TABLE.unpack


def is_id(text: str) -> bool:
    """Tell whether `text` can be part of a key; what cannot is not in the store."""
    return len(text) == ID_LENGTH and text.isascii()


class IndexRow(NamedTuple):
    """What is kept of an index."""

    state: bytes
    entries: int
    keys: int
    rest: bytes

    def counting(self, entries: int, keys: int) -> IndexRow:
        """Give the row with so many entries and keys more."""
        return self._replace(entries=self.entries + entries, keys=self.keys + keys)


def index_prefix(index_id: str) -> bytes:
    """Give what the keys of all entries of an index begin with."""
    return INDEX + index_id.encode()


def index_row(transaction: lmdb.Transaction[bytes], index_id: str) -> IndexRow:
    """Read the row of an index.

    Raises:
        IntegrityError: there is none.
    """
    row = transaction.get(INDEX_STATE + index_id.encode())
    if row is None:
        raise IntegrityError("an index of the catalogue has no row in the views", address=f"index {index_id}")
    state, entries, keys = _INDEX.unpack_from(row)
    return IndexRow(state, entries, keys, row[_INDEX.size :])


def put_index_row(transaction: lmdb.Transaction[bytes], index_id: str, row: IndexRow) -> None:
    transaction.put(INDEX_STATE + index_id.encode(), _INDEX.pack(*row[:3]) + row.rest)


def live_documents(transaction: lmdb.Transaction[bytes], table_id: str) -> int:
    """Give how many current documents a table has."""
    row = transaction.get(TABLE + table_id.encode())
    return 0 if row is None else unpack_table(row)[1]


def last_document(transaction: lmdb.Transaction[bytes], table_id: str) -> bytes:
    """Give the id of a table's last current document; 22 zero bytes if it has none."""
    prefix = CURRENT + table_id.encode()
    with transaction.cursor() as cursor:
        found = cursor.prev() if cursor.set_range(prefix + b"\xff") else cursor.last()
        key = cursor.key() if found else b""
    return key[len(prefix) :] if key.startswith(prefix) else bytes(ID_LENGTH)


def unpack_number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def pack_position(sequence_no: int, block_hash: bytes) -> bytes:
    return _POSITION.pack(sequence_no) + block_hash


def unpack_position(value: bytes) -> tuple[int, bytes]:
    """Give (sequence number of the last applied block, its hash)."""
    return _POSITION.unpack_from(value)[0], value[_POSITION.size :]


def milliseconds(time: Timestamp) -> int:
    """Give a block's time as its row keeps it.

    Raises:
        IntegrityError: it is not of the one form that Strandline writes (UTC, three digits of a second), so it could not be given back.
    """
    digits = time.fraction
    if digits is None or digits.as_tuple().exponent != -3 or time.offset != 0 or time.precision is not Precision.SECOND:
        raise IntegrityError("a block's time is in UTC with three digits of a second", actual=str(time))
    return time.to_milliseconds()


def current_row(document: Document, times_ms: Mapping[int, int]) -> bytes:
    """Give the value of a committed document.

    Args:
        times_ms: sequence number -> `milliseconds` of the block's time.
    """
    commit = document.commit
    assert commit is not None
    number = commit.block_address.sequence_no
    row = _HEADER.pack(document.version, number, times_ms[number], commit.tx_id.encode(), commit.hash)
    if document.data is not None:
        row += packed(document.data)
    return row + crc32c(row).to_bytes(_CRC_SIZE, "little")


def version_of_row(row: bytes) -> int:
    """Give the version of a current document's row, without decoding it."""
    return int.from_bytes(row[:4], "big")


@lru_cache(1_024)
def reader(strand_id: str, fields: Fields | None = None) -> Callable[[bytes, bytes], Document]:
    """Give what makes the document of (key, row); its data may lack whatever is not in `fields` (None: it is whole).

    It raises IntegrityError: the row is not what `current_row` wrote.
    """
    unpack = unpacker(fields)

    def document_of_row(key: bytes, row: bytes) -> Document:
        data = _data(key, row, unpack)
        commit = partial(_commit, strand_id, row[:_HEADER_SIZE])
        return Document(key[1:23].decode(), key[23:].decode(), int.from_bytes(row[:4], "big"), data, commit)

    return document_of_row


def _commit(strand_id: str, header: bytes) -> Commit:
    _, sequence_no, time_ms, transaction_id, hash_ = _HEADER.unpack(header)
    return Commit(_address_of(strand_id, sequence_no), _time_of(time_ms), transaction_id.decode(), hash_)


def plain_row(key: bytes, row: bytes) -> bytes:
    """Give a current document's row with its data in Ion, so that rows can be compared by what they say.

    Raises:
        IntegrityError: the row is not what `current_row` wrote.
    """
    data = _data(key, row, unpacked)
    return row[:_HEADER_SIZE] + (b"" if data is None else ion.encode(data))


# Documents that were written together share these: a scan makes them once a block, not once a document.
_address_of = lru_cache(1_024)(BlockAddress)
_time_of = lru_cache(1_024)(Timestamp.of_milliseconds)


def _data(key: bytes, row: bytes, unpack: Callable[[bytes], Value]) -> Struct | None:
    if crc32c(row) != _CRC_OF_ROW:
        raise IntegrityError("a stored document has rotted: its CRC does not fit", address=key, actual=row)
    if len(row) == _HEADER_SIZE + _CRC_SIZE:
        return None
    try:
        data = unpack(row[_HEADER_SIZE:-_CRC_SIZE])
    except InvalidValueError as error:
        raise IntegrityError(f"a stored document is {error}", address=key) from error
    if type(data) is dict or isinstance(data, MultiStruct):
        return data
    raise IntegrityError("a stored document is no struct", address=key, actual=data)
