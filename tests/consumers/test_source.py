"""Reading a real Kafka: what it loses, doubles, reorders, alters, hides and delays is detected or harmless."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, TopicPartition
from publishing import Stream
from stream_of_blocks import some_blocks

from consumers import source as source_module
from consumers import waiting as waiting_module
from consumers.errors import ConsumerError, ForkError, GapError, PositionLostError, StoreMismatchError
from consumers.position import BEGINNING, Position
from consumers.source import Source
from ledger.block import Block
from ledger.errors import IntegrityError
from ledger.values import Value
from streams.broker import Broker
from streams.records import PROOF_HEADER, Record, control_record, records_of
from streams.topics import TopicNames

pytestmark = pytest.mark.kafka


@contextmanager
def reading(stream: Stream, position: Position = BEGINNING, *, barrier_s: float = 0.5) -> Iterator[Source]:
    source = Source.open(stream.broker, stream.names, position, group="test", barrier_s=barrier_s)
    try:
        yield source
    finally:
        source.close()


def read(source: Source, until: Callable[[list[int]], bool] | None = None) -> list[int]:
    """Read to the end of the stream, or until what was read is enough; give the blocks' numbers."""
    numbers: list[int] = []
    while not (until(numbers) if until else source.caught_up):
        source.poll(0.2)
        numbers += [block.summary.sequence_no for block in source.blocks()]
    return numbers


def is_summary(stream: Stream, record: Record) -> bool:
    return record.topic == stream.names.block_summary


def some_records(stream: Stream, count: int = 8, seed: int = 1) -> tuple[list[Block], list[Record]]:
    blocks = some_blocks(seed, count)
    return blocks, stream.records_of(*blocks)


def with_proof(record: Record, change: Callable[[bytes], bytes]) -> Record:
    return record._replace(headers=[(k, change(v) if k == PROOF_HEADER else v) for k, v in record.headers])


def test_the_whole_stream_is_read_in_order_and_its_end_is_known_in_spite_of_markers(stream: Stream) -> None:
    blocks, records = some_records(stream, 40)
    for block in blocks[:20]:
        stream.publish(block)
    stream.publish(*blocks[20:])
    stream.send(records, commit=False)  # aborted, at the very end: only markers and what nobody may see
    with reading(stream) as source:
        assert read(source) == list(range(40))
        assert source.lag().blocks == 0
        assert source.duplicates == 0
        assert source.position().block_hash == blocks[-1].block_hash


def test_a_reader_that_follows_gets_new_blocks_and_new_tables_as_they_come(stream: Stream) -> None:
    stream.publish(stream.strand.add(("Cars", "a", {})))
    with reading(stream) as source:
        assert read(source) == [0]
        stream.publish(stream.strand.add(("Cars", "a", {}), ("Ships", "b", {})))
        assert read(source, until=bool) == [1]
        stream.publish(stream.strand.add(("Ships", "c", {})))
        assert read(source, until=bool) == [2]


def test_reading_goes_on_from_any_position(stream: Stream) -> None:
    blocks, _ = some_records(stream, 20)
    for block in blocks:
        stream.publish(block)
    with reading(stream) as source:
        positions = [BEGINNING]
        while not source.caught_up:
            source.poll(0.2)
            positions += [source.position() for _ in source.blocks()]
    for position in positions[::4]:
        with reading(stream, Position.of_json(position.to_json())) as source:
            assert read(source) == list(range(position.sequence_no + 1, 20))


def test_a_stream_delivered_twice_is_applied_once(stream: Stream) -> None:
    _, records = some_records(stream)
    stream.send(records)
    stream.send(records)
    with reading(stream) as source:
        assert read(source) == list(range(8))
        assert (
            source.duplicates >= 8
        )  # the summaries at least: to be caught up it need not have read all of the second revisions
        position = source.position()
    with reading(stream, replace(position, topics={})) as source:  # read again from the beginning
        assert read(source) == []
        assert source.position().same_block(position)


