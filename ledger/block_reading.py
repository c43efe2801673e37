"""Structs of blocks, summaries and revision records -> our types, strictly: the other direction of `ledger.block`.

Only what is said for the first time is read. The struct is then built again from that and compared with what came, so that a field too
many, one too few, another type, or a derived field that differs from what it is derived from, is refused without being listed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ledger.block import (
    BLOCK_FORMAT,
    Block,
    BlockAddress,
    Revision,
    StatementInfo,
    TableRevisions,
    address_struct,
    block_struct,
    metadata_struct,
    summary_struct,
)
from ledger.errors import IntegrityError
from ledger.hashing import HASH_SIZE
from ledger.values import MultiStruct, Struct, Timestamp, Value, identical

__all__ = ["RevisionRecord", "address_of", "block_of_struct", "hashes_of", "record_of_struct", "summary_of_struct"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """One revision shown by itself, with the path from its hash to its block's hash.

    `revision.statements` is empty: a record does not say it.
    """

    block_address: BlockAddress
    block_hash: bytes
    table_id: str
    table_name: str
    table_sequence_no: int
    revision: Revision
    transaction_id: str
    transaction_time: Timestamp
    proof: tuple[bytes, ...]


def block_of_struct(struct: Value) -> Block:
    """Read a whole block, as `block_struct` shows it.

    Raises:
        IntegrityError: it is not exactly that; the address is the field.
    """
    fields = _dict(struct, "block")
    shown = _list(fields["revisions"], "revisions") if "revisions" in fields else []
    block = _block(fields, [_content(revision, f"revisions[{i}]") for i, revision in enumerate(shown)])
    _check_same(block_struct(block), struct)
    return block


def summary_of_struct(struct: Value) -> Block:
    """Read a block without its documents, as `summary_struct` shows it: its revisions have a hash, and neither data nor dataHash.

    Raises:
        IntegrityError: it is not exactly that; the address is the field.
    """
    block = _block(_dict(struct, "block"), None)
    _check_same(summary_struct(block), struct)
    return block


def record_of_struct(struct: Value) -> RevisionRecord:
    """Read a revision record: `{format, blockAddress, blockHash, tableId, tableName, tableSequenceNo, revision, proof}`.

    Raises:
        IntegrityError: it is not exactly that; the address is the field.
    """
    fields = _dict(struct, "record")
    shown = _dict(_field(fields, "revision"), "revision")
    metadata = _dict(_field(shown, "metadata", "revision."), "revision.metadata")
    data, data_hash = _content(shown, "revision")
    record = RevisionRecord(
        address_of(_field(fields, "blockAddress"), "blockAddress"),
        _of(bytes, fields, "blockHash"),
        _of(str, fields, "tableId"),
        _of(str, fields, "tableName"),
        _of(int, fields, "tableSequenceNo"),
        Revision(
            _of(str, metadata, "id"),
            _of(int, metadata, "version"),
            _of(bytes, shown, "hash", "revision."),
            data,
            data_hash,
        ),
        _of(str, metadata, "txId"),
        _of(Timestamp, metadata, "txTime"),
        hashes_of(_field(fields, "proof"), "proof"),
    )
    _check_same(_record_struct(record), struct)
    return record


def address_of(value: Value, where: str) -> BlockAddress:
    """Read `{strandId, sequenceNo}`.

    Raises:
        IntegrityError: it is not exactly that.
    """
    fields = _dict(value, where)
    address = BlockAddress(_of(str, fields, "strandId", f"{where}."), _of(int, fields, "sequenceNo", f"{where}."))
    _check_same(address_struct(address), value, where)
    if address.sequence_no < 0:
        raise IntegrityError("a sequence number is negative", address=where, expected=0, actual=address.sequence_no)
    return address


def hashes_of(value: Value, where: str) -> tuple[bytes, ...]:
    """Read a list of hashes.

    Raises:
        IntegrityError: one is not a blob of 32 bytes.
    """
    hashes = []
    for i, item in enumerate(_list(value, where)):
        if type(item) is not bytes or len(item) != HASH_SIZE:
            raise IntegrityError(f"is no hash of {HASH_SIZE} bytes", address=f"{where}[{i}]", actual=item)
        hashes.append(item)
    return tuple(hashes)


# The parts

_Content: TypeAlias = "tuple[Struct | None, bytes | None]"


def _block(fields: dict[str, Value], contents: list[_Content] | None) -> Block:
    """Read the block; `contents` is what each revision holds, in order; None: nothing is known of it."""
    address = address_of(_field(fields, "blockAddress"), "blockAddress")
    info = _dict(_field(fields, "transactionInfo"), "transactionInfo")
    shown = _list(fields["tables"], "tables") if "tables" in fields else []
    tables = [_table(table, _documents(info), f"tables[{i}]") for i, table in enumerate(shown)]
    if contents is not None:
        tables = _filled(tables, contents)
    return Block(
        strand_id=address.strand_id,
        sequence_no=address.sequence_no,
        transaction_id=_of(str, fields, "transactionId"),
        block_timestamp=_of(Timestamp, fields, "blockTimestamp"),
        previous_block_hash=_of(bytes, fields, "previousBlockHash"),
        block_hash=_of(bytes, fields, "blockHash"),
        entries_hash=_of(bytes, fields, "entriesHash"),
        entries_hash_list=hashes_of(_field(fields, "entriesHashList"), "entriesHashList"),
        statements=tuple(
            _statement(statement, f"transactionInfo.statements[{i}]")
            for i, statement in enumerate(
                _list(_field(info, "statements", "transactionInfo."), "transactionInfo.statements")
            )
        ),
        tables=tuple(tables),
    )


def _documents(info: dict[str, Value]) -> dict[str, Value]:
    return _dict(info["documents"], "transactionInfo.documents") if "documents" in info else {}


def _statement(value: Value, where: str) -> StatementInfo:
    fields = _dict(value, where)
    prefix = f"{where}."
    return StatementInfo(
        _of(str, fields, "statement", prefix),
        _of(Timestamp, fields, "startTime", prefix),
        _of(bytes, fields, "statementDigest", prefix),
    )


def _table(value: Value, documents: dict[str, Value], where: str) -> TableRevisions:
    fields = _dict(value, where)
    prefix = f"{where}."
    revisions = [
        _summarised(revision, documents, f"{where}.revisions[{i}]")
        for i, revision in enumerate(_list(_field(fields, "revisions", prefix), f"{where}.revisions"))
    ]
    return TableRevisions(
        _of(str, fields, "tableId", prefix),
        _of(str, fields, "tableName", prefix),
        _of(int, fields, "firstSequenceNo", prefix),
        tuple(revisions),
    )


def _summarised(value: Value, documents: dict[str, Value], where: str) -> Revision:
    fields = _dict(value, where)
    prefix = f"{where}."
    document_id = _of(str, fields, "documentId", prefix)
    at = f"transactionInfo.documents.{document_id}"
    document = _dict(_field(documents, document_id, "transactionInfo.documents."), at)
    statements = [
        _typed(int, index, f"{at}.statements")
        for index in _list(_field(document, "statements", f"{at}."), f"{at}.statements")
    ]
    return Revision(
        document_id,
        _of(int, fields, "version", prefix),
        _of(bytes, fields, "hash", prefix),
        None,
        None,
        tuple(statements),
    )


def _filled(tables: list[TableRevisions], contents: list[_Content]) -> list[TableRevisions]:
    expected = sum(len(table.revisions) for table in tables)
    if len(contents) != expected:
        raise IntegrityError("not as many as tables says", address="revisions", expected=expected, actual=len(contents))
    rest = iter(contents)
    return [
        TableRevisions(
            table.table_id,
            table.table_name,
            table.first_sequence_no,
            tuple(Revision(r.id, r.version, r.hash, *next(rest), r.statements) for r in table.revisions),
        )
        for table in tables
    ]


def _content(value: Value, where: str) -> _Content:
    fields = _dict(value, where)
    data = fields.get("data")
    if "data" in fields and not isinstance(data, dict | MultiStruct):
        raise IntegrityError("is no struct", address=f"{where}.data", actual=data)
    data_hash = fields.get("dataHash")
    if "dataHash" in fields and (type(data_hash) is not bytes or len(data_hash) != HASH_SIZE):
        raise IntegrityError(f"is no hash of {HASH_SIZE} bytes", address=f"{where}.dataHash", actual=data_hash)
    return data, data_hash  # type: ignore[return-value]  # as just checked


def _record_struct(record: RevisionRecord) -> dict[str, Value]:
    revision = record.revision
    shown: dict[str, Value] = {"hash": revision.hash}
    if revision.data is not None:
        shown["data"] = revision.data
    elif revision.data_hash is not None:
        shown["dataHash"] = revision.data_hash
    shown["metadata"] = metadata_struct(record.transaction_time, record.transaction_id, revision)
    return {
        "format": BLOCK_FORMAT,
        "blockAddress": address_struct(record.block_address),
        "blockHash": record.block_hash,
        "tableId": record.table_id,
        "tableName": record.table_name,
        "tableSequenceNo": record.table_sequence_no,
        "revision": shown,
        "proof": list(record.proof),
    }


# Typed access


def _dict(value: Value, where: str) -> dict[str, Value]:
    if type(value) is not dict:
        raise IntegrityError("is no struct, or has a field twice", address=where, actual=value)
    return value


def _list(value: Value, where: str) -> list[Value]:
    if type(value) is not list:
        raise IntegrityError("is no list", address=where, actual=value)
    return value


def _field(fields: dict[str, Value], name: str, prefix: str = "") -> Value:
    if name not in fields:
        raise IntegrityError("is missing", address=prefix + name)
    return fields[name]


def _of(kind: type[_T], fields: dict[str, Value], name: str, prefix: str = "") -> _T:
    return _typed(kind, _field(fields, name, prefix), prefix + name)


def _typed(kind: type[_T], value: Value, where: str) -> _T:
    if type(value) is not kind:
        raise IntegrityError("is of another type", address=where, expected=kind.__name__, actual=value)
    return value


def _check_same(expected: Value, actual: Value, where: str = "") -> None:
    """Refuse `actual` unless it is what its own first-hand parts lead to."""
    if identical(expected, actual):
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected | actual:
            if name not in expected or name not in actual:
                raise IntegrityError(
                    "is missing" if name in expected else "is unknown", address=f"{where}.{name}".lstrip(".")
                )
            _check_same(expected[name], actual[name], f"{where}.{name}".lstrip("."))
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for i, (ours, theirs) in enumerate(zip(expected, actual, strict=True)):
            _check_same(ours, theirs, f"{where}[{i}]")
    raise IntegrityError("differs from what it is derived from", address=where, expected=expected, actual=actual)
