"""Whole verified blocks out of records that come in any order, twice, never, or altered."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from block_builder import BlockBuilder, sealed
from hypothesis import given
from hypothesis import strategies as st
from stream_of_blocks import NAMES, interleaved, partitions_of, some_blocks, stream_of

from consumers.blocks import Assembler, VerifiedBlock
from consumers.errors import ConsumerError, ForkError, GapError
from consumers.position import BEGINNING, Position
from consumers.records import Control, Record, RecordAddress
from ledger import ion
from ledger.block import Block
from ledger.errors import IntegrityError
from ledger.ids import id_of_text
from ledger.values import identical
from streams.records import PROOF_HEADER

TOPIC_IDS = {
    topic: f"id of {topic}" for topic in ("block-summary", "catalog-changes", "Vehicle", "Person", "Title", "Cars")
}
TOPIC_IDS = {f"strandline.garage.{name}": topic_id for name, topic_id in TOPIC_IDS.items()}
SEEDS = st.integers(0, 2**32)
COUNTS = st.integers(1, 12)


def fed(assembler: Assembler, records: Iterable[Record]) -> list[VerifiedBlock]:
    given_out = []
    for record in records:
        assembler.add(record)
        given_out += assembler.blocks()
    return given_out


def assembled(records: Iterable[Record], position: Position = BEGINNING) -> list[VerifiedBlock]:
    return fed(Assembler(position), records)


def check_equal(given_out: list[VerifiedBlock], blocks: list[Block]) -> None:
    """Every block came once, in order, with every revision and its data."""
    assert [b.summary.block_hash for b in given_out] == [b.block_hash for b in blocks]
    for verified, block in zip(given_out, blocks, strict=True):
        shown = [
            (r.table_id, r.table_sequence_no, r.document_id, r.version, r.data, r.deleted) for r in verified.revisions
        ]
        assert shown == [(t.table_id, n, r.id, r.version, r.data, r.data is None) for t, n, r in block.revisions()]


def changed(record: Record, **changes: object) -> Record:
    """Change fields of the record's proof, by name, and leave its hashes as they were."""
    return with_proof(record, ion.encode(proof_of(record) | changes))


def proof_of(record: Record) -> Any:
    return ion.decode(dict(record.headers)[PROOF_HEADER] or b"")


def with_proof(record: Record, proof: bytes) -> Record:
    return Record(record.address, [(name, proof if name == PROOF_HEADER else value) for name, value in record.headers])


@given(SEEDS, COUNTS)
def test_any_interleaving_of_the_partitions_gives_the_same_blocks(seed: int, count: int) -> None:
    blocks = some_blocks(seed, count)
    assembler = Assembler(BEGINNING)
    check_equal(fed(assembler, interleaved(stream_of(blocks), random.Random(seed))), blocks)
    assert assembler.held_bytes == 0
    assert assembler.summaries_held == 0
    assert assembler.missing() == []


@given(SEEDS, COUNTS)
def test_records_that_come_again_change_nothing(seed: int, count: int) -> None:
    blocks, chance = some_blocks(seed, count), random.Random(seed)
    records = interleaved(stream_of(blocks), chance)
    again = list(records)
    for record in chance.choices(records, k=len(records)):  # anywhere after its first time
        again.insert(chance.randrange(again.index(record), len(again)) + 1, record)
    assembler = Assembler(BEGINNING)
    check_equal(fed(assembler, again), blocks)
    assert assembler.duplicates == len(records)


@given(SEEDS, COUNTS)
def test_killed_anywhere_it_goes_on_from_its_position_without_loss(seed: int, count: int) -> None:
    blocks, chance = some_blocks(seed, count), random.Random(seed)
    stream = stream_of(blocks)
    before_the_kill = interleaved(stream, chance)[: chance.randrange(len(stream) + 1)]
    assembler = Assembler(BEGINNING)
    first = fed(assembler, before_the_kill)
    position = Position.of_json(assembler.position(TOPIC_IDS).to_json())
    offsets = {(topic, p): offset for topic, at in position.topics.items() for p, offset in at.offsets.items()}
    unread = [r for r in stream if r.address.offset >= offsets.get(r.address[:2], 0)]
    check_equal(first + assembled(interleaved(unread, chance), position), blocks)


@given(SEEDS, COUNTS)
def test_a_lost_record_is_named_or_noticed_and_nothing_after_it_is_given_out(seed: int, count: int) -> None:
    blocks, chance = some_blocks(seed, count + 1), random.Random(seed)
    stream = stream_of(blocks)
    lost = chance.randrange(len(stream) - 1)  # the very last summary cannot be missed by anyone
    rest = interleaved(stream[:lost] + stream[lost + 1 :], chance)
    assembler = Assembler(BEGINNING)
    proof = proof_of(stream[lost])
    number = proof["blockAddress"]["sequenceNo"]
    if stream[lost].address.topic == NAMES.block_summary:
        with pytest.raises(GapError) as error:
            fed(assembler, rest)
        assert (error.value.expected, error.value.actual) == (number, number + 1)
    else:
        check_equal(fed(assembler, rest), blocks[:number])
        (missing,) = assembler.missing()
        assert (missing.table_id, missing.table_sequence_no) == (proof["tableId"], proof["tableSequenceNo"])


