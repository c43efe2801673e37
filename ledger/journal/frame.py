"""The frame: the unit that a segment is made of. Pure: bytes in, bytes out.

     0                4                8                12               16
     +----------------+----------------+----------------+----------------+
     | the segment's  | CRC-32C        | payload size n | index in batch |
     | tag            |                |                |                |
     +----------------+----------------+----------------+----------------+
     | frames in batch| batch number                    | sequence       .
     +----------------+---------------------------------+----------------+
     . number         | payload, n bytes                                 .
     +----------------+--------------------------------------------------+
                      36                                              36+n      integers are unsigned, big-endian

- The tag is 4 random bytes from the segment's header, the first not zero. It never leaves the directory: nobody can put into a document
  what recovery would take for a frame, and bytes of another segment are no frame in this one. What is zero was never written.
- The CRC covers everything after itself.
- Batches are numbered from 1, without gaps, over the whole journal; a batch is the frames with one number, and each of them says how
  many they are: a batch of which one frame is missing was never there.
- The sequence number is the block's. A frame without payload carries no block, says the number of the next one, and is a batch of its own:
  the mark of a clean close.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from crc32c import crc32c

__all__ = ["FRAME_HEADER_BYTES", "Frame", "difference", "frame_size", "new_tag", "pack_batch", "parse_frame"]

_HEADER = struct.Struct(">4sIIIIQQ")
_AFTER_CRC = struct.Struct(">IIIQQ")
_CRC = struct.Struct(">4sI")
FRAME_HEADER_BYTES = _HEADER.size


class Frame(NamedTuple):
    """A whole frame with the right CRC. `offset` is in the segment, `size` includes the header."""

    offset: int
    size: int
    batch_index: int
    batch_count: int
    batch_no: int
    sequence_no: int
    payload: bytes


def new_tag(random_bytes: Callable[[int], bytes]) -> bytes:
    """Give the tag of a new segment."""
    first, *rest = random_bytes(4)
    return bytes((first | 0x80, *rest))


def pack_batch(payloads: Sequence[bytes], tag: bytes, batch_no: int, first_sequence_no: int) -> list[bytes]:
    """Give the frames of one batch. `[b""]` gives the mark of a clean close."""
    count = len(payloads)
    frames = []
    for index, payload in enumerate(payloads):
        covered = _AFTER_CRC.pack(len(payload), index, count, batch_no, first_sequence_no + index) + payload
        frames.append(_CRC.pack(tag, crc32c(covered)) + covered)
    return frames


def frame_size(header: bytes, tag: bytes) -> int | None:
    """Give the size that the frame with this header claims; None: no frame begins so."""
    if len(header) < FRAME_HEADER_BYTES or not header.startswith(tag):
        return None
    return FRAME_HEADER_BYTES + cast(int, _HEADER.unpack_from(header)[2])


def parse_frame(buffer: bytes, at: int, tag: bytes, offset: int) -> Frame | None:
    """Read the frame at `at` of `buffer`; None: there is none, or not all of it, or its CRC is wrong.

    Args:
        offset: where in the segment that is.
    """
    start = at + FRAME_HEADER_BYTES
    if start > len(buffer):
        return None
    found, crc, size, index, count, batch_no, sequence_no = _HEADER.unpack_from(buffer, at)
    if found != tag:
        return None
    end = start + size
    if end > len(buffer) or crc32c(memoryview(buffer)[at + _CRC.size : end]) != crc:
        return None
    return Frame(offset, end - at, index, count, batch_no, sequence_no, buffer[start:end])


def difference(buffer: bytes, at: int, tag: bytes) -> tuple[str, str]:
    """Tell (expected, actual) for people, of bytes that `parse_frame` refused."""
    data = buffer[at:]
    size = frame_size(data[:FRAME_HEADER_BYTES], tag)
    if size is None:
        return f"a frame, which begins with {tag.hex()}", data[:4].hex() or "the end of the file"
    if size > len(data):
        return f"a frame of {size} bytes", f"{len(data)} bytes up to the end"
    crc = int.from_bytes(data[4:8], "big")
    return f"CRC-32C {crc:08x}", f"CRC-32C {crc32c(data[_CRC.size : size]):08x}"
