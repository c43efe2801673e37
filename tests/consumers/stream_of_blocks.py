"""What Kafka would hold of some blocks, as values: records with addresses, offsets with the gaps that transaction markers leave."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from zlib import crc32

from block_builder import BlockBuilder

from consumers.records import Record, RecordAddress
from ledger.block import Block
from ledger.values import Struct
from streams.records import records_of
from streams.topics import TopicNames

NAMES = TopicNames("strandline", "garage")
PARTITIONS = 3
DOCUMENTS = [(table, f"{table} {n}") for table in ("Vehicle", "Person", "Title") for n in range(6)]


def some_blocks(seed: int, count: int) -> list[Block]:
    """Make blocks of 0 to 5 revisions in three tables, with some deletions."""
    chance, builder = random.Random(seed), BlockBuilder()
    blocks = []
    for number in range(count):
        writes: list[tuple[str, str, Struct | None]] = []
        for table, name in chance.sample(DOCUMENTS, chance.randrange(6)):
            writes.append((table, name, None if chance.random() < 0.2 else {"n": number, "name": name}))
        blocks.append(builder.add(*writes))
    return blocks


def stream_of(blocks: Iterable[Block]) -> list[Record]:
    """Give the records of one kafka_tx a block, in the order in which they were published."""
    next_offsets: Counter[tuple[str, int]] = Counter()
    records = []
    for block in blocks:
        written = set()
        for made in records_of(block, NAMES):
            lonely = made.topic in (NAMES.block_summary, NAMES.catalog_changes)
            part = (made.topic, 0 if lonely else crc32(made.key.encode()) % PARTITIONS)
            records.append(Record(RecordAddress(*part, next_offsets[part]), list(made.headers)))
            next_offsets[part] += 1
            written.add(part)
        next_offsets.update(written)  # the marker of the kafka_tx takes an offset of its own
    return records


def partitions_of(records: Iterable[Record]) -> dict[tuple[str, int], list[Record]]:
    """Sort records by partition, each in its order."""
    parts: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        parts.setdefault(record.address[:2], []).append(record)
    return parts


def interleaved(records: Sequence[Record], chance: random.Random) -> list[Record]:
    """Give the records as a reader of all partitions may meet them: in order within each, in any order between them."""
    turns = [record.address[:2] for record in records]
    chance.shuffle(turns)
    queues = {part: iter(queue) for part, queue in partitions_of(records).items()}
    return [next(queues[turn]) for turn in turns]
