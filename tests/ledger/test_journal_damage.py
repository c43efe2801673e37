"""Torn or damaged: each byte of a small journal is flipped, each frame lost; the answer names the place, or the last batch is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from block_builder import STRAND_ID, BlockBuilder
from simulated_disk import SimulatedDisk

from ledger.errors import FormatVersionError, IntegrityError
from ledger.journal import FrameLocation, Journal
from ledger.journal.frame import pack_batch
from ledger.limits import Limits

DIRECTORY = Path("/disk/demo")
LIMITS = Limits(first_segment_bytes=2048, segment_bytes=4096)
BATCHES = (1, 1, 3, 2)
BLOCKS = BlockBuilder().add_many(sum(BATCHES), padding="x" * 90)
LAST_BATCH = BLOCKS[: -BATCHES[-1]]


def open_journal(disk: SimulatedDisk) -> Journal:
    return Journal.open(DIRECTORY, files=disk, limits=LIMITS, new_strand_id=lambda: STRAND_ID)


def make(*, closed: bool) -> tuple[SimulatedDisk, list[FrameLocation]]:
    """Make a journal of two segments."""
    disk = SimulatedDisk()
    disk.make_directory(DIRECTORY.parent)
    journal = open_journal(disk)
    locations: list[FrameLocation] = []
    for size in BATCHES:
        locations += journal.append(BLOCKS[len(locations) : len(locations) + size])
    if closed:
        journal.close()
    after = disk.process_killed()
    return after, locations


OPEN, LOCATIONS = make(closed=False)
CLOSED, _ = make(closed=True)


def segment(number: int) -> Path:
    return DIRECTORY / "journal" / f"{number:08}.segment"


def lose_mark(disk: SimulatedDisk) -> SimulatedDisk:
    disk.remove(DIRECTORY / "journal" / "mark")
    return disk


def read_all(disk: SimulatedDisk) -> int:
    """Open and read everything; give the number of blocks, which are those that were written."""
    journal = open_journal(disk)
    blocks = [block for block, _ in journal.blocks()]
    journal.close()
    assert blocks == BLOCKS[: len(blocks)]
    return len(blocks)


def outcome(disk: SimulatedDisk) -> int | type[Exception]:
    before = {number: bytes(disk.content(segment(number))) for number in (0, 1)}
    try:
        return read_all(disk)
    except (IntegrityError, FormatVersionError) as error:
        assert {number: bytes(disk.content(segment(number))) for number in (0, 1)} == before, "damage was written on"
        return type(error)


def flips(make_disk: Callable[[], SimulatedDisk], number: int) -> dict[int, int | type[Exception]]:
    """Flip each byte of a segment in turn; give what opening and reading said, by offset."""
    size = len(make_disk().content(segment(number)))
    outcomes = {}
    for offset in range(size):
        disk = make_disk()
        disk.content(segment(number))[offset] ^= 1 << (offset % 8)
        outcomes[offset] = outcome(disk)
    return outcomes


def end_of_frames() -> int:
    return LOCATIONS[-1].offset + LOCATIONS[-1].size


def start_of_last_batch() -> int:
    return LOCATIONS[-BATCHES[-1]].offset


def test_the_journal_of_these_tests_has_two_segments_and_a_last_batch_that_is_not_alone_in_its_segment() -> None:
    assert {location.segment for location in LOCATIONS} == {0, 1}
    assert LOCATIONS[-BATCHES[-1] - 1].segment == 1
    assert read_all(OPEN.process_killed()) == len(BLOCKS)


def test_each_flipped_byte_of_an_older_segment_is_an_integrity_error() -> None:
    outcomes = flips(OPEN.process_killed, 0)
    first_segment_end = max(x.offset + x.size for x in LOCATIONS if x.segment == 0)
    assert {at for at, found in outcomes.items() if found is not IntegrityError and at < first_segment_end} == set()
    assert set(list(outcomes.values())[first_segment_end:]) == {len(BLOCKS)}, "behind the frames nothing is read"


def test_each_flipped_byte_below_the_mark_is_an_integrity_error_also_in_the_last_batch() -> None:
    outcomes = flips(OPEN.process_killed, 1)
    assert {at for at, found in outcomes.items() if found is not IntegrityError and at < end_of_frames()} == set()
    assert set(list(outcomes.values())[end_of_frames() :]) == {len(BLOCKS)}, "garbage behind the end is cut"


def test_each_flipped_byte_without_a_mark_is_an_integrity_error_or_cuts_the_last_batch_whole() -> None:
    outcomes = flips(lambda: lose_mark(OPEN.process_killed()), 1)
    for at, found in outcomes.items():
        if at < start_of_last_batch():
            assert found is IntegrityError, at
        elif at < end_of_frames():
            assert found == len(LAST_BATCH), at
        else:
            assert found == len(BLOCKS), at


def test_each_flipped_byte_of_a_closed_journal_without_a_mark_is_an_integrity_error() -> None:
    outcomes = flips(lambda: lose_mark(CLOSED.process_killed()), 1)
    assert {at for at, found in outcomes.items() if found is not IntegrityError and at < end_of_frames()} == set()
    assert set(list(outcomes.values())[end_of_frames() :]) == {len(BLOCKS)}, "only the close mark was cut"


def test_each_flipped_byte_of_the_mark_loses_no_block() -> None:
    path = DIRECTORY / "journal" / "mark"
    for offset in range(len(OPEN.content(path))):
        disk = OPEN.process_killed()
        disk.content(path)[offset] ^= 0x40
        assert outcome(disk) == len(BLOCKS)


def test_each_flipped_byte_of_the_format_file_is_refused() -> None:
    path = DIRECTORY / "FORMAT"
    for offset in range(len(OPEN.content(path))):
        disk = OPEN.process_killed()
        disk.content(path)[offset] ^= 1
        assert outcome(disk) in (IntegrityError, FormatVersionError)


def test_damage_names_block_and_byte_and_both_values() -> None:
    disk = OPEN.process_killed()
    disk.content(segment(1))[LOCATIONS[-1].offset + 50] ^= 1
    with pytest.raises(IntegrityError) as caught:
        open_journal(disk)
    assert str(caught.value.address) == f"block {len(BLOCKS) - 1} at byte {LOCATIONS[-1].offset} of 00000001.segment"
    assert str(caught.value.expected).startswith("CRC-32C ")
    assert caught.value.expected != caught.value.actual


def test_damage_in_an_older_segment_is_found_when_it_is_read() -> None:
    disk = OPEN.process_killed()
    disk.content(segment(0))[LOCATIONS[1].offset + 50] ^= 1
    journal = open_journal(disk)
    with pytest.raises(IntegrityError, match=f"block 1 at byte {LOCATIONS[1].offset} of 00000000.segment"):
        list(journal.blocks())
    with pytest.raises(IntegrityError, match=f"byte {LOCATIONS[1].offset} of 00000000.segment"):
        journal.read(LOCATIONS[1])
    assert journal.read(LOCATIONS[0]) == BLOCKS[0]


@pytest.mark.parametrize("lost", range(len(BLOCKS)))
def test_each_frame_zeroed_without_a_mark_is_damage_or_cuts_the_last_batch_whole(lost: int) -> None:
    disk = lose_mark(OPEN.process_killed())
    location = LOCATIONS[lost]
    disk.content(segment(location.segment))[location.offset : location.offset + location.size] = bytes(location.size)
    assert outcome(disk) == (IntegrityError if lost < len(LAST_BATCH) else len(LAST_BATCH))


def test_two_frames_that_changed_places_are_damage() -> None:
    first, second = LOCATIONS[3], LOCATIONS[4]
    assert first.size == second.size
    disk = OPEN.process_killed()
    content = disk.content(segment(first.segment))
    a, b = slice(first.offset, first.offset + first.size), slice(second.offset, second.offset + second.size)
    content[a], content[b] = content[b], content[a]
    assert outcome(disk) is IntegrityError


def test_missing_segment_is_an_integrity_error() -> None:
    for number in (0, 1):
        disk = OPEN.process_killed()
        disk.remove(segment(number))
        with pytest.raises(IntegrityError):
            open_journal(disk)


def test_shortened_segment_is_an_integrity_error() -> None:
    disk = OPEN.process_killed()
    del disk.content(segment(1))[-100:]
    with pytest.raises(IntegrityError, match="size changed"):
        open_journal(disk)


def test_segment_of_another_strand_is_an_integrity_error() -> None:
    disk, other = OPEN.process_killed(), SimulatedDisk(seed=1)
    other.make_directory(DIRECTORY.parent)
    Journal.open(DIRECTORY, files=other, limits=Limits(first_segment_bytes=4096), new_strand_id=lambda: "x" * 22)
    disk.content(segment(1))[:] = other.content(segment(0))
    with pytest.raises(IntegrityError, match="not this segment"):
        open_journal(disk)


def test_mark_of_another_copy_says_nothing_so_that_a_copy_of_a_running_ledger_opens() -> None:
    disk = OPEN.process_killed()
    copy = Path("/disk/copy")
    disk.make_directory(copy)
    disk.copy_of_directory(DIRECTORY, copy)
    tail = disk.content(copy / "journal" / "00000001.segment")
    tail[start_of_last_batch() :] = bytes(
        len(tail) - start_of_last_batch()
    )  # copied before that batch, the mark after it
    journal = Journal.open(copy, files=disk, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    assert [block for block, _ in journal.blocks()] == LAST_BATCH


def test_document_that_holds_the_bytes_of_a_later_frame_passes_for_one_only_to_who_knows_the_tag() -> None:
    disk = SimulatedDisk()
    disk.make_directory(DIRECTORY.parent)
    journal = Journal.open(DIRECTORY, files=disk, new_strand_id=lambda: STRAND_ID)
    builder = BlockBuilder()
    (first,) = journal.append([builder.add(("Cars", "a", {"n": 1}))])
    tag = bytes(disk.content(segment(0))[first.offset : first.offset + 4])
    for guess, expected in ((b"\xf5SFr", 0), (tag, IntegrityError)):
        attack = pack_batch([b"anything"], guess, 99, 99)[0]
        after = disk.process_killed()
        again = Journal.open(DIRECTORY, files=after, new_strand_id=lambda: STRAND_ID)
        (torn,) = again.append([branch(builder).add(("Cars", "b", {"note": attack}))])
        after = lose_mark(after.process_killed())
        after.content(segment(0))[torn.offset + 10] ^= 1
        assert tip_of(after) == expected


def branch(builder: BlockBuilder) -> BlockBuilder:
    """Give a builder that goes on where this one stands, and leaves it there."""
    return BlockBuilder(builder.strand_id, builder.tip, dict(builder.versions), dict(builder.sequence_nos))


def tip_of(disk: SimulatedDisk) -> int | type[Exception]:
    try:
        tip = Journal.open(DIRECTORY, files=disk, new_strand_id=lambda: STRAND_ID).tip
    except IntegrityError as error:
        return type(error)
    return -1 if tip is None else tip.sequence_no


def test_newer_format_is_refused_and_named() -> None:
    disk = OPEN.process_killed()
    path = DIRECTORY / "FORMAT"
    disk.content(path)[:] = disk.content(path).replace(b"1", b"2")
    with pytest.raises(FormatVersionError, match="format 2, this Strandline reads up to 1"):
        open_journal(disk)


def test_blocks_without_format_file_are_not_taken_for_an_unfinished_ledger() -> None:
    disk = OPEN.process_killed()
    disk.remove(DIRECTORY / "FORMAT")
    with pytest.raises(IntegrityError, match="FORMAT of a ledger with blocks is missing"):
        open_journal(disk)
    assert {"00000000.segment", "00000001.segment"} <= set(disk.list(DIRECTORY / "journal"))
