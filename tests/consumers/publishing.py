"""Puts records of blocks into a real Kafka as the publisher does, one kafka_tx a call, and lets a test leave out, double or alter some."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from block_builder import BlockBuilder
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported, but not in its __all__

from ledger.block import Block
from streams.broker import Broker
from streams.records import Record, records_of
from streams.topics import MESSAGE_BYTES_MAX, TopicNames, topic_settings

PARTITIONS = 3


class Stream:
    """A ledger's stream of its own (nobody else has its name), and a strand that goes on."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self.broker = Broker(kafka)
        self.config = {"bootstrap.servers": kafka}
        self.names = TopicNames("test", f"l{uuid4().hex[:12]}")
        self.strand = BlockBuilder()
        self.admin = AdminClient(self.config)
        self._topics: set[str] = set()
        self._producer = Producer(
            {
                **self.config,
                "transactional.id": self.names.ledger,
                "partitioner": "murmur2_random",
                "linger.ms": 0,
            }
        )
        self.create_topics(self.names.block_summary, self.names.catalog_changes, partitions=1)
        self._producer.init_transactions(30)

    def create_topics(self, *topics: str, partitions: int = PARTITIONS) -> None:
        settings = topic_settings(MESSAGE_BYTES_MAX)
        futures = self.admin.create_topics([NewTopic(topic, partitions, 1, config=settings) for topic in topics])
        for future in futures.values():
            future.result(30)
        self._topics |= set(topics)

    def delete_topics(self, *topics: str) -> None:
        for future in self.admin.delete_topics(list(topics)).values():
            future.result(30)
        self._topics -= set(topics)

    def records_of(self, *blocks: Block) -> list[Record]:
        return [record for block in blocks for record in records_of(block, self.names)]

    def publish(self, *blocks: Block) -> None:
        self.send(self.records_of(*blocks))

    def send(self, records: Iterable[Record], *, commit: bool = True) -> None:
        """Send the records in one kafka_tx; without `commit` it is aborted after they arrived."""
        self.send_undecided(records)
        if commit:
            self.commit()
        else:
            self._producer.abort_transaction(30)

    def send_undecided(self, records: Iterable[Record]) -> None:
        """Begin a kafka_tx and bring the records to the broker."""
        records = list(records)
        if new := {record.topic for record in records} - self._topics:
            self.create_topics(*new)
        self._producer.begin_transaction()
        for record in records:
            self._producer.produce(
                record.topic, record.value, record.key, headers=list(record.headers), timestamp=record.timestamp_ms
            )
        self._producer.flush(30)

    def commit(self) -> None:
        self._producer.commit_transaction(30)
