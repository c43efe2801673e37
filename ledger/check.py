"""`strandline verify`: is all as it was written? The journal from byte 0 (headers, frames, hashes, links, sequences), then the views.

Rules:
- It changes nothing in the journal: a torn end is told, not cut.
- Nobody's word is taken: offsets come from walking, hashes from recomputing, the views' rows from a second store.
- A ledger that another process owns is checked up to its durable mark; its views are that process's own, and are left out.
- The first damage ends it: IntegrityError names block, segment, byte, expected and actual.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.block import Block
from ledger.errors import IntegrityError, JournalFailedError, LedgerLockedError, NotFoundError
from ledger.journal.directory import has_ledger, journal_directory, take_lock
from ledger.journal.files import Files, RealFiles
from ledger.journal.frame import Frame
from ledger.journal.mark import Mark
from ledger.journal.recovery import Progress, examine
from ledger.journal.segment import FrameLocation, Position, segment_name
from ledger.journal.segments import OpenSegment, Segments, block_of
from ledger.limits import Limits
from ledger.verify import verify_block, verify_chain_link, verify_table_sequences
from ledger.views import Views
from ledger.views.check import check_views

__all__ = ["Report", "check_ledger"]

_TELL_EVERY_BLOCKS = 500
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked and found right. Its text is for people."""

    strand_id: str
    blocks: int
    revisions: int
    segments: int
    tip_hash: bytes
    """Hash of the last block; empty if there is none."""
    torn_bytes: int = 0
    """Behind the last whole batch: a batch that was never acknowledged, which the next open cuts."""
    views_checked: bool = False

    def __str__(self) -> str:
        lines = [
            f"strand {self.strand_id}: {self.blocks} blocks, {self.revisions} revisions and {self.segments} segments"
            " are as they were written",
            f"last block {self.blocks - 1}, hash {self.tip_hash.hex()}" if self.blocks else "no block yet",
            "the views are what the blocks add up to"
            if self.views_checked
            else "the views were not checked: another process has the ledger open, or there are none",
        ]
        if self.torn_bytes:
            lines.append(f"{self.torn_bytes} bytes of a batch that was never acknowledged end the journal")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _JournalAsIs:
    """A journal up to a position, to build views from."""

    segments: Segments
    end: Position
    tip: Block | None
    boot_id: str

    @property
    def strand_id(self) -> str:
        return self.segments.strand_id

    def read(self, location: FrameLocation) -> Block:
        return self.segments.read(location)

    def blocks(self, from_sequence_no: int = 0) -> Iterator[tuple[Block, FrameLocation]]:
        return self.segments.blocks(from_sequence_no, self.end)


def check_ledger(directory: Path, *, progress: Progress | None = None) -> Report:
    """Check everything in a ledger's directory, or in a copy of one.

    Raises:
        IntegrityError: the first damage.
        NotFoundError: there is no ledger.
        FormatVersionError: a newer Strandline wrote it.
        JournalFailedError: it cannot be read.
    """
    files = RealFiles()
    try:
        if not has_ledger(files, directory):
            raise NotFoundError(f"there is no ledger in {directory}")
        try:
            lock = take_lock(files, directory)
        except LedgerLockedError:
            return _check_running(files, directory, progress)
        try:
            lock.sign()
            return _check_at_rest(files, directory, progress)
        finally:
            lock.release()
    except OSError as error:
        raise JournalFailedError(f"{directory} cannot be checked: {error}") from error


def _check_running(files: Files, directory: Path, progress: Progress | None) -> Report:
    segments = Segments(files, directory)
    start = segments.open(0).header.start
    mark = Mark.open(files, journal_directory(directory))
    end = None if mark is None else mark.read()
    return _check_journal(segments, end or start, progress)


def _check_at_rest(files: Files, directory: Path, progress: Progress | None) -> Report:
    segments = Segments(files, directory)
    ending = examine(files, directory, segments, progress)
    report = _check_journal(segments, ending.position, progress)
    views = directory / "views"
    if views.is_dir():
        _check_views(views, _JournalAsIs(segments, ending.position, ending.tip, files.boot_id()), progress)
    return replace(report, torn_bytes=ending.garbage_bytes, views_checked=views.is_dir())


def _check_views(directory: Path, journal: _JournalAsIs, progress: Progress | None) -> None:
    views = Views.open(directory, journal, limits=Limits(), progress=progress)
    try:
        views.finish_building()
        check_views(views, journal, directory.parent, progress=progress)
    finally:
        views.close()


def _check_journal(segments: Segments, end: Position, progress: Progress | None) -> Report:
    previous: Block | None = None
    sequences: dict[str, int] = {}
    walked = segments.open(0).header.start
    for segment, frame in segments.frames(0, end):
        if segment.header.number != walked.segment:
            _check_zero(segments.open(walked.segment), walked.offset)
        walked = walked._replace(segment=segment.header.number, offset=frame.offset + frame.size)
        if not frame.payload:
            continue
        previous = _check_block(segment, frame, previous, sequences)
        if progress is not None and (frame.sequence_no + 1) % _TELL_EVERY_BLOCKS == 0:
            progress("verifying blocks", frame.sequence_no + 1, end.sequence_no)
    return Report(
        segments.strand_id,
        end.sequence_no,
        sum(sequences.values()),
        end.segment + 1,
        b"" if previous is None else previous.block_hash,
    )


def _check_block(segment: OpenSegment, frame: Frame, previous: Block | None, sequences: dict[str, int]) -> Block:
    try:
        block = block_of(segment, frame)
        verify_block(block)
        verify_chain_link(previous, block)
        verify_table_sequences(block, sequences)
    except IntegrityError as error:
        where = f"block {frame.sequence_no} at byte {frame.offset} of {segment_name(segment.header.number)}"
        raise IntegrityError(error.reason, address=where, expected=error.expected, actual=error.actual) from error
    return block


def _check_zero(segment: OpenSegment, offset: int) -> None:
    """Check that nothing stands behind the last frame of a segment that is not the last."""
    for at in range(offset, segment.header.size, _CHUNK_BYTES):
        chunk = segment.file.read(at, _CHUNK_BYTES)
        rest = chunk.lstrip(b"\0")
        if rest:
            byte = at + len(chunk) - len(rest)
            where = f"byte {byte} of {segment_name(segment.header.number)}"
            raise IntegrityError("bytes behind the last frame", address=where, expected=b"\0", actual=rest[:1])
