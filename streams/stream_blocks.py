"""Reads a stream as whole, verified blocks, from the topics alone: for the checker and the rebuilder.

block-summary says which revisions a block has, and in which order; a document's partition follows from its id; which tables are dropped
or are back is told by the catalogue's revisions, which are read first. So it is known of every record of every partition what it must
be, and each partition is read strictly from its first record on: a record that is missing, doubled, out of order or altered is met there.

    block-summary      |7|8|9|...       one record is taken: block 8 = {a: revision 3 of Cars, b: revision 4 of Cars, c: ...}
    Cars, partition 0  |3|5|            the next one must be revision 3
    Cars, partition 1  |4|              the next one must be revision 4

Only what is stable when reading starts is read, so that a publisher may go on meanwhile; what the other partitions have by then of later
blocks is compared with the summaries of these. Every block is verified by `ledger.verify`: hashes
from the documents up, chain link, sequence of each table.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ledger.block import SYSTEM_TABLE_ID, Block, Revision, TableRevisions
from ledger.block_reading import RevisionRecord, record_of_struct, summary_of_struct
from ledger.errors import IntegrityError
from ledger.verify import verify_block, verify_chain_link, verify_table_sequences
from streams.broker import Broker, Partition
from streams.errors import ForeignStreamError, KafkaUnavailableError
from streams.inspection import Identity, places_of
from streams.librdkafka import kafka_errors, made_client
from streams.partitioner import partition_of
from streams.position import control_of, proof_of
from streams.records import RECORD_TYPE_HEADER
from streams.table_changes import TableChange, dropped, table_changes, undropped
from streams.topic_reader import ReadRecord, consumer_config, read_record, read_records
from streams.topics import TopicNames

__all__ = ["StreamBlock", "StreamBlocks"]

_SILENCE_S = 20.0
_HELD_BYTES_MAX = 128 * 1024 * 1024
"""Of records read and not taken yet, over all partitions."""


class StreamBlock(NamedTuple):
    """A verified block, and the records it was read from, in the order of `records_of`."""

    block: Block
    records: tuple[ReadRecord, ...]


class StreamBlocks:
    """The stream of one ledger as it stands when this is made; iterate over it once. As a context manager it closes at the end.
    `counts`: how many partitions each topic has.

    Raises:
        ForeignStreamError: there is no such stream.
    """

    def __init__(self, broker: Broker, names: TopicNames) -> None:
        self._broker, self._names = broker, names
        self.counts = {topic: n for topic, n in broker.topics().items() if names.is_ours(topic)}
        if names.block_summary not in self.counts:
            raise ForeignStreamError(
                f"there is no stream: topic {names.block_summary} does not exist on {broker.bootstrap_servers}"
            )
        # The summaries' end first: what they tell of lies in the other partitions by then.
        self._ends = broker.decided_ends([Partition(names.block_summary, 0)], broker.patience(_SILENCE_S))
        rest = [
            Partition(topic, p) for topic, n in self.counts.items() if topic != names.block_summary for p in range(n)
        ]
        self._ends |= broker.decided_ends(rest, broker.patience(_SILENCE_S))
        self._queues = _Queues(broker, broker.starts(self._ends), self._ends)
        self._previous: Block | None = None
        self._sequence_nos: dict[str, int] = {}

    def __iter__(self) -> Iterator[StreamBlock]:
        """Give the blocks from 0 on.

        Raises:
            IntegrityError: the first record or block that is not as it must be.
            ForeignStreamError: a record that no publisher of ours wrote.
            KafkaUnavailableError, BrokerError
        """
        block_summary = Partition(self._names.block_summary, 0)
        while (record := self._queues.take(block_summary)) is not None:
            if control_of(record) is None:
                yield self._whole(record)
        self._check_rests()

    def close(self) -> None:
        self._queues.close()

    def __enter__(self) -> StreamBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _whole(self, record: ReadRecord) -> StreamBlock:
        try:
            summary = summary_of_struct(proof_of(record))
            verify_chain_link(self._previous, summary)
            verify_table_sequences(summary, self._sequence_nos)
        except IntegrityError as error:
            raise _at(record, error) from error
        block, records = self._filled(summary)
        verify_block(block)
        self._previous = block
        return StreamBlock(block, (*records, record))

    def _filled(self, summary: Block) -> tuple[Block, list[ReadRecord]]:
        """Give the block with its documents, and the records that they, and what is told of whole tables, were read from."""
        catalogue = {
            n: self._filled_table(summary, t) for n, t in enumerate(summary.tables) if t.table_id == SYSTEM_TABLE_ID
        }
        changes = table_changes(replace(summary, tables=tuple(table for table, _ in catalogue.values())))
        before = self._told(summary, undropped(changes))
        tables = [catalogue.get(n) or self._filled_table(summary, table) for n, table in enumerate(summary.tables)]
        behind = self._told(summary, dropped(changes))
        records = [*before, *(record for _, read in tables for record in read), *behind]
        return replace(summary, tables=tuple(table for table, _ in tables)), records

    def _told(self, summary: Block, changes: Iterable[TableChange]) -> list[ReadRecord]:
        """Give the CONTROL records that tell of dropped tables and of those that are back: one of each partition."""
        records = []
        for change in changes:
            topic = self._names.of_table(change.table_id, change.table_name)
            wanted = f"{change.control_record_type} of table {change.table_name}"
            for partition in self._partitions(summary, topic, wanted):
                record = self._next(summary, partition, wanted)
                found = self._record_of(record)
                actual = (record.headers[RECORD_TYPE_HEADER], found.block_hash, found.table_id, found.table_sequence_no)
                if actual != (b"CONTROL", summary.block_hash, SYSTEM_TABLE_ID, change.number):
                    raise _another(summary, record, wanted, found)
                records.append(record)
        return records

    def _partitions(self, summary: Block, topic: str, wanted: str) -> list[Partition]:
        if topic not in self.counts:
            raise IntegrityError(f"{wanted}: topic {topic} does not exist", address=summary.address)
        return [Partition(topic, number) for number in range(self.counts[topic])]

    def _next(self, summary: Block, partition: Partition, wanted: str) -> ReadRecord:
        record = self._queues.take(partition)
        if record is None:
            raise IntegrityError(f"{wanted} is missing in {partition}", address=summary.address)
        return record

    def _filled_table(self, summary: Block, table: TableRevisions) -> tuple[TableRevisions, list[ReadRecord]]:
        """Give the table's revisions with their data, each from the next record of its partition."""
        topic = self._names.of_table(table.table_id, table.table_name)
        revisions, records = [], []
        for number, revision in enumerate(table.revisions, table.first_sequence_no):
            wanted = f"revision {number} of table {table.table_name}, document {revision.id} version {revision.version}"
            partitions = self._partitions(summary, topic, wanted)
            record = self._next(summary, partitions[partition_of(revision.id, len(partitions))], wanted)
            found = self._record_of(record)
            expected = (
                b"REVISION_DETAILS",
                summary.block_hash,
                table.table_id,
                table.table_name,
                number,
                revision.id,
                revision.version,
                revision.hash,
            )
            actual = (
                record.headers[RECORD_TYPE_HEADER], found.block_hash, found.table_id, found.table_name, found.table_sequence_no,
                found.revision.id, found.revision.version, found.revision.hash,
            )  # fmt: skip
            if expected != actual:
                raise _another(summary, record, wanted, found)
            revisions.append(_with_content(revision, found))
            records.append(record)
        return replace(table, revisions=tuple(revisions)), records

    def _record_of(self, record: ReadRecord) -> RevisionRecord:
        if record.headers.get(RECORD_TYPE_HEADER) not in (b"REVISION_DETAILS", b"CONTROL"):
            raise ForeignStreamError(f"{record} was not written by a publisher of Strandline")
        try:
            return record_of_struct(proof_of(record))
        except IntegrityError as error:
            raise _at(record, error) from error

    def _check_rests(self) -> None:
        """See that what the partitions have more than the summaries told of is that which the next summaries tell of, in this order."""
        rests = {partition: list(iter(partial(self._queues.take, partition), None)) for partition in self._ends}
        rests = {partition: rest for partition, rest in rests.items() if rest}
        tip = -1 if self._previous is None else self._previous.sequence_no
        for partition, rest in rests.items():
            if self._record_of(rest[0]).block_address.sequence_no <= tip:
                raise IntegrityError(f"{rest[0]} is there a second time, or belongs to no block", address=partition)
        # A summary alone does not say which tables its block drops: what tells of one must belong to some block, that is all.
        told = {self._record_of(r).block_hash: r for rest in rests.values() for r in rest if _is_control(r)}
        rests = {partition: [r for r in rest if not _is_control(r)] for partition, rest in rests.items()}
        for block in self._later_blocks() if rests else ():
            told.pop(block.block_hash, None)
            for partition, _, identity in places_of(block, self._names, self.counts):
                if rest := rests.get(partition, []):
                    self._compare_identity(rest.pop(0), identity)
            if not told and not any(rests.values()):
                return
        for record in (*told.values(), *chain.from_iterable(rests.values())):
            raise IntegrityError(f"{record} belongs to no block", address=record.partition)

    def _later_blocks(self) -> Iterator[Block]:
        """Give the summaries that came since the reading began."""
        block_summary = Partition(self._names.block_summary, 0)
        from_offset = self._ends[block_summary]
        self._broker.decided_ends([block_summary], self._broker.patience(_SILENCE_S))
        for record in read_records(self._broker, {block_summary: from_offset}):
            if control_of(record) is None:
                yield summary_of_struct(proof_of(record))

    def _compare_identity(self, record: ReadRecord, expected: Identity) -> None:
        found = self._record_of(record)
        actual = (found.block_hash, found.table_id, found.table_sequence_no)
        if actual != expected:
            raise IntegrityError(
                f"{record} is not what its block's summary tells of", address=record, expected=expected, actual=actual
            )


