"""A segment: one file of the journal, `journal/<number, 8 digits>.segment`. Its header, and the walk through its frames.

    0                    8         12        16        20
    +--------------------+---------+---------+---------+-------------------- - -+--------- - -+------- - -
    | "\\xf5STRAND\\n"     | format  | CRC-32C | size n  | Ion struct, n bytes    | zero to 512 | frames ...
    +--------------------+---------+---------+---------+-------------------- - -+--------- - -+------- - -

    {strandId: "...", segment: 0, firstBatch: 1, firstSequenceNo: 0, bytes: 262144, tag: {{f51c83a9}}, symbols: ["VIN", ...]}

- The CRC covers format, size and struct. `bytes` is the file's size, which never changes; `tag` is what its frames begin with.
- `symbols` is frozen: with the header alone any frame reads. Ids count from 10 in the order of the list.
- The header is written once, before the file gets its name, and shares no sector with a frame.
- Batches and sequence numbers go on from the segment before. No batch spans two segments. After the last frame everything is zero.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

from crc32c import crc32c

from ledger import ion
from ledger.errors import FormatVersionError, IntegrityError, InvalidValueError
from ledger.journal.files import File
from ledger.journal.frame import FRAME_HEADER_BYTES, Frame, difference, frame_size, parse_frame
from ledger.values import Value

__all__ = [
    "FORMAT_VERSION",
    "FrameLocation",
    "FrameWalk",
    "Position",
    "SegmentHeader",
    "make_header",
    "pack_header",
    "read_header",
    "segment_name",
]

FORMAT_VERSION = 1
SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""
_MAGIC = b"\xf5STRAND\n"
_FIXED = struct.Struct(">8sIII")
_CRC_AT = 12
_CHUNK_BYTES = 1024 * 1024
"""Read at once by a walk: a system call per frame would cost more than checking it."""


class FrameLocation(NamedTuple):
    """Where a block's frame is. `offset` and `size` in bytes; `size` includes the frame's header."""

    segment: int
    offset: int
    size: int


class Position(NamedTuple):
    """An end of a whole batch, and what comes next. Compares in the order of the journal."""

    segment: int
    offset: int
    batch_no: int
    """The number of the next batch."""
    sequence_no: int
    """The number of the next block."""


def segment_name(number: int) -> str:
    return f"{number:08d}.segment"


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment says of itself. `size` is the file's, in bytes; `tag` is 4 bytes."""

    strand_id: str
    number: int
    first_batch_no: int
    first_sequence_no: int
    size: int
    tag: bytes
    symbols: ion.SymbolTable

    data_start: int = 0
    """The offset of the first frame: what follows from the length of all this."""

    @property
    def start(self) -> Position:
        return Position(self.number, self.data_start, self.first_batch_no, self.first_sequence_no)


def make_header(plan: SegmentHeader, room: int) -> SegmentHeader:
    """Give the header of a new segment: as planned, but larger if frames of `room` bytes need it."""
    size = max(plan.size, _whole_sectors(len(pack_header(plan)) + SECTOR_BYTES + room))
    header = replace(plan, size=size)
    return replace(header, data_start=len(pack_header(header)))


def pack_header(header: SegmentHeader) -> bytes:
    """Give the header's bytes, zeros up to the next sector included: its length is the offset of the first frame."""
    body = ion.encode(
        {
            "strandId": header.strand_id,
            "segment": header.number,
            "firstBatch": header.first_batch_no,
            "firstSequenceNo": header.first_sequence_no,
            "bytes": header.size,
            "tag": header.tag,
            "symbols": list(header.symbols.names),
        }
    )
    fixed = _FIXED.pack(_MAGIC, FORMAT_VERSION, _header_crc(FORMAT_VERSION, body), len(body))
    return (fixed + body).ljust(_whole_sectors(len(fixed) + len(body)), b"\0")


def read_header(file: File, name: str) -> SegmentHeader:
    """Read and check the header of a segment file.

    Args:
        name: the file's, for errors.

    Raises:
        FormatVersionError: a newer Strandline wrote it.
        IntegrityError: it is damaged, or the file has not the size that it says.
    """
    fixed = file.read(0, _FIXED.size)
    if len(fixed) < _FIXED.size or fixed[:8] != _MAGIC:
        raise IntegrityError("no segment of a journal", address=f"{name} byte 0", expected=_MAGIC, actual=fixed[:8])
    _, version, crc, size = _FIXED.unpack(fixed)
    body, padding = _body_and_padding(file, size)
    actual = _header_crc(version, body)
    if actual != crc:
        raise IntegrityError(
            "the header's CRC-32C does not match",
            address=f"{name} byte {_CRC_AT}",
            expected=f"{crc:08x}",
            actual=f"{actual:08x}",
        )
    if version != FORMAT_VERSION:
        raise FormatVersionError(f"{name} has format version {version}, this Strandline reads up to {FORMAT_VERSION}")
    if padding.strip(b"\0"):
        raise IntegrityError("what fills the header's last sector is not zero", address=name, actual=padding)
    header = _header_of(body, name)
    if header.size != file.size():
        raise IntegrityError("the file's size changed", address=name, expected=header.size, actual=file.size())
    return header


