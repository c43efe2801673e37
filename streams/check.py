"""The checker of a stream: topics = journal, once each, in order, every proof valid, every byte as `records_of` writes it.

Tests and operators use the same one. Without a journal it still proves that the stream is genuine, complete and in order up to its end;
that this end is the ledger's, only the journal, or a digest that somebody kept, can tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ledger.block import Block, BlockAddress
from ledger.errors import IntegrityError
from ledger.journal import JournalReader
from streams.broker import Broker, Partition
from streams.errors import KafkaUnavailableError
from streams.formats import format_of
from streams.position import ENDS_HEADER, read_position
from streams.records import Record, records_of
from streams.stream_blocks import StreamBlock, StreamBlocks
from streams.topic_reader import ReadRecord
from streams.topics import TopicNames

__all__ = ["Report", "check_stream", "wait_until_published"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, all of it right. `tip` and `block_hash` are the last block's."""

    blocks: int
    revisions: int
    tip: BlockAddress | None
    block_hash: bytes


def check_stream(
    broker: Broker,
    names: TopicNames,
    journal: JournalReader | None,
    progress: Progress | None = None,
    *,
    through: int | None = None,
) -> Report:
    """Read the whole stream and compare it with the journal, if there is one.

    Args:
        through: the block that must be there at least; None: the journal's last one as it stands now, published or not.

    Raises:
        IntegrityError: the first difference.
        ForeignStreamError: a record that no publisher of Strandline wrote; or there is no stream.
        KafkaUnavailableError, BrokerError
    """
    tip = through if through is not None else journal.tip_sequence_no() if journal else -1
    expected = _blocks_as_they_come(journal) if journal else None
    blocks = revisions = 0
    last: Block | None = None
    with StreamBlocks(broker, names) as stream:
        for found in stream:
            last = found.block
            _compare_records(found, names, stream.counts)
            if expected:
                _compare_block(last, next(expected, None))
            blocks += 1
            revisions += sum(len(table.revisions) for table in last.tables)
            if progress and blocks % 100 == 0:
                progress("stream", blocks, max(tip + 1, blocks))
    if blocks <= tip:
        raise IntegrityError(
            f"block {blocks} is not in the topics", address=names.block_summary, expected=tip + 1, actual=blocks
        )
    return Report(blocks, revisions, last.address if last else None, last.block_hash if last else b"")


def wait_until_published(broker: Broker, names: TopicNames, sequence_no: int, timeout_s: float) -> bool:
    """Wait until block `sequence_no` is in block-summary; False: it did not come in that time.

    Raises:
        KafkaUnavailableError: Kafka is away when the time is over; before, it may be starting again.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if _published_sequence_no(broker, names) >= sequence_no:
                return True
            if time.monotonic() > deadline:
                return False
        except KafkaUnavailableError:
            if time.monotonic() > deadline:
                raise
        broker.admin.poll(0.1)


def _published_sequence_no(broker: Broker, names: TopicNames) -> int:
    block_summary = Partition(names.block_summary, 0)
    if names.block_summary not in broker.topics():
        return -1
    start = broker.starts([block_summary])[block_summary]
    end = broker.stable_ends([block_summary])[block_summary]
    return read_position(broker, block_summary, start, end).sequence_no


def _blocks_as_they_come(journal: JournalReader) -> Iterator[Block]:
    """Give the journal's blocks, those too that it gets while the stream is read."""
    sequence_no = 0
    while sequence_no <= journal.tip_sequence_no():
        for block, _ in journal.blocks(sequence_no):
            yield block
            sequence_no += 1


def _compare_block(found: Block, expected: Block | None) -> None:
    """Both are verified, or will be by `strandline verify`: equal hashes are equal blocks."""
    if expected is None:
        raise IntegrityError(
            f"the journal lacks block {found.sequence_no}, which is in the topics",
            address=found.address,
            expected=str(found.address),
            actual="no such block",
        )
    if (found.address, found.block_hash) != (expected.address, expected.block_hash):
        raise IntegrityError(
            f"block {found.sequence_no} of the stream is not the journal's",
            address=found.address,
            expected=f"{expected.address} {expected.block_hash.hex()}",
            actual=f"{found.address} {found.block_hash.hex()}",
        )


def _compare_records(found: StreamBlock, names: TopicNames, counts: Mapping[str, int]) -> None:
    """See that what people read (value, key, time) is what the proof says.

    A block's records are of one format, but for those that were published again after the publisher was told to write the other one.
    """
    formats = [format_of(record.value or b"") for record in found.records]
    expected = {each: records_of(found.block, names, each, counts) for each in set(formats)}
    for index, (record, its_format) in enumerate(zip(found.records, formats, strict=True)):
        wanted = expected[its_format][index]
        for what, actual, right in (
            ("key", record.key, wanted.key.encode()),
            ("value", record.value, wanted.value),
            ("headers", {n: v for n, v in record.headers.items() if n != ENDS_HEADER}, dict(wanted.headers)),
            ("timestamp", record.timestamp_ms, wanted.timestamp_ms),
        ):
            if actual != right:
                raise IntegrityError(
                    f"its {what} is not that of its proof",
                    address=_where(record, wanted),
                    expected=right,
                    actual=actual,
                )


def _where(record: ReadRecord, wanted: Record) -> str:
    return f"{record} (document {wanted.key})" if wanted.topic != record.partition.topic else str(record)
