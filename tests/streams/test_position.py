"""The position is told by the end of block-summary alone, and by no less of it than is needed."""

from __future__ import annotations

import json

import pytest
from block_builder import STRAND_ID, BlockBuilder

from ledger.block import Block
from ledger.errors import IntegrityError
from streams.broker import Partition
from streams.errors import ForeignStreamError
from streams.position import ENDS_HEADER, Position, position_of
from streams.records import PROOF_HEADER, Record, control_record, records_of
from streams.topic_reader import ReadRecord
from streams.topics import TopicNames

NAMES = TopicNames("strandline", "demo")
ENDS = {"strandline.demo.Cars": [4, 0, -1]}


def read(record: Record, *, ends: bool = False) -> ReadRecord:
    headers = {name: value for name, value in record.headers if isinstance(value, bytes)}
    if ends:
        headers[ENDS_HEADER] = json.dumps(ENDS).encode()
    return ReadRecord(Partition(record.topic, 0), 0, record.key.encode(), record.value, headers, 0)


def summary(block: Block, *, ends: bool = False) -> ReadRecord:
    return read(records_of(block, NAMES)[-1], ends=ends)


def control(kind: str, *, ends: bool = False) -> ReadRecord:
    return read(control_record(NAMES, STRAND_ID, 0, {"controlRecordType": kind}), ends=ends)


BLOCKS = BlockBuilder().add_many(5)


def test_an_empty_topic_is_before_block_0() -> None:
    assert position_of([], whole=True) == Position()
    assert Position().sequence_no == -1


def test_after_created_and_owner_the_ends_are_known_and_no_block() -> None:
    found = position_of([control("CREATED", ends=True), control("OWNER")], whole=True)
    assert found == Position(None, b"", 0, ENDS, STRAND_ID)


def test_the_last_summary_is_the_position_and_the_first_of_its_kafka_tx_has_the_ends() -> None:
    tail = [summary(BLOCKS[1], ends=True), summary(BLOCKS[2], ends=True), summary(BLOCKS[3]), summary(BLOCKS[4])]
    found = position_of(tail, whole=False)
    assert found == Position(BLOCKS[4].address, BLOCKS[4].block_hash, 2, ENDS, STRAND_ID)


def test_after_a_new_owner_no_kafka_tx_of_blocks_came() -> None:
    found = position_of([summary(BLOCKS[4]), control("OWNER", ends=True)], whole=False)
    assert found is not None
    assert (found.sequence_no, found.kafka_tx_from) == (4, 5)


@pytest.mark.parametrize("tail", [[], [summary(BLOCKS[4])], [control("OWNER", ends=True)]])
def test_an_end_that_is_too_short_does_not_tell(tail: list[ReadRecord]) -> None:
    assert position_of(tail, whole=False) is None


def test_a_topic_that_nobody_of_ours_wrote_is_foreign() -> None:
    with pytest.raises(ForeignStreamError):
        position_of([summary(BLOCKS[0])], whole=True)
    foreign = summary(BLOCKS[0])._replace(headers={})
    with pytest.raises(ForeignStreamError):
        position_of([foreign], whole=True)


def test_a_damaged_proof_is_not_believed() -> None:
    damaged = summary(BLOCKS[0], ends=True)
    damaged.headers[PROOF_HEADER] = damaged.headers[PROOF_HEADER][:-3]
    with pytest.raises(IntegrityError):
        position_of([damaged], whole=True)
