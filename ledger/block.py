"""A block: one committed transaction, sealed. The model, and its form as an Ion struct that the world sees.

The struct is Amazon QLDB's block, field for field, with two fields of ours (`format`, `tables`), so that nothing in
`entriesHashList` is opaque. What it says twice (metadata.txId, blockAddress of a revision, transactionInfo.documents, entriesHash)
stands once here and is derived:

    Block ── statements     what was asked
          └─ tables         in order of their first write; each ── revisions   in order of their first write

Rules:
- `revisions` of the struct are those of `tables`, one table after the other: the order of the one is the order of the other.
- Each table (by tableId) has a gapless sequence over its revisions, from 0; `first_sequence_no` is where this block's part starts.
- `txTime` of every revision is the block's time, `txId` the block's transaction.
- No hashing here: `ledger.sealing` fills the hashes in, `ledger.verify` checks them.

Source: Amazon QLDB developer guide, "Journal contents in Amazon QLDB".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.values import Struct, Timestamp, Value

__all__ = [
    "BLOCK_FORMAT",
    "SYSTEM_TABLE_ID",
    "SYSTEM_TABLE_NAME",
    "Block",
    "BlockAddress",
    "Revision",
    "StatementInfo",
    "TableRevisions",
    "address_struct",
    "block_struct",
    "header_struct",
    "metadata_struct",
    "revision_struct",
    "summary_struct",
    "tables_list",
    "transaction_info_struct",
]

BLOCK_FORMAT = 1
SYSTEM_TABLE_ID = "0000000000000000000000"
"""The table of the catalogue itself; its documents are the tables, with the tableId as document id."""
SYSTEM_TABLE_NAME = "information_schema.user_tables"


@dataclass(frozen=True, slots=True, order=True)
class BlockAddress:
    """Where a block is. `strand_id` is 22 characters; `sequence_no` counts from 0."""

    strand_id: str
    sequence_no: int

    def __str__(self) -> str:
        return f"{self.strand_id}/{self.sequence_no}"


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of one document. `data` None: the document was deleted, unless `data_hash` (32 bytes): it was redacted.

    `hash` is 32 bytes; `statements` are the indexes of the transaction's statements that wrote the document.
    """

    id: str
    version: int
    hash: bytes
    data: Struct | None
    data_hash: bytes | None = None
    statements: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRevisions:
    """What a block changed in one table."""

    table_id: str
    table_name: str
    first_sequence_no: int
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class StatementInfo:
    """One executed statement: its text as sent, when the server began it, and its digest (32 bytes)."""

    statement: str
    start_time: Timestamp
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """One committed transaction. All hashes are 32 bytes; `previous_block_hash` of block 0 is empty."""

    strand_id: str
    sequence_no: int
    transaction_id: str
    block_timestamp: Timestamp
    previous_block_hash: bytes
    block_hash: bytes
    entries_hash: bytes
    entries_hash_list: tuple[bytes, ...]
    statements: tuple[StatementInfo, ...]
    tables: tuple[TableRevisions, ...]

    @property
    def address(self) -> BlockAddress:
        return BlockAddress(self.strand_id, self.sequence_no)

    def revisions(self) -> Iterator[tuple[TableRevisions, int, Revision]]:
        """Give (table, the revision's sequence number in that table, revision) in the block's order."""
        for table in self.tables:
            for offset, revision in enumerate(table.revisions):
                yield table, table.first_sequence_no + offset, revision


def address_struct(address: BlockAddress) -> dict[str, Value]:
    return {"strandId": address.strand_id, "sequenceNo": address.sequence_no}


def header_struct(block: Block) -> dict[str, Value]:
    """Give the struct whose Ion hash is the first entry of `entriesHashList`."""
    return {
        "format": BLOCK_FORMAT,
        "strandId": block.strand_id,
        "sequenceNo": block.sequence_no,
        "transactionId": block.transaction_id,
        "blockTimestamp": block.block_timestamp,
        "previousBlockHash": block.previous_block_hash,
    }


def tables_list(block: Block) -> list[Value]:
    """Give the list whose Ion hash is the `tables` entry: what fixes order, counts and each table's sequence."""
    return [
        {
            "tableId": table.table_id,
            "tableName": table.table_name,
            "firstSequenceNo": table.first_sequence_no,
            "revisions": [{"documentId": r.id, "version": r.version, "hash": r.hash} for r in table.revisions],
        }
        for table in block.tables
    ]


def transaction_info_struct(block: Block) -> dict[str, Value]:
    """Give `transactionInfo`, hashed as a whole. `documents` is absent when nothing was written, as in QLDB."""
    statements: list[Value] = [
        {"statement": s.statement, "startTime": s.start_time, "statementDigest": s.statement_digest}
        for s in block.statements
    ]
    documents: dict[str, Value] = {
        r.id: {"tableName": table.table_name, "tableId": table.table_id, "statements": list(r.statements)}
        for table in block.tables
        for r in table.revisions
    }
    return {"statements": statements} | ({"documents": documents} if documents else {})


def metadata_struct(block_timestamp: Timestamp, transaction_id: str, revision: Revision) -> dict[str, Value]:
    """Give a revision's `metadata`, which its hash covers."""
    return {"id": revision.id, "version": revision.version, "txTime": block_timestamp, "txId": transaction_id}


def revision_struct(block: Block, revision: Revision) -> dict[str, Value]:
    """Give a revision as history(), GetRevision and REVISION_DETAILS show it."""
    shown: dict[str, Value] = {"blockAddress": address_struct(block.address), "hash": revision.hash}
    if revision.data is not None:
        shown["data"] = revision.data
    elif revision.data_hash is not None:
        shown["dataHash"] = revision.data_hash
    return shown | {"metadata": metadata_struct(block.block_timestamp, block.transaction_id, revision)}


def summary_struct(block: Block) -> dict[str, Value]:
    """Give the block without its revisions' content: everything that is hashed except the documents."""
    shown: dict[str, Value] = {
        "format": BLOCK_FORMAT,
        "blockAddress": address_struct(block.address),
        "transactionId": block.transaction_id,
        "blockTimestamp": block.block_timestamp,
        "blockHash": block.block_hash,
        "entriesHash": block.entries_hash,
        "previousBlockHash": block.previous_block_hash,
        "entriesHashList": list(block.entries_hash_list),
        "transactionInfo": transaction_info_struct(block),
    }
    return shown | ({"tables": tables_list(block)} if block.tables else {})


def block_struct(block: Block) -> dict[str, Value]:
    """Give the whole block as GetBlock and an export show it. `revisions` is absent when there are none."""
    revisions: list[Value] = [revision_struct(block, r) for table in block.tables for r in table.revisions]
    return summary_struct(block) | ({"revisions": revisions} if revisions else {})
