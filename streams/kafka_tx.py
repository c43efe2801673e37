"""One transactional producer: begin, send, flush, commit.

Nothing here is retried, except the commit of a kafka_tx, whose outcome must not stay unknown for longer than need be.

Source: KIP-98 (transactions), KIP-360, KIP-664, KIP-890; librdkafka's INTRODUCTION.md, "Transactional producer API".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.errors import BrokerError, KafkaUnavailableError, RecordTooLargeError
from streams.librdkafka import LOOK_S, Heard, cause_of, kafka_errors, translated
from streams.records import Record

__all__ = ["KafkaTx", "Partition", "Patience", "Written"]

_COMMIT_S = 20.0
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})

Patience = Callable[[str], None]
"""Called with the reason again and again while something is awaited; waits a little, and may raise."""


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Written(NamedTuple):
    """Where the records of a kafka_tx came to lie in one partition."""

    first_offset: int
    last_offset: int


class KafkaTx:
    """A transactional producer. After any error it is of no use any more: open another, which settles what is still open."""

    def __init__(self, producer: Producer, message_bytes_max: int, patience: Patience, heard: Heard) -> None:
        self._producer, self._message_bytes_max = producer, message_bytes_max
        self._patience, self._heard = patience, heard
        self._written: dict[Partition, Written] = {}
        self._refused: KafkaError | None = None
        self._misplaced: str | None = None

    def begin(self) -> None:
        """Begin a kafka_tx."""
        self._written = {}
        with kafka_errors("beginning a kafka_tx", self._producer):
            self._producer.begin_transaction()

    def send(self, record: Record, partition: int) -> None:
        """Hand a record to librdkafka's queue; waits only when that is full.

        Args:
            partition: named, and not left to librdkafka, which would follow partitions that somebody has just added.

        Raises:
            RecordTooLargeError: it is larger than `open_producer` was told that records may be.
            KafkaUnavailableError, BrokerError, ProducerFencedError
        """
        topic, key, value, headers, timestamp_ms = record
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery=self._delivered,
                    timestamp=timestamp_ms,
                    headers=headers,  # type: ignore[arg-type]  # a list is invariant
                )
            except BufferError:
                with kafka_errors("sending", self._producer):
                    self._producer.poll(0.1)
            except KafkaException as error:
                cause = cause_of(error, self._producer)
                if cause.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    size = len(value) + sum(len(name) + len(content) for name, content in headers)
                    raise RecordTooLargeError(topic, size, self._message_bytes_max) from error
                raise translated(f"sending to {topic}", cause) from error
            else:
                return

    def flush(self) -> dict[Partition, Written]:
        """Wait until every record is on the broker, and give where they lie. They are not committed yet.

        Raises:
            KafkaUnavailableError, BrokerError, ProducerFencedError: one is not there.
        """
        with kafka_errors("sending", self._producer):
            while left := self._producer.flush(LOOK_S):
                if self._heard.down:
                    raise KafkaUnavailableError(f"{left} records are not acknowledged: {self._heard.last}")
                self._patience(f"{left} records are not acknowledged yet")
        if self._refused is not None:
            raise translated("sending", self._refused)
        if self._misplaced is not None:
            raise BrokerError(self._misplaced, "UNKNOWN_OFFSET")
        return self._written

    def commit(self) -> None:
        """Commit the kafka_tx: when this returns, readers see it whole.

        Raises:
            KafkaUnavailableError: the outcome is unknown; the next `open_producer` settles it, and the topics then tell.
            ProducerFencedError, BrokerError: it was not committed.
        """
        deadline = time.monotonic() + _COMMIT_S
        while True:
            try:
                self._producer.commit_transaction(LOOK_S)
            except (KafkaException, SystemError) as error:
                cause = cause_of(error, self._producer)
                if not cause.retriable() or self._heard.down or time.monotonic() > deadline:
                    raise translated("committing a kafka_tx", cause) from error
                self._patience(f"a kafka_tx is not committed yet: {cause.str()}")
            else:
                return

    def end_what_hangs(self, partitions: Iterable[Partition]) -> None:
        """Abort a record in each partition, and with it what an earlier producer of our id left open there.

        Fencing ends what the coordinator knows of. Where a partition lost the marker of a kafka_tx, its records stay undecided for ever
        (KIP-664, "hanging transactions"); the next marker of the same producer id decides them.
        """
        self.begin()
        with kafka_errors("ending what hangs", self._producer):
            for topic, number in partitions:
                self._producer.produce(topic, b"", partition=number, on_delivery=self._delivered)
        self.flush()
        with kafka_errors("ending what hangs", self._producer):
            self._producer.abort_transaction(_COMMIT_S)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            # What was purged, was so because another was refused.
            if self._refused is None or self._refused.code() in _PURGED:
                self._refused = error
            return
        partition = Partition(message.topic() or "", message.partition() or 0)
        offset, written = message.offset(), self._written.get(partition)
        if offset is None or (written is not None and offset != written.last_offset + 1):
            # librdkafka takes "duplicate sequence number" for success and then knows no offset. A partition that has no record of this
            # producer takes any sequence number for its first: if the first batch is refused for a moment and the second, in flight
            # with it, is not, the first one is a "duplicate" of what was never written.
            self._misplaced = f"a record came to lie at offset {offset} of {partition}, behind {written}"
            return
        self._written[partition] = Written(offset if written is None else written.first_offset, offset)