@given(SEEDS, COUNTS)
def test_revisions_out_of_order_are_put_in_order_and_summaries_out_of_order_stop(seed: int, count: int) -> None:
    blocks, chance = some_blocks(seed, count), random.Random(seed)
    parts = partitions_of(stream_of(blocks))
    summary = parts.pop((NAMES.block_summary, 0))
    details = [record for records in parts.values() for record in records]
    chance.shuffle(details)
    check_equal(assembled([*details, *summary]), blocks)
    check_equal(assembled([*summary, *details]), blocks)
    if count > 1:
        with pytest.raises(GapError):
            assembled([*details, summary[1], summary[0], *summary[2:]])


@given(SEEDS, COUNTS, st.data())
def test_an_altered_byte_is_detected_or_says_the_same(seed: int, count: int, data: st.DataObject) -> None:
    blocks = some_blocks(seed, count)
    stream = stream_of(blocks)
    place = data.draw(st.integers(0, len(stream) - 1))
    proof = bytearray(dict(stream[place].headers)[PROOF_HEADER] or b"")
    proof[data.draw(st.integers(0, len(proof) - 1))] ^= data.draw(st.integers(1, 255))
    altered = with_proof(stream[place], bytes(proof))
    given_out: list[VerifiedBlock] = []
    assembler = Assembler(BEGINNING)
    try:
        for record in [*stream[:place], altered, *stream[place + 1 :]]:
            assembler.add(record)
            given_out.extend(assembler.blocks())
    except (IntegrityError, ConsumerError):
        check_equal(given_out, blocks[: len(given_out)])
        return
    check_equal(given_out, blocks[: len(given_out)])
    if len(given_out) == len(blocks):
        assert identical(proof_of(altered), proof_of(stream[place]))
    else:
        assert len(assembler.missing()) == 1, "it claims another place: the one that it left is missing"


def cars(count: int = 3) -> tuple[list[Block], list[Record]]:
    blocks = BlockBuilder().add_many(count)
    return blocks, stream_of(blocks)


def test_a_stop_by_a_wrong_record_names_topic_partition_and_offset() -> None:
    _, stream = cars()
    detail = stream[0]
    revision = {"hash": b"\0" * 32}
    with pytest.raises(IntegrityError) as error:
        assembled([changed(detail, revision=revision), *stream[1:]])
    assert error.value.address == detail.address
    assert f"strandline.garage.Cars[{detail.address.partition}]@0" in str(error.value)


def test_data_that_was_changed_under_its_old_hash_is_refused() -> None:
    _, stream = cars()
    forged = changed(stream[0], revision=proof_of(stream[0])["revision"] | {"data": {"VIN": "forged"}})
    with pytest.raises(IntegrityError, match="revision hash"):
        assembled([forged, *stream[1:]])


@pytest.mark.parametrize(
    ("field", "value"),
    [("tableName", "Trucks"), ("format", 2), ("proof", []), ("blockHash", b"\1" * 32), ("extra", 1)],
)
def test_a_field_that_the_hash_of_the_revision_does_not_cover_cannot_lie(field: str, value: object) -> None:
    _, stream = cars()
    with pytest.raises(IntegrityError) as error:
        assembled([changed(stream[0], **{field: value}), *stream[1:]])
    assert error.value.address == stream[0].address


def test_two_records_that_claim_one_place_are_an_error_even_before_the_block_is_whole() -> None:
    _, stream = cars()
    other = BlockBuilder().add(("Cars", "car 0", {"VIN": "another"}))
    impostor = Record(stream[0].address._replace(offset=99), stream_of([other])[0].headers)
    with pytest.raises(IntegrityError, match="differs from"):
        assembled([stream[0], impostor])


def test_a_record_that_the_summary_does_not_name_is_refused() -> None:
    _, stream = cars(1)
    stranger = Record(stream[0].address._replace(offset=99), changed(stream[0], tableId=id_of_text("Ships")).headers)
    with pytest.raises(IntegrityError, match="names no revision 0 of table") as error:
        assembled([stranger, *stream])
    assert error.value.address == stranger.address


@pytest.mark.parametrize(
    "headers", [[], [("strandline-record-type", b"BLOCK_SUMMARY")], [(PROOF_HEADER, b"\xe0\x01\x00\xea\x0f")]]
)
def test_a_record_that_is_not_of_the_stream_is_refused(headers: list[tuple[str, bytes | None]]) -> None:
    _, stream = cars()
    with pytest.raises(IntegrityError, match="not a record of a ledger's stream"):
        assembled([Record(stream[0].address, headers)])


