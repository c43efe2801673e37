"""A ledger's journal from the topics alone: block for block, byte for byte the same hashes, and so the same digest.

It is built beside its place and moved there when it is whole: a ledger that lacks its last blocks would fork from its own stream.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from ledger import merkle
from ledger.block import BlockAddress
from ledger.errors import AlreadyExistsError, NotFoundError
from ledger.journal import Journal
from streams.broker import Broker
from streams.stream_blocks import StreamBlock, StreamBlocks
from streams.topics import TopicNames

__all__ = ["Rebuilt", "rebuild_ledger"]

_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The digest at the last block, as `strandline digest` gives it."""

    blocks: int
    tip: BlockAddress
    digest: bytes


def rebuild_ledger(
    broker: Broker, names: TopicNames, directory: Path, progress: Callable[[str, int, int], None] | None = None
) -> Rebuilt:
    """Make the ledger `directory` (which must not exist) from the stream.

    Raises:
        AlreadyExistsError: there is something at its place.
        NotFoundError: the stream has no block.
        IntegrityError, ForeignStreamError: the first record or block of the stream that is wrong. Nothing is left at the ledger's place.
        KafkaUnavailableError, BrokerError
    """
    if directory.exists():
        raise AlreadyExistsError(f"{directory} exists; a ledger is rebuilt into a directory of its own")
    scratch = directory.with_name(f".{directory.name}.rebuilding")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    hashes: list[bytes] = []
    with StreamBlocks(broker, names) as stream:
        blocks = iter(stream)
        first = next(blocks, None)
        if first is None:
            raise NotFoundError(f"the stream {names.block_summary} has no block")
        with closing(Journal.open(scratch, new_strand_id=lambda: first.block.strand_id)) as journal:
            for batch in _batches(chain([first], blocks)):
                journal.append([found.block for found in batch])
                hashes += [found.block.block_hash for found in batch]
                if progress:
                    progress("blocks", len(hashes), len(hashes))
    os.rename(scratch, directory)
    return Rebuilt(len(hashes), BlockAddress(first.block.strand_id, len(hashes) - 1), merkle.root(hashes))


def _batches(blocks: Iterator[StreamBlock]) -> Iterator[list[StreamBlock]]:
    """Give lists that are bounded in number and, but for the last block of each, in size."""
    while first := next(blocks, None):
        batch, size = [first], 0
        for found in islice(blocks, _BATCH_BLOCKS):
            batch.append(found)
            size += sum(len(record.value or b"") for record in found.records)
            if size > _BATCH_BYTES:
                break
        yield batch
