"""Reads a ledger's whole stream from Kafka, and gives out its verified blocks in order.

    block-summary ─┐  poll        Assembler       blocks()
    table topics  ─┼──────> add ─────────────> VerifiedBlock, VerifiedBlock, ...     position()
    catalogue     ─┘

Rules:
- All partitions of all topics, by assignment: a consumer group could give some of them to somebody else, and no block would be whole.
  A table's topic is assigned when a BLOCK_SUMMARY first names it. Offsets come from the projection's store; they are also committed to
  the group, never read back, for tools that show lag.
- read_committed. Caught up is decided by Kafka's end-of-partition event, never by counting offsets: Kafka's own markers leave gaps.
- A REPUBLISHED record says that Kafka lost a partition's records from an offset on: others stand there now. Who had read further goes
  back to it; what was taken already is dropped when it comes again.
- Bounded memory: a partition that runs ahead of the next block is paused until the block has gone out.
- A revision that the next block needs and that does not come: after `barrier_s` its partitions are read once more to their end (the
  publisher publishes again what Kafka lost). If it still is not there, that is a GapError. A broker that does not answer is not a gap.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumers.blocks import Assembler, VerifiedBlock
from consumers.errors import ConsumerError, GapError, PositionLostError, StoreMismatchError
from consumers.position import Position
from consumers.records import Control, Record, RecordAddress, Summary
from consumers.waiting import OnWait, describe_topic, patience
from ledger.errors import IntegrityError
from streams.broker import Broker, Partition
from streams.errors import KafkaUnavailableError
from streams.librdkafka import kafka_errors, made_client
from streams.topics import TopicNames

__all__ = ["Lag", "Source"]

_BATCH = 1_000
"""Records handed over by librdkafka in one call."""
_HELD_BYTES = 16 * 1024 * 1024
"""Proof headers held for blocks that are not whole yet, all partitions together; decoded they take a few times as much."""
_NEEDED_FACTOR = 4
"""How far a partition may run ahead beyond its share while the next block still waits for a record of its topic."""
_BARRIER_S = 10.0
_ADMIN_S = 10.0
_TELL_S = 2.0
"""How long something may be awaited before that is told."""
_REPORT_S = 1.0

_OWN_SETTINGS: dict[str, str | int | bool] = {
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
}
"""What the promises rest on: nobody else may set them."""
_DEFAULTS: dict[str, str | int | bool] = {
    # A fetch returns as soon as anything is committed; the wait only bounds how late a newly assigned partition joins in.
    "fetch.wait.max.ms": 100,
    "fetch.queue.backoff.ms": 10,
    "fetch.error.backoff.ms": 50,
    "queued.max.messages.kbytes": 16 * 1024,
}

_OUTAGES = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
"""Errors that librdkafka itself keeps trying to overcome."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind: blocks at most (until the end is reached, Kafka's markers count too), and seconds since the last block's commit."""

    blocks: int
    seconds: float


@dataclass(slots=True)
class _Stall:
    """The next block lacks something: since when, and which partitions were asked again and have not answered yet."""

    block: int
    since: float
    asked: set[tuple[str, int]] | None = None


