"""Block -> records, as they go to Kafka. Pure.

    value     {streamId: "<ledger>/<strandId>", recordType: "...", payload: {...}}      JSON or Ion; payloads as QLDB's
    headers   strandline-record-type   BLOCK_SUMMARY | REVISION_DETAILS | CONTROL, UTF-8
              strandline-proof         Ion binary, whatever the value's format: exactly what was hashed
    time      the block's
    key       document id; strand id on block-summary; tableId of a CONTROL record on a table's topic

    proof of BLOCK_SUMMARY       `summary_struct`: everything that is hashed but the documents
    proof of REVISION_DETAILS    {format, blockAddress, blockHash, tableId, tableName, tableSequenceNo, revision, proof}
                                 proof: the siblings from the revision's hash to blockHash
    proof of CONTROL             on a table's topic: that of the catalogue's revision which says it; on block-summary none

Rules:
- The same block always gives the same bytes: a checker makes them again and compares.
- Records come in the block's order, its BLOCK_SUMMARY last; what is told of whole tables before and behind them (`streams.table_changes`).
- Plain values are built, nothing is validated here: `schemas` describes them, and its models check them at the consumer's edge.

Source: Amazon QLDB developer guide, "QLDB stream records in Kinesis".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from ledger import ion, merkle
from ledger.block import (
    BLOCK_FORMAT,
    SYSTEM_TABLE_ID,
    Block,
    Revision,
    TableRevisions,
    address_struct,
    metadata_struct,
    summary_struct,
)
from ledger.values import Value
from streams.formats import FORMATS, Format
from streams.table_changes import TableChange, dropped, table_changes, undropped
from streams.topics import TopicNames

__all__ = ["PROOF_HEADER", "RECORD_TYPE_HEADER", "Record", "control_record", "records_of", "stream_id", "topics_of"]

RECORD_TYPE_HEADER = "strandline-record-type"
PROOF_HEADER = "strandline-proof"
_BLOCK_SUMMARY = (RECORD_TYPE_HEADER, b"BLOCK_SUMMARY")
_REVISION_DETAILS = (RECORD_TYPE_HEADER, b"REVISION_DETAILS")
_CONTROL = (RECORD_TYPE_HEADER, b"CONTROL")
_ONE_EACH: Mapping[str, int] = MappingProxyType({})

_SUMMARY_SYMBOLS = ion.SymbolTable(
    (
        "format", "blockAddress", "strandId", "sequenceNo", "transactionId", "blockTimestamp", "blockHash", "entriesHash",
        "previousBlockHash", "entriesHashList", "transactionInfo", "statements", "statement", "startTime", "statementDigest",
        "documents", "tableName", "tableId", "tables", "firstSequenceNo", "revisions", "documentId", "version", "hash",
    )
)  # fmt: skip
_REVISION_SYMBOLS = ion.SymbolTable(
    (
        "format", "blockAddress", "strandId", "sequenceNo", "blockHash", "tableId", "tableName", "tableSequenceNo",
        "revision", "hash", "data", "metadata", "id", "version", "txTime", "txId", "proof",
    )
)  # fmt: skip
"""Names that every proof needs, encoded once. Changing them changes the bytes of a proof, not its meaning."""


class Record(NamedTuple):
    """One Kafka record to be. `streams.inspection.places_of` gives its partition: the key's, by murmur2, or each one of a table's topic."""

    topic: str
    key: str
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int


def stream_id(ledger: str, strand_id: str) -> str:
    return f"{ledger}/{strand_id}"


def topics_of(block: Block, topics: TopicNames) -> set[str]:
    """Give the topics that a block's records need beside block-summary."""
    tables = [(table.table_id, table.table_name) for table in block.tables]
    return {topics.of_table(*table) for table in (*tables, *((c.table_id, c.table_name) for c in table_changes(block)))}


