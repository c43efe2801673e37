"""Reads ranges of partitions as a `read_committed` reader sees them: whole kafka_tx, in order, nothing of aborted ones.

From an offset up to the last stable one as it stands when that is reached. Offsets have gaps (the markers of
kafka_tx, aborted records), so the end is told by the broker's end-of-partition event, never by counting.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.broker import Broker, Partition
from streams.errors import KafkaUnavailableError
from streams.librdkafka import kafka_errors, made_client

__all__ = ["ReadRecord", "consumer_config", "first_record", "last_record", "read_record", "read_records", "tails"]

_SILENCE_S = 20.0
_WINDOW = 64


class ReadRecord(NamedTuple):
    """A record as it lies in Kafka."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    timestamp_ms: int

    def __str__(self) -> str:
        return f"{self.partition} offset {self.offset}"


def consumer_config(broker: Broker) -> dict[str, Any]:
    """Give what a reader of ours is configured with: positions are its own affair, and a lost offset is an error."""
    return {
        "fetch.wait.max.ms": 20,
        "fetch.queue.backoff.ms": 5,
        **broker.config,
        "group.id": f"strandline-reader-{uuid.uuid4()}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
    }


def read_record(message: Message) -> ReadRecord:
    """Take a record out of librdkafka's message, which must have no error."""
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return ReadRecord(
        Partition(message.topic() or "", message.partition() or 0),
        message.offset() or 0,
        _bytes(message.key()),
        _bytes(message.value()),
        {name: _bytes(value) or b"" for name, value in pairs},
        message.timestamp()[1],
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def read_records(broker: Broker, from_offsets: Mapping[Partition, int]) -> Generator[ReadRecord, None, None]:
    """Give the visible records of some partitions, each from its offset up to its last stable one, in the order of each.

    Each reading has a consumer of its own: librdkafka finds a new consumer's partitions at once, those of a later assignment within a
    second.

    Raises:
        KafkaUnavailableError: nothing comes for a while.
        BrokerError: an offset does not exist any more.
    """
    if not from_offsets:
        return
    reading = f"reading {', '.join(f'{p} from offset {offset}' for p, offset in from_offsets.items())}"
    consumer = made_client(Consumer, consumer_config(broker))
    with closing(consumer):
        with kafka_errors(reading):
            consumer.assign([TopicPartition(*partition, offset) for partition, offset in from_offsets.items()])
        left = set(from_offsets)
        deadline = time.monotonic() + _SILENCE_S
        while left:
            with kafka_errors(reading):
                message = consumer.poll(0.5)
                if message is not None and (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    left.discard(Partition(message.topic() or "", message.partition() or 0))
                    continue
            if message is not None:
                deadline = time.monotonic() + _SILENCE_S
                yield read_record(message)
            elif time.monotonic() > deadline:
                raise KafkaUnavailableError(f"{reading}: nothing came for {_SILENCE_S:.0f} s")


def first_record(broker: Broker, partition: Partition, start: int) -> ReadRecord | None:
    """Give the first visible record; None if there is none. `start` is the partition's first offset."""
    with closing(read_records(broker, {partition: start})) as records:
        return next(records, None)


def last_record(broker: Broker, partition: Partition, start: int, end: int) -> ReadRecord | None:
    """Give the last visible record; None if there is none. `start` and `end` are the partition's offsets."""
    for tail, _ in tails(broker, partition, start, end):
        if tail:
            return tail[-1]
    return None


def tails(broker: Broker, partition: Partition, start: int, end: int) -> Iterator[tuple[list[ReadRecord], bool]]:
    """Give ever more of the visible records before `end`, and whether that is all: take the first that serves."""
    window = _WINDOW
    while True:
        from_offset = max(start, end - window)
        yield list(read_records(broker, {partition: from_offset})) if end > from_offset else [], from_offset == start
        if from_offset == start:
            return
        window *= 8
