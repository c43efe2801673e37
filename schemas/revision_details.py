"""REVISION_DETAILS: one version of one document, whole. Topic of its table, key document id.

`data` absent: this version deleted the document, unless `dataHash` is there: then it was redacted. Documents are as their owners wrote
them; decimals and timestamps are strings (`streams.formats.json`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime

from schemas.envelope import BlockAddress, Hash, Id, Model, StreamRecord

__all__ = ["Metadata", "Revision", "RevisionDetails", "RevisionDetailsRecord", "TableInfo"]


class TableInfo(Model):
    table_name: str
    table_id: Id


class Metadata(Model):
    """Covered by the revision's hash. (id, version) tells a revision from all others: deduplicate by it."""

    id: Id
    version: int
    tx_time: AwareDatetime
    tx_id: Id


class Revision(Model):
    block_address: BlockAddress
    hash: Hash
    data: dict[str, Any] | None = None
    data_hash: Hash | None = None
    metadata: Metadata

    @property
    def deleted(self) -> bool:
        return self.data is None and self.data_hash is None


class RevisionDetails(Model):
    table_info: TableInfo
    revision: Revision


class RevisionDetailsRecord(StreamRecord):
    record_type: Literal["REVISION_DETAILS"]
    payload: RevisionDetails
