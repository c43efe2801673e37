"""The checker meets every kind of wrong stream: each is a copy of a right one in which one thing was changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from block_builder import BlockBuilder
from stream_world import World, delete_topic

from ledger.errors import AlreadyExistsError, IntegrityError
from ledger.journal import JournalReader
from streams.broker import Partition
from streams.check import check_stream
from streams.errors import ForeignStreamError, ForkError
from streams.partitioner import partition_of
from streams.rebuild import rebuild_ledger
from streams.records import PROOF_HEADER, RECORD_TYPE_HEADER, Record, records_of
from streams.topic_reader import ReadRecord
from streams.topics import TopicNames, topic_settings

pytestmark = pytest.mark.kafka

Partitions = dict[Partition, list[ReadRecord]]


def copied(world: World, alter: Callable[[World, Partitions], None]) -> TopicNames:
    """Publish what is committed, copy the topics under another prefix, altered; give the copy's names."""
    world.publish()
    topics = {t: n for t, n in world.broker.topics().items() if world.names.is_ours(t)}
    partitions = {Partition(topic, p): world.read(topic, p) for topic, n in topics.items() for p in range(n)}
    alter(world, partitions)
    names = TopicNames("copy", world.ledger)
    for topic, count in topics.items():
        world.broker.create_topic(moved(topic), count, topic_settings(1_000_000))
    producer = world.foreign_producer("copier")
    producer.begin_transaction()
    for (topic, number), records in partitions.items():
        for record in records:
            producer.produce(
                moved(topic),
                record.value,
                record.key,
                number,
                timestamp=record.timestamp_ms,
                headers=list(record.headers.items()),
            )
    producer.commit_transaction()
    return names


def moved(topic: str) -> str:
    return topic.replace("t.", "copy.", 1)


def longest(world: World, partitions: Partitions) -> list[ReadRecord]:
    return max((records for p, records in partitions.items() if p.topic == world.table_topic()), key=len)


def nothing(world: World, partitions: Partitions) -> None: ...


def one_revision_missing(world: World, partitions: Partitions) -> None:
    del longest(world, partitions)[1]


def last_revision_missing(world: World, partitions: Partitions) -> None:
    del longest(world, partitions)[-1]


