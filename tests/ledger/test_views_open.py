"""What lies in the directory at open: believed, rebuilt or refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from block_builder import BlockBuilder
from memory_journal import MemoryJournal
from naive_views import assert_same

from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME
from ledger.catalog import Table, table_document
from ledger.errors import IntegrityError, JournalFailedError
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.views import Views

BLOCKS = 40


@pytest.fixture
def journal() -> MemoryJournal:
    builder = BlockBuilder()
    table = table_document(Table(id_of_text("Cars"), "Cars"))
    blocks = [builder.add((SYSTEM_TABLE_NAME, "Cars", table)), *builder.add_many(BLOCKS - 1)]
    return MemoryJournal(builder.strand_id, kept=blocks)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "views"


def open_views(directory: Path, journal: MemoryJournal) -> Views:
    journal.asked.clear()
    return Views.open(directory, journal, limits=Limits())


def was_rebuilt(journal: MemoryJournal) -> bool:
    return journal.asked[-1:] == [0]


def leave_closed(directory: Path, journal: MemoryJournal) -> None:
    open_views(directory, journal).close()


def leave_in_use(directory: Path, journal: MemoryJournal) -> None:
    """As kill -9 would: everything is written, nothing is synced, and STATE says "in use"."""
    open_views(directory, journal)._let_go()


def change_state(directory: Path, **changes: object) -> None:
    state = json.loads((directory / "STATE").read_text())
    (directory / "STATE").write_text(json.dumps(state | changes))


def flip_bytes(directory: Path) -> None:
    """Spoil every page of the store but LMDB's two meta pages."""
    data = bytearray((directory / "data.mdb").read_bytes())
    for position in range(2 * 4096, len(data), 97):
        data[position] ^= 0xFF
    (directory / "data.mdb").write_bytes(data)


def spoil_row(prefix: bytes, changed: bytes) -> Callable[[Path], None]:
    """Change the first row of a kind, as rot that LMDB does not notice would."""

    def spoil(directory: Path) -> None:
        with lmdb.open(str(directory)) as env, env.begin(write=True) as transaction, transaction.cursor() as cursor:
            assert cursor.set_range(prefix)
            assert cursor.key().startswith(prefix)
            cursor.put(cursor.key(), cursor.value()[: -len(changed)] + changed)

    return spoil


def remove_position(directory: Path) -> None:
    with lmdb.open(str(directory)) as env, env.begin(write=True) as transaction:
        transaction.delete(b"p")


def cut(name: str, keep: float) -> Callable[[Path], None]:
    def cut(directory: Path) -> None:
        os.truncate(directory / name, int((directory / name).stat().st_size * keep))

    return cut


def test_a_new_directory_is_built_with_progress(directory: Path) -> None:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id, kept=builder.add_many(600))
    told: list[tuple[str, int, int]] = []
    views = Views.open(directory, journal, limits=Limits(), progress=lambda *told_now: told.append(told_now))
    assert told == [("views", 256, 600), ("views", 512, 600), ("views", 600, 600)]
    assert_same(views, journal.kept)


def test_an_empty_ledger_has_empty_views(directory: Path) -> None:
    for _ in range(2):
        views = open_views(directory, MemoryJournal(id_of_text("strand")))
        assert_same(views, [])
        views.close()


def test_a_closed_store_is_believed_in_any_boot(directory: Path, journal: MemoryJournal) -> None:
    leave_closed(directory, journal)
    journal.boot_id = "second boot"
    views = open_views(directory, journal)
    assert journal.asked == [BLOCKS - 1], "only the last block was looked at"
    assert_same(views, journal.kept)


def test_a_store_in_use_is_believed_in_the_same_boot_only(directory: Path, journal: MemoryJournal) -> None:
    leave_in_use(directory, journal)
    open_views(directory, journal)._let_go()
    assert not was_rebuilt(journal)
    journal.boot_id = "second boot"
    views = open_views(directory, journal)
    assert was_rebuilt(journal)
    assert_same(views, journal.kept)


