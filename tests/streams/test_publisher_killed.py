"""A publisher is killed, stopped for too long, doubled, or loses an answer, at each step of a kafka_tx: never a gap, never a duplicate."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from stream_world import World

from streams import publisher
from streams.broker import Partition
from streams.errors import StreamError

pytestmark = pytest.mark.kafka

OWNER, BLOCKS = 1, 2
STEPS = [
    ("before", "open_producer", 1),
    ("after", "open_producer", 1),
    *(
        (when, method, kafka_tx)
        for kafka_tx in (OWNER, BLOCKS)
        for when in ("before", "after")
        for method in ("begin", "flush", "commit")
    ),
    ("after", "send", 4),  # CREATED, OWNER, one record of a block, its summary: half of the blocks are sent
]


@pytest.mark.parametrize(("when", "method", "nth"), STEPS)
def test_killed_at_any_step_the_next_one_goes_on(world: World, when: str, method: str, nth: int) -> None:
    world.commit(5)
    with world.running("KILL", when, method, nth) as doomed:
        assert doomed.wait(60) == -signal.SIGKILL
    world.commit(5)
    world.publish()
    assert world.check().blocks == 10


@pytest.mark.parametrize(("method", "nth"), [("flush", BLOCKS), ("commit", OWNER), ("commit", BLOCKS)])
def test_an_answer_that_was_lost_is_settled_by_starting_again(world: World, method: str, nth: int) -> None:
    world.commit(5)
    with world.running("LOSE", "after", method, nth) as publisher:
        world.wait_until_published()
        world.commit(5)
        world.wait_until_published()
        publisher.terminate()
        assert publisher.wait(60) == 0
    assert world.check().blocks == 10


def test_stopped_for_longer_than_its_time_out_it_takes_the_stream_again(world: World) -> None:
    world.commit(5)
    with world.running("STOP", "after", "flush", BLOCKS, "transaction.timeout.ms=1000") as publisher:
        os.waitid(os.P_PID, publisher.pid, os.WSTOPPED | os.WNOWAIT)
        block_summary = Partition(world.names.block_summary, 0)
        while world.broker.stable_ends([block_summary]) != world.broker.ends(
            [block_summary]
        ):  # Kafka ends its kafka_tx
            world.broker.admin.poll(0.1)
        publisher.send_signal(signal.SIGCONT)
        world.wait_until_published()
        assert world.controls() == ["CREATED", "OWNER", "OWNER"]
    assert world.check().blocks == 5


def test_of_two_publishers_the_first_stops_and_says_by_whom(world: World) -> None:
    world.commit(5)
    with world.running() as first:
        world.wait_until_published()
        with world.running() as second:
            while world.controls().count("OWNER") < 2:
                world.broker.admin.poll(0.1)
            world.commit(5)
            assert first.wait(60) == 1
            assert first.stdout is not None
            assert f"process {second.pid}, has owned this stream since" in first.stdout.read()
            world.wait_until_published()
            second.terminate()
            assert second.wait(60) == 0
    assert world.check().blocks == 10


def test_an_idle_publisher_whose_stream_was_taken_over_does_not_take_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "_INSPECT_EVERY_S", 3.0)
    world.commit(5)
    errors: list[StreamError] = []

    def publish() -> None:
        try:
            world.publish(until=10**9)
        except StreamError as error:
            errors.append(error)

    elder = threading.Thread(target=publish)
    elder.start()
    world.wait_until_published()
    with world.running() as younger:
        elder.join(60)
        assert f"process {younger.pid}, has owned this stream since" in str(errors[0])
        world.commit(5)
        world.wait_until_published()
        younger.terminate()
        assert younger.wait(60) == 0
    assert world.controls() == ["CREATED", "OWNER", "OWNER"]
    assert world.check().blocks == 10


def test_sigterm_ends_it_with_everything_published_and_exit_code_0(world: World) -> None:
    world.commit(5)
    with world.running() as publisher:
        world.wait_until_published()
        publisher.terminate()
        assert publisher.wait(60) == 0
    assert world.state()["state"] == "stopped"
    assert world.check().blocks == 5
