"""The Kafka door: all that the publisher, the checker and the rebuilder do with Kafka goes through here (confluent-kafka, librdkafka).

    Broker     metadata, settings, topics, offsets; opens the other two
    KafkaTx    one transactional producer: begin, send, flush, commit
    (reading)  streams.topic_reader

Rules:
- Any librdkafka key passes through, except those that the guarantee rests on (`OWNED_KEYS`).
- Every failure leaves as an error of `streams.errors`: the outside is away (`KafkaUnavailableError`), refused (`BrokerError`), or
  another producer has our transactional id (`ProducerFencedError`).
- Nothing here is retried, except the commit of a kafka_tx, whose outcome must not stay unknown for longer than need be.

Source: KIP-98 (transactions), KIP-360, KIP-890; librdkafka's CONFIGURATION.md and INTRODUCTION.md, "Transactional producer API".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not in its __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from streams.errors import BrokerError, KafkaUnavailableError, ProducerFencedError, StreamError
from streams.records import Record

__all__ = ["OWNED_KEYS", "Broker", "KafkaTx", "Partition", "Patience", "Written", "kafka_errors"]

OWNED_KEYS = frozenset(
    {
        "bootstrap.servers", "enable.idempotence", "acks", "request.required.acks", "transactional.id", "isolation.level",
        "partitioner", "enable.auto.commit", "group.id", "max.in.flight", "max.in.flight.requests.per.connection",
    }
)  # fmt: skip
"""Keys that the exactly-once protocol rests on; nobody else may set them."""

_REQUEST_S = 15.0
_KAFKA_TX_S = 30
"""The broker aborts a kafka_tx that is open for longer: what a killed publisher delays readers by, if it is never started again."""
_COMMIT_S = 20.0
_LOOK_S = 1.0
"""How long librdkafka is waited for before it is looked whether there is still a broker."""
_UNAVAILABLE = frozenset(
    {
        KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT, KafkaError._RESOLVE, KafkaError._WAIT_COORD, KafkaError._DESTROY, KafkaError._AUTHENTICATION,
        KafkaError._PURGE_INFLIGHT, KafkaError._PURGE_QUEUE, KafkaError.REQUEST_TIMED_OUT, KafkaError.NETWORK_EXCEPTION,
        KafkaError.BROKER_NOT_AVAILABLE, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REPLICA_NOT_AVAILABLE, KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.CONCURRENT_TRANSACTIONS, KafkaError.NOT_CONTROLLER, KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError._NOENT, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION,
    }
)  # fmt: skip
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
_FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})

_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # confluent_kafka has no types for it
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent_kafka has no types for it

log = logging.getLogger("strandline.kafka")
"""librdkafka's own messages; heard only where logging is configured."""
log.addHandler(logging.NullHandler())


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


@contextmanager
def kafka_errors(doing: str) -> Iterator[None]:
    """Turn what librdkafka raises inside of the block into errors of this room; `doing` begins the message."""
    try:
        yield
    except (KafkaException, SystemError) as error:
        raise _translated(doing, _cause(error)) from error


