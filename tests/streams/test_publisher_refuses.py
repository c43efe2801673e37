"""What the publisher does not decide by itself: forks, foreign writers, settings that would lose history. It stops, and says both sides."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from stream_world import World, configure

from ledger.journal import Journal
from streams.broker import Broker
from streams.errors import (
    ClientSettingsError,
    ForeignStreamError,
    ForkError,
    RecordTooLargeError,
    StreamError,
    TopicSettingsError,
)
from streams.position import ENDS_HEADER
from streams.records import RECORD_TYPE_HEADER
from streams.topics import TopicNames

pytestmark = pytest.mark.kafka


@contextmanager
def restored_backup(world: World, at: int, then: int) -> Iterator[None]:
    """Put back the ledger's directory as it was before the last `at` blocks, commit `then` others, and go on with that."""
    world.journal.close()
    backup = world.data / "backup"
    shutil.copytree(world.directory, backup)
    world.journal = Journal.open(world.directory, new_strand_id=lambda: world.builder.strand_id)
    tip = world.builder.tip
    world.commit(at)
    world.publish()
    world.journal.close()
    shutil.rmtree(world.directory)
    shutil.move(backup, world.directory)
    world.builder.tip = tip
    world.builder.sequence_nos, world.builder.versions = {}, {}
    world.journal = Journal.open(world.directory, new_strand_id=lambda: world.builder.strand_id)
    for _ in range(then):
        world.commit_block(("Owners", "o", {"written": "after the backup"}))
    yield


def test_a_restored_backup_is_refused(world: World) -> None:
    world.commit(10)
    with restored_backup(world, at=10, then=0), pytest.raises(ForkError, match="behind its own stream") as refused:
        world.publish()
    assert "block" in str(refused.value.published)
    assert refused.value.journal == "9 as its last block"


def test_a_backup_restored_under_a_running_publisher_ends_it(world: World) -> None:
    world.commit(5)
    world.journal.close()
    shutil.copytree(world.directory, world.data / "backup")
    with world.running() as publisher:
        world.wait_until_published(4)
        shutil.move(world.directory, world.data / "replaced")
        shutil.move(world.data / "backup", world.directory)
        assert publisher.wait(60) == 1
        assert publisher.stdout is not None
        assert "is not what it was" in publisher.stdout.read()
    world.journal = Journal.open(world.directory, new_strand_id=lambda: world.builder.strand_id)
    world.publish()
    world.check()


def test_a_backup_that_went_its_own_way_is_refused(world: World) -> None:
    world.commit(10)
    with restored_backup(world, at=5, then=10), pytest.raises(ForkError, match="two histories of block 14"):
        world.publish()


def test_another_strand_under_the_same_name_is_refused(world: World) -> None:
    world.commit(3)
    world.publish()
    world.journal.close()
    shutil.rmtree(world.directory)
    world.builder.strand_id, world.builder.tip = "AnotherStrandAltogethe", None
    world.journal = Journal.open(world.directory, new_strand_id=lambda: "AnotherStrandAltogethe")
    with pytest.raises(ForkError, match="another strand"):
        world.publish()


SETTINGS = [
    ("retention.ms", "1000", "-1"),
    ("retention.bytes", "1000000", "-1"),
    ("cleanup.policy", "compact", "delete"),
    ("max.message.bytes", "1000000", "67108864"),
    ("message.timestamp.type", "LogAppendTime", "CreateTime"),
]


@pytest.mark.parametrize(("setting", "wrong", "right"), SETTINGS)
def test_a_setting_that_would_lose_history_is_refused_with_the_command_that_mends_it(
    world: World, setting: str, wrong: str, right: str
) -> None:
    world.commit(3)
    world.publish()
    topic = world.table_topic()
    configure(world, topic, setting, wrong)
    with pytest.raises(TopicSettingsError) as refused:
        world.publish()
    assert refused.value.command == (
        f"kafka-configs.sh --bootstrap-server {world.broker.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {setting}={right}"
    )
    configure(world, topic, setting, right)
    world.commit(3)
    world.publish()
    world.check()


def test_a_topic_that_somebody_made_before_its_table_is_checked_before_its_first_record(world: World) -> None:
    world.commit(3)
    errors: list[StreamError] = []

    def publish() -> None:
        try:
            world.publish(until=10**9)
        except StreamError as error:
            errors.append(error)

    running = threading.Thread(target=publish)
    running.start()
    world.wait_until_published()
    world.broker.create_topic(world.table_topic("Owners"), 1, {"message.timestamp.after.max.ms": str(2**63 - 1)})
    configure(world, world.table_topic("Owners"), "retention.ms", "604800000")
    world.commit(1, table="Owners")
    running.join(60)
    assert isinstance(errors[0], TopicSettingsError)
    assert (errors[0].topic, errors[0].setting) == (world.table_topic("Owners"), "retention.ms")
    assert world.read(world.table_topic("Owners")) == []