def one_revision_twice(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records.insert(1, records[1])


def last_revision_twice(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records.append(records[-1])


def two_revisions_swapped(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records[1], records[2] = records[2], records[1]


def one_block_missing(world: World, partitions: Partitions) -> None:
    summaries = partitions[Partition(world.names.block_summary, 0)]
    del summaries[4]


def value_altered(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records[1] = records[1]._replace(value=(records[1].value or b"").replace(b'"n":', b'"m":'))


def key_altered(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records[1] = records[1]._replace(key=b"another document")


def time_altered(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records[1] = records[1]._replace(timestamp_ms=1)


def proof_altered(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    proof = records[1].headers[PROOF_HEADER].replace(b"a note", b"A note")
    records[1] = records[1]._replace(headers=records[1].headers | {PROOF_HEADER: proof})


def summary_altered(world: World, partitions: Partitions) -> None:
    summaries = partitions[Partition(world.names.block_summary, 0)]
    proof = summaries[4].headers[PROOF_HEADER].replace(b"UPDATE", b"DELETE")
    summaries[4] = summaries[4]._replace(headers=summaries[4].headers | {PROOF_HEADER: proof})


def proof_cut_short(world: World, partitions: Partitions) -> None:
    records = longest(world, partitions)
    records[1] = records[1]._replace(headers=records[1].headers | {PROOF_HEADER: records[1].headers[PROOF_HEADER][:-5]})


def summary_of_another_history(world: World, partitions: Partitions) -> None:
    other = BlockBuilder()
    for i in range(20):
        other.add(("Cars", f"Cars {i % 10}", {"n": i, "note": "forged"}))
    assert other.tip is not None
    forged = records_of(other.tip, world.names)[-1]
    summaries = partitions[Partition(world.names.block_summary, 0)]
    summaries[-1] = summaries[-1]._replace(
        value=forged.value, headers={n: v for n, v in forged.headers if isinstance(v, bytes)}
    )


WRONGS = [
    (one_revision_missing, "must be revision"),
    (last_revision_missing, "is missing in copy."),
    (one_revision_twice, "must be revision"),
    (last_revision_twice, "a second time"),
    (two_revisions_swapped, "must be revision"),
    (one_block_missing, "does not follow the block before it"),
    (value_altered, "its value is not that of its proof"),
    (key_altered, "its key is not that of its proof"),
    (time_altered, "its timestamp is not that of its proof"),
    (proof_altered, "hash"),
    (summary_altered, "entriesHashList, transactionInfo"),
    (proof_cut_short, "its proof is no Ion"),
    (summary_of_another_history, "does not follow the block before it"),
]


def told(world: World, partitions: Partitions) -> tuple[list[ReadRecord], int]:
    """Give the records of a partition that is told of the dropped table, and the index of the one that tells it."""
    records = longest(world, partitions)
    (index,) = (i for i, record in enumerate(records) if record.headers[RECORD_TYPE_HEADER] == b"CONTROL")
    return records, index


def drop_not_told(world: World, partitions: Partitions) -> None:
    records, index = told(world, partitions)
    del records[index]


def drop_told_twice(world: World, partitions: Partitions) -> None:
    records, index = told(world, partitions)
    records.insert(index, records[index])


def drop_told_last(world: World, partitions: Partitions) -> None:
    records, index = told(world, partitions)
    records.append(records.pop(index))


def drop_told_as_a_revision(world: World, partitions: Partitions) -> None:
    records, index = told(world, partitions)
    headers = records[index].headers | {RECORD_TYPE_HEADER: b"REVISION_DETAILS"}
    records[index] = records[index]._replace(headers=headers)


def drop_told_otherwise(world: World, partitions: Partitions) -> None:
    records, index = told(world, partitions)
    value = (records[index].value or b"").replace(b"TABLE_DROPPED", b"TABLE_UNDROPPED")
    records[index] = records[index]._replace(value=value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (drop_not_told, "must be TABLE_DROPPED of table Cars of block 20, and is a REVISION_DETAILS"),
        (drop_told_twice, "must be revision .* and is a CONTROL"),
        (drop_told_last, "must be TABLE_DROPPED of table Cars"),
        (
            drop_told_as_a_revision,
            "must be TABLE_DROPPED of table Cars of block 20, and is a REVISION_DETAILS of revision 0",
        ),
        (drop_told_otherwise, "its value is not that of its proof"),
    ],
)
def test_a_wrong_tale_of_a_dropped_table_is_found_out(
    world: World, wrong: Callable[[World, Partitions], None], message: str
) -> None:
    world.commit(20)
    world.journal.append([world.builder.change_table("Cars", "INACTIVE")])
    world.commit(20, table="Cars#2")
    with pytest.raises(IntegrityError, match=message):
        check_stream(world.broker, copied(world, wrong), None)


@pytest.mark.parametrize(("wrong", "message"), WRONGS, ids=[wrong.__name__ for wrong, _ in WRONGS])
def test_each_wrong_stream_is_found_out_without_the_journal(
    world: World, wrong: Callable[[World, Partitions], None], message: str
) -> None:
    world.commit(20, note="a note")
    names = copied(world, wrong)
    with pytest.raises(IntegrityError, match=message):
        check_stream(world.broker, names, None)


def test_an_unaltered_copy_is_right_with_and_without_the_journal(world: World) -> None:
    world.commit(20)
    names = copied(world, nothing)
    reader = JournalReader.open(world.directory)
    assert check_stream(world.broker, names, None) == check_stream(world.broker, names, reader)
    reader.close()


def test_a_stream_that_lacks_the_journals_last_blocks_is_found_out_with_it(world: World) -> None:
    world.commit(20)
    world.publish()
    world.commit(1)
    reader = JournalReader.open(world.directory)
    with pytest.raises(IntegrityError, match="block 20 is not in the topics"):
        check_stream(world.broker, world.names, reader)
    reader.close()


def test_records_that_are_published_again_in_another_format_are_right(world: World) -> None:
    world.commit(20)
    world.publish()
    delete_topic(world, world.table_topic())
    world.options = replace(world.options, value_format="ion")
    world.commit(5)
    world.publish()
    assert world.check().revisions == 25


def test_blocks_that_are_committed_while_the_check_begins_may_be_on_their_way(world: World) -> None:
    world.commit(20)
    world.publish()
    world.commit(1)
    reader = JournalReader.open(world.directory)
    assert check_stream(world.broker, world.names, reader, through=19).blocks == 20
    with pytest.raises(IntegrityError, match="block 20 is not in the topics"):
        check_stream(world.broker, world.names, reader, through=20)
    reader.close()


def append(world: World, record: Record) -> None:
    """Write a record to the end of its partition, as a program that is no publisher might."""
    foreign = world.foreign_producer()
    foreign.begin_transaction()
    foreign.produce(
        record.topic,
        record.value,
        record.key,
        partition_of(record.key, 3),
        timestamp=record.timestamp_ms,
        headers=list(record.headers),
    )
    foreign.commit_transaction()


@pytest.mark.parametrize("drop", [False, True])
def test_a_record_of_a_block_that_does_not_come_is_found_out(world: World, drop: bool) -> None:
    world.commit(20)
    world.publish()
    never = BlockBuilder()
    never.add_many(29)
    block = never.change_table("Cars", "INACTIVE") if drop else never.add(("Cars", "a", {}))
    append(world, next(r for r in records_of(block, world.names) if r.topic == world.table_topic()))
    with pytest.raises(IntegrityError, match="belongs to no block"):
        check_stream(world.broker, world.names, None)


@pytest.mark.parametrize("forged", [False, True])
def test_what_is_published_while_the_check_begins_is_compared_with_its_summaries(
    world: World, monkeypatch: pytest.MonkeyPatch, forged: bool
) -> None:
    """The ends of the tables' partitions are asked for after that of block-summary: they may have later blocks' records."""
    right = world.broker.decided_ends
    calls = 0

    def then_more_is_published(*args: Any) -> dict[Partition, int]:
        nonlocal calls
        calls += 1
        ends = right(*args)
        if calls == 1:
            monkeypatch.undo()
            if forged:
                append(world, records_of(BlockBuilder().add_many(21)[-1], world.names)[0])
            world.commit(3)
            world.journal.append([world.builder.change_table("Cars", "INACTIVE")])
            world.commit(1, table="Cars#2")
            publish(world)
        return ends

    world.commit(20)
    world.publish()
    monkeypatch.setattr(world.broker, "decided_ends", then_more_is_published)
    if forged:
        with pytest.raises(IntegrityError, match=r"is not what its block's summary tells of|belongs to no block"):
            check_stream(world.broker, world.names, None)
    else:
        assert check_stream(world.broker, world.names, None).blocks == 20
        assert world.check().blocks == 25


def publish(world: World) -> None:
    """Publish, also over what somebody else appended."""
    with suppress(ForeignStreamError, ForkError):
        world.publish()


def test_a_record_without_our_headers_is_foreign(world: World) -> None:
    def without_headers(world: World, partitions: Partitions) -> None:
        records = longest(world, partitions)
        records[1] = records[1]._replace(headers={RECORD_TYPE_HEADER: b"SOMETHING"})

    world.commit(20)
    with pytest.raises(ForeignStreamError, match="was not written by a publisher"):
        check_stream(world.broker, copied(world, without_headers), None)


def test_a_stream_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(ForeignStreamError, match="there is no stream"):
        check_stream(world.broker, world.names, None)


def test_a_ledger_rebuilt_from_the_topics_is_the_same_block_for_block(world: World) -> None:
    world.commit(30)
    world.commit_block(("Cars", "Cars 1", None), ("Owners", "o", {"name": "Raul", "since": 2019}), ("Cars", "new", {}))
    world.commit_block()
    world.publish()
    rebuilt = rebuild_ledger(world.broker, world.names, world.data / "rebuilt")
    reader = JournalReader.open(world.data / "rebuilt")
    assert [block for block, _ in reader.blocks()] == world.blocks()
    reader.close()
    assert (rebuilt.blocks, rebuilt.tip) == (32, world.blocks()[-1].address)
    with pytest.raises(AlreadyExistsError):
        rebuild_ledger(world.broker, world.names, world.data / "rebuilt")


def test_a_rebuild_names_the_first_wrong_block_and_leaves_nothing_at_its_place(world: World) -> None:
    world.commit(20, note="a note")
    names = copied(world, summary_altered)
    with pytest.raises(IntegrityError, match="entriesHashList, transactionInfo"):
        rebuild_ledger(world.broker, names, world.data / "rebuilt")
    assert not (world.data / "rebuilt").exists()


@pytest.mark.parametrize("value_format", ["json", "ion"])
def test_a_block_near_the_size_limit_goes_through(world: World, value_format: str) -> None:
    """Control characters are the worst case: JSON needs six bytes for each."""
    from ledger.limits import Limits

    world.options = replace(world.options, value_format=value_format)
    limits = Limits()
    worst = "\x01" * (limits.statement_characters_max - 1)
    statements = limits.block_bytes_max // limits.statement_characters_max
    world.commit_statements([worst] * statements)
    document = "\x01" * (limits.document_bytes_max - 100)
    world.commit_block(*(("Cars", f"Cars {i}", {"text": document}) for i in range(40)))
    world.publish()
    world.check()
    assert rebuild_ledger(world.broker, world.names, world.data / "rebuilt").blocks == 2
