"""Delivers what the outbox of a projection holds: to a folder, or to a Kafka topic.

    outbox (rows of the projection) ─ not yet in strandline_delivered ─> deliver a batch, wait for it ─> mark it

Rules:
- At least once: a crash after the delivery and before the mark delivers again, under the same idempotency key. In a folder the key is the
  file's name, and a file that is there is left alone: once in effect. A topic carries it as key and header, and its readers drop
  the second one.
- In the order of the blocks. What cannot be delivered stops the sender; nothing is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from consumers.action import OUTBOX
from consumers.errors import ConsumerError
from consumers.stores.sqlite import SqliteStore
from streams.broker import Broker
from streams.librdkafka import made_client

__all__ = ["Delivery", "Folder", "KafkaTopic", "Message", "send"]

_BATCH = 500
_FLUSH_S = 30.0
_KEY_HEADER = "idempotency-key"
_NAME_MAX, _NAME_SHOWN = 200, 120
"""Bytes of a file's name (file systems take 255), and how many of a longer one are shown before its hash."""
_WAITING = f"""
SELECT key, action, content FROM {OUTBOX.name} AS o
WHERE NOT EXISTS (SELECT 1 FROM strandline_delivered AS d WHERE d.key = o.key) ORDER BY block, key LIMIT ?
"""


class Message(NamedTuple):
    """One effect of the outbox: `content` is JSON."""

    key: str
    action: str
    content: str


class Delivery(Protocol):
    """Where effects go."""

    def deliver(self, messages: Sequence[Message]) -> None:
        """Return when all of them have arrived durably; deliver again, when asked, what may have arrived already."""
        ...


def send(store: SqliteStore, delivery: Delivery) -> int:
    """Deliver all that is waiting; give the number of effects.

    Raises:
        ConsumerError, OSError: something could not be delivered, or noted; what was delivered before is marked.
    """
    sent = 0
    while waiting := [Message(*row) for row in store.select(_WAITING, _BATCH)]:
        delivery.deliver(waiting)
        # A crash here delivers the batch once more, under the same keys.
        store.mark_delivered(message.key for message in waiting)
        sent += len(waiting)
    return sent


class Folder:
    """A folder of one JSON file an effect, named by its key: `<documentId>-<version>-<action>[-<part>].json`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def deliver(self, messages: Sequence[Message]) -> None:
        for message in messages:
            target = self.path / f"{_file_name(message.key)}.json"
            if not target.exists():
                self._write(target, message.content)
        _sync_directory(self.path)

    def _write(self, target: Path, content: str) -> None:
        """Write under another name and rename: whoever looks into the folder sees whole files only."""
        partial = target.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)


class KafkaTopic:
    """A Kafka topic: key and header `idempotency-key` are the effect's key, the value is its JSON."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.topic = topic
        config = {**broker.config, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 1}
        self._producer: Producer = made_client(Producer, config)
        self._failures: list[str] = []

    def deliver(self, messages: Sequence[Message]) -> None:
        try:
            for message in messages:
                headers: list[tuple[str, str | bytes | None]] = [
                    (_KEY_HEADER, message.key.encode()),
                    ("action", message.action.encode()),
                    ("content-type", b"application/json"),
                ]
                self._producer.produce(
                    self.topic, message.content.encode(), message.key.encode(), headers=headers, on_delivery=self._note
                )
            late = self._producer.flush(_FLUSH_S)
        except KafkaException as error:
            raise ConsumerError(f"topic {self.topic}: {error}") from error
        if late or self._failures:
            reason = (
                self._failures[0] if self._failures else f"{late} of {len(messages)} not acknowledged in {_FLUSH_S} s"
            )
            raise ConsumerError(f"topic {self.topic}: {reason}")

    def _note(self, error: KafkaError | None, message: KafkaMessage) -> None:
        if error is not None:
            self._failures.append(f"{message.key()!r}: {error.str()}")


def _file_name(key: str) -> str:
    """Say a key so that it is a file's name, and no other key's: the part is any text that some document held."""
    *names, last = key.split(":", 3)
    name = "-".join([*(quote(name, safe="").replace("-", "%2D") for name in names), quote(last, safe="")])
    return name if len(name) <= _NAME_MAX else f"{name[:_NAME_SHOWN]}-{sha256(key.encode()).hexdigest()}"


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
