"""The database on a disk that fails at each operation, and on one that fills up: what callers are told, and what is there afterwards."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from simulated_disk import Fault, SimulatedDisk

import ledger
from ledger.database import open_ledger
from ledger.errors import JournalFailedError, LedgerError, ReadOnlyError
from ledger.limits import Limits
from ledger.verify import verify_block, verify_chain_link

LIMITS = Limits(first_segment_bytes=4096, segment_bytes=16384)
COMMITS = 12


def new_disk(path: Path) -> SimulatedDisk:
    disk = SimulatedDisk()
    for part in reversed(path.parents):
        disk.make_directory(part)
        disk.sync_directory(part.parent)
    disk.operations.clear()
    return disk


def pairs(db: ledger.Database) -> list[object]:
    """Give the numbers of which both halves are there; half a pair fails."""
    numbers = [row["n"] for row in db.execute("SELECT p.n FROM Pair AS p").rows if isinstance(row, dict)]
    assert all(numbers.count(number) == 2 for number in numbers), "half a transaction is visible"
    return sorted(set(numbers))  # type: ignore[type-var]  # all integers


def work(db: ledger.Database, acknowledged: list[object], count: int = COMMITS) -> None:
    for number in range(len(acknowledged), len(acknowledged) + count):
        db.execute("INSERT INTO Pair ?", [{"n": number, "note": "x" * 300}] * 2)
        acknowledged.append(number)


def run(path: Path, disk: SimulatedDisk) -> tuple[list[object], LedgerError | None]:
    """Open, commit until something fails; give what was acknowledged, and the failure as the caller saw it."""
    acknowledged: list[object] = []
    try:
        db = open_ledger(path, files=disk, limits=LIMITS)
    except LedgerError as error:
        return acknowledged, error
    try:
        db.execute("CREATE TABLE Pair")
        work(db, acknowledged)
    except LedgerError as error:
        with pytest.raises(JournalFailedError):
            db.execute("INSERT INTO Pair ?", {"n": -1})  # the handle is dead, and says so: nothing hangs
        return acknowledged, error
    finally:
        with suppress(JournalFailedError):
            db.close()
    return acknowledged, None


def check_after(path: Path, disk: SimulatedDisk, acknowledged: list[object]) -> None:
    with open_ledger(path, files=disk, limits=LIMITS) as db:
        previous = None
        for number in range(0 if db.tip is None else db.tip.sequence_no + 1):
            block = db.block(number)
            verify_block(block)
            verify_chain_link(previous, block)
            previous = block
        if db.tip is None:
            db.execute("CREATE TABLE Pair")
        found = pairs(db)
        assert found[: len(acknowledged)] == acknowledged
        assert len(found) <= len(acknowledged) + 1, "more than the one transaction whose answer was lost"
        db.execute("INSERT INTO Pair ?", [{"n": 100}, {"n": 100}])  # it goes on


def operations_of_a_whole_run(path: Path) -> int:
    disk = new_disk(path)
    acknowledged, error = run(path, disk)
    assert (len(acknowledged), error) == (COMMITS, None)
    return len(disk.operations)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.ERROR_AFTER])
def test_a_failing_disk_kills_the_handle_and_the_next_open_has_all_that_was_acknowledged(
    tmp_path: Path, fault: Fault
) -> None:
    for number in range(operations_of_a_whole_run(tmp_path / "count")):
        path = tmp_path / f"at-op{number}"
        disk = new_disk(path)
        disk.faults[number] = fault
        acknowledged, error = run(path, disk)
        assert error is None or isinstance(error, JournalFailedError | ReadOnlyError)
        check_after(path, disk.process_killed(), acknowledged)


def test_a_full_disk_refuses_commits_and_goes_on_reading_and_commits_again_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "pairs"
    disk = new_disk(path)
    acknowledged: list[object] = []
    with open_ledger(path, files=disk, limits=LIMITS) as db:
        db.execute("CREATE TABLE Pair")
        disk.capacity = disk.used()
        with pytest.raises(ReadOnlyError):
            work(db, acknowledged, count=200)
        assert acknowledged, "what fits the segment that was made before needs no room"
        assert pairs(db) == acknowledged
        with pytest.raises(ReadOnlyError):
            work(db, acknowledged)
        disk.capacity = None
        work(db, acknowledged)
        assert pairs(db) == acknowledged
    check_after(path, disk.process_killed(), acknowledged)
