"""BLOCK_SUMMARY: one committed transaction, without its documents. Topic `<prefix>.<ledger>.block-summary`, key strand id.

QLDB's payload, with two fields of ours: `format` and `tables`. `revisionSummaries` shows a system revision by its hash alone, as QLDB did.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import BlockAddress, Hash, Id, Model, StreamRecord

__all__ = ["BlockSummary", "BlockSummaryRecord", "DocumentInfo", "RevisionSummary", "StatementInfo", "TableSummary"]


class StatementInfo(Model):
    """One executed statement; `statement_digest` covers its text and parameters."""

    statement: str
    start_time: AwareDatetime
    statement_digest: Hash


class DocumentInfo(Model):
    """Which statements (by index) wrote a document."""

    table_name: str
    table_id: Id
    statements: list[int]


class TransactionInfo(Model):
    """What was asked; `documents` is absent when nothing was written."""

    statements: list[StatementInfo]
    documents: dict[Id, DocumentInfo] = Field(default_factory=dict)


class TableRevision(Model):
    document_id: Id
    version: int
    hash: Hash


class TableSummary(Model):
    """What the block changed in one table: its revisions have the sequence numbers from `first_sequence_no` on."""

    table_id: Id
    table_name: str
    first_sequence_no: int
    revisions: list[TableRevision]


class RevisionSummary(Model):
    """QLDB's; without a document id it is a revision of the system table."""

    hash: Hash
    document_id: Id | None = None


class BlockSummary(Model):
    """A block. Everything that its hash covers is here, except the documents."""

    format: Literal[1]
    block_address: BlockAddress
    transaction_id: Id
    block_timestamp: AwareDatetime
    block_hash: Hash
    entries_hash: Hash
    previous_block_hash: Hash
    entries_hash_list: list[Hash]
    transaction_info: TransactionInfo
    tables: list[TableSummary] = Field(default_factory=list)
    revision_summaries: list[RevisionSummary] = Field(default_factory=list)


class BlockSummaryRecord(StreamRecord):
    record_type: Literal["BLOCK_SUMMARY"]
    payload: BlockSummary