def _cause(error: KafkaException | SystemError) -> KafkaError:
    """Find librdkafka's error. A fatal one (fenced) is raised out of whatever callback runs, and then stands behind a SystemError."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KafkaException):
        cause = cause.__cause__
    if cause is None:
        raise error
    found: KafkaError = cause.args[0]
    return found


def _translated(doing: str, error: KafkaError) -> StreamError:
    if error.code() in _FENCED:
        return ProducerFencedError(f"{doing}: {error.str()}")
    if error.code() in _UNAVAILABLE or error.retriable():
        return KafkaUnavailableError(f"{doing}: {error.str()}")
    return BrokerError(f"{doing}: {error.str()}", error.name())


class Broker:
    """A Kafka cluster. `config` holds librdkafka's keys; connections are made by its methods, none by itself.

    Raises:
        StreamError: `config` has a key of `OWNED_KEYS`.
    """

    def __init__(self, bootstrap_servers: str, config: Mapping[str, str] | None = None) -> None:
        refused = OWNED_KEYS & set(config or {})
        if refused:
            raise StreamError(f"{', '.join(sorted(refused))}: Strandline sets this itself, its guarantees rest on it")
        self.bootstrap_servers = bootstrap_servers
        self.config: dict[str, Any] = {"logger": log, **(config or {}), "bootstrap.servers": bootstrap_servers}
        self._admin: AdminClient | None = None

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            with kafka_errors("cannot use Kafka"):
                self._admin = AdminClient(self.config)
        return self._admin

    def topics(self) -> dict[str, int]:
        """Give the cluster's topics and how many partitions each has."""
        with kafka_errors(f"asking {self.bootstrap_servers} for its topics"):
            found = self.admin.list_topics(timeout=_REQUEST_S).topics
        return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}

    def create_topic(self, topic: str, partitions: int, settings: Mapping[str, str]) -> None:
        """Create a topic with the cluster's default replication. One that exists already is left as it is."""
        with kafka_errors(f"creating topic {topic}"):
            asked = NewTopic(topic, partitions, replication_factor=-1, config=dict(settings))
            try:
                self.admin.create_topics([asked], request_timeout=_REQUEST_S)[topic].result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
            deadline = time.monotonic() + _REQUEST_S
            while topic not in self.topics():
                if time.monotonic() > deadline:
                    raise KafkaUnavailableError(f"topic {topic} was created, and is not there after {_REQUEST_S:.0f} s")
                self.admin.poll(0.02)

    def settings(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """Give each topic's settings, those that it inherits too."""
        asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        if not asked:
            return {}
        with kafka_errors("asking for the topics' settings"):
            answers = self.admin.describe_configs(asked, request_timeout=_REQUEST_S)
            return {
                resource.name: {name: entry.value for name, entry in answer.result().items()}
                for resource, answer in answers.items()
            }

    def starts(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Give each partition's first offset: above 0 where records were deleted."""
        return self._offsets(partitions, _EARLIEST, IsolationLevel.READ_UNCOMMITTED)

    def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Give each partition's high watermark: the offset behind all that is replicated, committed or not."""
        return self._offsets(partitions, _LATEST, IsolationLevel.READ_UNCOMMITTED)

    def stable_ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Give each partition's last stable offset: nothing before it belongs to an open kafka_tx."""
        return self._offsets(partitions, _LATEST, IsolationLevel.READ_COMMITTED)

    def patience(self, seconds: float) -> Patience:
        """Give the patience of one who waits for so long from now, and then raises KafkaUnavailableError."""
        deadline = time.monotonic() + seconds

        def wait(reason: str) -> None:
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(reason)
            self.admin.poll(0.02)

        return wait

    def decided_ends(self, partitions: Iterable[Partition], patience: Patience) -> dict[Partition, int]:
        """Give each partition's end as it is now, once no kafka_tx before it is open: read_committed readers then see all up to there.

        Even a commit that has returned takes a few milliseconds until its markers have reached all partitions, one after the other.
        """
        ends = self.ends(partitions)
        while True:
            stable = self.stable_ends(ends)
            partition = next((p for p in ends if stable[p] < ends[p]), None)
            if partition is None:
                return ends
            patience(
                f"another producer has an open Kafka transaction on {partition}, from offset {stable[partition]} on. If it does not end: "
                f"kafka-transactions.sh --bootstrap-server {self.bootstrap_servers} abort --topic {partition.topic} "
                f"--partition {partition.number} --start-offset {stable[partition]}"
            )

    def _offsets(
        self, partitions: Iterable[Partition], spec: OffsetSpec, isolation: IsolationLevel
    ) -> dict[Partition, int]:
        asked = {TopicPartition(topic, number): spec for topic, number in partitions}
        if not asked:
            return {}
        try:
            return self._ask_offsets(asked, isolation)
        except (
            KafkaUnavailableError
        ):  # librdkafka may hold on to leaders of before; asking for the topics lets it forget them
            self.topics()
            return self._ask_offsets(asked, isolation)

    def _ask_offsets(self, asked: dict[TopicPartition, OffsetSpec], isolation: IsolationLevel) -> dict[Partition, int]:
        with kafka_errors("asking for offsets"):
            answers = self.admin.list_offsets(asked, isolation_level=isolation, request_timeout=_REQUEST_S)
            return {Partition(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}

    def open_producer(self, transactional_id: str, message_bytes_max: int, patience: Patience) -> KafkaTx:
        """Fence every earlier producer of this id, end its open kafka_tx, and give the new one.

        A kafka_tx of it whose commit was asked for is waited for: when this returns, it is decided.

        Args:
            patience: called with the reason again and again while Kafka does not answer; may raise.

        Raises:
            BrokerError: Kafka does not let us.
        """
        timeout_ms = int(self.config.get("transaction.timeout.ms", _KAFKA_TX_S * 1000))
        down: list[str] = []
        config = {
            **self.config,
            "error_cb": lambda error: (
                down.append(error.str()) if error.code() == KafkaError._ALL_BROKERS_DOWN else None
            ),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": timeout_ms,
            "message.timeout.ms": timeout_ms,
            "enable.idempotence": True,
            "acks": "all",
            "max.in.flight.requests.per.connection": 1,  # more, and a new partition may lose a batch: see `_delivered`
            "partitioner": "murmur2_random",
            "message.max.bytes": message_bytes_max,
            "linger.ms": 10,  # a flush does not wait for it; more would keep the network idle while records are made
            "topic.metadata.propagation.max.ms": 5000,  # a topic that is gone: every topic was there before it is written to
        }
        with kafka_errors("fencing earlier publishers"):
            producer = Producer(config)
            while True:
                try:
                    producer.init_transactions(_LOOK_S)
                except KafkaException as error:
                    if not error.args[0].retriable():
                        raise
                    patience(f"{self.bootstrap_servers} does not answer: {(down or [error.args[0].str()])[-1]}")
                else:
                    break
        down.clear()
        return KafkaTx(producer, down)


class KafkaTx:
    """A transactional producer. After any error it is of no use any more: open another, which settles what is still open."""

    def __init__(self, producer: Producer, down: Sequence[str]) -> None:
        self._producer, self._down = producer, down  # librdkafka says in `down` that it has lost every broker
        self._written: dict[Partition, Written] = {}
        self._refused: KafkaError | None = None
        self._misplaced: str | None = None

    def begin(self) -> None:
        """Begin a kafka_tx."""
        self._written = {}
        with kafka_errors("beginning a kafka_tx"):
            self._producer.begin_transaction()

    def send(self, record: Record) -> None:
        """Hand a record to librdkafka's queue; waits only when that is full."""
        topic, key, value, headers, timestamp_ms = record
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    on_delivery=self._delivered,
                    timestamp=timestamp_ms,
                    headers=headers,  # type: ignore[arg-type]  # a list is invariant
                )
            except BufferError:
                with kafka_errors("sending"):
                    self._producer.poll(0.1)
            except KafkaException as error:
                raise _translated(f"sending to {topic}", _cause(error)) from error
            else:
                return

    def flush(self) -> dict[Partition, Written]:
        """Wait until every record is on the broker, and give where they lie. They are not committed yet.

        Raises:
            KafkaUnavailableError, BrokerError, ProducerFencedError: one is not there.
        """
        with kafka_errors("sending"):
            while left := self._producer.flush(_LOOK_S):
                if self._down:
                    raise KafkaUnavailableError(f"{left} records are not acknowledged: {self._down[-1]}")
        if self._refused is not None:
            raise _translated("sending", self._refused)
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
                self._producer.commit_transaction(_LOOK_S)
            except (KafkaException, SystemError) as error:
                cause = _cause(error)
                if not cause.retriable() or self._down or time.monotonic() > deadline:
                    raise _translated("committing a kafka_tx", cause) from error
            else:
                return

    def end_what_hangs(self, partitions: Iterable[Partition]) -> None:
        """Abort a record in each partition, and with it what an earlier producer of our id left open there.

        Fencing ends what the coordinator knows of. Where a partition lost the marker of a kafka_tx, its records stay undecided for ever
        (KIP-664, "hanging transactions"); the next marker of the same producer id decides them.
        """
        self.begin()
        with kafka_errors("ending what hangs"):
            for topic, number in partitions:
                self._producer.produce(topic, b"", partition=number, on_delivery=self._delivered)
        self.flush()
        with kafka_errors("ending what hangs"):
            self._producer.abort_transaction(_COMMIT_S)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            if (
                self._refused is None or self._refused.code() in _PURGED
            ):  # what was purged, was so because another was refused
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