def _body_and_padding(file: File, size: int) -> tuple[bytes, bytes]:
    end = min(_whole_sectors(_FIXED.size + size), file.size())
    data = file.read(_FIXED.size, end - _FIXED.size)
    return data[:size], data[size:]


def _header_of(body: bytes, name: str) -> SegmentHeader:
    try:
        fields = cast("dict[str, Value]", ion.decode(body))
        names = cast("list[str]", fields["symbols"])
        return SegmentHeader(
            cast(str, fields["strandId"]),
            cast(int, fields["segment"]),
            cast(int, fields["firstBatch"]),
            cast(int, fields["firstSequenceNo"]),
            cast(int, fields["bytes"]),
            cast(bytes, fields["tag"]),
            ion.SymbolTable(names),
            _whole_sectors(_FIXED.size + len(body)),
        )
    except (KeyError, TypeError, InvalidValueError) as error:
        raise IntegrityError(f"the header's CRC is right, its content is not: {error}", address=name) from error


def _header_crc(version: int, body: bytes) -> int:
    return crc32c(body, crc32c(struct.pack(">II", version, len(body))))


def _whole_sectors(size: int) -> int:
    return -(-size // SECTOR_BYTES) * SECTOR_BYTES


class FrameWalk:
    """Goes through a segment's frames from `start` to the byte `end`, and stops where one is not whole or does not follow its predecessor.

    Iterate it once. Then, or in the middle: `position` is the first byte that is not a frame yet; `whole` the end of the last whole batch,
    `last_batch_offset` where that one begins (None: there is none).
    """

    def __init__(self, file: File, header: SegmentHeader, end: int, start: Position | None = None) -> None:
        self.whole = start or header.start
        self.position = self.whole.offset
        self.last_batch_offset: int | None = None
        self.sequence_no = self.whole.sequence_no
        self._file, self._header, self._end = file, header, end
        self._buffer, self._base = b"", self.position

    def __iter__(self) -> Iterator[Frame]:
        number, tag = self._header.number, self._header.tag
        batch_no, index, count, batch_offset = self.whole.batch_no, 0, 0, self.position
        while (frame := self._next(tag)) is not None:
            _, size, frame_index, frame_count, frame_batch_no, sequence_no, payload = frame
            if frame_batch_no != batch_no or frame_index != index or sequence_no != self.sequence_no:
                return
            if index == 0:
                count, batch_offset = frame_count, self.position
            elif frame_count != count:
                return
            self.position += size
            if payload:
                self.sequence_no += 1
            index += 1
            if index == count:
                batch_no, index = batch_no + 1, 0
                self.whole = Position(number, self.position, batch_no, self.sequence_no)
                self.last_batch_offset = batch_offset
            yield frame

    def _next(self, tag: bytes) -> Frame | None:
        at = self.position - self._base
        frame = parse_frame(self._buffer, at, tag, self.position)
        if frame is None and self._base + len(self._buffer) < self._end:
            self._refill(_CHUNK_BYTES)
            size = frame_size(self._buffer[:FRAME_HEADER_BYTES], tag)
            if size is not None and size > len(self._buffer):
                self._refill(size)
            frame = parse_frame(self._buffer, 0, tag, self.position)
        return frame

    def _refill(self, size: int) -> None:
        self._base = self.position
        self._buffer = self._file.read(self.position, min(size, self._end - self.position))

    def damage(self) -> IntegrityError:
        """Give the error that names the block and byte at which the walk stopped, and what is wrong there."""
        frame = self._next(self._header.tag)
        if frame is None:
            expected, actual = difference(self._buffer, self.position - self._base, self._header.tag)
        else:
            expected = f"block {self.sequence_no} after batch {self.whole.batch_no - 1}, in order"
            actual = f"block {frame.sequence_no}, frame {frame.batch_index + 1} of {frame.batch_count} of batch {frame.batch_no}"
        return IntegrityError(
            "the journal is damaged",
            address=f"block {self.sequence_no} at byte {self.position} of {segment_name(self._header.number)}",
            expected=expected,
            actual=actual,
        )