class Source:
    """One reader of one ledger's stream. Not safe for several threads."""

    def __init__(
        self, broker: Broker, names: TopicNames, position: Position, group: str, barrier_s: float, on_wait: OnWait
    ) -> None:
        self.names, self._broker, self._barrier_s, self._on_wait = names, broker, barrier_s, on_wait
        config = {**_DEFAULTS, **broker.config, **_OWN_SETTINGS, "group.id": group, "error_cb": self._hear}
        self._consumer: Consumer = made_client(Consumer, config)
        self._start = position
        self._assembler = Assembler(position)
        self._topic_ids: dict[str, str] = {}
        self._assigned: list[tuple[str, int]] = []
        self._paused: set[tuple[str, int]] = set()
        self._outdated: set[tuple[str, int]] = set()
        """Partitions that were taken back; what librdkafka handed over of them before is not looked at."""
        self._known_tables: set[str] = set()
        self._at_end = False
        self._stall: _Stall | None = None
        self._away_since: float | None = None
        self._away = ""
        self._reported_at = 0.0

    @classmethod
    def open(
        cls,
        broker: Broker,
        names: TopicNames,
        position: Position,
        *,
        group: str,
        barrier_s: float = _BARRIER_S,
        on_wait: OnWait = lambda reason, seconds: None,
    ) -> Source:
        """Assign the summaries, the catalogue and every topic of the position. `group` is the name under which Kafka's tools see the lag.

        `on_wait` is called here, and later by `poll`, while something is awaited that should be there.

        Raises:
            StoreMismatchError: the position is one in another stream.
            PositionLostError: a topic of the position is gone, or is another one of the same name.
            ConsumerError: the ledger has no stream there, or Kafka does not answer.
        """
        if position.topics and names.block_summary not in position.topics:
            of_position = next((topic for topic in position.topics if "-" in topic.rpartition(".")[2]), "another one")
            raise StoreMismatchError(
                "the store follows another stream", expected=names.block_summary, actual=of_position
            )
        source = cls(broker, names, position, group, barrier_s, on_wait)
        try:
            broker.wait_until_it_answers(patience(_ADMIN_S, on_wait))
            for topic in dict.fromkeys((names.block_summary, names.catalog_changes, *position.topics)):
                source._assign(topic)
        except BaseException:
            source.close()
            raise
        return source

    # -- reading ----------------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> int:
        """Wait for records and take what is there, at most `_BATCH`; give their number. `blocks` then has what became whole.

        Raises:
            GapError, ForkError, IntegrityError: as `Assembler.add`, and if what the next block needs is nowhere.
            PositionLostError: Kafka does not have the offsets any more.
        """
        first = self._consumer.poll(timeout_s)
        taken = 0
        if first is not None:
            # Not consume(_BATCH, timeout_s): that would wait for the whole batch, or the whole time.
            for message in (first, *self._consumer.consume(_BATCH - 1, 0)):
                taken += self._take(message)
            self._outdated.clear()
            self._away_since = None
        self._throttle()
        self._check_stall()
        self._tell()
        return taken

    def blocks(self) -> Iterator[VerifiedBlock]:
        """Give the blocks that are whole now, verified, in order; `position` follows them one by one."""
        return self._assembler.blocks()

    def position(self) -> Position:
        """Give the position behind the last block that `blocks` gave."""
        return self._assembler.position(self._topic_ids)

    @property
    def caught_up(self) -> bool:
        """Whether everything that was committed when Kafka was last asked has been given out."""
        return self._at_end and self._assembler.summaries_held == 0

    @property
    def duplicates(self) -> int:
        """Records that came again and were dropped."""
        return self._assembler.duplicates

    def lag(self) -> Lag:
        """Say how far the last block given out is behind the end of the stream."""
        if self.caught_up:
            return Lag(0, 0.0)
        behind = self._assembler.summaries_held
        if not self._at_end:
            summary = TopicPartition(self.names.block_summary, 0)
            _, high = self._consumer.get_watermark_offsets(summary, cached=True)
            (at,) = self._consumer.position([summary])
            behind += max(0, high - max(0, at.offset))
        since_commit = time.time() - self._assembler.block_time_ms / 1000 if self._assembler.block_time_ms else 0.0
        return Lag(behind, max(0.0, since_commit))

    def report(self, position: Position) -> None:
        """Tell Kafka's group, at most once a second, what is applied: for lag tools alone."""
        now = time.monotonic()
        if now - self._reported_at < _REPORT_S:
            return
        self._reported_at = now
        offsets = [TopicPartition(t, p, o) for t, topic in position.topics.items() for p, o in topic.offsets.items()]
        if offsets:
            with suppress(KafkaException):
                self._consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        self._consumer.close()

    def _take(self, message: Message) -> int:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if (topic, partition) in self._outdated:
            return 0
        if (error := message.error()) is not None:
            self._take_event(error, topic or "", -1 if partition is None else partition, offset or 0)
            return 0
        address = RecordAddress(cast(str, topic), cast(int, partition), cast(int, offset))
        if topic == self.names.block_summary:
            self._at_end = False
        headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        part = self._assembler.add(Record(address, headers, message.value()))
        if isinstance(part, Summary):
            self._assign_tables(part)
        elif isinstance(part, Control) and part.payload.get("controlRecordType") == "REPUBLISHED":
            self._go_back(part)
        return 1

    def _take_event(self, error: KafkaError, topic: str, partition: int, offset: int) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._assembler.passed(topic, partition, offset)
            if topic == self.names.block_summary:
                self._reached_end()
            if self._stall is not None and self._stall.asked is not None:
                self._stall.asked.discard((topic, partition))
        elif code == KafkaError._AUTO_OFFSET_RESET:
            with kafka_errors(f"asking where {topic}[{partition}] ends"):
                low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), _ADMIN_S)
            raise PositionLostError(
                f"Kafka does not have the next record of {topic}[{partition}] ({error.str()})",
                expected=f"offset {self._assembler.next_offset(topic, partition)}",
                actual=f"offsets {low} to {high}",
            )
        elif code not in _OUTAGES:
            raise ConsumerError(f"Kafka: {topic}[{partition}]: {error.name()}: {error.str()}")

    def _reached_end(self) -> None:
        self._at_end = True
        if self._assembler.highest_summary < self._start.sequence_no and not self._start.topics:
            raise PositionLostError(
                f"the stream of {self.names.block_summary} ends before the position",
                expected=self._start,
                actual=f"last block {self._assembler.highest_summary}",
            )

    def _hear(self, error: KafkaError) -> None:
        if error.code() in _OUTAGES:
            self._away_since, self._away = self._away_since or time.monotonic(), error.str()

    def _tell(self) -> None:
        """Say what is awaited, once that takes long."""
        now = time.monotonic()
        if self._away_since is not None and now - self._away_since > _TELL_S:
            try:
                self._consumer.list_topics(self.names.block_summary, _ADMIN_S / 10)
            except KafkaException:
                self._on_wait(f"{self._broker.bootstrap_servers} does not answer: {self._away}", now - self._away_since)
            else:
                self._away_since = None
        elif self._stall is not None and now - self._stall.since > _TELL_S:
            missing = self._assembler.missing()[0]
            topic = self.names.of_table(missing.table_id, missing.table_name)
            what = f"{missing.table_name} {missing.document_id} version {missing.version}"
            self._on_wait(f"block {self._stall.block} still lacks {what} of topic {topic}", now - self._stall.since)

    # -- which partitions -------------------------------------------------------------------------------------------

    def _assign_tables(self, summary: Summary) -> None:
        for table in summary.block.tables:
            if table.table_id not in self._known_tables:
                self._known_tables.add(table.table_id)
                topic = self.names.of_table(table.table_id, table.table_name)
                if topic not in self._topic_ids:
                    self._assign(topic)

    def _assign(self, topic: str) -> None:
        """Begin to read a topic: where the position left it, else at its beginning."""
        wait = patience(_ADMIN_S, self._on_wait)
        topic_id, partitions = describe_topic(self._broker, self.names, topic, wait)
        known = self._start.topics.get(topic)
        if known is not None and known.topic_id != topic_id:
            raise PositionLostError(f"topic {topic} is another one", expected=known.topic_id, actual=topic_id)
        self._topic_ids[topic] = topic_id
        offsets = known.offsets if known is not None else {}
        self._assigned += [(topic, number) for number in partitions]
        with kafka_errors(f"beginning to read {topic}"):
            self._consumer.list_topics(topic, _ADMIN_S)  # now, or librdkafka looks for the leader a second later
            self._consumer.incremental_assign([TopicPartition(topic, n, offsets.get(n, 0)) for n in partitions])

    def _go_back(self, republished: Control) -> None:
        """Read a partition again from where its records were replaced, if that is behind us."""
        topic, partition, offset = (republished.payload.get(name) for name in ("topic", "partition", "fromOffset"))
        if not (isinstance(topic, str) and isinstance(partition, int) and isinstance(offset, int)):
            raise IntegrityError("a REPUBLISHED record that does not say where", address=republished.address)
        part = (topic, partition)
        if part not in self._assigned or self._assembler.next_offset(*part) <= offset:
            return
        self._assembler.go_back(*part, offset)
        self._outdated.add(part)
        self._paused.discard(part)
        self._consumer.incremental_unassign(
            [TopicPartition(*part)]
        )  # a seek would fail while librdkafka looks for the leader
        self._consumer.incremental_assign([TopicPartition(*part, offset)])
        self._consumer.resume([TopicPartition(*part)])

    def _throttle(self) -> None:
        """Pause what runs ahead of the next block, resume what does not any more."""
        if not self._paused and self._assembler.held_bytes < _HELD_BYTES // 2:
            return
        needed = {self.names.of_table(line.table_id, line.table_name) for line in self._assembler.missing()}
        if self._assembler.summaries_held == 0:
            needed = {self.names.block_summary}
        ahead = {part for part in self._assigned if self._assembler.ahead_bytes(*part) > self._allowance(part, needed)}
        if pausing := ahead - self._paused:
            self._consumer.pause([TopicPartition(*part) for part in pausing])
        if resuming := self._paused - ahead:
            self._consumer.resume([TopicPartition(*part) for part in resuming])
        self._paused = ahead

    def _allowance(self, part: tuple[str, int], needed: set[str]) -> int:
        share = _HELD_BYTES // len(self._assigned)
        if part[0] in needed:
            return share * _NEEDED_FACTOR
        return share // 2 if part in self._paused else share

    def _check_stall(self) -> None:
        """Find out, without ever counting offsets, whether something that the next block needs is not there."""
        missing = self._assembler.missing()
        if not missing:
            self._stall = None
            return
        block = self._assembler.sequence_no + 1
        now = time.monotonic()
        if self._stall is None or self._stall.block != block:
            self._stall = _Stall(block, now)
        elif self._stall.asked is None and now - self._stall.since >= self._barrier_s:
            topics = {self.names.of_table(line.table_id, line.table_name) for line in missing}
            self._stall.asked = {part for part in self._assigned if part[0] in topics}
            for part in self._stall.asked:
                at = self._assembler.next_offset(*part)
                self._consumer.seek(TopicPartition(*part, at))  # makes librdkafka fetch, and tell the end, anew
        elif self._stall.asked is not None and self._stall.asked <= self._paused:
            if self._undecided({self.names.of_table(line.table_id, line.table_name) for line in missing}):
                self._stall = None  # wait as long again
                return
            line = missing[0]
            raise GapError(
                f"block {block}: {len(missing)} revisions are not in Kafka, the first is {line.table_name} "
                f"{line.document_id} version {line.version}: sequence number in the table",
                expected=line.table_sequence_no,
                actual="nothing up to the end of the topic",
            )

    def _undecided(self, topics: set[str]) -> bool:
        """Whether more may become visible without being sent: a kafka_tx whose commit has not reached these topics yet, or nobody knows."""
        parts = [Partition(*part) for part in self._assigned if part[0] in topics]
        try:
            return self._broker.stable_ends(parts) != self._broker.ends(parts)
        except KafkaUnavailableError:
            return True
