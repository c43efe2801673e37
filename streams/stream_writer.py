"""Writes a stream that was taken over: says whose it is, publishes again what Kafka lost, then blocks, one kafka_tx after the other.

    own        CREATED (first ever) and OWNER, with the ends
    mend       REPUBLISHED, and the records that Kafka lost, in their order
    publish    whole blocks: every REVISION_DETAILS, and BLOCK_SUMMARY, which is the position

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ledger.block import Block
from ledger.journal import JournalReader
from ledger.values import Value
from streams.broker import KafkaTx, Partition
from streams.formats import Format
from streams.inspection import Inspection, Place, places_of
from streams.records import Record, control_record, records_of, topics_of
from streams.stream_ends import StreamEnds
from streams.topics import MESSAGE_BYTES_MAX, TopicNames

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
    """Made by `streams.taking_over.take_over`, which has compared everything with the journal up to block `sequence_no`."""

    def __init__(
        self,
        journal: JournalReader,
        names: TopicNames,
        options: Options,
        tx: KafkaTx,
        ends: StreamEnds,
        inspection: Inspection,
        sequence_no: int,
    ) -> None:
        self._journal, self._names, self._options, self._tx = journal, names, options, tx
        self._ends, self._behind, self._ahead = ends, inspection.behind, inspection.ahead
        self._blocks: Iterator[Block] = iter(())
        self._held: Block | None = None
        self._sent = sequence_no
        self.sequence_no = sequence_no
        """The last published block."""

    @property
    def block_summary_end(self) -> int:
        """The end of block-summary: what comes there next that is not ours, somebody else wrote after us."""
        return self._ends.log_end(Partition(self._names.block_summary, 0))

    def own(self, *, first: bool) -> None:
        """Say whose the stream is from now on; `first`: it begins with that."""
        kinds: list[dict[str, Value]] = [{"controlRecordType": "CREATED"}] if first else []
        kinds.append({"controlRecordType": "OWNER", **self._options.owner})
        controls = [self._control(kind) for kind in kinds]
        controls[0].headers.append(self._ends_header())
        self._tx.begin()
        for control in controls:
            self._tx.send(control, 0)
        self._commit()

    def mend(self) -> None:
        """Publish again what partitions lack up to the position. OWNER's ends say LOST for them until the next kafka_tx of blocks."""
        announced: set[Partition] = set()
        sent = 0
        for block in self._journal_blocks(min(place[0] for place in self._behind.values())) if self._behind else ():
            if block.sequence_no > self.sequence_no:
                break
            missing = self._missing_records(block)
            if missing and not sent:
                self._tx.begin()
            for partition, record in missing:
                if partition not in announced:
                    announced.add(partition)
                    self._tx.send(self._republished(partition, block.sequence_no), 0)
                self._tx.send(record, partition.number)
                sent += len(record.value)
            if sent > _KAFKA_TX_BYTES:
                self._commit()
                sent = 0
        if sent:
            self._commit()
        self._behind = {}

    def publish(self, until: int | None = None) -> int:
        """Publish what the journal has next in one kafka_tx, and give how many blocks that was; 0: there is nothing yet.

        Args:
            until: the number of the block to end with; COMPLETED follows it.

        Raises:
            KafkaUnavailableError, BrokerError, ProducerFencedError: take over again.
            TopicSettingsError, RecordTooLargeError: a person must mend it first.
        """
        block = self._next_block()
        if block is None:
            return 0
        if not self._has_topics_for(block):
            self._ends.make_topics(dict.fromkeys(topics_of(block, self._names), self._options.partitions))
        self._tx.begin()
        deadline = time.monotonic() + _KAFKA_TX_S
        first, size = block, self._send(block, self._ends_header())
        while size < _KAFKA_TX_BYTES and time.monotonic() < deadline and block.sequence_no != until:
            following = self._next_block()
            if following is None:
                break
            if not self._has_topics_for(following):
                self._held = following  # its topic is made before the kafka_tx that needs it
                break
            block = following
            size += self._send(block)
        if block.sequence_no == until:
            self._tx.send(self._control({"controlRecordType": "COMPLETED"}), 0)
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

    def _send(self, block: Block, *headers: tuple[str, bytes]) -> int:
        """Send a block's records; what a partition is ahead by is left out. Give their size."""
        *details, summary = records_of(block, self._names, self._options.value_format, self._ends.counts)
        places = places_of(block, self._names, self._ends.counts)
        size = len(summary.value)
        for record, (partition, index, _) in zip(details, places, strict=True):
            if (block.sequence_no, index) >= self._ahead.get(partition, (0, 0)):
                self._tx.send(record, partition.number)
                size += len(record.value)
        for partition in [p for p, place in self._ahead.items() if place[0] <= block.sequence_no]:
            del self._ahead[partition]
        summary.headers.extend(headers)
        self._tx.send(summary, 0)
        self._sent = block.sequence_no
        return size

    def _missing_records(self, block: Block) -> list[tuple[Partition, Record]]:
        places = list(places_of(block, self._names, self._ends.counts))
        if not any(self._lacks(partition, (block.sequence_no, index)) for partition, index, _ in places):
            return []
        records = records_of(block, self._names, self._options.value_format, self._ends.counts)
        return [
            (partition, record)
            for (partition, index, _), record in zip(places, records, strict=False)
            if self._lacks(partition, (block.sequence_no, index))
        ]

    def _lacks(self, partition: Partition, place: Place) -> bool:
        filled = self._behind.get(partition)
        return filled is not None and place >= filled

    def _republished(self, partition: Partition, from_sequence_no: int) -> Record:
        return self._control(
            {
                "controlRecordType": "REPUBLISHED",
                "topic": partition.topic,
                "partition": partition.number,
                "fromOffset": self._ends.log_end(partition),
                "fromSequenceNo": from_sequence_no,
                "throughSequenceNo": self.sequence_no,
            }
        )

    def _commit(self) -> None:
        """End the kafka_tx: a crash before Kafka has the commit leaves nothing, a crash after that all of it."""
        written = self._tx.flush()
        self._ends.check(written)
        self._tx.commit()
        self._ends.committed(written)

    def _has_topics_for(self, block: Block) -> bool:
        return all(topic in self._ends for topic in topics_of(block, self._names))

    def _journal_blocks(self, from_sequence_no: int) -> Iterator[Block]:
        return (block for block, _ in self._journal.blocks(from_sequence_no))

    def _control(self, payload: dict[str, Value]) -> Record:
        now_ms = time.time_ns() // 1_000_000
        return control_record(self._names, self._journal.strand_id, now_ms, payload, self._options.value_format)

    def _ends_header(self) -> tuple[str, bytes]:
        return self._ends.header((*self._behind, *self._ahead))