def records_of(
    block: Block, topics: TopicNames, value_format: Format = "json", counts: Mapping[str, int] = _ONE_EACH
) -> list[Record]:
    """Give a block's records: a REVISION_DETAILS for each revision, a CONTROL for each partition of a table that was dropped or is back,
    and at last the BLOCK_SUMMARY.

    Args:
        counts: how many partitions each topic has; 1 where it does not say.
    """
    write = FORMATS[value_format]
    stream = stream_id(topics.ledger, block.strand_id)
    timestamp_ms = block.block_timestamp.to_milliseconds()
    address: Value = address_struct(block.address)
    records = []
    for (table, sequence_no, revision), path in zip(block.revisions(), _paths(block), strict=True):
        shown = _revision(block, revision)
        proof: dict[str, Value] = {
            "format": BLOCK_FORMAT,
            "blockAddress": address,
            "blockHash": block.block_hash,
            "tableId": table.table_id,
            "tableName": table.table_name,
            "tableSequenceNo": sequence_no,
            "revision": shown,
            "proof": path,
        }
        payload: dict[str, Value] = {
            "tableInfo": {"tableName": table.table_name, "tableId": table.table_id},
            "revision": {"blockAddress": address} | shown,
        }
        value = write({"streamId": stream, "recordType": "REVISION_DETAILS", "payload": payload})
        headers = [_REVISION_DETAILS, (PROOF_HEADER, ion.encode(proof, _REVISION_SYMBOLS))]
        topic = topics.of_table(table.table_id, table.table_name)
        records.append(Record(topic, revision.id, value, headers, timestamp_ms))
    if changes := table_changes(block):
        told = partial(_table_controls, block, topics, value_format, counts, records)
        records = [*told(undropped(changes)), *records, *told(dropped(changes))]
    summary = summary_struct(block)
    headers = [_BLOCK_SUMMARY, (PROOF_HEADER, ion.encode(summary, _SUMMARY_SYMBOLS))]
    if block.tables:
        summary["revisionSummaries"] = [_revision_summary(table, r) for table in block.tables for r in table.revisions]
    value = write({"streamId": stream, "recordType": "BLOCK_SUMMARY", "payload": summary})
    records.append(Record(topics.block_summary, block.strand_id, value, headers, timestamp_ms))
    return records


def _table_controls(
    block: Block,
    topics: TopicNames,
    value_format: Format,
    counts: Mapping[str, int],
    details: Sequence[Record],
    changes: Iterable[TableChange],
) -> Iterator[Record]:
    """Give what every partition of the changed tables' topics is told; its proof is that of the catalogue's revision."""
    for change in changes:
        payload: dict[str, Value] = {
            "controlRecordType": change.control_record_type,
            "tableId": change.table_id,
            "tableName": change.table_name,
            "blockAddress": address_struct(block.address),
        }
        control = _control(topics, block.strand_id, payload, value_format)
        detail = details[change.place]
        topic = topics.of_table(change.table_id, change.table_name)
        headers = [_CONTROL, detail.headers[1]]
        for _ in range(counts.get(topic, 1)):
            yield Record(topic, change.table_id, control, headers, detail.timestamp_ms)


def control_record(
    topics: TopicNames, strand_id: str, timestamp_ms: int, payload: dict[str, Value], value_format: Format = "json"
) -> Record:
    """Give a CONTROL record of block-summary. `payload` has `controlRecordType`: CREATED, OWNER, REPUBLISHED or COMPLETED."""
    value = _control(topics, strand_id, payload, value_format)
    return Record(topics.block_summary, strand_id, value, [_CONTROL], timestamp_ms)


def _control(topics: TopicNames, strand_id: str, payload: dict[str, Value], value_format: Format) -> bytes:
    stream = stream_id(topics.ledger, strand_id)
    return FORMATS[value_format]({"streamId": stream, "recordType": "CONTROL", "payload": payload})


def _paths(block: Block) -> Iterator[list[Value]]:
    """Give for each revision the siblings from its hash to the block's: the revisions' tree, the entries' tree, the block before."""
    hashes = [revision.hash for table in block.tables for revision in table.revisions]
    if not hashes:
        return
    above = merkle.audit_path(block.entries_hash_list, 1)
    if block.previous_block_hash:
        above.append(block.previous_block_hash)
    for index in range(len(hashes)):
        yield [*(merkle.audit_path(hashes, index) if len(hashes) > 1 else ()), *above]


def _revision(block: Block, revision: Revision) -> dict[str, Value]:
    shown: dict[str, Value] = {"hash": revision.hash}
    if revision.data is not None:
        shown["data"] = revision.data
    elif revision.data_hash is not None:
        shown["dataHash"] = revision.data_hash
    shown["metadata"] = metadata_struct(block.block_timestamp, block.transaction_id, revision)
    return shown


def _revision_summary(table: TableRevisions, revision: Revision) -> dict[str, Value]:
    """QLDB's: a revision of the system table shows its hash alone."""
    if table.table_id == SYSTEM_TABLE_ID:
        return {"hash": revision.hash}
    return {"hash": revision.hash, "documentId": revision.id}
