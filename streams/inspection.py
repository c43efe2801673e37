"""Compares the topics with what the journal and the stream's own notes say must be in them: has Kafka lost anything, has it too much?

An acks=all answer is no proof of durability: a broker does not fsync, a cluster may be restored from a backup, a topic deleted. Four things
can be wrong with a partition, and each has one answer:

    the last record that was recorded, or one of the     BEHIND: what follows its last record is published again, in its order
    last kafka_tx, is not in it; or it was emptied
    it holds blocks that block-summary has lost          AHEAD: these records are not sent again when their blocks are
    its oldest records are gone                          HistoryLostError: nothing can be put before what is left
    it holds what the journal does not, or twice         ForkError, ForeignStreamError

By this every partition always reads: each record once, in the journal's order. One record of each partition is read, and the last
kafka_tx. Ends of logs alone would not do: what a publisher wrote behind a cut and did not commit makes the log as long as before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ledger.block import SYSTEM_TABLE_ID, Block
from streams.broker import Broker, Partition
from streams.errors import ForeignStreamError, ForkError, HistoryLostError
from streams.partitioner import partition_of
from streams.position import LOST, Position, proof_of
from streams.table_changes import TableChange, dropped, table_changes, undropped
from streams.topic_reader import ReadRecord, first_record, last_record, read_records
from streams.topics import TopicNames

__all__ = ["Inspection", "Place", "inspect", "places_of"]

Place: TypeAlias = tuple[int, int]
"""(block, count): a partition holds what the blocks before `block` put there, and the first `count` of that block's records."""

Identity: TypeAlias = tuple[bytes, str, int]
"""(block hash, table id, number in the table): tells a record from all others of its partition. A CONTROL record has those of the
catalogue's revision that it tells of."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found: the end of each partition's committed records; which partitions lack records, or have more than block-summary tells,
    and up to which place each of these is filled."""

    ends: dict[Partition, int]
    behind: dict[Partition, Place]
    ahead: dict[Partition, Place]


def places_of(block: Block, names: TopicNames, counts: Mapping[str, int]) -> Iterator[tuple[Partition, int, Identity]]:
    """Give for each of the block's records but its summary, in the order of `records_of`: the partition, the index among the block's
    records there, and the identity.
    """
    index: dict[Partition, int] = defaultdict(int)
    for partition, identity in _placed(block, names, counts):
        yield partition, index[partition], identity
        index[partition] += 1


def _placed(block: Block, names: TopicNames, counts: Mapping[str, int]) -> Iterator[tuple[Partition, Identity]]:
    changes = table_changes(block)
    yield from _told(block, undropped(changes), names, counts)
    for table, number, revision in block.revisions():
        topic = names.of_table(table.table_id, table.table_name)
        partition = Partition(topic, partition_of(revision.id, counts[topic]) if topic in counts else 0)
        yield partition, (block.block_hash, table.table_id, number)
    yield from _told(block, dropped(changes), names, counts)


def _told(
    block: Block, changes: Iterable[TableChange], names: TopicNames, counts: Mapping[str, int]
) -> Iterator[tuple[Partition, Identity]]:
    for change in changes:
        topic = names.of_table(change.table_id, change.table_name)
        for number in range(counts.get(topic, 1)):
            yield Partition(topic, number), (block.block_hash, SYSTEM_TABLE_ID, change.number)


def inspect(
    broker: Broker,
    blocks: Callable[[int], Iterable[Block]],
    names: TopicNames,
    counts: Mapping[str, int],
    ends: Mapping[Partition, int],
    position: Position,
) -> Inspection:
    """Compare every table partition with `position`.

    Args:
        blocks: gives the journal's blocks from a number on.
        counts: how many partitions each topic has.
        ends: each partition's end offset, all of it stable.

    Raises:
        HistoryLostError, ForkError: as above.
    """
    return _Inspector(broker, blocks, names, counts, ends, position).run()


