"""The journal on a disk that loses power, fails and fills up at every single operation.

One checker: what was acknowledged, and what a tailing reader saw, is contained in what is recovered; no batch is half there; what was
recovered once stays, whatever happens next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import pytest
from block_builder import STRAND_ID, BlockBuilder
from simulated_disk import Fault, PowerCut, SimulatedDisk

from ledger.block import Block
from ledger.errors import JournalFailedError, LedgerError, ReadOnlyError
from ledger.journal import Journal, JournalReader
from ledger.journal.recovery import examine
from ledger.journal.segments import Segments
from ledger.limits import Limits

DIRECTORY = Path("/disk/demo")
LIMITS = Limits(first_segment_bytes=2048, segment_bytes=8192)
BATCHES = (1, 3, 1, 2, 5, 1, 1, 4, 2, 1)
ENDS = frozenset({0, *accumulate(BATCHES)})
BLOCKS = BlockBuilder().add_many(sum(BATCHES), padding="x" * 90)
SEEDS = range(4)


@dataclass
class Witness:
    """What was promised to somebody: so many blocks."""

    acknowledged: int = 0
    seen: int = 0
    errors: list[LedgerError] = field(default_factory=list)


def new_disk(seed: int = 0) -> SimulatedDisk:
    disk = SimulatedDisk(seed=seed)
    disk.make_directory(DIRECTORY.parent)
    disk.sync_directory(Path("/"))
    disk.operations.clear()
    return disk


def open_journal(disk: SimulatedDisk) -> Journal:
    return Journal.open(DIRECTORY, files=disk, limits=LIMITS, new_strand_id=lambda: STRAND_ID)


def work(disk: SimulatedDisk, witness: Witness) -> None:
    """Append all batches, with a clean close and a reopening in the middle, while a reader in another process tails."""
    for some_batches in (BATCHES[:4], BATCHES[4:]):
        journal = open_journal(disk)
        reader = JournalReader.open(DIRECTORY, files=disk)
        for size in some_batches:
            journal.append(BLOCKS[witness.acknowledged : witness.acknowledged + size])
            witness.acknowledged += size
            witness.seen += sum(1 for _ in reader.blocks(witness.seen))
        journal.close()


def recovered(disk: SimulatedDisk) -> list[Block]:
    journal = open_journal(disk)
    blocks = [block for block, _ in journal.blocks()]
    assert journal.tip == (blocks[-1] if blocks else None)
    ending = examine(disk, DIRECTORY, Segments(disk, DIRECTORY))
    assert ending.garbage_bytes == 0, "bytes of an earlier life are left behind the end"
    return blocks


def check(blocks: Sequence[Block], witness: Witness) -> None:
    assert blocks == BLOCKS[: len(blocks)]
    assert len(blocks) in ENDS, "a batch is half there"
    assert len(blocks) >= witness.acknowledged, "an acknowledged block is gone"
    assert len(blocks) >= witness.seen, "a block that a reader saw is gone"


def append_one_by_one(journal: Journal) -> None:
    for block in BLOCKS:
        journal.append([block])


def append_the_rest(disk: SimulatedDisk, count: int) -> SimulatedDisk:
    """Go on in another process, up to the end, and close."""
    disk = disk.process_killed()
    journal = open_journal(disk)
    for block in BLOCKS[count:]:
        journal.append([block])
    journal.close()
    return disk


def run_with(faults: dict[int, Fault], seed: int) -> tuple[SimulatedDisk, Witness]:
    """Do the work up to the fault, or to the end; after an error, as much as the handle still allows."""
    disk, witness = new_disk(seed), Witness()
    disk.faults = faults
    try:
        work(disk, witness)
    except PowerCut:
        pass
    except (JournalFailedError, ReadOnlyError) as error:
        witness.errors.append(error)
    return disk, witness


def operation_count() -> int:
    disk = new_disk()
    work(disk, Witness())
    return len(disk.operations)


OPERATIONS = operation_count()


def test_the_workload_changes_segments_and_meets_every_kind_of_operation() -> None:
    disk = new_disk()
    work(disk, Witness())
    assert set(disk.operations) == {
        "make_directory", "create", "write", "sync", "rename", "remove", "sync_directory",
    } - ({"remove"} - set(disk.operations))  # fmt: skip
    assert sum(name.endswith(".segment") for name in disk.list(DIRECTORY / "journal")) >= 4
    assert recovered(disk.power_cut(survival=0)) == BLOCKS


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER], ids=["before", "after"])
@pytest.mark.parametrize("operation", range(OPERATIONS))
def test_power_cut_at_each_operation_loses_nothing_acknowledged_or_seen(operation: int, fault: Fault) -> None:
    for seed in SEEDS:
        disk, witness = run_with({operation: fault}, seed)
        after = disk.power_cut(survival=(0.0, 1.0, None, None)[seed], seed=operation * 100 + seed)
        blocks = recovered(after)
        check(blocks, witness)
        again = after.power_cut(survival=0)
        assert recovered(again) == blocks, "what was visible after a recovery is gone after the next power cut"
        finished = append_the_rest(again, len(blocks))
        assert recovered(finished.power_cut(survival=0)) == BLOCKS


@pytest.mark.parametrize("operation", range(OPERATIONS))
def test_second_power_cut_at_each_operation_of_the_recovery_changes_nothing(operation: int) -> None:
    disk, witness = run_with({operation: Fault.CUT_AFTER}, operation)
    after = disk.power_cut(seed=operation)
    probe = after.process_killed()
    recovered(probe)
    for second in range(len(probe.operations)):
        for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER):
            twice = after.process_killed()
            twice.faults = {second: fault}
            with pytest.raises(PowerCut):
                recovered(twice)
            final = twice.power_cut(seed=second)
            check(recovered(final), witness)
            check(recovered(final.power_cut(survival=0)), witness)


@pytest.mark.parametrize("operation", range(OPERATIONS))
@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.ERROR_AFTER], ids=["fails", "done but fails"])
def test_failure_of_each_operation_loses_nothing_even_if_the_process_goes_on_and_the_power_goes_later(
    operation: int, fault: Fault
) -> None:
    for seed in SEEDS:
        disk, witness = run_with({operation: fault}, seed)
        restarted = disk.process_killed()
        blocks = recovered(
            restarted
        )  # from the page cache, which after a failed sync may show what the disk does not have
        check(blocks, witness)
        assert recovered(restarted.power_cut(survival=0)) == blocks, "visible, but not durable"
        finished = append_the_rest(restarted, len(blocks))
        assert recovered(finished.power_cut(survival=0)) == BLOCKS


def test_process_killed_at_each_operation_keeps_everything_that_was_written() -> None:
    for operation in range(OPERATIONS):
        disk, witness = run_with({operation: Fault.CUT_AFTER}, operation)
        restarted = disk.process_killed()
        reader = JournalReader.open(DIRECTORY, files=restarted) if "FORMAT" in _names(restarted) else None
        if reader is not None:  # it recovers, since nobody owns the ledger
            blocks = [block for block, _ in reader.blocks()]
            check(blocks, witness)
            finished = append_the_rest(restarted, len(blocks))
            assert recovered(finished.power_cut(survival=0)) == BLOCKS


@pytest.mark.parametrize("seed", range(12))
def test_batch_torn_behind_a_clean_close_is_cut_and_zeroed(seed: int) -> None:
    disk = new_disk(seed)
    journal = open_journal(disk)
    journal.append(BLOCKS[:1])
    journal.close()
    journal = open_journal(disk)
    disk.faults = {len(disk.operations): Fault.CUT_AFTER}
    with pytest.raises(PowerCut, match="write"):
        journal.append(BLOCKS[1:2])
    assert recovered(disk.power_cut(survival=0.5, seed=seed)) in (BLOCKS[:1], BLOCKS[:2])


def test_handle_is_dead_after_a_failed_sync_and_says_so() -> None:
    disk = new_disk()
    journal = open_journal(disk)
    journal.append(BLOCKS[:1])
    disk.faults = {len(disk.operations) + 1: Fault.ERROR}
    with pytest.raises(JournalFailedError, match="simulated failure of sync"):
        journal.append(BLOCKS[1:2])
    written = disk.operations.count("write")
    with pytest.raises(JournalFailedError, match="opened again"):
        journal.append(BLOCKS[1:2])
    assert journal.tip == BLOCKS[0]
    assert [block for block, _ in journal.blocks()] == BLOCKS[:1]
    journal.close()
    assert disk.operations.count("write") == written, "a dead handle wrote"
    assert recovered(disk.power_cut(survival=0)) == BLOCKS[:1]


def test_full_disk_makes_the_journal_read_only_until_there_is_room() -> None:
    disk = new_disk()
    journal = open_journal(disk)
    disk.capacity = disk.used()
    with pytest.raises(ReadOnlyError, match="no room for a segment"):
        append_one_by_one(journal)
    assert journal.tip is not None
    count = journal.tip.sequence_no + 1
    assert [block for block, _ in journal.blocks()] == BLOCKS[:count]
    with pytest.raises(ReadOnlyError):
        journal.append(BLOCKS[count:])
    assert not [name for name in disk.list(DIRECTORY / "journal") if name.endswith(".new")], "room is held for nothing"
    disk.capacity = None
    journal.append(BLOCKS[count:])
    assert recovered(disk.power_cut(survival=0)) == BLOCKS


def test_full_disk_can_be_opened_read_and_closed() -> None:
    disk = new_disk()
    journal = open_journal(disk)
    journal.append(BLOCKS[:2])
    disk.capacity = disk.used()
    again = disk.process_killed()
    journal = open_journal(again)
    assert [block for block, _ in journal.blocks()] == BLOCKS[:2]
    journal.close()


def _names(disk: SimulatedDisk) -> list[str]:
    try:
        return disk.list(DIRECTORY)
    except FileNotFoundError:
        return []
