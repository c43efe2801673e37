"""Finds where the journal ends after whatever happened to it, and makes that end safe to write on.

    examine   reads, changes nothing: the end, or what is damaged
    mend      writes: makes durable what is there, and zero what is not

The first bad frame of the last segment is one of two things. *Torn*: its batch was being written when the power or the process went; nobody
was told of it, and the whole batch is cut. *Damaged*: it was durable before. It is damaged if

    - the durable mark lies behind it, or
    - a whole frame of a later batch stands anywhere behind it: batch k+1 is written only after batch k is on disk, or
    - a later segment exists, for the same reason: so only the last segment can be torn.

Rot in the very last batch, with no mark left that covers it, looks torn. Saved digests and the stream reveal it.

Rules:
- Damage changes nothing: IntegrityError names block and byte.
- Before anything is visible the last batch is written *again* and synced, that of a clean close too: after a failed sync the page cache
  may show what the disk does not have, and a sync alone would not write it. Everything behind it is zeroed, so that no byte of an earlier
  life comes back; only behind a clean close it is zero already.
- A crash in the middle of `mend` leaves a torn batch or the same whole one: mending again gives the same end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.block import Block
from ledger.errors import IntegrityError
from ledger.journal.directory import journal_directory, remove_new, segment_numbers
from ledger.journal.files import File, Files
from ledger.journal.frame import FRAME_HEADER_BYTES, Frame, frame_size, parse_frame
from ledger.journal.mark import Mark
from ledger.journal.segment import FrameLocation, FrameWalk, Position, SegmentHeader, segment_name
from ledger.journal.segments import Segments

__all__ = ["Ending", "Progress", "Recovered", "examine", "mend", "recover"]

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) during long work."""
_CHUNK_BYTES = 1024 * 1024
_ZEROS = bytes(_CHUNK_BYTES + 64)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a journal ends."""

    position: Position
    last_batch_offset: int
    """Where the last whole batch of the last segment begins; its first byte for frames if it has none."""
    garbage_bytes: int
    """From `position` to the last byte that is not zero: a torn batch."""
    closed: bool
    """Nothing was being written: the last batch is that of a clean close, and there is no garbage."""
    tip: Block | None


@dataclass(frozen=True, slots=True)
class Recovered:
    """A journal that may be read and written on. `mark` stands at the end."""

    segments: Segments
    ending: Ending
    mark: Mark


def recover(files: Files, directory: Path, progress: Progress | None = None) -> Recovered:
    """Find the journal's end and make it safe. The caller holds the ledger's lock.

    Raises:
        IntegrityError: the journal is damaged; nothing was changed.
        OSError: reading or writing failed.
    """
    segments = Segments(files, directory)
    ending = examine(files, directory, segments, progress)
    mend(files, directory, ending)
    mark = Mark.open_to_advance(files, journal_directory(directory))
    mark.advance(ending.position)
    return Recovered(segments, ending, mark)


def examine(files: Files, directory: Path, segments: Segments, progress: Progress | None = None) -> Ending:
    """Find the end of the journal, from its last segment; change nothing.

    Raises:
        IntegrityError: the journal is damaged.
    """
    numbers = segment_numbers(files, directory)
    missing = next((i for i, number in enumerate([*numbers, None]) if number != i), 0)
    if missing < len(numbers) or not numbers:
        raise IntegrityError("a segment of the journal is missing", address=segment_name(missing))
    header, file = segments.open(numbers[-1])
    walk = FrameWalk(file, header, header.size)
    last, last_of_block = _walk(walk, progress, header.size)
    marked = _marked(files, directory)
    garbage_end, has_later_batch = _look_behind(file, header, walk.whole)
    if has_later_batch or (marked is not None and marked > walk.whole):
        raise walk.damage()
    return Ending(
        walk.whole,
        header.data_start if walk.last_batch_offset is None else walk.last_batch_offset,
        garbage_end - walk.whole.offset,
        last is not None and not last.payload and garbage_end == walk.whole.offset,
        _tip(segments, walk.whole, last_of_block),
    )


def mend(files: Files, directory: Path, ending: Ending) -> None:
    """Make the end durable, everything behind it zero, and remove segments that were not finished."""
    journal = journal_directory(directory)
    remove_new(files, directory)
    file = files.open(journal / segment_name(ending.position.segment), writable=True)
    end, size = ending.position.offset, file.size()
    file.write(ending.last_batch_offset, file.read(ending.last_batch_offset, end - ending.last_batch_offset))
    if not ending.closed:
        for offset in range(end, size, _CHUNK_BYTES):
            file.write(offset, _ZEROS[: min(_CHUNK_BYTES, size - offset)])
    file.sync()
    file.close()
    for path in (journal, directory, directory.parent):  # the names too may have been seen before they were durable
        files.sync_directory(path)


def _walk(walk: FrameWalk, progress: Progress | None, size: int) -> tuple[Frame | None, Frame | None]:
    """Go to the end; give the last frame of a whole batch, and the last with a block."""
    last: Frame | None = None
    last_of_block: Frame | None = None
    told = 0
    for frame in walk:
        if frame.batch_index + 1 == frame.batch_count:
            last = frame
            last_of_block = frame if frame.payload else last_of_block
        if progress is not None and walk.position - told > _CHUNK_BYTES:
            told = walk.position
            progress("recovering the journal", told, size)
    return last, last_of_block


def _marked(files: Files, directory: Path) -> Position | None:
    mark = Mark.open(files, journal_directory(directory))
    return None if mark is None else mark.read()


def _look_behind(file: File, header: SegmentHeader, whole: Position) -> tuple[int, bool]:
    """Give where the bytes behind the last whole batch end that are not zero, and whether a later batch than the torn one is in them."""
    garbage_end = whole.offset
    for offset in range(whole.offset, header.size, _CHUNK_BYTES):
        chunk = file.read(offset, _CHUNK_BYTES + len(header.tag) - 1)  # a tag may lie across two chunks
        if chunk == _ZEROS[: len(chunk)]:
            continue
        garbage_end = max(garbage_end, offset + len(chunk.rstrip(b"\0")))
        at = chunk.find(header.tag)
        while at >= 0:
            frame = _frame_at(file, header, offset + at)
            if frame is not None and frame.batch_no > whole.batch_no:
                return garbage_end, True
            at = chunk.find(header.tag, at + 1)
    return garbage_end, False


def _frame_at(file: File, header: SegmentHeader, offset: int) -> Frame | None:
    size = frame_size(file.read(offset, FRAME_HEADER_BYTES), header.tag)
    if size is None or size > header.size - offset:
        return None
    return parse_frame(file.read(offset, size), 0, header.tag, offset)


def _tip(segments: Segments, end: Position, last_of_block: Frame | None) -> Block | None:
    """Give the last block. If the last segment has none, the one before is read for it, and must lead up to the last."""
    if last_of_block is not None:
        location = FrameLocation(end.segment, last_of_block.offset, last_of_block.size)
        return segments.read(location)
    tip = None
    for tip, _ in segments.blocks(max(end.sequence_no - 1, 0), end):  # noqa: B007
        pass
    return tip