def test_a_record_larger_than_records_may_be_stops_it_with_both_sizes(world: World) -> None:
    world.options = replace(world.options, message_bytes_max=20_000)
    world.commit(1)
    world.commit(1, note="x" * 30_000)
    with pytest.raises(RecordTooLargeError, match="--max-message-bytes is 20000") as refused:
        world.publish()
    assert (refused.value.topic, refused.value.size_max) == (world.table_topic(), 20_000)
    assert refused.value.size > 60_000  # as text, and as its proof


def test_a_foreign_open_kafka_tx_is_awaited_and_named(world: World) -> None:
    world.commit(3)
    world.publish()
    foreign = world.foreign_producer()
    foreign.begin_transaction()
    foreign.produce(world.names.block_summary, b"not ours")
    foreign.flush()
    world.commit(3)
    publisher = threading.Thread(target=world.publish)
    publisher.start()
    while "another producer has an open Kafka transaction" not in (world.state()["error"] or ""):
        world.stop.wait(0.05)
    assert world.state()["state"] == "waiting for Kafka"
    foreign.abort_transaction()
    publisher.join(60)
    world.check()


@pytest.mark.parametrize("topic", ["block-summary", "Cars"])
def test_a_foreign_record_is_refused(world: World, topic: str) -> None:
    world.commit(3)
    world.publish()
    foreign = world.foreign_producer()
    foreign.begin_transaction()
    foreign.produce(f"t.{world.ledger}.{topic}", b"not ours", partition=0)
    foreign.commit_transaction()
    with pytest.raises(ForeignStreamError, match="was not written by a publisher of Strandline"):
        world.publish()


def test_a_record_copied_to_the_end_of_its_partition_is_refused(world: World) -> None:
    world.commit(30)
    world.publish()
    copied = next(record for p in range(3) for record in world.read(world.table_topic(), p))
    foreign = world.foreign_producer()
    foreign.begin_transaction()
    foreign.produce(
        world.table_topic(),
        copied.value,
        copied.key,
        partition=copied.partition.number,
        headers=list(copied.headers.items()),
    )
    foreign.commit_transaction()
    with pytest.raises(ForeignStreamError, match="a second time"):
        world.publish()


@pytest.mark.parametrize("value", [b"garbage", b"\xe0\x01\x00\xeagarbage", b"[1]", b'{"payload": {}}', b""])
def test_a_foreign_control_record_is_refused(world: World, value: bytes) -> None:
    world.commit(3)
    world.publish()
    append_to_block_summary(world, value, {RECORD_TYPE_HEADER: b"CONTROL"})
    with pytest.raises(ForeignStreamError, match="was not written by a publisher of Strandline"):
        world.check()


@pytest.mark.parametrize("ends", [b"garbage", b"[]", b'{"t.x": 5}', b'{"t.x": [-2]}', b'{"t.x": ["0"]}'])
def test_ends_that_are_none_are_refused(world: World, ends: bytes) -> None:
    world.commit(3)
    world.publish()
    append_to_block_summary(
        world,
        b'{"payload": {"controlRecordType": "OWNER"}}',
        {RECORD_TYPE_HEADER: b"CONTROL", ENDS_HEADER: ends},
    )
    with pytest.raises(ForeignStreamError, match=ENDS_HEADER):
        world.publish()


def append_to_block_summary(world: World, value: bytes, headers: dict[str, bytes]) -> None:
    foreign = world.foreign_producer()
    foreign.begin_transaction()
    foreign.produce(world.names.block_summary, value, world.journal.strand_id, headers=list(headers.items()))
    foreign.commit_transaction()


def test_settings_that_librdkafka_does_not_take_are_said_at_once(world: World) -> None:
    world.commit(1)
    for config in ({"nosuch.key": "1"}, {"linger.ms": "soon"}, {"message.send.max.retries": "0"}):
        world.broker = Broker(world.broker.bootstrap_servers, config)
        with pytest.raises(ClientSettingsError):
            world.publish()


@pytest.mark.parametrize("key", ["enable.idempotence", "transactional.id", "partitioner", "isolation.level", "acks"])
def test_keys_that_the_guarantee_rests_on_cannot_be_set(key: str) -> None:
    with pytest.raises(StreamError, match=key):
        Broker("localhost:9092", {key: "1"})


def test_a_table_name_that_kafka_would_not_take_is_named() -> None:
    with pytest.raises(StreamError, match="is no name for a Kafka topic"):
        TopicNames("strandline", "demo").of_table("x", "Grün")
