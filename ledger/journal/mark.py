"""The durable mark, `journal/mark`: how far the journal is on disk. The owner of the journal moves it on; other processes read up to it.

    slot 0 at byte 0, slot 1 at byte 512; written in turn, so that one is always whole; the greater position counts:

    0                4                8                               16
    +----------------+----------------+-------------------------------+
    | F5 'S' 'M' 'k' | CRC-32C        | inode of the file             |
    +----------------+----------------+-------------------------------+
    | segment                         | offset of the end             |
    +---------------------------------+-------------------------------+
    | number of the next batch        | number of the next block      |
    +---------------------------------+-------------------------------+ 48

- It is written only after the fdatasync that made the position true, and is never synced itself: after a power cut it may be old, never
  ahead. So whatever lies below it was durable, and a bad frame there is damage, in any life of the machine.
- The CRC covers everything after itself. A slot with another inode came with a copy of the directory: a copy made while the journal was
  written may have a mark that is newer than its segments, so there it says nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path

from crc32c import crc32c

from ledger.journal.files import File, Files
from ledger.journal.segment import Position

__all__ = ["MARK_NAME", "Mark"]

MARK_NAME = "mark"
_MAGIC = b"\xf5SMk"
_SLOT = struct.Struct(">4sIQQQQQ")
_COVERED = struct.Struct(">QQQQQ")
_SLOT_OFFSETS = (0, 512)
_COVERED_AT = 8


class Mark:
    """An open mark file."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._identity = file.identity()
        self._next_slot = 0

    @classmethod
    def open(cls, files: Files, directory: Path) -> Mark | None:
        """Open the mark for reading; None: there is none."""
        try:
            return cls(files.open(directory / MARK_NAME))
        except FileNotFoundError:
            return None

    @classmethod
    def open_to_advance(cls, files: Files, directory: Path) -> Mark:
        """Open the mark for its one writer; make it if it is not there."""
        try:
            mark = cls(files.open(directory / MARK_NAME, writable=True))
        except FileNotFoundError:
            file = files.create(directory / MARK_NAME)
            file.write(
                0, bytes(_SLOT_OFFSETS[1] + _SLOT.size)
            )  # a full disk is met here, and not when a commit is to be told
            return cls(file)
        first, second = mark._slots()
        mark._next_slot = 1 if first is not None and (second is None or first > second) else 0
        return mark

    def read(self) -> Position | None:
        """Give the position up to which the journal is durable; None: nobody has said."""
        return max((position for position in self._slots() if position is not None), default=None)

    def advance(self, position: Position) -> None:
        """Say that everything before `position` is durable. Readers in other processes see it at once."""
        covered = _COVERED.pack(self._identity, *position)
        slot = struct.pack(">4sI", _MAGIC, crc32c(covered)) + covered
        self._file.write(_SLOT_OFFSETS[self._next_slot], slot)
        self._next_slot ^= 1

    def is_still_in(self, files: Files, directory: Path) -> bool:
        """Tell whether the mark of `directory` is this file, and not that of another directory which was put in its place."""
        found = Mark.open(files, directory)
        if found is None:
            return False
        found.close()
        return found._identity == self._identity

    def close(self) -> None:
        self._file.close()

    def _slots(self) -> list[Position | None]:
        data = self._file.read(0, _SLOT_OFFSETS[1] + _SLOT.size)
        return [self._parse(data, offset) for offset in _SLOT_OFFSETS]

    def _parse(self, data: bytes, at: int) -> Position | None:
        if len(data) < at + _SLOT.size:
            return None
        magic, crc, identity, *position = _SLOT.unpack_from(data, at)
        covered = data[at + _COVERED_AT : at + _SLOT.size]
        if magic != _MAGIC or identity != self._identity or crc32c(covered) != crc:
            return None
        return Position(*position)
