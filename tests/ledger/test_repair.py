"""Repair cuts where it is told, keeps what it cuts, and leaves a ledger that checks and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from block_builder import STRAND_ID, BlockBuilder
from simulated_disk import Fault, PowerCut, SimulatedDisk

from ledger.check import check_ledger
from ledger.errors import IntegrityError, LedgerLockedError, NotFoundError
from ledger.journal import FrameLocation, Journal
from ledger.limits import Limits
from ledger.repair import repair
from ledger.views import Views

LIMITS = Limits(first_segment_bytes=2048, segment_bytes=4096)
BATCH = 3
BLOCKS = BlockBuilder().add_many(12, documents=4)


def write(directory: Path, files: SimulatedDisk | None = None) -> list[FrameLocation]:
    journal = Journal.open(directory, files=files, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    locations: list[FrameLocation] = []
    for i in range(0, len(BLOCKS), BATCH):
        locations += journal.append(BLOCKS[i : i + BATCH])
    if files is None:
        Views.open(directory / "views", journal, limits=LIMITS).close()
    journal.close()
    return locations


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def rot(directory: Path, location: FrameLocation) -> None:
    path = directory / "journal" / f"{location.segment:08}.segment"
    content = bytearray(path.read_bytes())
    content[location.offset + 60] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_that_rotted_is_cut_with_all_that_follows_and_the_ledger_goes_on(directory: Path, number: int) -> None:
    locations = write(directory)
    assert len({location.segment for location in locations}) >= 3
    rot(directory, locations[number])
    with pytest.raises(IntegrityError, match=f"block {number} at byte"):
        check_ledger(directory)
    rotten = {path.name: path.read_bytes() for path in (directory / "journal").glob("*.segment")}
    done = repair(directory, number)
    kept = {path.name: path.read_bytes() for path in done.kept.iterdir()}
    assert kept.items() <= rotten.items()
    assert kept.keys() >= {name for name in rotten if int(name[:8]) >= locations[number].segment}
    assert check_ledger(directory).blocks == number
    journal = Journal.open(directory, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    journal.append(BLOCKS[number:])
    assert [block for block, _ in journal.blocks()] == BLOCKS
    Views.open(directory / "views", journal, limits=LIMITS).close()
    journal.close()
    assert check_ledger(directory).blocks == len(BLOCKS)


def test_damage_before_the_cut_is_refused_and_changes_nothing(directory: Path) -> None:
    locations = write(directory)
    rot(directory, locations[4])
    before = {path.name: path.read_bytes() for path in (directory / "journal").iterdir()}
    with pytest.raises(IntegrityError, match="block 4 at byte"):
        repair(directory, 5)
    assert {path.name: path.read_bytes() for path in (directory / "journal").iterdir()} == before
    assert [path.name for path in directory.iterdir() if path.name.startswith("cut")] == []


def test_number_behind_the_end_is_refused(directory: Path) -> None:
    write(directory)
    with pytest.raises(IntegrityError):
        repair(directory, len(BLOCKS) + 1)


def test_lost_segment_can_be_cut_off(directory: Path) -> None:
    locations = write(directory)
    lost = locations[-1].segment - 1
    (directory / "journal" / f"{lost:08}.segment").unlink()
    with pytest.raises(IntegrityError, match="segment of the journal is missing"):
        check_ledger(directory)
    first = next(i for i, location in enumerate(locations) if location.segment == lost)
    repair(directory, first)
    assert check_ledger(directory).blocks == first


def test_each_repair_keeps_its_own_copy(directory: Path) -> None:
    write(directory)
    assert [repair(directory, 7).kept.name, repair(directory, 7).kept.name] == ["cut-from-7", "cut-from-7-2"]


def test_open_or_missing_ledger_is_refused(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        repair(tmp_path, 0)
    write(directory)
    journal = Journal.open(directory, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    with pytest.raises(LedgerLockedError):
        repair(directory, 3)
    journal.close()
    shutil.rmtree(directory)


def test_power_cut_at_each_operation_of_a_repair_leaves_it_undone_or_to_be_done_again() -> None:
    directory, number = Path("/disk/demo"), 4
    disk = SimulatedDisk()
    disk.make_directory(directory.parent)
    location = write(directory, disk)[number]
    disk = disk.power_cut(survival=1)
    disk.content(directory / "journal" / f"{location.segment:08}.segment")[location.offset + 60] ^= 1
    probe = disk.process_killed()
    repair(directory, number, files=probe)
    for operation in range(len(probe.operations)):
        for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER):
            cut = disk.process_killed()
            cut.faults = {operation: fault}
            with pytest.raises(PowerCut):
                repair(directory, number, files=cut)
            after = cut.power_cut(seed=operation)
            repair(directory, number, files=after)
            journal = Journal.open(directory, files=after, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
            assert [block for block, _ in journal.blocks()] == BLOCKS[:number]
