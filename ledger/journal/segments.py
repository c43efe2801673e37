"""Reads the segments of one journal: one frame, or all blocks from a number on. Never looks beyond the position it is told."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ledger.block import Block
from ledger.errors import IntegrityError
from ledger.journal.directory import journal_directory
from ledger.journal.files import File, Files
from ledger.journal.frame import Frame, difference, parse_frame
from ledger.journal.payload import decode_block
from ledger.journal.segment import FrameLocation, FrameWalk, Position, SegmentHeader, read_header, segment_name

__all__ = ["OpenSegment", "Segments", "block_of"]

_OPEN_MAX = 64
"""Segments held open, each with a file descriptor and a symbol table."""


class OpenSegment(NamedTuple):
    header: SegmentHeader
    file: File


class Segments:
    """The segments of the ledger in `directory`, opened when they are needed. Safe from several threads."""

    def __init__(self, files: Files, directory: Path) -> None:
        self._files, self._directory = files, journal_directory(directory)
        self.strand_id = ""
        """Of all segments; empty until one was opened."""
        self._lock = threading.Lock()  # guards _open
        self._open: OrderedDict[int, OpenSegment] = OrderedDict()

    def open(self, number: int) -> OpenSegment:
        """Give a segment.

        Raises:
            IntegrityError: it is missing, or its header is not right.
        """
        with self._lock:
            found = self._open.get(number)
            if found is None:
                found = self._open[number] = self._open_file(number)
                if len(self._open) > _OPEN_MAX:
                    self._open.popitem(last=False)  # closed when the last thread that reads it is done
            else:
                self._open.move_to_end(number)
            return found

    def close(self) -> None:
        with self._lock:
            self._open.clear()

    def read(self, location: FrameLocation) -> Block:
        """Read the block at a location.

        Raises:
            IntegrityError: there is no whole frame of a block.
        """
        segment, frame = self._frame_at(location)
        return block_of(segment, frame)

    def blocks(
        self, from_sequence_no: int, until: Position, near: Position | None = None
    ) -> Iterator[tuple[Block, FrameLocation]]:
        """Give the blocks from a number on, ascending, up to a position.

        Args:
            near: a position, known from before, that the search may start at if it is not behind the number.

        Raises:
            IntegrityError: a frame is not right, or does not follow its predecessor.
        """
        for segment, frame in self.frames(from_sequence_no, until, near):
            if frame.payload and frame.sequence_no >= from_sequence_no:
                yield block_of(segment, frame), FrameLocation(segment.header.number, frame.offset, frame.size)

    def frames(
        self, from_sequence_no: int, until: Position, near: Position | None = None
    ) -> Iterator[tuple[OpenSegment, Frame]]:
        """Give the frames of all batches that may hold the number and what follows, up to a position; raises as `blocks`."""
        if near is None or near.sequence_no > from_sequence_no:
            near = self._segment_of(from_sequence_no, until.segment).header.start
        while near < until:
            segment = self.open(near.segment)
            last = near.segment == until.segment
            walk = FrameWalk(segment.file, segment.header, until.offset if last else segment.header.size, near)
            for frame in walk:
                yield segment, frame
            near = until if last else self.open(near.segment + 1).header.start
            if walk.position != walk.whole.offset or walk.whole[2:] != near[2:] or (last and walk.whole != until):
                raise walk.damage()

    def _segment_of(self, sequence_no: int, last: int) -> OpenSegment:
        """Find the last segment that does not start behind the number."""
        low, high = 0, last
        while low < high:
            middle = (low + high + 1) // 2
            if self.open(middle).header.first_sequence_no <= sequence_no:
                low = middle
            else:
                high = middle - 1
        return self.open(low)

    def _frame_at(self, location: FrameLocation) -> tuple[OpenSegment, Frame]:
        segment = self.open(location.segment)
        data = segment.file.read(location.offset, location.size)
        frame = parse_frame(data, 0, segment.header.tag, location.offset)
        if frame is None or not frame.payload or frame.size != location.size:
            expected, actual = difference(data, 0, segment.header.tag)
            raise IntegrityError(
                "the journal is damaged",
                address=f"byte {location.offset} of {segment_name(location.segment)}",
                expected=expected,
                actual=actual,
            )
        return segment, frame

    def _open_file(self, number: int) -> OpenSegment:
        name = segment_name(number)
        try:
            file = self._files.open(self._directory / name, writable=False)
        except FileNotFoundError as error:
            raise IntegrityError("a segment of the journal is missing", address=name) from error
        header = read_header(file, name)
        if header.number != number:
            raise IntegrityError("not this segment", address=name, expected=number, actual=header.number)
        if self.strand_id not in ("", header.strand_id):
            raise IntegrityError("not this strand", address=name, expected=self.strand_id, actual=header.strand_id)
        self.strand_id = header.strand_id
        return OpenSegment(header, file)


def block_of(segment: OpenSegment, frame: Frame) -> Block:
    """Read the block in a frame.

    Raises:
        IntegrityError: the frame is whole, but its payload is no block.
    """
    header = segment.header
    return decode_block(frame.payload, header.symbols, header.strand_id, frame.sequence_no)
