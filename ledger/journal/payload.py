"""A frame's payload: a block in compact Ion binary. Pure; the sequence number is the frame's, the strand id the segment's.

One Ion list, by position, since field names would be most of it:

    [ transactionId        string
      blockTimestamp       int, milliseconds since 1970 (the only form of time that a block has)
      previousBlockHash    blob, empty in block 0
      hashes               blob: blockHash, entriesHash, then entriesHashList, 32 bytes each
      statements           list: (statement, startTime as milliseconds, statementDigest) one after the other
      tables               list: (tableId, tableName, firstSequenceNo, revisions) one after the other ]

    revisions              list: (documentId, version, hash, statements, data) one after the other
      statements           int, or a list of them if they are not one
      data                 blob: the document as an Ion value, over the segment's symbols; names that those lack stand in front of it
                           null: the document was deleted; [blob of 32 bytes]: it was redacted, and that is its hash

- A document is a blob in it: it stands alone with its names, and can be skipped.
- Not stored, since it follows from the rest without hashing: metadata, addresses of revisions, transactionInfo.documents. Hashes are
  stored: to compute them again costs more than to read them, and what is stored can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from ledger import ion
from ledger.block import Block, Revision, StatementInfo, TableRevisions
from ledger.errors import IntegrityError, InvalidValueError
from ledger.journal.field_names import FieldNames
from ledger.values import Struct, Timestamp, Value, identical

__all__ = ["BlockEncoder", "decode_block"]

_HASH = 32
_HAS_LOCAL_SYMBOLS = 0xE0
"""An encoded document begins with a struct's descriptor (0xD.), or with the annotation of a symbol table before it."""


class BlockEncoder:
    """Encodes blocks for one segment. Names that its symbols lack are told to `names`, for the next segment."""

    def __init__(self, symbols: ion.SymbolTable, names: FieldNames) -> None:
        self._symbols, self._names = symbols, names
        self._time: Timestamp | None = None  # of the last block, and often of its statements and of the whole batch
        self._time_ms = 0

    def encode(self, block: Block) -> bytes:
        """Give the payload of a block's frame.

        Raises:
            InvalidValueError: a document is no Ion value, or a time is not in UTC with exactly three digits of a second.
        """
        statements: list[Value] = []
        for info in block.statements:
            statements += (info.statement, self._milliseconds(info.start_time), info.statement_digest)
        tables: list[Value] = []
        for table in block.tables:
            revisions: list[Value] = []
            for revision in table.revisions:
                revisions += (
                    revision.id,
                    revision.version,
                    revision.hash,
                    revision.statements[0] if len(revision.statements) == 1 else list(revision.statements),
                    self._data(revision),
                )
            tables += (table.table_id, table.table_name, table.first_sequence_no, revisions)
        return ion.encode_part(
            [
                block.transaction_id,
                self._milliseconds(block.block_timestamp),
                block.previous_block_hash,
                b"".join((block.block_hash, block.entries_hash, *block.entries_hash_list)),
                statements,
                tables,
            ],
            self._symbols,
        )

    def _data(self, revision: Revision) -> Value:
        if revision.data is None:
            return None if revision.data_hash is None else [revision.data_hash]
        encoded = ion.encode_part(revision.data, self._symbols)
        if encoded[0] >= _HAS_LOCAL_SYMBOLS:
            self._names.learn(revision.data)
        return encoded

    def _milliseconds(self, time: Timestamp) -> int:
        if time is not self._time:
            milliseconds = time.to_milliseconds()
            if not identical(_time(milliseconds), time):
                raise InvalidValueError(f"a block's times are in UTC with milliseconds, {time} is not")
            self._time, self._time_ms = time, milliseconds
        return self._time_ms


def decode_block(payload: bytes, symbols: ion.SymbolTable, strand_id: str, sequence_no: int) -> Block:
    """Read a payload.

    Raises:
        IntegrityError: it is none, although its frame is whole.
    """
    try:
        transaction_id, time_ms, previous, hashes, statements, tables = cast(
            "list[Any]", ion.decode_part(payload, symbols)
        )
        return Block(
            strand_id,
            sequence_no,
            transaction_id,
            _time(time_ms),
            previous,
            hashes[:_HASH],
            hashes[_HASH : 2 * _HASH],
            tuple([hashes[i : i + _HASH] for i in range(2 * _HASH, len(hashes), _HASH)]),
            tuple([StatementInfo(text, _time(ms), digest) for text, ms, digest in _groups(statements, 3)]),
            tuple(
                [
                    TableRevisions(
                        table_id,
                        name,
                        first,
                        tuple([_revision(fields, symbols) for fields in _groups(revisions, 5)]),
                    )
                    for table_id, name, first, revisions in _groups(tables, 4)
                ]
            ),
        )
    except (InvalidValueError, TypeError, ValueError, OverflowError) as error:
        where = f"{strand_id}/{sequence_no}"
        raise IntegrityError(f"the frame is whole, its payload is no block: {error}", address=where) from error


def _groups(flat: list[Any], size: int) -> Iterator[tuple[Any, ...]]:
    items = iter(flat)
    return zip(*[items] * size, strict=True)


def _revision(fields: tuple[Any, ...], symbols: ion.SymbolTable) -> Revision:
    document_id, version, revision_hash, statements, stored = fields
    data, data_hash = None, None
    if type(stored) is bytes:
        data = cast(Struct, ion.decode_part(stored, symbols))
    elif stored is not None:
        (data_hash,) = stored
    statements = (statements,) if type(statements) is int else tuple(statements)
    return Revision(document_id, version, revision_hash, data, data_hash, statements)


@lru_cache(maxsize=256)
def _time(milliseconds: int) -> Timestamp:
    return Timestamp.of_milliseconds(milliseconds)
