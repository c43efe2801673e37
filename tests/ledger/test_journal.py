"""The journal on a real disk: what is appended is read, in this process and in others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from block_builder import STRAND_ID, BlockBuilder
from simulated_disk import SimulatedDisk

from ledger.block import Block
from ledger.errors import IntegrityError, JournalFailedError, LedgerLockedError, LimitExceededError, NotFoundError
from ledger.journal import FrameLocation, Journal, JournalReader
from ledger.limits import Limits

LIMITS = Limits(first_segment_bytes=4096, segment_bytes=16384, block_bytes_max=20_000)


def open_journal(directory: Path, limits: Limits = LIMITS) -> Journal:
    return Journal.open(directory, limits=limits, new_strand_id=lambda: STRAND_ID)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "demo"


@pytest.fixture
def journal(directory: Path) -> Iterator[Journal]:
    journal = open_journal(directory)
    yield journal
    journal.close()


def numbers(journal: Journal | JournalReader, start: int = 0) -> list[int]:
    return [block.sequence_no for block, _ in journal.blocks(start)]


def segment_sizes(directory: Path) -> list[int]:
    return [path.stat().st_size for path in sorted((directory / "journal").glob("*.segment"))]


def test_new_journal_is_empty_and_has_the_strand_it_was_given(journal: Journal) -> None:
    assert (journal.strand_id, journal.tip, numbers(journal)) == (STRAND_ID, None, [])
    assert journal.append([]) == []


def test_blocks_come_back_by_location_and_in_order_over_many_segments(journal: Journal, directory: Path) -> None:
    blocks = BlockBuilder().add_many(200)
    locations: list[FrameLocation] = []
    for i in range(0, 200, 8):
        locations += journal.append(blocks[i : i + 8])
    assert journal.tip == blocks[-1]
    assert len({location.segment for location in locations}) > 4
    assert list(journal.blocks()) == list(zip(blocks, locations, strict=True))
    for start in (0, 1, 7, 8, 99, 199, 200, 500):
        assert numbers(journal, start) == list(range(start, 200))
    for block, location in zip(blocks, locations, strict=True):
        assert journal.read(location) == block


def test_journal_opened_again_goes_on_where_it_was(directory: Path) -> None:
    builder = BlockBuilder()
    blocks: list[Block] = []
    for count in (1, 0, 5, 40):
        journal = open_journal(directory)
        assert journal.tip == (blocks[-1] if blocks else None)
        more = builder.add_many(count)
        journal.append(more)
        blocks += more
        journal.close()
    reader = JournalReader.open(directory)
    assert [block for block, _ in reader.blocks()] == blocks
    reader.close()


def test_closing_without_having_written_adds_nothing(directory: Path) -> None:
    journal = open_journal(directory)
    journal.append(BlockBuilder().add_many(1))
    journal.close()
    before = (directory / "journal" / "00000000.segment").read_bytes()
    for _ in range(3):
        journal = open_journal(directory)
        journal.close()
        journal.close()
    assert (directory / "journal" / "00000000.segment").read_bytes() == before


def open_on(disk: SimulatedDisk, limits: Limits = LIMITS) -> Journal:
    return Journal.open(Path("/demo"), files=disk, limits=limits, new_strand_id=lambda: STRAND_ID)


def test_opening_after_a_clean_close_makes_the_end_durable_and_zeroes_nothing() -> None:
    disk = SimulatedDisk()
    journal = open_on(disk)
    journal.append(BlockBuilder().add_many(1))
    journal.close()
    again = disk.process_killed()
    open_on(again)
    written = [
        "write",
        "sync",
        "sync_directory",
        "sync_directory",
        "sync_directory",
        "write",
    ]  # close mark, durable mark
    assert again.operations == written


def test_segment_that_is_full_to_the_last_byte_can_be_closed_and_opened() -> None:
    ends = set()
    for padding in range(60):
        disk = SimulatedDisk()
        builder = BlockBuilder()
        blocks = builder.add_many(1, padding="x" * (270 + padding)) + builder.add_many(1, padding="x" * 230)
        journal = open_on(disk, Limits(first_segment_bytes=2048, segment_bytes=4096))
        segment, offset, size = journal.append(blocks)[-1]
        journal.close()
        ends.add(offset + size if segment == 0 else None)
        journal = open_on(disk)
        assert [block for block, _ in journal.blocks()] == blocks
        journal.close()
    assert 2048 - 36 in ends, "no batch left just the room for the close"
    assert None in ends, "no batch was too large for the first segment"


def test_segments_double_up_to_the_limit_and_leave_nothing_unfinished(journal: Journal, directory: Path) -> None:
    for block in BlockBuilder().add_many(150):
        journal.append([block])
    journal.close()
    assert segment_sizes(directory)[:3] == [4096, 8192, 16384]
    assert set(segment_sizes(directory)[3:]) == {16384}
    assert not list((directory / "journal").glob("*.new"))


def test_batch_that_no_segment_holds_gets_a_larger_one(journal: Journal, directory: Path) -> None:
    blocks = BlockBuilder().add_many(100)
    journal.append(blocks[:1])
    locations = journal.append(blocks[1:])
    assert {location.segment for location in locations} == {1}
    assert segment_sizes(directory)[1] > 30_000
    assert [block for block, _ in journal.blocks()] == blocks


def test_block_above_the_limit_is_refused_and_nothing_is_written(journal: Journal) -> None:
    builder = BlockBuilder()
    journal.append(builder.add_many(1))
    tip = builder.tip
    with pytest.raises(LimitExceededError, match="block_bytes_max"):
        journal.append([builder.add(("Cars", "a", {"note": "x" * 45_000}))])
    assert numbers(journal) == [0]
    builder.tip = tip
    journal.append(builder.add_many(1))
    assert numbers(journal) == [0, 1]


def test_location_that_is_none_is_an_integrity_error(journal: Journal) -> None:
    first, second = journal.append(BlockBuilder().add_many(2))
    for wrong in (
        first._replace(offset=first.offset + 1),
        first._replace(size=first.size + second.size),
        first._replace(size=10),
        first._replace(offset=10**9),
        first._replace(segment=7),
    ):
        with pytest.raises(IntegrityError):
            journal.read(wrong)


def test_second_owner_is_refused_and_told_who_has_it(journal: Journal, directory: Path) -> None:
    import os

    with pytest.raises(LedgerLockedError, match=f"owned by process {os.getpid()}"):
        open_journal(directory)
    journal.close()
    open_journal(directory).close()


def test_closed_journal_refuses_to_append(journal: Journal) -> None:
    journal.close()
    with pytest.raises(JournalFailedError, match="closed"):
        journal.append(BlockBuilder().add_many(1))


def test_directory_that_cannot_be_made_is_a_failed_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalFailedError, match="cannot be opened"):
        open_journal(tmp_path / "file" / "demo")


def test_reader_sees_each_batch_once_it_is_durable_and_reads_on_where_it_was(journal: Journal, directory: Path) -> None:
    reader = JournalReader.open(directory)
    assert (reader.strand_id, reader.tip_sequence_no(), numbers(reader)) == (STRAND_ID, -1, [])
    blocks = BlockBuilder().add_many(120)
    seen: list[Block] = []
    for i in range(0, 120, 3):
        journal.append(blocks[i : i + 3])
        assert reader.tip_sequence_no() == i + 2
        seen += [block for block, _ in reader.blocks(len(seen))]
        assert len(seen) == i + 3
    assert seen == blocks
    assert numbers(reader, 50) == list(range(50, 120))
    assert list(reader.blocks()) == list(journal.blocks())
    reader.close()


def test_reader_of_a_journal_without_owner_reads_to_the_end(directory: Path) -> None:
    journal = open_journal(directory)
    journal.append(BlockBuilder().add_many(3))
    journal.close()
    assert numbers(JournalReader.open(directory)) == [0, 1, 2]


def test_reader_of_no_ledger_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        JournalReader.open(tmp_path)


def test_reader_goes_on_under_a_new_owner(directory: Path) -> None:
    builder = BlockBuilder()
    journal = open_journal(directory)
    journal.append(builder.add_many(2))
    reader = JournalReader.open(directory)
    assert numbers(reader) == [0, 1]
    journal.close()
    assert numbers(reader, 2) == []
    journal = open_journal(directory)
    journal.append(builder.add_many(30))
    assert numbers(reader, 2) == list(range(2, 32))
    journal.close()