def test_a_lost_revision_stops_at_its_block_with_the_document_named(stream: Stream) -> None:
    blocks, records = some_records(stream)
    lost = next(r for r in records[len(records) // 2 :] if not is_summary(stream, r))
    stream.send(r for r in records if r is not lost)
    number = next(b.sequence_no for b in blocks if any(lost == r for r in records_of(b, stream.names)))
    with reading(stream) as source:
        with pytest.raises(GapError, match=f"block {number}: 1 revisions are not in Kafka.*{lost.key}"):
            read(source, until=lambda numbers: number in numbers)
        assert source.position().sequence_no == number - 1


def test_a_lost_revision_that_is_published_again_in_time_is_no_gap(stream: Stream) -> None:
    _, records = some_records(stream)
    lost = next(r for r in records if not is_summary(stream, r))
    stream.send(r for r in records if r is not lost)
    with reading(stream, barrier_s=60) as source:
        read(source, until=lambda _: source.lag().blocks > 0 and source._assembler.missing() != [])
        stream.send([lost])
        assert read(source, until=lambda numbers: 7 in numbers)[-1] == 7


def test_a_revision_that_waits_for_the_commit_of_its_kafka_tx_is_no_gap(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, records = some_records(stream)
    late = next(r for r in records if not is_summary(stream, r))
    stream.send(r for r in records if r is not late)
    stream.send_undecided([late])
    with reading(stream, barrier_s=0.1) as source:
        answers, ask = [], source._undecided
        monkeypatch.setattr(source, "_undecided", lambda topics: answers.append(ask(topics)) or answers[-1])
        read(source, until=lambda _: len(answers) == 2)
        assert answers == [True, True]
        stream.commit()
        assert read(source, until=lambda numbers: 7 in numbers)[-1] == 7


def test_kafka_s_own_tools_see_in_the_group_what_is_applied(stream: Stream) -> None:
    stream.publish(*some_blocks(1, 8))
    with reading(stream) as source:
        read(source)
        source.report(source.position())
    summary = TopicPartition(stream.names.block_summary, 0)
    tool = Consumer({**stream.config, "group.id": "test"})
    (committed,) = tool.committed([summary], 30)
    tool.close()
    assert committed.offset == source.position().topics[summary.topic].offsets[0]


def test_a_lost_summary_is_a_gap_with_both_numbers(stream: Stream) -> None:
    _, records = some_records(stream)
    lost = [r for r in records if is_summary(stream, r)][3]
    stream.send(r for r in records if r is not lost)
    with reading(stream) as source, pytest.raises(GapError, match="expected 3, actual 4"):
        read(source)


def test_reordered_revisions_are_harmless_and_reordered_summaries_are_a_gap(stream: Stream) -> None:
    _, records = some_records(stream)
    summaries = [r for r in records if is_summary(stream, r)]
    details = [r for r in records if not is_summary(stream, r)]
    random.Random(1).shuffle(details)
    stream.send([*summaries, *details])
    with reading(stream) as source:
        assert read(source) == list(range(8))
    other = Stream(stream.kafka)
    _, records = some_records(other)
    summaries = [r for r in records if is_summary(other, r)]
    other.send([*summaries[1::-1], *summaries[2:]])
    with reading(other) as source, pytest.raises(GapError, match="expected 0, actual 1"):
        read(source)


@pytest.mark.parametrize("summary", [False, True])
def test_an_altered_record_stops_the_reader_and_is_named(stream: Stream, summary: bool) -> None:
    _, records = some_records(stream)
    target = next(r for r in records[6:] if is_summary(stream, r) is summary)
    flipped = with_proof(target, lambda proof: proof[:-1] + bytes([proof[-1] ^ 1]))
    stream.send(flipped if r is target else r for r in records)
    with reading(stream) as source, pytest.raises(IntegrityError) as error:
        read(source)
    assert error.value.address[0] == target.topic


def test_a_forged_value_is_harmless_because_only_the_proof_is_read(stream: Stream) -> None:
    _, records = some_records(stream)
    stream.send(r._replace(value=b'{"payload": "forged"}') for r in records)
    with reading(stream) as source:
        assert read(source) == list(range(8))


def test_another_history_under_the_same_topics_is_a_fork(stream: Stream) -> None:
    stream.publish(stream.strand.add(("Cars", "a", {"n": 1})))
    with reading(stream) as source:
        read(source)
        position = source.position()
    other = Stream(stream.kafka)
    other.names, other._topics = stream.names, stream._topics
    restored = [other.strand.add(("Cars", "a", {"n": 2})), other.strand.add(("Cars", "b", {}))]
    other.publish(restored[1])
    with reading(stream, position) as source, pytest.raises(ForkError, match="previousBlockHash"):
        read(source, until=bool)


def test_a_topic_of_the_same_name_that_was_made_anew_is_not_the_one_of_the_position(stream: Stream) -> None:
    blocks, records = some_records(stream)
    stream.send(records)
    with reading(stream) as source:
        read(source)
        position = source.position()
    topics = sorted({r.topic for r in records})
    stream.delete_topics(*topics)
    stream.create_topics(stream.names.block_summary, partitions=1)
    stream.send(records)
    with pytest.raises(PositionLostError, match="is another one: expected"), reading(stream, position):
        pass
    with reading(stream, replace(position, topics={})) as source:
        assert read(source) == []
        stream.publish(*(following := some_blocks(1, 9))[8:])
        assert following[:8] == blocks
        assert read(source, until=bool) == [8]


def test_an_offset_that_kafka_no_longer_has_stops_with_both_values(stream: Stream) -> None:
    blocks, _ = some_records(stream)
    stream.publish(*blocks[:4])
    with reading(stream) as source:
        read(source)
        position = source.position()
    stream.publish(*blocks[4:])
    topic = stream.names.block_summary
    for future in stream.admin.delete_records([TopicPartition(topic, 0, 7)]).values():
        future.result(30)
    with (
        reading(stream, position) as source,
        pytest.raises(PositionLostError, match="expected offset 5, actual offsets 7 to 10"),
    ):
        read(source, until=bool)


def republished(stream: Stream, topic: str, partition: int, from_offset: int) -> Record:
    place: dict[str, Value] = {"topic": topic, "partition": partition, "fromOffset": from_offset}
    numbers: dict[str, Value] = {"fromSequenceNo": 0, "throughSequenceNo": 4}
    payload = {"controlRecordType": "REPUBLISHED", **place, **numbers}
    return control_record(stream.names, stream.strand.strand_id, 0, payload)


@pytest.mark.parametrize("live", [False, True])
def test_a_reader_that_had_read_beyond_a_loss_goes_back_to_where_records_come_again(stream: Stream, live: bool) -> None:
    """What Kafka lost and what follows it takes less room the second time: the next block's record stands before the reader's offset."""
    blocks = [stream.strand.add(("Cars", "a", {"n": n})) for n in range(9)]
    stream.publish(*blocks[:5])
    with reading(stream) as source:
        read(source)
        position = source.position()
        (topic,) = (name for name in position.topics if name.endswith(".Cars"))
        part = max(position.topics[topic].offsets, key=lambda number: position.topics[topic].offsets[number])
        behind = position.topics[topic].offsets[part]
        if live:  # as if it had read 3 records that Kafka has lost since
            for offset in range(behind, behind + 3):
                source._assembler.passed(topic, part, offset + 1)
            source._consumer.seek(TopicPartition(topic, part, behind + 3))
            stream.send([republished(stream, topic, part, behind), *stream.records_of(*blocks[5:])])
            assert read(source, until=lambda numbers: 8 in numbers) == [5, 6, 7, 8]
            return
    stream.send([republished(stream, topic, part, behind), *stream.records_of(*blocks[5:])])
    offsets = {**position.topics[topic].offsets, part: behind + 3}
    later = replace(position, topics={**position.topics, topic: replace(position.topics[topic], offsets=offsets)})
    with reading(stream, later) as source:
        assert read(source, until=lambda numbers: 8 in numbers) == [5, 6, 7, 8]
        assert source.position().topics[topic].offsets[part] >= behind + 4


def test_a_reader_that_is_not_beyond_a_loss_stays_where_it_is(stream: Stream) -> None:
    blocks = [stream.strand.add(("Cars", "a", {"n": n})) for n in range(4)]
    stream.publish(*blocks[:2])
    with reading(stream) as source:
        read(source)
        topic, offsets = next((n, t.offsets) for n, t in source.position().topics.items() if n.endswith(".Cars"))
        part = max(offsets, key=lambda number: offsets[number])
        elsewhere = republished(stream, f"{stream.names.prefix}.{stream.names.ledger}.Ships", 0, 0)
        stream.send([republished(stream, topic, part, offsets[part]), elsewhere, *stream.records_of(*blocks[2:])])
        assert read(source, until=lambda numbers: 3 in numbers) == [2, 3]
        assert source.duplicates == 0


def test_a_ledger_without_a_stream_is_said_with_the_streams_that_there_are(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_module, "_SHOWN", 1_000_000)
    monkeypatch.setattr(source_module, "_ADMIN_S", 0.5)
    names, told = TopicNames(stream.names.prefix, "nosuch"), list[str]()
    there = rf"has ledger nosuch been published with prefix test\? \(the streams there are .*test.{stream.names.ledger}"
    with pytest.raises(
        ConsumerError, match=rf"^there is no topic test\.nosuch\.block-summary at {stream.kafka}: {there}"
    ):
        Source.open(stream.broker, names, BEGINNING, group="test", on_wait=lambda reason, _: told.append(reason))
    assert told[-1].startswith("there is no topic test.nosuch.block-summary")


def test_a_stream_that_comes_a_little_later_is_awaited(stream: Stream) -> None:
    topic = stream.names.block_summary
    stream.delete_topics(topic)

    def make(reason: str, _: float) -> None:
        assert topic in reason
        if topic not in stream._topics:
            stream.create_topics(topic, partitions=1)

    Source.open(stream.broker, stream.names, BEGINNING, group="test", on_wait=make).close()


def test_a_kafka_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_ADMIN_S", 0.5)
    with pytest.raises(ConsumerError, match=r"^127\.0\.0\.1:1 does not answer: .*refused"):
        Source.open(Broker("127.0.0.1:1"), TopicNames("test", "cars"), BEGINNING, group="test")


def test_the_store_of_another_ledger_is_not_filled_from_this_one(stream: Stream) -> None:
    other = Stream(stream.kafka)
    other.publish(other.strand.add(("Cars", "a", {})))
    with reading(other) as source:
        read(source)
        position = source.position()
    with pytest.raises(
        StoreMismatchError, match=f"expected {stream.names.block_summary}, actual {other.names.block_summary}"
    ):
        Source.open(stream.broker, stream.names, position, group="test")


def test_what_the_next_block_still_lacks_is_told(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_TELL_S", 0.1)
    _, records = some_records(stream)
    lost = next(r for r in records if not is_summary(stream, r))
    stream.send(r for r in records if r is not lost)
    told: list[str] = []
    source = Source.open(
        stream.broker,
        stream.names,
        BEGINNING,
        group="test",
        barrier_s=60,
        on_wait=lambda reason, _: told.append(reason),
    )
    with closing(source):
        read(source, until=lambda _: bool(told))
    assert re.fullmatch(rf"block \d+ still lacks \w+ {lost.key} version \d+ of topic {lost.topic}", told[0])


def test_a_stream_that_ends_before_the_position_is_not_read_silently(stream: Stream) -> None:
    blocks, _ = some_records(stream)
    stream.publish(*blocks[:4])
    ahead = Position(blocks[7].strand_id, 7, blocks[7].block_hash)
    with reading(stream, ahead) as source, pytest.raises(PositionLostError, match="ends before the position"):
        read(source)


def test_partitions_that_run_ahead_are_paused_and_memory_stays_bounded(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 256 * 1024
    monkeypatch.setattr(source_module, "_HELD_BYTES", bound)
    monkeypatch.setattr(source_module, "_BATCH", 50)
    blocks = [stream.strand.add(("Cars", f"car {n % 9}", {"n": n, "note": "x" * 2_000})) for n in range(600)]
    records = stream.records_of(*blocks)
    stream.send(r for r in records if not is_summary(stream, r))
    summaries = [r for r in records if is_summary(stream, r)]
    stream.send(summaries[:1])
    with reading(stream, barrier_s=60) as source:
        held, numbers = [], read(source, until=bool)
        while not source._paused:  # 1.2 MB of revisions are there, whose summaries are not
            source.poll(0.2)
            held.append(source._assembler.held_bytes)
        stream.send(summaries[1:])
        while len(numbers) < 600:
            source.poll(0.2)
            held.append(source._assembler.held_bytes)
            numbers += [block.summary.sequence_no for block in source.blocks()]
    assert numbers == list(range(600))
    assert max(held) < 3 * bound
