"""Cuts a damaged journal, when told where. Nothing is cut unasked, and what is cut is kept. `strandline repair`.

    1  copy every segment that will change or go, to <ledger>/cut-from-<n>/, durably
    2  forget what would contradict the cut: the mark, the views
    3  remove later segments, the last one first; then shorten the segment in which block n stands

A crash before 3 leaves every block where it was; within 3, a journal that does not yet end where it should: repairing it again, with the
same number, finishes (and keeps another copy of what is left).
Blocks that were acknowledged are lost by this. A restored backup, or a rebuild from the stream, loses none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ledger.errors import JournalFailedError, NotFoundError
from ledger.journal.directory import has_ledger, journal_directory, remove_new, segment_numbers, take_lock
from ledger.journal.files import Files, RealFiles
from ledger.journal.frame import Frame, pack_batch
from ledger.journal.mark import MARK_NAME
from ledger.journal.segment import FrameWalk, SegmentHeader, segment_name
from ledger.journal.segments import Segments

__all__ = ["Repaired", "repair"]

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done. `kept` is the directory with the segments as they were."""

    blocks: int
    kept: Path


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where the journal will end: in a segment, in front of a byte. `saved`: frames of the batch that is cut in two."""

    header: SegmentHeader
    offset: int
    saved: tuple[Frame, ...]


def repair(directory: Path, from_sequence_no: int, *, files: Files | None = None) -> Repaired:
    """Cut block `from_sequence_no` and everything after it off a ledger's journal.

    Args:
        directory: the ledger's.
        from_sequence_no: at most the number that `check_ledger` named: what stands before it must be whole.

    Raises:
        IntegrityError: there is damage before that block; nothing was changed.
        NotFoundError: there is no ledger.
        LedgerLockedError: it is open.
        JournalFailedError: the disk failed.
    """
    files = files or RealFiles()
    try:
        if not has_ledger(files, directory):
            raise NotFoundError(f"there is no ledger in {directory}")
        lock = take_lock(files, directory)
        try:
            lock.sign()
            cut = _find(files, directory, from_sequence_no)
            kept = _keep(files, directory, cut, from_sequence_no)
            _forget(files, directory)
            _shorten(files, directory, cut)
        finally:
            lock.release()
    except OSError as error:
        raise JournalFailedError(f"{directory} could not be repaired: {error}") from error
    return Repaired(from_sequence_no, kept)


def _find(files: Files, directory: Path, sequence_no: int) -> _Cut:
    """Walk up to the block, from the first.

    Raises:
        IntegrityError: the walk does not lead there.
    """
    segments = Segments(files, directory)
    numbers = segment_numbers(files, directory)
    number = 0
    while True:
        header, file = segments.open(number)
        walk = FrameWalk(file, header, header.size)
        batch: list[Frame] = []
        for frame in walk:
            if frame.batch_index == 0:
                batch.clear()
            if frame.payload and frame.sequence_no == sequence_no:
                return _Cut(header, [*batch, frame][0].offset, tuple(batch))
            batch.append(frame)
        if walk.sequence_no == sequence_no:
            return _Cut(header, walk.whole.offset, tuple(batch) if walk.position > walk.whole.offset else ())
        number += 1
        if number not in numbers or segments.open(number).header.first_sequence_no != walk.sequence_no:
            raise walk.damage()


def _keep(files: Files, directory: Path, cut: _Cut, sequence_no: int) -> Path:
    """Copy the segments that will change."""
    names = files.list(directory)
    wanted = f"cut-from-{sequence_no}"
    name = next(name for i in count(1) if (name := wanted if i == 1 else f"{wanted}-{i}") not in names)
    kept = directory / name
    files.make_directory(kept)
    for number in segment_numbers(files, directory):
        if number >= cut.header.number:
            _copy(files, journal_directory(directory) / segment_name(number), kept / segment_name(number))
    files.sync_directory(kept)
    files.sync_directory(directory)
    return kept


def _copy(files: Files, old: Path, new: Path) -> None:
    source, target = files.open(old), files.create(new)
    for offset in range(0, source.size(), _CHUNK_BYTES):
        target.write(offset, source.read(offset, _CHUNK_BYTES))
    target.sync()


def _forget(files: Files, directory: Path) -> None:
    """Remove what knows of blocks that will be gone."""
    journal, views = journal_directory(directory), directory / "views"
    if MARK_NAME in files.list(journal):
        files.remove(journal / MARK_NAME)
        files.sync_directory(journal)
    if views.name in files.list(directory):
        for name in files.list(views):
            files.remove(views / name)
        files.sync_directory(views)


def _shorten(files: Files, directory: Path, cut: _Cut) -> None:
    journal = journal_directory(directory)
    remove_new(files, directory)
    for number in reversed(segment_numbers(files, directory)):
        if number > cut.header.number:
            files.remove(journal / segment_name(number))
            files.sync_directory(journal)  # so that a crash leaves no gap
    file = files.open(journal / segment_name(cut.header.number), writable=True)
    offset = cut.offset
    if cut.saved:  # a batch says how many frames it has: what is left of it becomes a smaller one
        first = cut.saved[0]
        payloads = [frame.payload for frame in cut.saved]
        saved = b"".join(pack_batch(payloads, cut.header.tag, first.batch_no, first.sequence_no))
        file.write(offset, saved)
        offset += len(saved)
    for at in range(offset, cut.header.size, _CHUNK_BYTES):
        file.write(at, bytes(min(_CHUNK_BYTES, cut.header.size - at)))
    file.sync()
