"""CONTROL: what the publisher says about the stream itself, on block-summary. Not part of the ledger, and in no proof.

CREATED        the first record ever
OWNER          a publisher took the stream over; every earlier one is fenced
REPUBLISHED    Kafka lost records of a partition; from `fromOffset` on they come again, in their order
COMPLETED      the publisher was asked to end at a block, and has
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import Model, StreamRecord

__all__ = ["Completed", "ControlRecord", "Created", "Owner", "Republished"]


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


class ControlRecord(StreamRecord):
    record_type: Literal["CONTROL"]
    payload: Annotated[Created | Owner | Republished | Completed, Field(discriminator="control_record_type")]
