"""Segment headers, the walk over frames, and the durable mark, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_disk import SimulatedDisk

from ledger.errors import FormatVersionError, IntegrityError
from ledger.ion import SymbolTable
from ledger.journal.files import File
from ledger.journal.frame import pack_batch
from ledger.journal.mark import Mark
from ledger.journal.segment import FrameWalk, Position, SegmentHeader, make_header, pack_header, read_header

TAG = b"\xf5abc"
PLAN = SegmentHeader("s" * 22, 3, 41, 1000, 4096, TAG, SymbolTable(("VIN", "Ünï")))


def file_of(content: bytes) -> File:
    file = SimulatedDisk().create(Path("/file"))
    file.write(0, content)
    return file


def segment_of(*frames: bytes) -> tuple[SegmentHeader, File]:
    header = make_header(PLAN, room=100)
    return header, file_of((pack_header(header) + b"".join(frames)).ljust(header.size, b"\0"))


def test_header_comes_back_with_its_symbols_and_start() -> None:
    header, file = segment_of()
    back = read_header(file, "x")
    assert (back.strand_id, back.number, back.first_batch_no, back.first_sequence_no) == ("s" * 22, 3, 41, 1000)
    assert (back.size, back.tag, back.symbols.names) == (4096, TAG, ("VIN", "Ünï"))
    assert back.start == Position(3, 512, 41, 1000) == header.start


def test_header_with_many_names_takes_more_sectors_and_the_segment_grows_for_its_frames() -> None:
    symbols = SymbolTable([f"a long field name {i}" for i in range(500)])
    header = make_header(SegmentHeader("s" * 22, 0, 1, 0, 4096, TAG, symbols), room=5000)
    assert header.data_start % 512 == 0
    assert header.data_start > 10_000
    assert header.size >= header.data_start + 5000
    file = file_of(pack_header(header).ljust(header.size, b"\0"))
    assert read_header(file, "x").start == header.start


def test_each_flipped_byte_of_a_header_is_refused() -> None:
    header, file = segment_of()
    content = bytearray(file.read(0, header.size))
    for offset in range(header.data_start):
        content[offset] ^= 0x20
        with pytest.raises(IntegrityError, match=r"00000003\.segment"):
            read_header(file_of(bytes(content)), "00000003.segment")
        content[offset] ^= 0x20


def test_header_of_a_newer_format_is_refused_by_its_version() -> None:
    from crc32c import crc32c

    packed = pack_header(make_header(PLAN, room=0))
    size = int.from_bytes(packed[16:20], "big")
    body = packed[20 : 20 + size]
    newer = (2).to_bytes(4, "big")
    crc = crc32c(body, crc32c(newer + packed[16:20])).to_bytes(4, "big")
    with pytest.raises(FormatVersionError, match="version 2"):
        read_header(file_of((packed[:8] + newer + crc + packed[16:]).ljust(4096, b"\0")), "x")


def test_walk_ends_behind_the_last_whole_batch() -> None:
    first, second = pack_batch([b"a", b"b"], TAG, 41, 1000), pack_batch([b"c", b"d"], TAG, 42, 1002)
    header, file = segment_of(*first, second[0])
    walk = FrameWalk(file, header, header.size)
    assert [frame.payload for frame in walk] == [b"a", b"b", b"c"]
    end = header.data_start + len(b"".join(first))
    assert walk.whole == Position(3, end, 42, 1002)
    assert walk.position == end + len(second[0])
    assert walk.last_batch_offset == header.data_start


@pytest.mark.parametrize(
    "second",
    [
        pack_batch([b"x"], TAG, 43, 1001)[0],
        pack_batch([b"x"], TAG, 41, 1001)[0],
        pack_batch([b"x"], TAG, 42, 1002)[0],
        pack_batch([b"x", b"y"], TAG, 42, 1000)[1],
        pack_batch([b"x"], b"\xf5xyz", 42, 1001)[0],
    ],
    ids=["batch left out", "batch again", "block left out", "not the first of its batch", "of another segment"],
)
def test_walk_stops_at_a_frame_that_does_not_follow_and_says_so(second: bytes) -> None:
    header, file = segment_of(*pack_batch([b"a"], TAG, 41, 1000), second)
    walk = FrameWalk(file, header, header.size)
    assert [frame.payload for frame in walk] == [b"a"]
    error = walk.damage()
    assert error.address == f"block 1001 at byte {walk.position} of 00000003.segment"
    assert error.expected != error.actual


def test_walk_stops_where_a_batch_changes_its_mind_about_its_size() -> None:
    two, three = pack_batch([b"a", b"b"], TAG, 41, 1000), pack_batch([b"a", b"b", b"c"], TAG, 41, 1000)
    header, file = segment_of(two[0], three[1])
    walk = FrameWalk(file, header, header.size)
    assert [frame.payload for frame in walk] == [b"a"]
    assert walk.whole == header.start


def test_walk_reads_frames_larger_than_its_buffer() -> None:
    payloads = [b"x" * 3_000_000, b"y", b"z" * 1_500_000]
    header = make_header(PLAN, room=5_000_000)
    frames = b"".join(pack_batch(payloads, TAG, 41, 1000))
    walk = FrameWalk(file_of((pack_header(header) + frames).ljust(header.size, b"\0")), header, header.size)
    assert [frame.payload for frame in walk] == payloads


def test_mark_gives_the_last_position_and_survives_the_loss_of_the_slot_being_written() -> None:
    disk = SimulatedDisk()
    mark = Mark.open_to_advance(disk, Path("/"))
    assert mark.read() is None
    content = disk.content(Path("/mark"))
    positions = [Position(0, 512 + i, 1 + i, i) for i in range(5)]
    for number, position in enumerate(positions):
        before = bytes(content)
        mark.advance(position)
        assert mark.read() == position
        for slot in (0, 512):
            if content[slot : slot + 48] != before[slot : slot + 48] and number:
                torn = bytes(content)
                content[slot + 20] ^= 1
                assert mark.read() == positions[number - 1]
                content[:] = torn


def test_mark_opened_again_goes_on_in_the_other_slot() -> None:
    disk = SimulatedDisk()
    Mark.open_to_advance(disk, Path("/")).advance(Position(0, 600, 1, 1))
    again = Mark.open_to_advance(disk, Path("/"))
    again.advance(Position(0, 700, 2, 2))
    content = disk.content(Path("/mark"))
    content[512 + 20] ^= 1
    assert again.read() == Position(0, 600, 1, 1)


def test_missing_mark_is_told_and_a_copied_one_says_nothing() -> None:
    disk = SimulatedDisk()
    assert Mark.open(disk, Path("/")) is None
    Mark.open_to_advance(disk, Path("/")).advance(Position(0, 600, 1, 1))
    disk.make_directory(Path("/copy"))
    copy = disk.create(Path("/copy/mark"))
    copy.write(0, bytes(disk.content(Path("/mark"))))
    mark = Mark.open(disk, Path("/copy"))
    assert mark is not None
    assert mark.read() is None