class _Queues:
    """All partitions at once through one consumer, each as a queue; one that runs ahead is paused."""

    def __init__(self, broker: Broker, starts: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        self._consumer = made_client(Consumer, {**consumer_config(broker), "queued.max.messages.kbytes": 16384})
        with kafka_errors("cannot read from Kafka"):
            self._consumer.assign([TopicPartition(*p, start) for p, start in starts.items()])
        self._ends = ends
        self._open = {p for p in ends if starts[p] < ends[p]}
        self._queues: dict[Partition, deque[ReadRecord]] = {p: deque() for p in ends}
        self._held = dict.fromkeys(ends, 0)
        self._held_max = _HELD_BYTES_MAX // len(ends)
        self._paused: set[Partition] = set()

    def take(self, partition: Partition) -> ReadRecord | None:
        """Give the partition's next record; None: there is no more."""
        queue = self._queues[partition]
        while not queue:
            if partition not in self._open:
                return None
            if partition in self._paused:
                self._consumer.resume([TopicPartition(*partition)])
                self._paused.discard(partition)
            self._read(partition)
        record = queue.popleft()
        self._held[partition] -= _size_of(record)
        return record

    def close(self) -> None:
        self._consumer.close()

    def _read(self, wanted: Partition) -> None:
        """Put the next record, whichever it is, into its queue."""
        deadline = time.monotonic() + _SILENCE_S
        with kafka_errors(f"reading {wanted}"):
            while (message := self._consumer.poll(0.5)) is None:
                if time.monotonic() > deadline:
                    raise KafkaUnavailableError(f"reading {wanted}: nothing came for {_SILENCE_S:.0f} s")
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                self._open.discard(Partition(message.topic() or "", message.partition() or 0))
                return
        record = read_record(message)
        partition = record.partition
        if record.offset >= self._ends[partition]:
            self._open.discard(partition)
            self._consumer.pause([TopicPartition(*partition)])
            return
        self._queues[partition].append(record)
        self._held[partition] += _size_of(record)
        if self._held[partition] > self._held_max and partition != wanted and partition not in self._paused:
            self._consumer.pause([TopicPartition(*partition)])
            self._paused.add(partition)


def _is_control(record: ReadRecord) -> bool:
    return record.headers.get(RECORD_TYPE_HEADER) == b"CONTROL"


def _another(summary: Block, record: ReadRecord, wanted: str, found: RevisionRecord) -> IntegrityError:
    kind = record.headers[RECORD_TYPE_HEADER].decode()
    return IntegrityError(
        f"{record} must be {wanted} of block {summary.sequence_no}, and is a {kind} of revision {found.table_sequence_no} of table "
        f"{found.table_name}, document {found.revision.id} version {found.revision.version}, of block {found.block_address.sequence_no}",
        address=summary.address,
    )


def _size_of(record: ReadRecord) -> int:
    """Give the bytes of a record that count: its value, and its proof, which is about as large."""
    return len(record.value or b"") + sum(map(len, record.headers.values()))


def _with_content(revision: Revision, found: RevisionRecord) -> Revision:
    return replace(revision, data=found.revision.data, data_hash=found.revision.data_hash)


def _at(record: ReadRecord, error: IntegrityError) -> IntegrityError:
    return IntegrityError(f"{record}: {error}", address=None)