def test_a_control_record_moves_the_position_and_nothing_else() -> None:
    assembler = Assembler(BEGINNING)
    _, stream = cars(1)
    headers: list[tuple[str, bytes | None]] = [("strandline-record-type", b"CONTROL")]
    control = Record(stream[1].address._replace(offset=7), headers, b'{"payload":{"controlRecordType":"OWNER"}}')
    assert assembler.add(control) == Control(control.address, {"controlRecordType": "OWNER"})
    assert assembler.position(TOPIC_IDS).topics[NAMES.block_summary].offsets == {0: 8}
    assert assembler.position(TOPIC_IDS).sequence_no == -1


def test_another_history_from_the_position_on_is_a_fork_with_both_hashes() -> None:
    blocks, stream = cars(2)
    assembler = Assembler(BEGINNING)
    fed(assembler, stream[:2])
    other = BlockBuilder()
    forked = stream_of(
        [other.add(("Cars", "car 0", {"VIN": "restored from a backup"})), other.add(("Cars", "car 1", {}))]
    )
    with pytest.raises(ForkError) as error:
        assembled(forked[2:], assembler.position(TOPIC_IDS))
    assert error.value.expected == blocks[0].block_hash
    assert blocks[0].block_hash.hex() in str(error.value)


def test_the_block_of_the_position_published_again_with_another_hash_is_a_fork() -> None:
    _, stream = cars(1)
    assembler = Assembler(BEGINNING)
    fed(assembler, stream)
    other = stream_of([BlockBuilder().add(("Cars", "car 0", {"VIN": "restored from a backup"}))])
    with pytest.raises(ForkError, match="another block 0"):
        fed(assembler, other)


def test_another_strand_is_a_fork() -> None:
    _, stream = cars(1)
    assembler = Assembler(BEGINNING)
    fed(assembler, stream)
    other = BlockBuilder(strand_id=id_of_text("another strand"))
    with pytest.raises(ForkError, match="another strand"):
        fed(assembler, stream_of([other.add(("Cars", "car 0", {}))]))


def test_a_stream_that_does_not_begin_at_block_0_is_a_gap() -> None:
    _, stream = cars(2)
    with pytest.raises(GapError, match="expected 0, actual 1"):
        assembled(stream[2:])


def test_a_ledger_that_leaves_a_gap_in_a_table_s_sequence_is_refused() -> None:
    block = BlockBuilder().add(("Cars", "car 0", {}))
    lying = sealed(replace(block, tables=(replace(block.tables[0], first_sequence_no=1),)))
    with pytest.raises(IntegrityError, match="sequence number: expected 0, actual 1"):
        assembled(stream_of([lying]))


def test_what_kafka_lost_and_the_publisher_published_again_is_taken_where_it_comes() -> None:
    """A partition lost its tail (blocks 1 and 2), block 3 came, then the lost records again, then one of them twice."""
    blocks, stream = cars(4)
    lost = [r for r in stream[2:6] if r.address.topic != NAMES.block_summary]
    kept = [r for r in stream if r not in lost]
    again = [Record(r.address._replace(offset=50 + i), r.headers) for i, r in enumerate([*lost, lost[0]])]
    check_equal(assembled([*kept, *again]), blocks)


def test_a_partition_that_runs_ahead_is_told_by_its_bytes_without_what_the_next_block_needs() -> None:
    blocks = BlockBuilder()
    stream = stream_of([blocks.add(("Cars", "a", {"n": n}), ("Trucks", "b", {"n": n})) for n in range(3)])
    trucks = [r for r in stream if r.address.topic.endswith("Trucks")]
    assembler = Assembler(BEGINNING)
    for record in [stream[2], *trucks]:
        assembler.add(record)
    part = trucks[0].address[:2]
    assert assembler.ahead_bytes(*part) == sum(r.size for r in trucks[1:])
    assert assembler.ahead_bytes(NAMES.block_summary, 0) == stream[2].size
    assert [line.table_name for line in assembler.missing()] == ["Cars"]


def test_what_came_from_an_offset_on_is_forgotten_and_taken_again() -> None:
    blocks = [builder.add(("Cars", "a", {"n": n})) for builder in [BlockBuilder()] for n in range(6)]
    records = stream_of(blocks)
    summaries, details = sorted(
        partitions_of(records).values(), key=lambda part: "block-summary" not in part[0].address[0]
    )
    assembler = Assembler(BEGINNING)
    for record in [summaries[0], *details]:
        assembler.add(record)
    assert [b.summary.sequence_no for b in assembler.blocks()] == [0]
    topic, partition, offset = details[2].address
    assembler.go_back(topic, partition, offset)
    assert assembler.next_offset(topic, partition) == offset
    again = [
        record._replace(address=RecordAddress(topic, partition, offset + n)) for n, record in enumerate(details[1:])
    ]
    check_equal(fed(assembler, [*again, *summaries[1:]]), blocks[1:])
    assert (assembler.held_bytes, assembler.duplicates) == (0, 1)
    assert assembler.position(TOPIC_IDS).topics[topic].offsets[partition] == offset + len(again)
