"""The publisher on a real broker: everything once, in order, whatever ended the one before."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from stream_world import World

from ledger.block import SYSTEM_TABLE_NAME
from streams import publisher
from streams.formats import Format, format_of
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


def test_two_ledgers_and_two_prefixes_do_not_meet(world: World) -> None:
    world.commit(5)
    world.publish()
    world.names = TopicNames("another.prefix", world.ledger)
    world.publish()
    world.check()
