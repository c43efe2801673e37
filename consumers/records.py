"""One Kafka record -> the part of a block that it carries. Pure.

Rules:
- Only the headers are read: `strandline-record-type`, and `strandline-proof`, the exact Ion of what was hashed. The value is for
  people and for other tools; it is never trusted here. A CONTROL record, which is all value, says where to read, never what is true.
- A BLOCK_SUMMARY is verified at once: its hash covers all that it says. A REVISION_DETAILS can only be verified against the summary of its
  block (`consumers.blocks`); until then it is known by where it says that it belongs.
- What is not of the form that the publisher writes is an IntegrityError that names topic, partition and offset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger import ion
from ledger.block import Block
from ledger.errors import IntegrityError, LedgerError
from ledger.values import Value
from ledger.verify import RevisionRecord, verify_revision, verify_summary
from streams.position import payload_of
from streams.records import PROOF_HEADER, RECORD_TYPE_HEADER

__all__ = ["Control", "Detail", "Record", "RecordAddress", "Summary", "decode"]


class RecordAddress(NamedTuple):
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Record(NamedTuple):
    """A record as it came."""

    address: RecordAddress
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None = None

    @property
    def size(self) -> int:
        """The headers' bytes: what the consumer holds in memory until the block is whole."""
        return sum(len(value or b"") for _, value in self.headers)


@dataclass(frozen=True, slots=True)
class Summary:
    """A verified BLOCK_SUMMARY. The block's revisions have a hash and no content."""

    address: RecordAddress
    block: Block


@dataclass(frozen=True, slots=True)
class Control:
    """What the publisher says about the stream itself (`schemas.control`); no part of any block."""

    address: RecordAddress
    payload: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Detail:
    """A REVISION_DETAILS, not verified: what it says of its place, its hash, and the whole struct of its proof."""

    address: RecordAddress
    strand_id: str
    sequence_no: int
    table_id: str
    table_sequence_no: int
    block_hash: bytes
    hash: bytes
    struct: Value

    @property
    def name(self) -> str:
        return f"revision {self.table_sequence_no} of table {self.table_id} in block {self.sequence_no}"

    def verified(self, block_hash: bytes) -> RevisionRecord:
        """Verify it against the hash of its block.

        Raises:
            IntegrityError: it is not one of the block's revisions; names the record.
        """
        try:
            return verify_revision(self.struct, block_hash)
        except LedgerError as error:
            raise IntegrityError(f"{self.name}: {error}", address=self.address) from error


def decode(record: Record) -> Summary | Detail | Control:
    """Read a record.

    Raises:
        IntegrityError: it is not a record of the form that Strandline publishes, or a summary whose hash does not match.
    """
    headers = dict(record.headers)
    kind, proof = headers.get(RECORD_TYPE_HEADER), headers.get(PROOF_HEADER)
    if kind == b"CONTROL":
        return _control(record)
    if kind not in (b"BLOCK_SUMMARY", b"REVISION_DETAILS") or proof is None:
        raise IntegrityError("not a record of a ledger's stream: type or proof is missing", address=record.address)
    try:
        struct: Any = ion.decode(proof)
        if kind == b"BLOCK_SUMMARY":
            return Summary(record.address, verify_summary(struct))
        block = struct["blockAddress"]
        places = (block["strandId"], block["sequenceNo"], struct["tableId"], struct["tableSequenceNo"])
        hashes = (struct["blockHash"], struct["revision"]["hash"])
    except (LedgerError, LookupError, TypeError) as error:
        raise IntegrityError(f"the proof is not one: {error!r}", address=record.address) from error
    if [type(field) for field in (*places, *hashes)] != [str, int, str, int, bytes, bytes]:
        raise IntegrityError("the proof is not one", address=record.address, actual=(*places, *hashes))
    return Detail(record.address, *places, *hashes, struct)


def _control(record: Record) -> Control:
    try:
        return Control(record.address, payload_of(record.value or b""))
    except (LedgerError, ValueError) as error:
        raise IntegrityError(f"a CONTROL record without a payload: {error}", address=record.address) from error
