"""Records of many partitions -> whole, verified blocks in the ledger's order. Pure.

    block-summary      |7|8|9|...       one partition, total order: it says which block is next and what belongs to it
    table A, part. 0   |7|.|9|          \
    table A, part. 1   |8|9|             > held until the block is whole: summary and every revision that its `tables` names
    table B, part. 0   |7|12|           /

Rules:
- A block is given out once, whole, after its hash was recomputed from everything that came, and after it was seen to follow the block
  before it: its number, `previousBlockHash`, and each table's sequence number without a gap.
- What was applied already, and what is held already, is dropped when it comes again: Kafka redelivers, and the publisher publishes again
  what Kafka lost. A second record that claims the same place with another hash is an IntegrityError.
- Records may come in any order between partitions and, after a re-publication, within one. What never comes is noticed by
  the reader of Kafka, who knows the ends of the partitions (`missing` says what the next block lacks).
- It trusts nobody: the chain leads back to the position that it was started with, or to block 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from consumers.errors import ForkError, GapError
from consumers.position import Position, TopicPosition
from consumers.records import Control, Detail, Record, RecordAddress, Summary, decode
from consumers.revision import Revision
from ledger.block import Block, TableRevisions
from ledger.block import Revision as RevisionOfBlock
from ledger.errors import IntegrityError
from ledger.verify import verify_table_sequences

__all__ = ["Assembler", "MissingRevision", "VerifiedBlock"]


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """A block whose every hash was recomputed. `summary` has everything but the documents, `revisions` have those, in order."""

    summary: Block
    revisions: tuple[Revision, ...]


class MissingRevision(NamedTuple):
    """A revision that the next block names and that has not come."""

    table_id: str
    table_name: str
    table_sequence_no: int
    document_id: str
    version: int


class Assembler:
    """Collects records and gives out whole blocks. Not safe for several threads."""

    def __init__(self, position: Position) -> None:
        self._strand_id = position.strand_id
        self._sequence_no, self._block_hash = position.sequence_no, position.block_hash
        self._block_time_ms = position.block_time_ms
        self._table_sequences = dict(position.table_sequences)
        self._last_summary = position.sequence_no
        self._summaries: dict[int, Summary] = {}
        self._details: dict[int, dict[tuple[str, int], Detail]] = {}
        self._next_offsets = {(name, p): o for name, topic in position.topics.items() for p, o in topic.offsets.items()}
        self._held: dict[tuple[str, int], _Held] = {}
        self.held_bytes = 0
        self.duplicates = 0
        self.highest_summary = -1

    # What comes in

    def add(self, record: Record) -> Summary | Detail | Control | None:
        """Take one record; give what it is if it is new, None if it was dropped.

        Raises:
            IntegrityError: it is malformed, or claims the place of another one.
            GapError: a BLOCK_SUMMARY is missing before this one.
            ForkError: it belongs to another strand, or to another history of this one.
        """
        topic, partition, offset = record.address
        self._next_offsets[topic, partition] = offset + 1
        part = decode(record)
        if isinstance(part, Control):
            return part
        fresh = self._add_summary(part) if isinstance(part, Summary) else self._add_detail(part)
        if not fresh:
            self.duplicates += 1
            return None
        self._held.setdefault((topic, partition), _Held()).hold(offset, record.size)
        self.held_bytes += record.size
        return part

    def passed(self, topic: str, partition: int, next_offset: int) -> None:
        """Note that the reader came to `next_offset`, over what is no record (markers of Kafka's transactions)."""
        self._next_offsets[topic, partition] = next_offset

    def go_back(self, topic: str, partition: int, offset: int) -> None:
        """Forget what came from `offset` on: the records there are others now, and are read again."""
        self._next_offsets[topic, partition] = offset
        for details in self._details.values():
            for place, detail in list(details.items()):
                if detail.address[:2] == (topic, partition) and detail.address.offset >= offset:
                    del details[place]
                    self.held_bytes -= self._held[topic, partition].release(detail.address.offset)

    def _add_summary(self, summary: Summary) -> bool:
        number = summary.block.sequence_no
        self._check_strand(summary.address, summary.block.strand_id)
        self.highest_summary = max(self.highest_summary, number)
        if number <= self._last_summary:
            self._check_same_history(summary)
            return False
        if number != self._last_summary + 1:
            raise GapError(
                f"{summary.address}: a BLOCK_SUMMARY is missing", expected=self._last_summary + 1, actual=number
            )
        self._last_summary = number
        self._summaries[number] = summary
        return True

    def _check_same_history(self, summary: Summary) -> None:
        number = summary.block.sequence_no
        if number in self._summaries:
            known = self._summaries[number].block.block_hash
        elif number == self._sequence_no:
            known = self._block_hash
        else:
            return  # applied long ago: the chain of hashes up to the position covers the one that was
        if summary.block.block_hash != known:
            raise ForkError(
                f"{summary.address}: another block {number}", expected=known, actual=summary.block.block_hash
            )

    def _add_detail(self, detail: Detail) -> bool:
        self._check_strand(detail.address, detail.strand_id)
        if detail.sequence_no <= self._sequence_no:
            return False
        held = self._details.setdefault(detail.sequence_no, {})
        known = held.setdefault((detail.table_id, detail.table_sequence_no), detail)
        if (known.block_hash, known.hash) != (detail.block_hash, detail.hash):
            raise IntegrityError(
                f"differs from {known.address}, which is also {detail.name}",
                address=detail.address,
                expected=known.hash,
                actual=detail.hash,
            )
        return known is detail

    def _check_strand(self, address: RecordAddress, strand_id: str) -> None:
        if strand_id != self._strand_id and self._strand_id is not None:
            raise ForkError(f"{address}: another strand", expected=self._strand_id, actual=strand_id)

    # What goes out

    def blocks(self) -> Iterator[VerifiedBlock]:
        """Give the blocks that are whole, in order. `position` then stands on the last one given.

        Raises:
            IntegrityError: a hash or a table's sequence does not match; the message names the record or the block.
            ForkError: the block does not follow the one before it.
        """
        while (block := self._take()) is not None:
            yield block

    def _take(self) -> VerifiedBlock | None:
        summary = self._summaries.get(self._sequence_no + 1)
        if summary is None:
            return None
        block = summary.block
        held = self._details.get(block.sequence_no, {})
        if len(held) < sum(len(table.revisions) for table in block.tables):
            return None
        if block.previous_block_hash != self._block_hash:
            raise ForkError(
                f"{summary.address}: block {block.sequence_no} does not follow block {self._sequence_no}: previousBlockHash",
                expected=self._block_hash,
                actual=block.previous_block_hash,
            )
        details = _all_of(block, held)
        revisions = tuple(
            _revision(block, *line, detail) for line, detail in zip(block.revisions(), details, strict=True)
        )
        sequences = dict(self._table_sequences)
        verify_table_sequences(block, sequences)
        self._advance(summary, details, sequences)
        return VerifiedBlock(block, revisions)

    def _advance(self, summary: Summary, details: list[Detail], sequences: dict[str, int]) -> None:
        block = summary.block
        self._strand_id, self._sequence_no, self._block_hash = block.strand_id, block.sequence_no, block.block_hash
        self._block_time_ms = block.block_timestamp.to_milliseconds()
        self._table_sequences = sequences
        del self._summaries[block.sequence_no]
        self._details.pop(block.sequence_no, None)
        for topic, partition, offset in (summary.address, *(detail.address for detail in details)):
            self.held_bytes -= self._held[topic, partition].release(offset)

    # What the reader of Kafka asks

    @property
    def sequence_no(self) -> int:
        """The last block given out, -1 before any."""
        return self._sequence_no

    @property
    def block_time_ms(self) -> int:
        """The time of that block, in milliseconds since 1970; 0 before any."""
        return self._block_time_ms

    @property
    def summaries_held(self) -> int:
        """Blocks known by their summary and not given out yet."""
        return len(self._summaries)

    def next_offset(self, topic: str, partition: int) -> int:
        """Give the offset after the last record that was taken."""
        return self._next_offsets.get((topic, partition), 0)

    def missing(self) -> list[MissingRevision]:
        """Give the revisions that the next block still lacks; empty too while its summary has not come."""
        summary = self._summaries.get(self._sequence_no + 1)
        if summary is None:
            return []
        held = self._details.get(self._sequence_no + 1, {})
        return [
            MissingRevision(table.table_id, table.table_name, number, revision.id, revision.version)
            for table, number, revision in summary.block.revisions()
            if (table.table_id, number) not in held
        ]

    def ahead_bytes(self, topic: str, partition: int) -> int:
        """Give the bytes held of this partition that the next block does not need."""
        held = self._held.get((topic, partition))
        if held is None or held.total == 0:
            return 0
        needed = self._details.get(self._sequence_no + 1, {}).values()
        return held.total - sum(held.sizes[d.address.offset] for d in needed if d.address[:2] == (topic, partition))

    def position(self, topic_ids: Mapping[str, str]) -> Position:
        """Give the position behind the last block given out; `topic_ids` are Kafka's ids of the topics that are read."""
        offsets: dict[str, dict[int, int]] = {name: {} for name in topic_ids}
        for (topic, partition), following in self._next_offsets.items():
            held = self._held.get((topic, partition))
            if topic in offsets:
                offsets[topic][partition] = next(iter(held.sizes), following) if held else following
        return Position(
            self._strand_id,
            self._sequence_no,
            self._block_hash,
            self._block_time_ms,
            self._table_sequences,
            {name: TopicPosition(topic_ids[name], parts) for name, parts in offsets.items()},
        )


class _Held:
    """The records of one partition that are not given out yet: offset -> bytes.

    Offsets come ascending and a dict keeps its order: the first key is the oldest one, where reading must go on after a crash.
    """

    __slots__ = ("sizes", "total")

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.total = 0

    def hold(self, offset: int, size: int) -> None:
        self.sizes[offset] = size
        self.total += size

    def release(self, offset: int) -> int:
        size = self.sizes.pop(offset)
        self.total -= size
        return size


def _all_of(block: Block, held: Mapping[tuple[str, int], Detail]) -> list[Detail]:
    """Give what was held for the block in its order; there are at least as many as it names."""
    named = [(table.table_id, number) for table, number, _ in block.revisions()]
    foreign = held.keys() - set(named)
    if foreign:
        stranger = held[min(foreign)]
        raise IntegrityError(f"block {block.address} names no {stranger.name}", address=stranger.address)
    return [held[place] for place in named]


def _revision(block: Block, table: TableRevisions, number: int, named: RevisionOfBlock, detail: Detail) -> Revision:
    """Verify one record against the summary, which was verified; `number` is the place at which it was held."""
    record = detail.verified(block.block_hash)
    found = record.revision
    transaction = (block.address, block.transaction_id, block.block_timestamp)
    expected = (*transaction, table.table_name, named.id, named.version, named.hash)
    transaction = (record.block_address, record.transaction_id, record.transaction_time)
    actual = (*transaction, record.table_name, found.id, found.version, found.hash)
    if expected != actual:
        raise IntegrityError(f"is not {detail.name}", address=detail.address, expected=expected, actual=actual)
    return Revision(
        table.table_name, table.table_id, number, found.id, found.version, found.data,
        found.data is None and found.data_hash is None,
        found.hash, record.transaction_time, record.transaction_id, block.address, detail.address,
    )  # fmt: skip
