"""Makes segments: complete before they are used, and filled with zeros beside the commits.

    <number>.segment.new   zeros, synced               in the background, from when the segment before is half full
                           header, synced              when the journal moves on to it
    <number>.segment       renamed, directory synced    then the first batch

Zero-filled, a segment takes writes with half the cost of a sync (its blocks are allocated, its size stands), and cannot meet a full disk.
A crash anywhere leaves a `.new` file, which the next open removes, or a segment without frames, which it goes on with.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from ledger.errors import IntegrityError, ReadOnlyError
from ledger.ion import SYSTEM
from ledger.journal.directory import NEW_SUFFIX, journal_directory, remove_new, segment_numbers, write_format
from ledger.journal.files import NO_ROOM, BackgroundTask, File, Files
from ledger.journal.frame import FRAME_HEADER_BYTES, new_tag
from ledger.journal.segment import FrameWalk, SegmentHeader, make_header, pack_header, segment_name
from ledger.journal.segments import Segments
from ledger.limits import Limits

__all__ = ["SegmentMaker", "make_ledger"]

_ZEROS = bytes(1024 * 1024)
_SYNC_EVERY_BYTES = 4 * 1024 * 1024
"""A commit's sync waits behind ours: many small ones delay it less than one large one."""


class SegmentMaker:
    """Makes the segments of one journal directory, one at a time. Not for several threads."""

    def __init__(self, files: Files, directory: Path) -> None:
        self._files, self._directory = files, directory
        self._task: BackgroundTask | None = None
        self._stop = threading.Event()
        self._file: File | None = None
        self._new = directory
        self._filled = 0

    def begin(self, number: int, size: int) -> None:
        """Start to prepare a segment in the background, if that was not started yet. A failure shows when it is finished."""
        if self._task is None:
            self._task = self._files.in_background(lambda: self._try_to_fill(number, size))

    def finish(self, header: SegmentHeader) -> File:
        """Give the segment, ready for its first batch.

        Raises:
            ReadOnlyError: there is no room for it; may be tried again.
            OSError: whether it is there is unknown.
        """
        self.stop()
        try:
            self._fill(header.number, header.size)
            assert self._file is not None
            self._file.write(0, pack_header(header))
            self._file.sync()
            self._files.rename(self._new, self._directory / segment_name(header.number))
        except OSError as error:
            self._drop()
            if error.errno in NO_ROOM:
                raise ReadOnlyError(f"no room for a segment of {header.size} bytes: {error.strerror}") from error
            raise
        file, self._file = self._file, None
        self._files.sync_directory(self._directory)
        return file

    def stop(self) -> None:
        """End the preparation, wherever it is."""
        if self._task is not None:
            self._stop.set()
            self._task.wait()
            self._stop.clear()
            self._task = None

    def abandon(self) -> None:
        """End the preparation, and give its room back."""
        self.stop()
        self._drop()

    def _try_to_fill(self, number: int, size: int) -> None:
        try:
            self._fill(number, size)
        except OSError:  # `finish` tries once more, with a new file, and tells
            self._drop()

    def _fill(self, number: int, size: int) -> None:
        """Make the file, or go on with it, until it has `size` bytes of zeros on the disk."""
        if self._file is None:
            self._new = self._directory / (segment_name(number) + NEW_SUFFIX)
            self._file = self._files.create(self._new)
            self._filled = 0
        while self._filled < size and not self._stop.is_set():
            step = min(len(_ZEROS), size - self._filled)
            self._file.write(self._filled, _ZEROS[:step])
            self._filled += step
            if self._filled % _SYNC_EVERY_BYTES == 0 or self._filled == size:
                self._file.sync()

    def _drop(self) -> None:
        """Forget a file that may be half made, and give its room back."""
        if self._file is not None:
            self._file.close()
            self._file = None
            with contextlib.suppress(OSError):  # the next open removes it
                self._files.remove(self._new)


def make_ledger(files: Files, directory: Path, limits: Limits, new_strand_id: Callable[[], str]) -> None:
    """Make an empty ledger. FORMAT comes last: a crash before it leaves nothing, and the next open starts again.

    The recovery that follows makes the last names durable, before anything is built on them.

    Raises:
        IntegrityError: there are blocks, but no FORMAT.
        ReadOnlyError, OSError
    """
    journal = journal_directory(directory)
    files.make_directory(journal)
    _remove_unfinished(files, directory)
    plan = SegmentHeader(
        new_strand_id(),
        0,
        1,
        0,
        min(limits.first_segment_bytes, limits.segment_bytes),
        new_tag(files.random_bytes),
        SYSTEM,
    )
    maker = SegmentMaker(files, journal)
    maker.finish(make_header(plan, room=FRAME_HEADER_BYTES)).close()
    files.sync_directory(directory)
    write_format(files, directory)


def _remove_unfinished(files: Files, directory: Path) -> None:
    for number in segment_numbers(files, directory):
        header, file = Segments(files, directory).open(number)
        if number or next(iter(FrameWalk(file, header, header.size)), None) is not None:
            raise IntegrityError("the file FORMAT of a ledger with blocks is missing", address=directory)
        files.remove(journal_directory(directory) / segment_name(number))
    remove_new(files, directory)
