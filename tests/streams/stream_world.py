"""A journal and its stream, for tests on a real broker."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from block_builder import STRAND_ID, BlockBuilder, sealed
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ledger.block import Block
from ledger.journal import Journal, JournalReader
from streams.broker import Broker, Partition
from streams.check import Report, check_stream, wait_until_published
from streams.errors import KafkaUnavailableError
from streams.position import control_of
from streams.publisher import Publisher
from streams.publisher_state import PublisherState
from streams.stream_writer import Options
from streams.topic_reader import ReadRecord, read_records
from streams.topics import TopicNames


class World:
    """One ledger directory, whose journal the test owns, and its topics on a broker, which start empty."""

    def __init__(self, directory: Path, bootstrap_servers: str, **config: str) -> None:
        self.data = directory
        self.ledger = f"l{uuid.uuid4().hex[:12]}"
        self.directory = directory / self.ledger
        self.broker = Broker(bootstrap_servers, config)
        self.names = TopicNames("t", self.ledger)
        self.builder = BlockBuilder()
        self.journal = Journal.open(self.directory, new_strand_id=lambda: STRAND_ID)
        self.options = Options(partitions=3)
        self.stop = threading.Event()

    def commit(self, count: int, *, table: str = "Cars", documents: int = 10, note: str = "") -> list[Block]:
        """Commit blocks of one revision each."""
        number = itertools.count(0 if self.builder.tip is None else self.builder.tip.sequence_no + 1)
        blocks = [
            self.builder.add((table, f"{table} {i % documents}", {"n": i, "note": note}))
            for i in itertools.islice(number, count)
        ]
        self.journal.append(blocks)
        return blocks

    def commit_block(self, *writes: Any, **kwargs: Any) -> Block:
        block = self.builder.add(*writes, **kwargs)
        self.journal.append([block])
        return block

    def commit_statements(self, statements: list[str]) -> Block:
        """Commit a block that wrote nothing and has many statements."""
        block = self.builder.add()
        infos = tuple(replace(block.statements[0], statement=statement) for statement in statements)
        self.builder.tip = sealed(replace(block, statements=infos))
        self.journal.append([self.builder.tip])
        return self.builder.tip

    def blocks(self) -> list[Block]:
        return [block for block, _ in self.journal.blocks()]

    def publisher(self, journal: JournalReader) -> Publisher:
        state = PublisherState(self.directory / "publisher.json", self.broker.bootstrap_servers)
        return Publisher(self.broker, journal, self.names, self.options, state, self.stop)

    def publish(self, until: int | None = None) -> None:
        """Run a publisher in this process until it has caught up."""
        reader = JournalReader.open(self.directory)
        try:
            self.publisher(reader).run(until, until_caught_up=until is None)
        finally:
            reader.close()
        topics = {topic: count for topic, count in self.broker.topics().items() if self.names.is_ours(topic)}
        partitions = [Partition(topic, number) for topic, count in topics.items() for number in range(count)]
        self.broker.decided_ends(partitions, self.broker.patience(60))

    def check(self) -> Report:
        """See that the topics are the journal's, wholly; the end of every test."""
        reader = JournalReader.open(self.directory)
        try:
            report = check_stream(self.broker, self.names, reader)
        finally:
            reader.close()
        assert report.blocks == len(self.blocks())
        return report

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "publisher.json").read_text())
        return found

    def read(self, topic: str, partition: int = 0) -> list[ReadRecord]:
        """Give what a read_committed reader sees of a partition, also of a broker that has just started."""
        where = Partition(topic, partition)
        while True:
            try:
                return list(read_records(self.broker, {where: self.broker.starts([where])[where]}))
            except KafkaUnavailableError:
                self.broker.admin.poll(0.1)

    def controls(self) -> list[str]:
        """Give the types of the CONTROL records, in order."""
        found = (control_of(record) for record in self.read(self.names.block_summary))
        return [str(control["controlRecordType"]) for control in found if control is not None]

    def table_topic(self, table: str = "Cars") -> str:
        return self.names.of_table(table, table)

    @contextmanager
    def running(self, *doom: object) -> Iterator[subprocess.Popen[str]]:
        """Run a publisher in a process of its own, doomed or not; SIGTERM ends it."""
        command = [sys.executable, str(Path(__file__).with_name("doomed_publisher.py")), str(self.data), self.ledger]
        process = subprocess.Popen(
            [*command, self.broker.bootstrap_servers, *map(str, doom)], stdout=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def wait_until_published(self, sequence_no: int | None = None, timeout_s: float = 60) -> None:
        """Wait until the topics have a block; the last one committed if none is named."""
        wanted = len(self.blocks()) - 1 if sequence_no is None else sequence_no
        assert wait_until_published(self.broker, self.names, wanted, timeout_s), f"block {wanted} does not come"

    def foreign_producer(self, transactional_id: str = "somebody-else") -> Producer:
        config = {
            "bootstrap.servers": self.broker.bootstrap_servers,
            "transactional.id": f"{transactional_id}-{self.ledger}",
        }
        producer = Producer(config)
        producer.init_transactions(30)
        return producer


def configure(world: World, topic: str, setting: str, value: str) -> None:
    """Alter a topic's setting, and return when the broker says so, too."""
    entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for answer in world.broker.admin.incremental_alter_configs([resource]).values():
        answer.result()
    while world.broker.settings([topic])[topic][setting] != value:
        world.broker.admin.poll(0.05)


def delete_topic(world: World, topic: str) -> None:
    world.broker.admin.delete_topics([topic])[topic].result()
    while topic in world.broker.topics():
        world.broker.admin.poll(0.05)


def delete_records(world: World, topic: str, partition: int, before: int) -> None:
    where = TopicPartition(topic, partition, before)
    for answer in world.broker.admin.delete_records([where]).values():
        answer.result()
