"""The rows of the view store: every key and every value, drawn here and nowhere else.

    key                                                    value
    d | tableId 22 | documentId 22                         current document: header, data
    h | tableId 22 | documentId 22 | version 4             one version: sequenceNo 8
    i | indexId 22 | index key (1-288) | documentId 22     index entry: nothing
    t | transactionId 22                                   transaction: sequenceNo 8
    s | tableId 22                                         table: next revision's sequence number 8, live documents 8
    n | number 2                                           shared name: UTF-8
    p                                                      position: sequenceNo 8 (signed, -1 before any), block hash 32 or nothing

    header = version 4 | sequenceNo 8 | txTime 8 (ms since 1970, signed) | txId 22 | revision hash 32 | names 2
    data   = Ion binary against the shared names; absent when the revision was redacted

Rules:
- One B+ tree, keys in bytes order. Ids are ASCII of one width and numbers big-endian, so a table's documents, a document's versions
  and an index's keys each lie together, in their order. The longest key is 333 bytes; LMDB's limit is 511.
- History points into the journal. It needs no copy of a document, and both of its questions (one document, a whole table) are one range.
- `names` is how many shared names were in force when the data was written, if the data brings names of its own (they are numbered after
  those); 0xFFFF if it brings none, which any later table of names can read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from ledger import ion
from ledger.block import BlockAddress
from ledger.errors import IntegrityError, InvalidValueError
from ledger.ids import ID_LENGTH
from ledger.partiql.context import Document
from ledger.values import MultiStruct, Precision, Struct, Timestamp
from ledger.views.names import NO_OWN_NAMES, Names

__all__ = [
    "CURRENT",
    "HISTORY",
    "INDEX",
    "NAME",
    "POSITION",
    "TABLE",
    "TRANSACTION",
    "current_row",
    "document_of_row",
    "is_id",
    "milliseconds",
    "pack_number",
    "pack_position",
    "pack_table",
    "plain_row",
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
NAME: Final = b"n"
POSITION: Final = b"p"

_HEADER = struct.Struct(">IQq22s32sH")
_TABLE = struct.Struct(">QQ")
_POSITION = struct.Struct(">q")
_number = struct.Struct(">Q")
pack_number = _number.pack
pack_table = _TABLE.pack
unpack_table = _TABLE.unpack


def is_id(text: str) -> bool:
    """Tell whether `text` can be part of a key; what cannot is not in the store."""
    return len(text) == ID_LENGTH and text.isascii()


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


def current_row(document: Document, times_ms: Mapping[int, int], names: Names) -> bytes:
    """Give the value of a committed document; `names` learns the field names that it lacks.

    Args:
        times_ms: sequence number -> `milliseconds` of the block's time.
    """
    data, count = (b"", NO_OWN_NAMES) if document.data is None else names.encode(document.data)
    assert document.block_address is not None
    assert document.tx_id is not None
    assert document.hash is not None
    header = _HEADER.pack(
        document.version,
        document.block_address.sequence_no,
        times_ms[document.block_address.sequence_no],
        document.tx_id.encode(),
        document.hash,
        count,
    )
    return header + data


def version_of_row(row: bytes) -> int:
    """Give the version of a current document's row, without decoding it."""
    return int.from_bytes(row[:4], "big")


def document_of_row(key: bytes, row: bytes, strand_id: str, names: Names) -> Document:
    """Read a current document.

    Raises:
        IntegrityError: the data is no Ion struct.
    """
    version, sequence_no, time_ms, transaction_id, hash_, _ = _HEADER.unpack_from(row)
    data = _data(key, row, names)
    return Document(
        key[1:23].decode(),
        key[23:].decode(),
        version,
        data,
        None,
        hash_,
        BlockAddress(strand_id, sequence_no),
        Timestamp.of_milliseconds(time_ms),
        transaction_id.decode(),
    )


def plain_row(key: bytes, row: bytes, names: Names) -> bytes:
    """Give a current document's row as it would be without shared names, so that rows of two stores can be compared.

    Raises:
        IntegrityError: the data is no Ion struct.
    """
    data = _data(key, row, names)
    return row[: _HEADER.size - 2] + (b"" if data is None else ion.encode(data))


def _data(key: bytes, row: bytes, names: Names) -> Struct | None:
    if len(row) == _HEADER.size:
        return None
    try:
        data = names.decode(row[_HEADER.size :], int.from_bytes(row[_HEADER.size - 2 : _HEADER.size], "big"))
    except InvalidValueError as error:
        raise IntegrityError(f"a stored document is not Ion: {error}", address=key) from error
    if not isinstance(data, dict | MultiStruct):
        raise IntegrityError("a stored document is no struct", address=key, actual=data)
    return data