class _Inspector:
    def __init__(
        self,
        broker: Broker,
        blocks: Callable[[int], Iterable[Block]],
        names: TopicNames,
        counts: Mapping[str, int],
        ends: Mapping[Partition, int],
        position: Position,
    ) -> None:
        self._broker, self._blocks, self._names = broker, blocks, names
        self._counts, self._ends, self._position = counts, ends, position
        self._partitions = [p for p in ends if p.topic != names.block_summary]
        self._found_ends = dict.fromkeys(self._partitions, 0)
        self._behind: dict[Partition, Place] = {}
        self._ahead: dict[Partition, Place] = {}

    def run(self) -> Inspection:
        starts = self._broker.starts(self._partitions)
        emptied = {p for p in self._partitions if 0 < starts[p] == self._ends[p]}
        self._check_oldest({p: start for p, start in starts.items() if start and p not in emptied})
        for partition in emptied:
            self._behind[partition] = (0, 0)
        lost = self._check_last_kafka_tx([p for p in self._partitions if p not in emptied])
        for partition in lost:
            last = last_record(self._broker, partition, starts[partition], self._ends[partition])
            self._found_ends[partition] = last.offset + 1 if last else 0
            place = self._place_of(last) if last else (0, 0)
            (self._ahead if place[0] > self._position.sequence_no else self._behind)[partition] = place
        return Inspection(self._found_ends, self._behind, self._ahead)

    def _recorded(self, partition: Partition) -> int:
        """Give the recorded end. A topic that was not there when ends were recorded had none; without a record nothing is known."""
        if self._position.ends is None:
            return LOST if self._ends[partition] else 0
        ends = self._position.ends.get(partition.topic)
        return 0 if ends is None else ends[partition.number]

    def _check_last_kafka_tx(self, partitions: list[Partition]) -> list[Partition]:
        """See that each partition has the last record that was recorded, and behind it those of the kafka_tx which came next.

        Gives the partitions that lack the recorded one, so that only a look at what they do have tells.
        """
        expected: dict[Partition, list[tuple[Identity, Place]]] = defaultdict(list)
        for block in self._blocks(self._position.kafka_tx_from):
            if block.sequence_no > self._position.sequence_no:
                break
            for partition, index, identity in places_of(block, self._names, self._counts):
                expected[partition].append((identity, (block.sequence_no, index + 1)))
        recorded = {p: self._recorded(p) for p in partitions}
        from_offsets = {p: max(0, end - 1) for p, end in recorded.items() if 0 <= end <= self._ends[p] != 0}
        found: dict[Partition, list[ReadRecord]] = defaultdict(list)
        for record in read_records(self._broker, from_offsets):
            found[record.partition].append(record)
            self._found_ends[record.partition] = record.offset + 1
        lost = []
        for partition, end in recorded.items():
            records = found[partition]
            if end and not (records and records[0].offset == end - 1):
                lost.append(partition)
            else:
                self._compare(partition, expected[partition], records[1:] if end else records)
        return lost

    def _compare(self, partition: Partition, expected: list[tuple[Identity, Place]], found: list[ReadRecord]) -> None:
        for (identity, _), record in zip(expected, found, strict=False):
            if _identity_of(record) != identity:
                raise ForkError(str(record), published=_said(_identity_of(record)), journal=_said(identity))
        if len(found) > len(expected):
            place = self._place_of(found[-1])
            if place[0] <= self._position.sequence_no:
                raise ForeignStreamError(f"{found[-1]} is there a second time; no publisher of Strandline put it there")
            self._ahead[partition] = place
        elif len(found) < len(expected):
            self._behind[partition] = expected[len(found) - 1][1] if found else (self._position.kafka_tx_from, 0)

    def _place_of(self, record: ReadRecord) -> Place:
        """Find a record in the journal.

        Raises:
            ForkError: it is not there.
        """
        identity = _identity_of(record)
        address = proof_of(record).get("blockAddress")
        sequence_no = address.get("sequenceNo") if isinstance(address, dict) else None
        if isinstance(sequence_no, int):
            block = next(iter(self._blocks(sequence_no)), None)
            if block is not None and block.sequence_no == sequence_no:
                for partition, index, known in places_of(block, self._names, self._counts):
                    if partition == record.partition and known == identity:
                        return sequence_no, index + 1
        raise ForkError(
            str(record), published=f"{_said(identity)} of block {sequence_no!r}", journal="no such revision"
        )

    def _check_oldest(self, starts: dict[Partition, int]) -> None:
        """See that partitions which do not begin at offset 0 begin with their first record of all (they were published again)."""
        wanted = {p: first_record(self._broker, p, start) for p, start in starts.items()}
        missing = dict(wanted)
        for block in self._blocks(0) if missing else ():
            for partition, _, identity in places_of(block, self._names, self._counts):
                record = missing.pop(partition, None)
                if record is not None and _identity_of(record) != identity:
                    raise history_lost(partition, starts[partition], self._broker.bootstrap_servers)
            if not missing or block.sequence_no >= self._position.sequence_no:
                break


def history_lost(partition: Partition, start: int, bootstrap_servers: str) -> HistoryLostError:
    """Say that a partition's oldest records are gone, and what to do."""
    topic, number = partition
    command = (
        f"""echo '{{"version":1,"partitions":[{{"topic":"{topic}","partition":{number},"offset":-1}}]}}' > lost.json\n"""
        f"kafka-delete-records.sh --bootstrap-server {bootstrap_servers} --offset-json-file lost.json"
    )
    return HistoryLostError(partition, start, command)


def _identity_of(record: ReadRecord) -> Identity:
    proof = proof_of(record)
    block_hash, table_id, number = proof.get("blockHash"), proof.get("tableId"), proof.get("tableSequenceNo")
    if isinstance(block_hash, bytes) and isinstance(table_id, str) and isinstance(number, int):
        return block_hash, table_id, number
    raise ForkError(str(record), published=proof, journal="no such revision")


def _said(identity: Identity) -> str:
    block_hash, table_id, number = identity
    return f"revision {number} of table {table_id} in the block with hash {block_hash.hex()}"
