"""The Kafka door: all that the publisher, the checker and the rebuilder do with Kafka goes through here (confluent-kafka, librdkafka).

    Broker     metadata, settings, topics, offsets; opens the writer
    writing    streams.kafka_tx: one transactional producer
    reading    streams.topic_reader
    below      streams.librdkafka: making its clients, telling its errors apart

Rules:
- Any librdkafka key passes through, except those that the guarantee rests on (`OWNED_KEYS`).
- Every failure leaves as an error of `streams.errors`. Nothing here is retried.

Source: KIP-98 (transactions); librdkafka's CONFIGURATION.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not in its __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from streams.errors import KafkaUnavailableError, StreamError
from streams.kafka_tx import KafkaTx, Partition, Patience, Written
from streams.librdkafka import LOOK_S, Heard, cause_of, kafka_errors, log, made_client, translated

__all__ = ["OWNED_KEYS", "Broker", "KafkaTx", "Partition", "Patience", "Written"]

OWNED_KEYS = frozenset(
    {
        "bootstrap.servers", "enable.idempotence", "acks", "request.required.acks", "transactional.id", "isolation.level",
        "partitioner", "enable.auto.commit", "group.id", "max.in.flight", "max.in.flight.requests.per.connection",
        "message.max.bytes", "message.timeout.ms", "delivery.timeout.ms",
    }
)  # fmt: skip
"""Keys that the exactly-once protocol rests on; nobody else may set them."""

_REQUEST_S = 15.0
_KAFKA_TX_S = 30
"""The broker aborts a kafka_tx that is open for longer: what a killed publisher delays readers by, if it is never started again."""
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # confluent_kafka has no types for it
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent_kafka has no types for it


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
        self._heard = Heard()

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            self._admin = made_client(AdminClient, self.config | {"error_cb": self._heard})
        return self._admin

    def wait_until_it_answers(self, patience: Patience) -> None:
        """Return as soon as a broker answers; until then `patience` is called with the reason, about once a second."""
        while True:
            self._heard.forget()
            try:
                self.admin.list_topics(timeout=LOOK_S)
            except KafkaException as error:
                self.admin.poll(0)  # hear why
                patience(f"{self.bootstrap_servers} does not answer: {self._heard.last or error.args[0].str()}")
            else:
                return

    def topics(self) -> dict[str, int]:
        """Give the cluster's topics and how many partitions each has."""
        self._heard.forget()
        try:
            found = self.admin.list_topics(timeout=_REQUEST_S).topics
        except KafkaException as error:
            self.admin.poll(0)  # hear why
            raise translated(f"asking {self.bootstrap_servers} for its topics", cause_of(error), self._heard) from error
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
        except KafkaUnavailableError:
            self.topics()  # librdkafka may hold on to leaders of before; this lets it forget them
            return self._ask_offsets(asked, isolation)

    def _ask_offsets(self, asked: dict[TopicPartition, OffsetSpec], isolation: IsolationLevel) -> dict[Partition, int]:
        with kafka_errors("asking for offsets"):
            answers = self.admin.list_offsets(asked, isolation_level=isolation, request_timeout=_REQUEST_S)
            return {Partition(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}

    def open_producer(self, transactional_id: str, message_bytes_max: int, patience: Patience) -> KafkaTx:
        """Fence every earlier producer of this id, end its open kafka_tx, and give the new one.

        A kafka_tx of it whose commit was asked for is waited for: when this returns, it is decided.

        Args:
            message_bytes_max: of the largest record that may be sent.
            patience: called with the reason again and again while Kafka does not answer, also later by the KafkaTx; may raise.

        Raises:
            BrokerError: Kafka does not let us.
            ClientSettingsError
        """
        timeout_ms = int(self.config.get("transaction.timeout.ms", _KAFKA_TX_S * 1000))
        heard = Heard()
        config = {
            "linger.ms": 10,  # a flush does not wait for it; more would keep the network idle while records are made
            "topic.metadata.propagation.max.ms": 5000,  # a topic that is gone: every topic was there before it is written to
            **self.config,
            "error_cb": heard,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": timeout_ms,
            "message.timeout.ms": timeout_ms,
            "enable.idempotence": True,
            "acks": "all",
            "max.in.flight.requests.per.connection": 1,  # more, and a new partition may lose a batch: see `_delivered`
            "message.max.bytes": message_bytes_max,
        }
        producer = made_client(Producer, config)
        with kafka_errors("fencing earlier publishers"):
            while True:
                try:
                    producer.init_transactions(LOOK_S)
                except KafkaException as error:
                    if not error.args[0].retriable():
                        raise
                    producer.poll(0)  # hear why
                    patience(f"{self.bootstrap_servers} does not answer: {heard.last or error.args[0].str()}")
                else:
                    break
        heard.forget()
        return KafkaTx(producer, message_bytes_max, patience, heard)
