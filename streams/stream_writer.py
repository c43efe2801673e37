"""The one who writes a stream: takes it over, makes it whole, then publishes blocks, one kafka_tx after the other.

Taking over, literally in this order:

    fence        open_producer: every earlier publisher of this stream is out, its open kafka_tx is ended
    settings     of every topic: none that would lose history                              TopicSettingsError
    read         the position from block-summary, once its last stable offset is its end
    compare      strand and block hash with the journal's                                  ForkError
    inspect      the partitions against what was recorded of them                          streams.inspection
    own          CREATED (first ever) and OWNER, with the ends
    mend         REPUBLISHED, and the records that Kafka lost, in their order

What a crash leaves:

    before a kafka_tx, or in it before the commit     nothing visible; the next start fences it away and sends the blocks again
    after the commit reached Kafka                    the blocks, their summaries and so the position, all at once
    in between                                        unknown here, known to Kafka: the next start waits for it, then reads

Rules:
- After any error this object is done with: nothing is repeated in place, no kafka_tx whose commit was asked for is aborted. Take over
  again.
- A record that does not land exactly at the known end of its partition means that Kafka lost something, or that somebody else wrote: the
  kafka_tx is not committed.
- Only a commit moves what this object believes, and it believes nothing that it could not read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from ledger.block import Block
from ledger.journal import JournalReader
from ledger.values import Value
from streams.broker import Broker, KafkaTx, Partition
from streams.errors import BrokerError, ForkError
from streams.formats import Format
from streams.inspection import Inspection, Place, history_lost, inspect, revisions_of
from streams.position import ENDS_HEADER, LOST, Position, control_of, read_position
from streams.records import Record, control_record, records_of
from streams.topic_reader import first_record
from streams.topics import MESSAGE_BYTES_MAX, TopicNames, check_partitions, check_settings, topic_settings

__all__ = ["Options", "StreamWriter"]

_KAFKA_TX_BYTES = 4 * 1024 * 1024  # of values; their proofs are as much again
_KAFKA_TX_S = 0.05
"""A kafka_tx takes in whole blocks until one of these is passed: bounded memory, and readers never wait for long."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a stream is written. `partitions`: of a table's topic when it is created; never changed later, as keys would move."""

    value_format: Format = "json"
    partitions: int = 6
    message_bytes_max: int = MESSAGE_BYTES_MAX
    owner: Mapping[str, Value] = field(default_factory=dict)
    """What the OWNER record says of this publisher: publisherId, host, pid, startTime."""