def test_a_store_is_in_use_from_open_on_even_if_nothing_is_applied(directory: Path, journal: MemoryJournal) -> None:
    leave_closed(directory, journal)
    leave_in_use(directory, journal)
    journal.boot_id = "second boot"
    open_views(directory, journal)
    assert was_rebuilt(journal)


def test_what_is_missing_is_applied(directory: Path, journal: MemoryJournal) -> None:
    blocks = journal.kept
    journal.kept = blocks[:25]
    leave_closed(directory, journal)
    journal.kept = blocks
    views = open_views(directory, journal)
    assert journal.asked == [24, 25]
    assert_same(views, blocks)


def test_a_copy_of_a_store_in_use_is_rebuilt_and_a_copy_of_a_closed_one_is_not(
    tmp_path: Path, journal: MemoryJournal
) -> None:
    leave_in_use(tmp_path / "original", journal)
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    leave_closed(tmp_path / "copy", journal)
    assert was_rebuilt(journal)
    shutil.copytree(tmp_path / "copy", tmp_path / "second copy")
    open_views(tmp_path / "second copy", journal)
    assert not was_rebuilt(journal)


def test_a_store_altered_and_found_in_a_new_boot_is_rebuilt_unread(directory: Path, journal: MemoryJournal) -> None:
    leave_in_use(directory, journal)
    flip_bytes(directory)
    journal.boot_id = "second boot"
    views = open_views(directory, journal)
    assert was_rebuilt(journal)
    assert_same(views, journal.kept)


