"""CONTROL: what the publisher says beside the revisions.

On block-summary, about the stream itself. Not part of the ledger, and in no proof:

CREATED            the first record ever
OWNER              a publisher took the stream over; every earlier one is fenced
REPUBLISHED        Kafka lost records of a partition; from `fromOffset` on they come again, in their order
COMPLETED          the publisher was asked to end at a block, and has

On each partition of a table's topic, for those who read nothing else. The header `strandline-proof` is that of the catalogue's revision:

TABLE_DROPPED      no revision of the table comes after it, unless the table is taken back; its documents are current no more
TABLE_UNDROPPED    the table is active again, its documents are current as they were
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import BlockAddress, Id, Model, StreamRecord

__all__ = ["Completed", "ControlRecord", "Created", "Owner", "Republished", "TableDropped", "TableUndropped"]


class Created(Model):
    control_record_type: Literal["CREATED"]


class Owner(Model):
    control_record_type: Literal["OWNER"]
    publisher_id: str
    host: str
    pid: int
    start_time: AwareDatetime


class Republished(Model):
    """A reader whose position in this partition is behind `from_offset` goes back to it, and drops what it has already."""

    control_record_type: Literal["REPUBLISHED"]
    topic: str
    partition: int
    from_offset: int
    from_sequence_no: int
    through_sequence_no: int


class Completed(Model):
    control_record_type: Literal["COMPLETED"]


class TableDropped(Model):
    """Tables of one name share a topic: `table_id` says which one it was."""

    control_record_type: Literal["TABLE_DROPPED"]
    table_id: Id
    table_name: str
    block_address: BlockAddress


class TableUndropped(Model):
    control_record_type: Literal["TABLE_UNDROPPED"]
    table_id: Id
    table_name: str
    block_address: BlockAddress


class ControlRecord(StreamRecord):
    record_type: Literal["CONTROL"]
    payload: Annotated[
        Created | Owner | Republished | Completed | TableDropped | TableUndropped,
        Field(discriminator="control_record_type"),
    ]
