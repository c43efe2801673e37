"""Delivering what the outbox holds: each effect under its key, again after a crash, never another one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from commands import run
from confluent_kafka import Consumer, TopicPartition
from publishing import Stream

from consumers.action import OUTBOX
from consumers.errors import ConsumerError
from consumers.position import BEGINNING
from consumers.projection import Projection
from consumers.samples.actions import actions
from consumers.sender import Folder, KafkaTopic, Message, send
from consumers.stores.sqlite import SqliteStore
from ledger.ids import id_of_text
from streams.broker import Broker

OUTBOX_ONLY = Projection("outbox only", version=1, store="sqlite", tables=[OUTBOX])


def store_with(path: Path, keys: Sequence[str]) -> SqliteStore:
    """A store whose outbox holds effects of these keys, in this order."""
    store = SqliteStore.open(OUTBOX_ONLY, path / "store")

    def fold(rows: SqliteStore) -> None:
        for block, key in enumerate(keys):
            rows.put("outbox", {"key": key, "action": "greet", "block": block, "content": json.dumps({"key": key})})

    store.apply(BEGINNING, BEGINNING, lambda _: fold(store))
    return store


class Recorder:
    """A receiver that says what came, and fails when told to."""

    def __init__(self, *, fails_after: int | None = None) -> None:
        self.received: list[str] = []
        self._fails_after = fails_after

    def deliver(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if len(self.received) == self._fails_after:
                raise ConsumerError("the receiver is away")
            self.received.append(message.key)


def test_every_effect_is_delivered_once_in_the_order_of_the_blocks(tmp_path: Path) -> None:
    keys = [f"d:{n}:greet" for n in range(1_200, 0, -1)]
    receiver = Recorder()
    with closing(store_with(tmp_path, keys)) as store:
        assert send(store, receiver) == 1_200
        assert receiver.received == keys
        assert send(store, receiver) == 0


def test_what_failed_is_delivered_again_under_the_same_keys(tmp_path: Path) -> None:
    keys = [f"d:{n}:greet" for n in range(10)]
    with closing(store_with(tmp_path, keys)) as store:
        first = Recorder(fails_after=4)
        with pytest.raises(ConsumerError, match="away"):
            send(store, first)
        second = Recorder()
        assert send(store, second) == 10  # at least once: nobody knows what became of the first four
        assert second.received == keys


def test_a_folder_holds_one_whole_file_an_effect_and_leaves_what_is_there_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "letters")
    (tmp_path / "letters" / "d-0-greet.json").write_text("delivered before the crash")
    with closing(store_with(tmp_path, ["d:0:greet", "d:1:greet"])) as store:
        send(store, folder)
    letters = {path.name: path.read_text() for path in folder.path.iterdir()}
    assert letters == {"d-0-greet.json": "delivered before the crash", "d-1-greet.json": '{"key": "d:1:greet"}\n'}


def test_no_two_keys_share_a_file_and_no_key_leaves_the_folder(tmp_path: Path) -> None:
    """The part of a key may be any text of a document."""
    parts = [
        "A:B",
        "A-B",
        "A/B",
        "../../B",
        "a b",
        "\0",
        "ü" * 200,
        "ü" * 201,
        "x" * 300,
        "x" * 301,
        ".json",
        "%2D",
        "",
    ]
    keys = [f"d:0:notice:{part}" for part in parts]
    folder = Folder(tmp_path / "letters")
    with closing(store_with(tmp_path, keys)) as store:
        assert send(store, folder) == len(keys)
    letters = [json.loads(path.read_text())["key"] for path in folder.path.iterdir()]
    assert sorted(letters) == sorted(keys)
    assert (folder.path / "d-0-notice-A%3AB.json").exists()


@pytest.mark.kafka
def test_a_kafka_topic_gets_the_key_the_header_and_the_content(stream: Stream, tmp_path: Path) -> None:
    topic = f"letters-{uuid4().hex}"
    stream.create_topics(topic, partitions=1)
    with closing(store_with(tmp_path, ["d:0:greet", "d:1:greet"])) as store:
        assert send(store, KafkaTopic(stream.broker, topic)) == 2
    consumer = Consumer({**stream.config, "group.id": topic, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    got = [message for message in consumer.consume(3, 30) if message.error() is None]
    consumer.close()
    assert [(m.key(), dict(m.headers() or [])["idempotency-key"], json.loads(m.value() or b"")) for m in got] == [
        (key.encode(), key.encode(), {"key": key}) for key in ("d:0:greet", "d:1:greet")
    ]


@pytest.mark.kafka
def test_a_topic_that_is_not_there_stops_the_sender(stream: Stream, tmp_path: Path) -> None:
    with closing(store_with(tmp_path, ["d:0:greet"])) as store:
        with pytest.raises(ConsumerError, match="no-such-topic"):
            send(store, KafkaTopic(Broker(stream.kafka, {"topic.metadata.propagation.max.ms": "0"}), "no-such-topic"))
        assert send(store, Recorder()) == 1


@pytest.mark.kafka
def test_actions_on_kafka_deliver_into_a_folder_and_a_rebuild_delivers_nothing_again(
    stream: Stream, tmp_path: Path
) -> None:
    person, order = (
        {"FirstName": "Raul", "LastName": "Lewis", "Address": "1719 University Street"},
        {"OrderNumber": "A-1", "Lines": []},
    )
    stream.publish(stream.strand.add(("Person", "Raul", person)))
    stream.publish(stream.strand.add(("Orders", "order", {**order, "PersonId": id_of_text("Raul")})))
    letters, store = tmp_path / "letters", tmp_path / "actions.sqlite"
    arguments = (stream, store, "--until-caught-up", "--deliver", str(letters))
    code, said = run("project", "actions", *arguments)
    assert code == 0, said
    key = id_of_text("order")
    assert {path.name for path in letters.iterdir()} == {f"{key}-0-invoice.json", f"{key}-0-dispatch.json"}
    assert json.loads((letters / f"{key}-0-dispatch.json").read_text())["ShipTo"] == "1719 University Street"
    for letter in letters.iterdir():
        letter.unlink()
    code, said = run("rebuild", "actions", stream, store)
    assert (code, "outbox: 2 rows" in said) == (0, True), said
    code, said = run("project", "actions", *arguments)
    assert (code, list(letters.iterdir())) == (0, []), said
    with closing(SqliteStore.open(actions, store)) as opened:
        assert send(opened, Recorder()) == 0
