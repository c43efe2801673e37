"""The check finds every kind of difference between views and journal, and nothing where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from block_builder import BlockBuilder
from crc32c import crc32c
from memory_journal import MemoryJournal

from ledger.block import SYSTEM_TABLE_NAME
from ledger.catalog import Index, Table, table_document
from ledger.errors import IntegrityError
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.views import Views
from ledger.views.check import check_views

CARS = Table(id_of_text("Cars"), "Cars", "ACTIVE", (Index.over(id_of_text("index"), "[n]"),))


@pytest.fixture
def journal() -> MemoryJournal:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    journal.append([builder.add((SYSTEM_TABLE_NAME, "Cars", table_document(CARS)))])
    journal.append(builder.add_many(30))
    journal.append([builder.add(("Cars", "car 3", None))])
    return journal


@pytest.fixture
def views(tmp_path: Path, journal: MemoryJournal) -> Views:
    """Views that were written block by block, and not in one go as a rebuild does it."""
    views = Views.open(tmp_path / "views", MemoryJournal(journal.strand_id), limits=Limits())
    for item in list(journal.blocks()):
        views.apply([item])
    return views


def first_row(transaction: lmdb.Transaction[bytes], prefix: bytes) -> tuple[bytes, bytes]:
    cursor = transaction.cursor()
    assert cursor.set_range(prefix)
    assert cursor.key().startswith(prefix)
    return cursor.item()


def rot(prefix: bytes, at: int) -> Callable[[lmdb.Transaction[bytes]], None]:
    def rot(transaction: lmdb.Transaction[bytes]) -> None:
        key, value = first_row(transaction, prefix)
        transaction.put(key, flipped(value, at))

    return rot


def change(prefix: bytes, at: int) -> Callable[[lmdb.Transaction[bytes]], None]:
    """Change a byte as somebody would who writes rows: a document's row has a CRC."""

    def change(transaction: lmdb.Transaction[bytes]) -> None:
        key, value = first_row(transaction, prefix)
        changed = flipped(value, at)
        if prefix.startswith(b"d"):
            changed = changed[:-4] + crc32c(changed[:-4]).to_bytes(4, "little")
        transaction.put(key, changed)

    return change


def flipped(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def remove(prefix: bytes) -> Callable[[lmdb.Transaction[bytes]], None]:
    def remove(transaction: lmdb.Transaction[bytes]) -> None:
        transaction.delete(first_row(transaction, prefix)[0])

    return remove


def add(prefix: bytes) -> Callable[[lmdb.Transaction[bytes]], None]:
    def add(transaction: lmdb.Transaction[bytes]) -> None:
        key, value = first_row(transaction, prefix)
        transaction.put(key[:-1] + bytes([key[-1] ^ 1]), value)

    return add


SABOTAGE: dict[str, tuple[Callable[[lmdb.Transaction[bytes]], None], str]] = {
    "stale version": (change(b"d", 3), "the views have another current document"),
    "another hash": (change(b"d", 60), "the views have another current document"),
    "changed data": (change(b"d" + CARS.table_id.encode(), 85), "the views have another current document"),
    "renamed field": (change(b"d" + CARS.table_id.encode(), 76), "the views have another current document"),
    "rotten data": (rot(b"d" + CARS.table_id.encode(), 85), "a stored document has rotted"),
    "rotten header": (rot(b"d" + CARS.table_id.encode(), 20), "a stored document has rotted"),
    "data that nobody packed": (change(b"d" + CARS.table_id.encode(), 74), "a stored document is not MessagePack"),
    "lost document": (remove(b"d"), "the views lack a current document"),
    "lost index entry": (remove(b"i"), "the views lack a index entry"),
    "stale index entry": (add(b"i"), "the views have a index entry too many|the views lack a index entry"),
    "wrong count of entries": (change(b"x", 8), "the views have another index"),
    "wrong count of keys": (change(b"x", 16), "the views have another index"),
    "lost version": (remove(b"h"), "the views lack a history entry"),
    "version in another block": (change(b"h", 7), "the views have another history entry"),
    "lost transaction": (remove(b"t"), "the views lack a transaction"),
    "wrong count": (change(b"s", 15), "the views have another table"),
    "wrong sequence": (change(b"s", 7), "the views have another table"),
}


def test_views_that_are_right_pass(views: Views, journal: MemoryJournal, tmp_path: Path) -> None:
    told: list[int] = []
    check_views(views, journal, tmp_path, progress=lambda what, done, total: told.append(done))
    assert told == [32]
    assert [path.name for path in tmp_path.iterdir()] == ["views"], "the second store is gone"


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_changed_row_is_found(views: Views, journal: MemoryJournal, tmp_path: Path, name: str) -> None:
    sabotage, said = SABOTAGE[name]
    with views._store.env.begin(write=True) as transaction:
        sabotage(transaction)
    views._heads = {transaction_id + 1: head for transaction_id, head in views._heads.items()}
    with pytest.raises(IntegrityError, match=said):
        check_views(views, journal, tmp_path)


@pytest.mark.parametrize("name", ["blocks", "merkle"])
def test_a_changed_row_of_a_flat_file_is_found(views: Views, journal: MemoryJournal, tmp_path: Path, name: str) -> None:
    fd = os.open(tmp_path / "views" / name, os.O_RDWR)
    os.pwrite(fd, b"\xff", 8 * 32 + 3)
    os.close(fd)
    with pytest.raises(IntegrityError, match=rf"row \d+ of file {name}"):
        check_views(views, journal, tmp_path)


def test_views_that_lack_blocks_are_found(views: Views, journal: MemoryJournal, tmp_path: Path) -> None:
    builder = BlockBuilder()
    builder.tip = journal.tip
    journal.append([builder.add(("Owners", "one", {"n": 1}))])
    with pytest.raises(IntegrityError, match="end at another block: expected 32, actual 31"):
        check_views(views, journal, tmp_path)
