"""Where the stream has come to, as its own topic tells: the publisher remembers nothing elsewhere.

The first record that a kafka_tx writes to block-summary carries, in the header `strandline-ends`, the ends of all partitions of the stream
before that kafka_tx: `{"<topic>": [end, ...]}`, the offset behind each one's last committed record, 0 where there is none. With it the next
start finds out whether Kafka lost, or took in, anything since. -1: the partition lacks records, which are being published again, or
has some that this kafka_tx left out.

The fold is pure; `read_position` brings it the end of the topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from ledger import ion
from ledger.block import BlockAddress
from ledger.block_reading import address_of
from ledger.errors import IntegrityError, InvalidValueError
from ledger.values import Value
from streams.broker import Broker, Partition
from streams.errors import ForeignStreamError
from streams.formats import format_of
from streams.records import PROOF_HEADER, RECORD_TYPE_HEADER
from streams.topic_reader import ReadRecord, tails

__all__ = ["ENDS_HEADER", "LOST", "Position", "control_of", "payload_of", "position_of", "proof_of", "read_position"]

ENDS_HEADER = "strandline-ends"
LOST = -1
"""In `strandline-ends`: this partition's end says nothing, look at its records."""


@dataclass(frozen=True, slots=True)
class Position:
    """What the end of block-summary says.

    `address`, `block_hash`: the last published block; None and b"" before any. `kafka_tx_from`: number of the first block of the kafka_tx
    which recorded `ends`, or of the next block if that held none. `ends` is None when nothing was ever recorded.
    """

    address: BlockAddress | None = None
    block_hash: bytes = b""
    kafka_tx_from: int = 0
    ends: dict[str, list[int]] | None = field(default=None)
    strand_id: str | None = None

    @property
    def sequence_no(self) -> int:
        return -1 if self.address is None else self.address.sequence_no


def position_of(tail: Sequence[ReadRecord], *, whole: bool) -> Position | None:
    """Fold the visible records at the end of block-summary; None: this end is too short to tell.

    Args:
        whole: `tail` is all that the topic has.

    Raises:
        ForeignStreamError: a record that no publisher of ours wrote.
        IntegrityError: a record's proof is not what it should be.
    """
    recorded = next((record for record in reversed(tail) if ENDS_HEADER in record.headers), None)
    last = next((record for record in reversed(tail) if _type(record) == b"BLOCK_SUMMARY"), None)
    if not whole and (recorded is None or last is None):
        return None
    if recorded is None and tail:
        raise ForeignStreamError(f"{tail[-1]} was not written by a publisher of Strandline: no {ENDS_HEADER} before it")
    if recorded is None:
        return Position()
    strand_id = (recorded.key or b"").decode(errors="replace")
    ends = _ends_of(recorded)
    if last is None:
        return Position(kafka_tx_from=0, ends=ends, strand_id=strand_id)
    address, block_hash = _block_of(last)
    of_block = _type(recorded) == b"BLOCK_SUMMARY"
    kafka_tx_from = _block_of(recorded)[0].sequence_no if of_block else address.sequence_no + 1
    return Position(address, block_hash, kafka_tx_from, ends, strand_id)


def read_position(broker: Broker, block_summary: Partition, start: int, end: int) -> Position:
    """Read the end of block-summary, and as much before it as is needed; `start` and `end` are the partition's offsets."""
    for tail, whole in tails(broker, block_summary, start, end):
        position = position_of(tail, whole=whole)
        if position is not None:
            return position
    raise AssertionError("the whole topic tells, or raises")


def proof_of(record: ReadRecord) -> dict[str, Value]:
    """Decode a record's proof.

    Raises:
        ForeignStreamError: it has none.
        IntegrityError: it is not Ion, or no struct.
    """
    encoded = record.headers.get(PROOF_HEADER)
    if encoded is None:
        raise ForeignStreamError(f"{record} was not written by a publisher of Strandline: it has no {PROOF_HEADER}")
    try:
        proof = ion.decode(encoded)
    except InvalidValueError as error:
        raise IntegrityError(f"its proof is no Ion: {error}", address=record) from error
    if not isinstance(proof, dict):
        raise IntegrityError("its proof is no struct", address=record)
    return proof


def control_of(record: ReadRecord) -> dict[str, Value] | None:
    """Give the payload of a CONTROL record; None for other records.

    Raises:
        ForeignStreamError: its type or its value is none that a publisher of ours writes.
    """
    if _type(record) != b"CONTROL":
        return None
    try:
        payload = payload_of(record.value or b"")
    except (InvalidValueError, ValueError) as error:
        raise ForeignStreamError(f"{record} was not written by a publisher of Strandline: {error}") from error
    if not isinstance(payload.get("controlRecordType"), str):
        raise ForeignStreamError(f"{record} was not written by a publisher of Strandline: it has no controlRecordType")
    return payload


def payload_of(value: bytes) -> dict[str, Value]:
    """Give the payload of a record's value, JSON or Ion; empty if it has none.

    Raises:
        InvalidValueError, ValueError: it is neither.
    """
    decoded = ion.decode(value) if format_of(value) == "ion" else orjson.loads(value)
    payload = decoded.get("payload") if isinstance(decoded, dict) else None
    return payload if isinstance(payload, dict) else {}


def _type(record: ReadRecord) -> bytes:
    found = record.headers.get(RECORD_TYPE_HEADER)
    if found not in (b"BLOCK_SUMMARY", b"CONTROL"):
        raise ForeignStreamError(f"{record} was not written by a publisher of Strandline: its type is {found!r}")
    return found


def _ends_of(record: ReadRecord) -> dict[str, list[int]]:
    try:
        ends = orjson.loads(record.headers[ENDS_HEADER])
    except orjson.JSONDecodeError as error:
        raise ForeignStreamError(f"{ENDS_HEADER} of {record} is no JSON: {error}") from error
    if not isinstance(ends, dict) or not all(
        isinstance(of_topic, list) and all(type(end) is int and end >= LOST for end in of_topic)
        for of_topic in ends.values()
    ):
        raise ForeignStreamError(f"{ENDS_HEADER} of {record} does not give a list of ends for each topic")
    return ends


def _block_of(record: ReadRecord) -> tuple[BlockAddress, bytes]:
    proof = proof_of(record)
    block_hash = proof.get("blockHash")
    if not isinstance(block_hash, bytes):
        raise IntegrityError("its proof has no blockHash", address=record)
    return address_of(proof.get("blockAddress"), "blockAddress"), block_hash