class StreamWriter:
    """Made by `take_over`."""

    def __init__(
        self, broker: Broker, journal: JournalReader, names: TopicNames, options: Options, tx: KafkaTx
    ) -> None:
        self._broker, self._journal, self._names, self._options, self._tx = broker, journal, names, options, tx
        self._topic_settings = topic_settings(options.message_bytes_max)
        self._ends: dict[str, list[int]] = {}  # of each partition's log: where the next record must come to lie
        self._visible_ends: dict[str, list[int]] = {}  # behind each partition's last committed record: what is recorded
        self._inspection = Inspection({}, {}, {})
        self._blocks: Iterator[Block] = iter(())
        self._held: Block | None = None
        self._sent = -1
        self.sequence_no = -1
        """The last published block."""

    @classmethod
    def take_over(
        cls,
        broker: Broker,
        journal: JournalReader,
        names: TopicNames,
        options: Options,
        patience: Callable[[str], None],
    ) -> StreamWriter:
        """Become the stream's writer.

        Args:
            patience: called with the reason again and again while Kafka, or the end of a foreign kafka_tx, is awaited; waits a little, and
                may raise.

        Raises:
            ForkError, ForeignStreamError, TopicSettingsError, HistoryLostError: nothing was written.
            KafkaUnavailableError, BrokerError, ProducerFencedError: try again.
        """
        transactional_id = f"{names.prefix}.{names.ledger}.{journal.strand_id}"
        producer = broker.open_producer(transactional_id, options.message_bytes_max, patience)
        writer = cls(broker, journal, names, options, producer)
        writer._make_topics({names.block_summary: 1, names.catalog_changes: 1})
        writer._check_settings()
        position = writer._read_position(patience)
        writer._compare(position)
        ends = writer._read_ends(position, patience)
        writer._inspection = inspect(broker, writer._journal_blocks, names, writer._counts(), ends, position)
        for (topic, number), end in writer._inspection.ends.items():
            writer._visible_ends[topic][number] = end
        writer.sequence_no = writer._sent = position.sequence_no
        writer._own(first=position.ends is None)
        writer._mend()
        return writer

    # -- taking over ------------------------------------------------------------------------------------------------

    def _check_settings(self) -> None:
        for topic, settings in self._broker.settings(self._topics_there()).items():
            check_settings(topic, settings, self._options.message_bytes_max, self._broker.bootstrap_servers)

    def _read_position(self, patience: Callable[[str], None]) -> Position:
        block_summary = Partition(self._names.block_summary, 0)
        end = self._stable_ends([block_summary], patience)[block_summary]
        start = self._broker.starts([block_summary])[block_summary]
        if 0 < start < end:  # emptied on purpose and begun again, or cut off by retention?
            first = first_record(self._broker, block_summary, start)
            if first is not None and (control_of(first) or {}).get("controlRecordType") != "CREATED":
                raise history_lost(block_summary, start, self._broker.bootstrap_servers)
        return read_position(self._broker, block_summary, start, end)

    def _compare(self, position: Position) -> None:
        """Refuse to go on where stream and journal tell different histories."""
        strand_id = self._journal.strand_id
        if position.strand_id is not None and position.strand_id != strand_id:
            raise ForkError("another strand", published=position.strand_id, journal=strand_id)
        if position.address is None:
            return
        tip = self._journal.tip_sequence_no()
        if tip < position.sequence_no:
            raise ForkError(
                "the journal is behind its own stream (a restored backup?)",
                published=f"block {position.address} with hash {position.block_hash.hex()}",
                journal=f"{tip} as its last block",
            )
        block = next(iter(self._journal_blocks(position.sequence_no)))
        if (block.address, block.block_hash) != (position.address, position.block_hash):
            raise ForkError(
                f"two histories of block {position.sequence_no}",
                published=f"{position.address} with hash {position.block_hash.hex()}",
                journal=f"{block.address} with hash {block.block_hash.hex()}",
            )

    def _read_ends(self, position: Position, patience: Callable[[str], None]) -> dict[Partition, int]:
        """Make the topics that were recorded and are gone, and give the end of every partition of all of them."""
        self._make_topics({topic: len(ends) for topic, ends in (position.ends or {}).items()})
        counts = self._topics_there()
        recorded = {topic: len(ends) for topic, ends in (position.ends or {}).items()}
        for topic, expected in (recorded | {self._names.block_summary: 1, self._names.catalog_changes: 1}).items():
            check_partitions(topic, expected, counts.get(topic, 0), self._broker.bootstrap_servers)
        ends = self._stable_ends([Partition(topic, p) for topic, n in counts.items() for p in range(n)], patience)
        self._ends = {topic: [ends[Partition(topic, p)] for p in range(n)] for topic, n in counts.items()}
        self._visible_ends = {topic: [0] * n for topic, n in counts.items() if topic != self._names.block_summary}
        return ends

    def _stable_ends(self, partitions: list[Partition], patience: Callable[[str], None]) -> dict[Partition, int]:
        """Give the ends once nothing before them is undecided. Our own kafka_tx can be ended; others we can only await."""
        tried = False
        while True:
            ends = self._broker.ends(partitions)
            stable = self._broker.stable_ends(partitions)
            open_ones = [p for p in partitions if stable[p] < ends[p]]
            if not open_ones:
                return ends
            if not tried:
                self._tx.end_what_hangs(open_ones)
                tried = True
                continue
            topic, number = open_ones[0]
            patience(
                f"another producer has an open Kafka transaction on {open_ones[0]}, from offset {stable[open_ones[0]]} on. If it does "
                f"not end: kafka-transactions.sh --bootstrap-server {self._broker.bootstrap_servers} abort --topic {topic} "
                f"--partition {number} --start-offset {stable[open_ones[0]]}"
            )

    def _own(self, *, first: bool) -> None:
        kinds: list[dict[str, Value]] = [{"controlRecordType": "CREATED"}] if first else []
        kinds.append({"controlRecordType": "OWNER", **self._options.owner})
        controls = [self._control(kind) for kind in kinds]
        controls[0].headers.append(self._ends_header())
        self._tx.begin()
        for control in controls:
            self._tx.send(control)
        self._commit()

    def _mend(self) -> None:
        """Publish again what partitions lack up to the position. OWNER's ends say LOST for them until the next kafka_tx of blocks."""
        behind = self._inspection.behind
        announced: set[Partition] = set()
        sent = 0
        for block in self._journal_blocks(min(place[0] for place in behind.values())) if behind else ():
            if block.sequence_no > self.sequence_no:
                break
            missing = self._missing_records(block)
            if missing and not sent:
                self._tx.begin()
            for partition, record in missing:
                if partition not in announced:
                    announced.add(partition)
                    self._tx.send(self._republished(partition, block.sequence_no))
                self._tx.send(record)
                sent += len(record.value)
            if sent > _KAFKA_TX_BYTES:
                self._commit()
                sent = 0
        if sent:
            self._commit()
        behind.clear()

    def _missing_records(self, block: Block) -> list[tuple[Partition, Record]]:
        places = list(revisions_of(block, self._names, self._counts()))
        if not any(self._lacks(partition, (block.sequence_no, index)) for partition, index, _ in places):
            return []
        records = records_of(block, self._names, self._options.value_format)
        return [
            (partition, record)
            for (partition, index, _), record in zip(places, records, strict=False)
            if self._lacks(partition, (block.sequence_no, index))
        ]

    def _lacks(self, partition: Partition, place: Place) -> bool:
        filled = self._inspection.behind.get(partition)
        return filled is not None and place >= filled

    def _republished(self, partition: Partition, from_sequence_no: int) -> Record:
        return self._control(
            {
                "controlRecordType": "REPUBLISHED",
                "topic": partition.topic,
                "partition": partition.number,
                "fromOffset": self._ends[partition.topic][partition.number],
                "fromSequenceNo": from_sequence_no,
                "throughSequenceNo": self.sequence_no,
            }
        )

    # -- publishing -------------------------------------------------------------------------------------------------

    def publish(self, until: int | None = None) -> int:
        """Publish what the journal has next in one kafka_tx, and give how many blocks that was; 0: there is nothing yet.

        Args:
            until: the number of the block to end with; COMPLETED follows it.

        Raises:
            KafkaUnavailableError, BrokerError, ProducerFencedError: take over again.
        """
        block = self._next_block()
        if block is None:
            return 0
        if not self._has_topics_for(block):
            of_table = self._names.of_table
            self._make_topics({of_table(t.table_id, t.table_name): self._options.partitions for t in block.tables})
        self._tx.begin()
        deadline = time.monotonic() + _KAFKA_TX_S
        first, size = block, self._send(block, [self._ends_header()])
        while size < _KAFKA_TX_BYTES and time.monotonic() < deadline and block.sequence_no != until:
            following = self._next_block()
            if following is None:
                break
            if not self._has_topics_for(following):
                self._held = following  # its topic is made before the kafka_tx that needs it
                break
            block = following
            size += self._send(block, [])
        if block.sequence_no == until:
            self._tx.send(self._control({"controlRecordType": "COMPLETED"}))
        self._commit()
        self.sequence_no = block.sequence_no
        return block.sequence_no - first.sequence_no + 1

    def _next_block(self) -> Block | None:
        """Give the journal's next block that was not sent yet. The iterator is kept: to begin one costs a search."""
        block, self._held = self._held, None
        if block is None:
            block = next(self._blocks, None)
        if block is None and self._journal.tip_sequence_no() > self._sent:
            self._blocks = self._journal_blocks(self._sent + 1)
            block = next(self._blocks, None)
        return block

    def _send(self, block: Block, headers: Iterable[tuple[str, bytes]]) -> int:
        """Send a block's records; what a partition is ahead by is left out. Give their size."""
        records = records_of(block, self._names, self._options.value_format)
        records[-1].headers.extend(headers)
        ahead = self._inspection.ahead
        if ahead:
            places = list(revisions_of(block, self._names, self._counts()))
            there = [(block.sequence_no, index) < ahead.get(partition, (0, 0)) for partition, index, _ in places]
            records = [record for record, is_there in zip(records, [*there, False], strict=True) if not is_there]
            for partition in [p for p, place in ahead.items() if place[0] <= block.sequence_no]:
                del ahead[partition]
        size = 0
        for record in records:
            self._tx.send(record)
            size += len(record.value)
        self._sent = block.sequence_no
        return size

    def _commit(self) -> None:
        """End the kafka_tx; what crashes before the last line of it leaves nothing, what crashes after it leaves all."""
        written = self._tx.flush()
        for partition, (first_offset, _) in written.items():
            known = self._ends[partition.topic][partition.number]
            if first_offset != known:
                raise BrokerError(
                    f"{partition} ended at offset {known}, and now a record came to lie at {first_offset}: "
                    "Kafka lost records, or somebody else wrote some",
                    "UNEXPECTED_OFFSET",
                )
        self._tx.commit()
        for (topic, number), (_, last_offset) in written.items():
            self._ends[topic][number] = last_offset + 2  # behind the record comes the marker of the commit
            if topic in self._visible_ends:
                self._visible_ends[topic][number] = last_offset + 1

    @property
    def block_summary_end(self) -> int:
        """The end of block-summary: what comes there next that is not ours, somebody else wrote after us."""
        return self._ends[self._names.block_summary][0]

    # -- small things -----------------------------------------------------------------------------------------------

    def _make_topics(self, topics: Mapping[str, int]) -> None:
        """Make the topics that are not there, each with its number of partitions."""
        there = self._broker.topics()
        for topic, partitions in topics.items():
            if topic not in there:
                self._broker.create_topic(topic, partitions, self._topic_settings)
                there[topic] = partitions
            self._ends.setdefault(topic, [0] * there[topic])
            if topic != self._names.block_summary:
                self._visible_ends.setdefault(topic, [0] * there[topic])

    def _topics_there(self) -> dict[str, int]:
        """Give this stream's topics on the cluster, and how many partitions each has."""
        return {topic: n for topic, n in self._broker.topics().items() if self._names.is_ours(topic)}

    def _has_topics_for(self, block: Block) -> bool:
        return all(self._names.of_table(table.table_id, table.table_name) in self._ends for table in block.tables)

    def _counts(self) -> dict[str, int]:
        return {topic: len(ends) for topic, ends in self._ends.items()}

    def _journal_blocks(self, from_sequence_no: int) -> Iterator[Block]:
        return (block for block, _ in self._journal.blocks(from_sequence_no))

    def _control(self, payload: dict[str, Value]) -> Record:
        now_ms = time.time_ns() // 1_000_000
        return control_record(self._names, self._journal.strand_id, now_ms, payload, self._options.value_format)

    def _ends_header(self) -> tuple[str, bytes]:
        ends = self._visible_ends
        for topic, number in (*self._inspection.behind, *self._inspection.ahead):
            ends = ends | {topic: [LOST if p == number else end for p, end in enumerate(ends[topic])]}
        return ENDS_HEADER, orjson.dumps(ends)
