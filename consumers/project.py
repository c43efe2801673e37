"""Projecting: verified blocks -> rows and position, batch by batch, until told to stop.

    source.poll ─> source.blocks ─> pending ──(nothing more waits, or enough, or old enough)──> store.apply(rows + position)

Rules:
- A batch holds whole blocks, and is applied in one transaction of the store. Killed at any instant, the projection goes on from the last
  applied batch and sees every later revision again: once in effect.
- A batch is applied at once when nothing more is waiting; under load it grows, because a store is paid by the batch.
- What goes wrong stops the projection before anything of the batch is written. Skipping a revision is an explicit command
  (`strandline project NAME --skip`), which leaves its trace in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from consumers.blocks import VerifiedBlock
from consumers.position import Position
from consumers.projection import Projection, Rows
from consumers.source import Lag, Source
from consumers.stores import Store

__all__ = ["Progress", "project"]

_BATCH_REVISIONS = 10_000
"""A DuckDB MERGE costs the same for 1 row and for 10,000 of them."""
_BATCH_S = 0.25
"""How long a revision may wait in memory while more keep coming."""
_POLL_S = 0.2
"""How late a request to stop is seen while nothing comes."""


@dataclass(slots=True)
class Progress:
    """What has been done since the start, and how far behind it is."""

    position: Position
    lag: Lag
    blocks: int = 0
    revisions: int = 0
    duplicates: int = 0


def project(
    projection: Projection,
    store: Store,
    source: Source,
    *,
    stop: Callable[[], bool] = lambda: False,
    until_caught_up: bool = False,
    until_block: int | None = None,
    on_applied: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Project until `stop()`, or the end of the stream, or the block with number `until_block` is applied.

    `on_applied` is called after each batch is durable, and while there is nothing to do. `source` was opened at the store's position.

    Raises:
        ConsumerError, IntegrityError: see `consumers.errors`; the store stands on the last good batch.
    """
    position = store.position()
    progress = Progress(position, source.lag())
    skipped = frozenset(store.skipped())
    pending: list[VerifiedBlock] = []
    started = 0.0  # when the oldest of them was taken
    while not stop() and (until_block is None or position.sequence_no < until_block):
        waiting = source.poll(0 if pending else _POLL_S)
        if not pending:
            started = time.monotonic()
        reached = _gather(source, pending, until_block)
        revisions = sum(len(block.revisions) for block in pending)
        overdue = time.monotonic() - started >= _BATCH_S
        if pending and (not waiting or overdue or revisions >= _BATCH_REVISIONS or reached):
            after = source.position()
            store.apply(position, after, _fold_of(projection, pending, skipped))
            progress.position = position = after
            progress.blocks += len(pending)
            progress.revisions += revisions
            pending = []
            source.report(position)
        if not pending:
            progress.duplicates, progress.lag = source.duplicates, source.lag()
            on_applied(progress)
            if until_caught_up and source.caught_up:
                break
    return progress


def _gather(source: Source, pending: list[VerifiedBlock], until_block: int | None) -> bool:
    """Take the blocks that are whole, but none after `until_block`; say whether that one was reached."""
    for block in source.blocks():
        pending.append(block)
        if block.summary.sequence_no == until_block:
            return True
    return False


def _fold_of(
    projection: Projection, blocks: list[VerifiedBlock], skipped: frozenset[tuple[str, int]]
) -> Callable[[Rows], None]:
    def fold(rows: Rows) -> None:
        for block in blocks:
            for revision in block.revisions:
                if (revision.document_id, revision.version) not in skipped:
                    projection.fold(rows, revision)

    return fold