SABOTAGE: dict[str, Callable[[Path], None]] = {
    "no STATE": lambda d: (d / "STATE").unlink(),
    "empty STATE": lambda d: (d / "STATE").write_bytes(b""),
    "STATE is a list": lambda d: (d / "STATE").write_text("[]"),
    "STATE has a wrong hash": lambda d: change_state(d, clean={"sequenceNo": BLOCKS - 1, "blockHash": "00" * 32}),
    "STATE has an older position": lambda d: change_state(d, clean={"sequenceNo": 3, "blockHash": "00" * 32}),
    "another format": lambda d: change_state(d, format=1),
    "another strand": lambda d: change_state(d, strandId=id_of_text("another strand")),
    "no store": lambda d: (d / "data.mdb").unlink(),
    "empty store": cut("data.mdb", 0),
    "cut store": cut("data.mdb", 0.5),
    "store cut inside of its first page": cut("data.mdb", 0.001),
    "zeroed store": lambda d: (d / "data.mdb").write_bytes(bytes(100_000)),
    "store is text": lambda d: (d / "data.mdb").write_bytes(b"not LMDB " * 10_000),
    "no position": remove_position,
    "position of another block": spoil_row(b"p", b"x"),
    "catalogue is no MessagePack": spoil_row(b"d" + SYSTEM_TABLE_ID.encode(), b"\xc1"),
    "a table is no table": spoil_row(b"d" + SYSTEM_TABLE_ID.encode(), b"\x80"),
    "no blocks": lambda d: (d / "blocks").unlink(),
    "cut blocks": cut("blocks", 0.9),
    "no merkle": lambda d: (d / "merkle").unlink(),
    "cut merkle": cut("merkle", 0.9),
    "last row of blocks spoilt": lambda d: (d / "blocks").write_bytes((d / "blocks").read_bytes()[:-1] + b"\xff"),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_store_is_rebuilt(directory: Path, journal: MemoryJournal, name: str) -> None:
    leave_closed(directory, journal)
    SABOTAGE[name](directory)
    views = open_views(directory, journal)
    assert was_rebuilt(journal)
    assert_same(views, journal.kept)
    views.close()
    open_views(directory, journal)
    assert not was_rebuilt(journal)


def test_without_its_lock_file_a_store_is_still_good(directory: Path, journal: MemoryJournal) -> None:
    leave_closed(directory, journal)
    (directory / "lock.mdb").unlink()
    assert_same(open_views(directory, journal), journal.kept)
    assert not was_rebuilt(journal)


def test_surplus_rows_in_the_flat_files_are_written_over(directory: Path, journal: MemoryJournal) -> None:
    blocks = journal.kept
    journal.kept = blocks[:25]
    views = open_views(directory, journal)
    journal.kept = blocks
    views.block_files.append([(block.block_hash, where) for block, where in list(journal.blocks())[25:]])
    views._let_go()  # killed between the flat files and the store
    views = open_views(directory, journal)
    assert not was_rebuilt(journal)
    assert_same(views, blocks)


@pytest.mark.parametrize("leave", [leave_closed, leave_in_use])
@pytest.mark.parametrize("boot", ["first boot", "second boot"])
def test_a_store_ahead_of_the_journal_is_refused_and_left_as_it_is(
    directory: Path, journal: MemoryJournal, leave: Callable[[Path, MemoryJournal], None], boot: str
) -> None:
    leave(directory, journal)
    before = {file.name: file.read_bytes() for file in directory.iterdir() if file.name != "lock.mdb"}
    lost = journal.kept.pop()
    journal.boot_id = boot
    for _ in range(2):
        with pytest.raises(IntegrityError, match="expected 'a journal up to block 39', actual 'one up to block 38'"):
            open_views(directory, journal)
    assert {file.name: file.read_bytes() for file in directory.iterdir() if file.name != "lock.mdb"} == before
    journal.kept.append(lost)
    assert_same(open_views(directory, journal), journal.kept)


def test_a_closed_store_ahead_of_the_journal_is_refused_also_without_its_flat_files(
    directory: Path, journal: MemoryJournal
) -> None:
    leave_closed(directory, journal)
    (directory / "blocks").unlink()
    journal.kept.pop()
    with pytest.raises(IntegrityError, match="the views know blocks that the journal has not"):
        open_views(directory, journal)


def test_a_store_of_another_history_of_the_strand_is_rebuilt(directory: Path, journal: MemoryJournal) -> None:
    leave_closed(directory, journal)
    builder = BlockBuilder()
    journal.kept = [builder.add(("Cars", f"other {n}", {"n": n})) for n in range(BLOCKS + 5)]
    views = open_views(directory, journal)
    assert was_rebuilt(journal)
    assert_same(views, journal.kept)


def test_a_longer_store_of_another_strand_is_rebuilt_not_refused(directory: Path, journal: MemoryJournal) -> None:
    leave_closed(directory, journal)
    builder = BlockBuilder(strand_id=id_of_text("another strand"))
    other = MemoryJournal(builder.strand_id, kept=builder.add_many(3))
    assert_same(open_views(directory, other), other.kept)
    assert was_rebuilt(other)


def test_a_directory_that_cannot_be_written_says_so(tmp_path: Path, journal: MemoryJournal) -> None:
    (tmp_path / "views").write_text("a file is in the way")
    with pytest.raises(JournalFailedError, match=r"could not be opened or written.*File exists"):
        open_views(tmp_path / "views", journal)
    leave_closed(tmp_path / "good", journal)
    (tmp_path / "good" / "STATE.new").mkdir()
    with pytest.raises(JournalFailedError, match="could not be opened or written"):
        open_views(tmp_path / "good", journal)


def test_a_failed_handle_does_not_call_its_store_clean(directory: Path, journal: MemoryJournal) -> None:
    views = open_views(directory, journal)
    with pytest.raises(IntegrityError):
        views.apply(journal.append([journal.kept[0]]))
    journal.kept.pop()
    views.close()
    assert json.loads((directory / "STATE").read_text())["clean"] is None


def test_an_interrupted_rebuild_goes_on_where_it_was(directory: Path) -> None:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id, kept=builder.add_many(600))

    def interrupt(what: str, done: int, total: int) -> None:
        if done > 256:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Views.open(directory, journal, limits=Limits(), progress=interrupt)
    views = open_views(directory, journal)
    assert journal.asked == [511, 512]
    assert_same(views, journal.kept)
