"""The publisher on a real broker: everything once, in order, whatever ended the one before."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import ClassVar

import pytest
from confluent_kafka.admin import NewPartitions
from stream_world import World, delete_topic

from ledger.block import SYSTEM_TABLE_NAME
from streams import publisher
from streams.broker import Broker
from streams.formats import Format, format_of
from streams.partitioner import partition_of
from streams.position import ENDS_HEADER
from streams.topics import TopicNames

pytestmark = pytest.mark.kafka


def test_everything_committed_is_published_once_in_order(world: World) -> None:
    world.commit_block((SYSTEM_TABLE_NAME, "table Cars", {"name": "Cars"}), statement="CREATE TABLE Cars")
    world.commit(50)
    world.commit_block(("Cars", "Cars 1", None), ("Owners", "o", {"name": "Raul"}), ("Cars", "Cars 2", {"n": -1}))
    world.commit_block()  # nothing written but a block all the same
    world.publish()
    report = world.check()
    assert report.revisions == 54
    assert world.controls() == ["CREATED", "OWNER"]
    assert world.state()["publishedSequenceNo"] == 52
    assert world.state()["state"] == "stopped"


def test_a_second_run_goes_on_where_the_first_one_ended(world: World) -> None:
    world.commit(20)
    world.publish()
    world.commit(20, table="Owners")
    world.publish()
    world.publish()
    assert world.check().blocks == 40
    assert world.controls() == ["CREATED", "OWNER", "OWNER", "OWNER"]


def test_asked_to_end_at_a_block_it_says_so_and_a_later_run_goes_on(world: World) -> None:
    world.commit(20)
    world.publish(until=11)
    assert world.state()["publishedSequenceNo"] == 11
    assert world.controls() == ["CREATED", "OWNER", "COMPLETED"]
    world.publish(until=11)
    assert world.controls() == ["CREATED", "OWNER", "COMPLETED", "OWNER"]
    world.publish()
    world.check()


@pytest.mark.parametrize("value_format", ["json", "ion"])
def test_either_format_is_published_and_checked(world: World, value_format: Format) -> None:
    world.options = replace(world.options, value_format=value_format)
    world.commit(10)
    world.publish()
    assert format_of(world.read(world.names.block_summary)[-1].value or b"") == value_format
    world.check()


def test_a_running_publisher_notices_a_loss_at_its_next_inspection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "_INSPECT_EVERY_S", 0.5)
    world.commit(20)
    running = threading.Thread(target=lambda: world.publish(until=10**9))
    running.start()
    world.wait_until_published()
    topic = world.table_topic()
    world.broker.admin.delete_topics([topic])[topic].result()
    while "REPUBLISHED" not in world.controls():
        world.broker.admin.poll(0.1)
    world.stop.set()
    running.join(60)
    world.check()


def test_a_loss_that_the_next_block_meets_is_mended_before_that_block(world: World) -> None:
    world.commit(20)
    running = threading.Thread(target=lambda: world.publish(until=10**9))
    running.start()
    world.wait_until_published()
    topic = world.table_topic()
    world.broker.admin.delete_topics([topic])[topic].result()
    world.commit(5)
    world.wait_until_published()
    world.stop.set()
    running.join(60)
    world.check()


def test_a_journal_that_grows_meanwhile_is_followed_to_its_end(world: World) -> None:
    running = threading.Thread(target=lambda: world.publish(until=1999))
    running.start()
    for _ in range(200):
        world.commit(10)
    running.join(120)
    assert world.check().blocks == 2000


def test_many_tables_are_each_given_their_topic_in_time(world: World) -> None:
    for i in range(30):
        world.commit_block((f"Table{i % 15}", f"document {i}", {"n": i}), ("Cars", f"car {i}", {"n": i}))
    world.publish()
    report = world.check()
    assert (report.blocks, report.revisions) == (30, 60)


def test_partitions_that_somebody_adds_meanwhile_get_nothing_and_no_document_moves(world: World) -> None:
    world.broker = Broker(world.broker.bootstrap_servers, {"topic.metadata.refresh.interval.ms": "100"})
    world.commit(10)
    running = threading.Thread(target=lambda: world.publish(until=59))
    running.start()
    world.wait_until_published()
    topic = world.table_topic()
    world.broker.admin.create_partitions([NewPartitions(topic, 7)])[topic].result()
    while world.broker.topics()[topic] != 7:
        world.broker.admin.poll(0.05)
    for number in range(10, 60):  # the producer hears of them between two of these
        world.commit(1, documents=60)
        world.wait_until_published(number)
    running.join(60)
    assert sum(len(world.read(topic, p)) for p in range(3)) == 60
    for p in range(3):
        assert {partition_of((record.key or b"").decode(), 3) for record in world.read(topic, p)} == {p}


def test_the_recorded_ends_are_those_behind_the_records_that_readers_see(world: World) -> None:
    for count in (1, 7, 20, 3):
        world.commit(count)
        world.publish(until=len(world.blocks()) - 1)
    partitions = {p: world.read(world.table_topic(), p) for p in range(3)}
    summaries = [record for record in world.read(world.names.block_summary) if ENDS_HEADER in record.headers]
    assert len(summaries) >= 8  # each OWNER and each kafka_tx of blocks
    before: dict[int, int] = dict.fromkeys(range(3), 0)
    for record in summaries:
        ends = json.loads(record.headers[ENDS_HEADER]).get(world.table_topic(), [0, 0, 0])
        visible = {r.offset + 1 for p in range(3) for r in partitions[p]} | {0}
        assert set(ends) <= visible
        assert all(end >= before[p] for p, end in enumerate(ends))
        before = dict(enumerate(ends))
    world.commit(1)
    world.publish()
    ends_now = [max((record.offset + 1 for record in partitions[p]), default=0) for p in range(3)]
    last = [record for record in world.read(world.names.block_summary) if ENDS_HEADER in record.headers][-1]
    assert json.loads(last.headers[ENDS_HEADER])[world.table_topic()] == ends_now


def test_what_fails_after_each_take_over_is_tried_again_ever_more_rarely(world: World) -> None:
    class Impatient(threading.Event):
        """Notes how long it was to wait, and does not."""

        waits: ClassVar[list[float]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout or 0.0)
            if len([wait for wait in self.waits if wait > 0.75]) > 2:
                self.set()
            return self.is_set() or super().wait(0.001)

    collides = world.table_topic().replace(".", "_")  # Kafka's names of metrics do not tell the two apart
    world.broker.create_topic(collides, 1, {})
    world.commit(1)
    world.stop = Impatient()
    world.publish(until=10**9)
    assert world.controls().count("OWNER") < 12
    world.stop = threading.Event()
    delete_topic(world, collides)
    world.publish()
    world.check()


def test_two_ledgers_and_two_prefixes_do_not_meet(world: World) -> None:
    world.commit(5)
    world.publish()
    world.names = TopicNames("another.prefix", world.ledger)
    world.publish()
    world.check()
