"""Kafka loses what it had acknowledged, in every way it can: the publisher notices, and publishes it again from the journal, in order."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from log_surgery import truncate_log
from stream_world import World, delete_records, delete_topic

from streams.errors import HistoryLostError, TopicSettingsError
from streams.local_kafka import LocalKafka

pytestmark = pytest.mark.kafka


_QUICK = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
"""A killed broker is let in again only when its session has ended."""


class OwnBroker:
    """A broker that a test may stop, harm and start again at the same address."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.broker = LocalKafka.start(directory, settings=_QUICK)

    def harm(self, harm: Callable[[], object]) -> None:
        self.broker.stop()
        harm()
        self.start_again()

    def start_again(self) -> None:
        self.broker = LocalKafka.start(self.directory, port=self.broker.port, settings=_QUICK)


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    own = OwnBroker(tmp_path_factory.mktemp("kafka"))
    yield own
    own.broker.stop()


@pytest.fixture
def world(own_broker: OwnBroker, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, own_broker.broker.bootstrap_servers)
    yield made
    made.journal.close()


def publish_in_kafka_txs(world: World, count: int) -> None:
    """Publish blocks, each in a kafka_tx of its own, after those that are there."""
    for _ in range(count):
        block = world.commit(1)[0]
        world.publish(until=block.sequence_no)


def fullest_partition(world: World) -> int:
    return max(range(3), key=lambda p: len(world.read(world.table_topic(), p)))


# The last batch that is left is a record without the marker of its commit, or the marker.
@pytest.mark.parametrize("batches", [3, 4])
def test_a_truncated_table_partition_is_filled_again(world: World, own_broker: OwnBroker, batches: int) -> None:
    publish_in_kafka_txs(world, 8)
    partition = fullest_partition(world)
    before = len(world.read(world.table_topic(), partition))
    own_broker.harm(lambda: truncate_log(own_broker.directory, world.table_topic(), partition, batches))
    assert len(world.read(world.table_topic(), partition)) < before
    world.commit(5)
    world.publish()
    world.check()
    assert world.controls().count("REPUBLISHED") == 1


def test_a_cut_that_an_unfinished_kafka_tx_has_grown_over_is_still_seen(world: World, own_broker: OwnBroker) -> None:
    publish_in_kafka_txs(world, 8)
    partition = fullest_partition(world)
    own_broker.harm(lambda: truncate_log(own_broker.directory, world.table_topic(), partition, 2))
    foreign = world.foreign_producer()
    foreign.begin_transaction()
    for _ in range(20):
        foreign.produce(world.table_topic(), b"never committed", partition=partition)
    foreign.flush()
    foreign.abort_transaction()
    world.publish()
    world.check()
    assert world.controls().count("REPUBLISHED") == 1


def test_a_repair_that_was_killed_is_finished_by_the_next_start(world: World, own_broker: OwnBroker) -> None:
    publish_in_kafka_txs(world, 8)
    partition = fullest_partition(world)
    own_broker.harm(lambda: truncate_log(own_broker.directory, world.table_topic(), partition, 100))
    for when in ("before", "after"):
        with world.running("KILL", when, "commit", 2) as doomed:  # the kafka_tx after that of OWNER is the repair's
            doomed.wait(60)
    world.commit(3)
    world.publish()
    world.check()


@pytest.mark.parametrize("batches", [6, 7])
def test_a_truncated_block_summary_is_filled_and_no_revision_comes_twice(
    world: World, own_broker: OwnBroker, batches: int
) -> None:
    publish_in_kafka_txs(world, 8)
    own_broker.harm(lambda: truncate_log(own_broker.directory, world.names.block_summary, 0, batches))
    world.commit(5)
    world.publish()
    world.check()


def test_a_lost_block_summary_topic_is_written_anew_over_the_revisions_that_are_there(world: World) -> None:
    world.commit(20)
    world.publish()
    delete_topic(world, world.names.block_summary)
    world.commit(5)
    world.publish()
    world.check()
    assert world.controls() == ["CREATED", "OWNER"]


def test_a_deleted_table_topic_is_made_and_filled_again(world: World) -> None:
    world.commit(20)
    world.publish()
    delete_topic(world, world.table_topic())
    world.publish()
    world.check()


def test_an_emptied_broker_is_filled_again_by_the_running_publisher(world: World, own_broker: OwnBroker) -> None:
    world.commit(20)
    with world.running():
        world.wait_until_published()
        own_broker.harm(lambda: shutil.rmtree(own_broker.directory / "data"))
        world.commit(5)
        world.wait_until_published()
    world.check()


def test_a_killed_broker_is_awaited_while_commits_go_on(world: World, own_broker: OwnBroker) -> None:
    world.commit(20)
    with world.running():
        world.wait_until_published()
        own_broker.broker.kill()
        world.commit(20)
        while world.state()["state"] != "waiting for Kafka":
            world.stop.wait(0.05)
        own_broker.start_again()
        world.wait_until_published()
        assert world.state()["state"] == "publishing"
    world.check()


def test_oldest_records_that_are_gone_stop_it_with_the_command_that_mends_it(world: World) -> None:
    world.commit(20)
    world.publish()
    partition = fullest_partition(world)
    delete_records(world, world.table_topic(), partition, 3)
    with pytest.raises(HistoryLostError) as stopped:
        world.publish()
    assert "kafka-delete-records.sh" in stopped.value.command
    assert f'"partition":{partition},"offset":-1' in stopped.value.command
    delete_records(world, world.table_topic(), partition, -1)
    world.publish()
    world.check()
    world.publish()  # a partition that does not begin at 0 is right when it begins with its first record
    world.check()


def test_oldest_summaries_that_are_gone_stop_it_too(world: World) -> None:
    world.commit(20)
    world.publish()
    delete_records(world, world.names.block_summary, 0, 5)
    with pytest.raises(HistoryLostError):
        world.publish()
    delete_records(world, world.names.block_summary, 0, -1)
    world.publish()
    world.check()
    world.publish()
    world.check()


def test_a_broker_that_hangs_is_shown_and_sigterm_still_ends_it(world: World, own_broker: OwnBroker) -> None:
    world.commit(3)
    with world.running() as publisher:
        world.wait_until_published()
        os.kill(own_broker.broker.pid, signal.SIGSTOP)
        try:
            world.commit(3)
            while world.state()["state"] != "waiting for Kafka":
                world.stop.wait(0.05)
            assert "not acknowledged yet" in world.state()["error"]
            publisher.terminate()
            assert publisher.wait(10) == 0
        finally:
            os.kill(own_broker.broker.pid, signal.SIGCONT)
    world.publish()
    assert world.check().blocks == 6


def test_added_partitions_stop_it(world: World) -> None:
    from confluent_kafka.admin import NewPartitions

    world.commit(20)
    world.publish()
    topic = world.table_topic()
    world.broker.admin.create_partitions([NewPartitions(topic, 7)])[topic].result()
    while world.broker.topics()[topic] != 7:
        world.broker.admin.poll(0.05)
    with pytest.raises(TopicSettingsError, match="number of partitions is 7, must be 3"):
        world.publish()
    delete_topic(world, topic)
    world.publish()
    world.check()
