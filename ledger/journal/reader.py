"""Reads a journal from another process: only what is durable, as soon as it is.

Rules:
- Nothing behind the durable mark is looked at: bytes in the page cache may be gone tomorrow.
- Where no process owns the ledger, or none any more, the reader takes the lock for a moment and recovers, so that it sees a batch that was
  durable when its owner died before it could say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ledger.block import Block
from ledger.clock import Clock, SystemClock
from ledger.errors import JournalFailedError, LedgerLockedError, NotFoundError
from ledger.journal.directory import has_ledger, is_owned, journal_directory, take_lock
from ledger.journal.files import Files, RealFiles
from ledger.journal.mark import Mark
from ledger.journal.recovery import recover
from ledger.journal.segment import FrameLocation, Position
from ledger.journal.segments import Segments
from ledger.journal.wakeup import Ear

__all__ = ["JournalReader"]

_LOOK_EVERY_S = 0.05
"""How long a wake-up that was lost, or cannot come, delays a reader."""
_OWNER_EVERY_S = 1.0
"""How often a reader that waits looks whether the owner lives. One that is started again at once recovers by itself, before."""


class JournalReader:
    """A journal that another process may own. Made by `open`; for one thread."""

    def __init__(self, files: Files, directory: Path, clock: Clock, *, owned: bool) -> None:
        self._files, self._directory, self._journal, self._clock = files, directory, journal_directory(directory), clock
        self._owned, self._owner_seen_s = owned, clock.monotonic_s()
        self._segments = Segments(files, directory)
        self._segments.open(0)
        self.strand_id = self._segments.strand_id
        self._mark: Mark | None = None
        self._near: Position | None = None  # the end of what was read before: where the next reading starts
        self._ear = Ear(self._journal)

    @classmethod
    def open(cls, directory: Path, *, files: Files | None = None, clock: Clock | None = None) -> JournalReader:
        """Open the journal of the ledger in `directory`.

        Raises:
            NotFoundError: there is no ledger.
            FormatVersionError: a newer Strandline wrote it.
            IntegrityError: it is damaged.
            JournalFailedError: the disk failed.
        """
        files = files or RealFiles()
        try:
            if not has_ledger(files, directory):
                raise NotFoundError(f"there is no ledger in {directory}")
            owned = not _recover_if_nobody_owns(files, directory)
            return cls(files, directory, clock or SystemClock(), owned=owned)
        except OSError as error:
            raise JournalFailedError(f"{directory} cannot be read: {error}") from error

    def tip_sequence_no(self) -> int:
        """Give the number of the last durable block; -1 if there is none."""
        end = self._end()
        return -1 if end is None else end.sequence_no - 1

    def blocks(self, from_sequence_no: int = 0) -> Iterator[tuple[Block, FrameLocation]]:
        """Give the durable blocks from a number on, ascending, up to the mark as it stands now.

        Raises:
            IntegrityError: the journal is damaged.
        """
        end = self._end()
        if end is None or from_sequence_no >= end.sequence_no:
            return
        yield from self._segments.blocks(from_sequence_no, end, self._near)
        self._near = end

    def wait(self, after_sequence_no: int, timeout_s: float) -> bool:
        """Wait until there is a durable block behind a number; False: there was none in that time.

        Raises:
            JournalFailedError: another directory was put in the place of the one that was opened, or none: nothing would ever come; or
                the owner is gone, and what it left cannot be recovered.
            IntegrityError: what it left is damaged.
        """
        deadline = self._clock.monotonic_s() + timeout_s
        while self.tip_sequence_no() <= after_sequence_no:
            left = deadline - self._clock.monotonic_s()
            if left <= 0:
                self._see_that_it_is_there()
                return False
            self._ear.wait(min(left, _LOOK_EVERY_S))
            self._look_for_owner()
        return True

    def _look_for_owner(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._owner_seen_s < _OWNER_EVERY_S:
            return
        self._owner_seen_s = now_s
        if not self._owned:
            self._owned = is_owned(self._files, self._directory)
            return
        self._see_that_it_is_there()
        try:
            self._owned = not _recover_if_nobody_owns(self._files, self._directory)
        except OSError as error:
            raise JournalFailedError(f"{self._directory} cannot be recovered: {error}") from error

    def close(self) -> None:
        self._ear.close()
        self._segments.close()
        if self._mark is not None:
            self._mark.close()
            self._mark = None

    def _see_that_it_is_there(self) -> None:
        if self._mark is not None and not self._mark.is_still_in(self._files, self._journal):
            raise JournalFailedError(
                f"{self._journal} is not what it was: it was removed, or replaced (a restored backup?)"
            )

    def _end(self) -> Position | None:
        if self._mark is None:
            self._mark = Mark.open(self._files, self._journal)
        return None if self._mark is None else self._mark.read()


def _recover_if_nobody_owns(files: Files, directory: Path) -> bool:
    """Tell whether it was so."""
    if is_owned(files, directory):
        return False
    try:
        lock = take_lock(files, directory)
    except LedgerLockedError:  # somebody was faster
        return False
    try:
        recover(files, directory).mark.close()
    finally:
        lock.release()
    return True
