"""The checker finds each damage and names it, tells a torn end from damage, and changes nothing in the journal."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest
from block_builder import STRAND_ID, BlockBuilder, sealed

from ledger.block import Block
from ledger.check import check_ledger
from ledger.errors import IntegrityError, NotFoundError
from ledger.ids import id_of_text
from ledger.journal import Journal
from ledger.limits import Limits
from ledger.views import Views, rows

LIMITS = Limits(first_segment_bytes=4096, segment_bytes=16384)
COUNT = 30


def write(directory: Path, blocks: list[Block]) -> Journal:
    """Write blocks two by two, with views; give the journal, open."""
    journal = Journal.open(directory, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    for i in range(0, len(blocks), 2):
        journal.append(blocks[i : i + 2])
    views = Views.open(directory / "views", journal, limits=LIMITS)
    views.close()
    return journal


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path / "demo", BlockBuilder().add_many(COUNT, documents=5)).close()
    return tmp_path / "demo"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    journal = write(tmp_path / "demo", BlockBuilder().add_many(COUNT))
    yield tmp_path / "demo"
    journal.close()


def segments(directory: Path) -> list[Path]:
    return sorted((directory / "journal").glob("*.segment"))


def bytes_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in segments(directory)}


def change(path: Path, offset: int, act: Callable[[int], int]) -> None:
    content = bytearray(path.read_bytes())
    content[offset] = act(content[offset])
    path.write_bytes(content)


def test_sound_ledger_is_reported_with_its_counts(directory: Path) -> None:
    report = check_ledger(directory)
    assert (report.blocks, report.revisions, report.segments) == (COUNT, COUNT, len(segments(directory)))
    assert report.segments >= 3
    assert (report.views_checked, report.torn_bytes) == (True, 0)
    assert f"{COUNT} blocks" in str(report)


def test_ledger_without_blocks_is_sound(tmp_path: Path) -> None:
    write(tmp_path / "demo", []).close()
    assert check_ledger(tmp_path / "demo").blocks == 0


def test_missing_ledger_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        check_ledger(tmp_path)


def test_running_ledger_is_checked_up_to_its_mark(running: Path) -> None:
    report = check_ledger(running)
    assert (report.blocks, report.views_checked) == (COUNT, False)


def test_copy_of_a_running_ledger_is_checked_with_its_views(running: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(running, copy, ignore=shutil.ignore_patterns("wake"))
    report = check_ledger(copy)
    assert (report.blocks, report.views_checked) == (COUNT, True)


def test_torn_end_is_told_and_left_as_it_is(running: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(running, copy, ignore=shutil.ignore_patterns("wake", "views"))
    last = segments(copy)[-1]
    end = len(last.read_bytes().rstrip(b"\0"))
    change(last, end - 10, lambda byte: byte ^ 1)
    before = bytes_of(copy)
    report = check_ledger(copy)
    assert report.blocks == COUNT - 2
    assert report.torn_bytes > 100
    assert "never acknowledged" in str(report)
    assert bytes_of(copy) == before


@pytest.mark.parametrize("number", [0, 1])
def test_each_tenth_byte_of_an_older_segment_is_guarded(directory: Path, number: int) -> None:
    path = segments(directory)[number]
    sound = path.read_bytes()
    for offset in range(number, len(sound), 10):
        change(path, offset, lambda byte: byte ^ 0x10)
        with pytest.raises(IntegrityError):
            check_ledger(directory)
        path.write_bytes(sound)
    check_ledger(directory)


def test_damage_names_block_byte_expected_and_actual(directory: Path) -> None:
    path = segments(directory)[0]
    offset = path.read_bytes().index(b"1HGBH000000000002")
    change(path, offset, lambda byte: byte ^ 1)
    with pytest.raises(IntegrityError) as caught:
        check_ledger(directory)
    assert str(caught.value.address).startswith("block 2 at byte ")
    assert str(caught.value.address).endswith("of 00000000.segment")
    assert "CRC-32C" in str(caught.value.expected)
    assert caught.value.expected != caught.value.actual


def forged(directory: Path, forge: Callable[[Block], Block], number: int = 3) -> IntegrityError:
    """Write a journal with right frames around one forged block; give what the checker says."""
    blocks = BlockBuilder().add_many(COUNT)
    blocks[number] = forge(blocks[number])
    journal = Journal.open(directory, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    journal.append(blocks)
    journal.close()
    with pytest.raises(IntegrityError) as caught:
        check_ledger(directory)
    assert str(caught.value.address).startswith(f"block {number} at byte ")
    return caught.value


def with_data(block: Block, data: dict[str, object]) -> Block:
    table = block.tables[0]
    revision = replace(table.revisions[0], data=data)  # type: ignore[arg-type]  # Ion values all the same
    return replace(block, tables=(replace(table, revisions=(revision,)),))


def test_document_changed_under_a_right_crc_is_found_by_its_hash(tmp_path: Path) -> None:
    error = forged(tmp_path / "demo", lambda block: with_data(block, {"VIN": "forged"}))
    assert "hash" in error.reason


def test_block_sealed_over_another_predecessor_is_found_by_the_chain(tmp_path: Path) -> None:
    error = forged(tmp_path / "demo", lambda block: sealed(replace(block, previous_block_hash=b"\1" * 32)))
    assert "previousBlockHash" in error.reason


def test_gap_in_a_table_is_found_by_its_sequence(tmp_path: Path) -> None:
    def skip(block: Block) -> Block:
        return sealed(replace(block, tables=(replace(block.tables[0], first_sequence_no=9),)))

    assert "sequence number" in forged(tmp_path / "demo", skip, COUNT - 1).reason


def test_view_that_differs_from_the_blocks_is_found(directory: Path) -> None:
    check_ledger(directory)
    with lmdb.open(str(directory / "views"), map_size=2**30) as env, env.begin(write=True) as transaction:
        cursor = transaction.cursor()
        assert cursor.set_range(rows.CURRENT)
        assert cursor.delete()
    with pytest.raises(IntegrityError, match="the views lack a current document"):
        check_ledger(directory)


def test_progress_is_told(directory: Path) -> None:
    told: list[tuple[str, int, int]] = []
    journal = Journal.open(directory, limits=LIMITS, new_strand_id=lambda: STRAND_ID)
    builder = BlockBuilder(tip=journal.tip, versions={id_of_text(f"car {i}"): COUNT // 5 - 1 for i in range(5)})
    builder.sequence_nos[id_of_text("Cars")] = COUNT
    journal.append(builder.add_many(600, documents=5))
    journal.close()
    check_ledger(directory, progress=lambda *args: told.append(args))
    assert ("verifying blocks", 500, COUNT + 600) in told
