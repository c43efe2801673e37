"""Snapshots beside a running apply, many of them, and what they cost the store."""

from __future__ import annotations

import threading
from pathlib import Path

import lmdb
import pytest
from block_builder import BlockBuilder
from memory_journal import MemoryJournal
from naive_views import assert_same

from ledger.block import SYSTEM_TABLE_NAME
from ledger.catalog import Index, Table, table_document
from ledger.errors import IntegrityError, LimitExceededError
from ledger.ids import id_of_text
from ledger.index_entries import joined_key
from ledger.index_key import order_key
from ledger.limits import Limits
from ledger.views import Snapshot, Views

TABLE = id_of_text("Cars")
INDEX = Index.over(id_of_text("index"), "[n]")


@pytest.fixture
def builder() -> BlockBuilder:
    return BlockBuilder()


@pytest.fixture
def journal(builder: BlockBuilder) -> MemoryJournal:
    return MemoryJournal(builder.strand_id)


@pytest.fixture
def views(tmp_path: Path, journal: MemoryJournal) -> Views:
    return Views.open(tmp_path, journal, limits=Limits(cached_documents_max=4))


def numbers(snapshot: Snapshot) -> list[object]:
    found = [snapshot.document(TABLE, id_of_text(name)) for name in ("left", "right")]
    return [d.data["n"] for d in [*found, *snapshot.scan(TABLE)] if d is not None and isinstance(d.data, dict)]


def test_a_snapshot_stays_as_it_was_while_blocks_are_applied(
    builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    with views.snapshot() as before:
        views.apply(journal.append([builder.add(("Cars", "left", {"n": 1}), ("Cars", "right", {"n": 1}))]))
        with views.snapshot() as between:
            assert numbers(between) == [1, 1, 1, 1]
            views.apply(journal.append([builder.add(("Cars", "left", {"n": 2}), ("Cars", "right", None))]))
            with views.snapshot() as after:
                assert (numbers(after), after.count(TABLE), after.sequence_no) == ([2, 2], 1, 1)
            assert (numbers(between), between.count(TABLE), between.sequence_no) == ([1, 1, 1, 1], 2, 0)
            assert len(list(between.history(TABLE, None))) == 2
            assert between.revision_location(id_of_text("left"), 1) is None
        assert (numbers(before), before.count(TABLE), before.sequence_no) == ([], 0, -1)


def test_snapshots_of_several_threads_are_each_of_one_block_while_another_thread_applies(
    builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    cars = Table(TABLE, "Cars", "ACTIVE", (INDEX,))
    views.apply(journal.append([builder.add((SYSTEM_TABLE_NAME, "Cars", table_document(cars)))]))
    blocks = [builder.add(("Cars", "left", {"n": n}), ("Cars", "right", {"n": n})) for n in range(1, 1_500)]
    done = threading.Event()
    seen: list[set[int]] = []
    failures: list[object] = []

    def look() -> None:
        mine: set[int] = set()
        while not done.is_set() or not mine:
            with views.snapshot() as snapshot:
                n = snapshot.sequence_no
                expected = [n] * 4 if n else []
                ids = sorted([id_of_text("left"), id_of_text("right")]) if n else []
                if (
                    numbers(snapshot) != expected
                    or list(snapshot.index_look_up(INDEX.index_id, joined_key((order_key(n),)))) != ids
                ):
                    failures.append((n, numbers(snapshot)))
                mine.add(n)
        seen.append(mine)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, len(blocks), 3):
        views.apply(journal.append(blocks[start : start + 3]))
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) == 3
    assert len(set().union(*seen)) > 10, "they looked while it went on"
    assert_same(views, journal.kept)


@pytest.mark.parametrize(("applies", "expected"), [(0, 1), (1, 1), (2, 3), (3, 4)])
def test_a_snapshot_whose_thread_is_paused_as_it_begins_is_still_of_one_block(
    builder: BlockBuilder,
    journal: MemoryJournal,
    views: Views,
    monkeypatch: pytest.MonkeyPatch,
    applies: int,
    expected: int,
) -> None:
    blocks = [builder.add(("Cars", "left", {"n": n}), ("Cars", "right", {"n": n})) for n in range(6)]
    views.apply(journal.append(blocks[:1]))
    views.apply(journal.append(blocks[1:2]))
    begin = views._store.begin_read
    pauses = iter([blocks[2 : 2 + applies]])

    def begin_and_pause() -> lmdb.Transaction[bytes]:
        transaction = begin()
        for block in next(pauses, []):
            views.apply(journal.append([block]))
        return transaction

    monkeypatch.setattr(views._store, "begin_read", begin_and_pause)
    with views.snapshot() as snapshot:
        assert (snapshot.sequence_no, numbers(snapshot)) == (expected, [expected] * 4)


def test_too_many_snapshots_are_refused_by_the_limits_name_and_closing_one_helps(tmp_path: Path) -> None:
    journal = MemoryJournal(id_of_text("strand"))
    views = Views.open(tmp_path, journal, limits=Limits(view_snapshots_max=20))
    held = [views.snapshot() for _ in range(20)]
    with pytest.raises(LimitExceededError, match="view_snapshots_max is 20, asked for 21"):
        views.snapshot()
    held.pop().close()
    views.snapshot().close()


def update_many(builder: BlockBuilder, journal: MemoryJournal, views: Views, count: int) -> None:
    for n in range(count):
        views.apply(journal.append([builder.add(("Cars", f"car {n % 20}", {"n": n, "x": "x" * 900}))]))


def test_the_file_stays_bounded_under_long_load_with_500_snapshots_opened_and_closed(
    tmp_path: Path, builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    update_many(builder, journal, views, 50)
    sizes = []
    for _ in range(500):
        with views.snapshot() as snapshot:
            sum(1 for _ in snapshot.scan(TABLE))
            next(snapshot.scan(TABLE))  # an iterator that nobody finishes
            update_many(builder, journal, views, 5)
        sizes.append((tmp_path / "data.mdb").stat().st_size)
    assert sizes[-1] < 1_000_000, "20 documents and 2,550 small rows"
    assert "txnid" not in views._store.env.readers().replace("txnid", "", 1), "no slot is in use"


def test_a_snapshot_that_is_never_closed_would_be_seen_in_the_file(
    tmp_path: Path, builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    with views.snapshot():
        update_many(builder, journal, views, 1_000)
    assert (tmp_path / "data.mdb").stat().st_size > 5_000_000, "so the test above can fail"


def test_a_snapshot_that_was_closed_answers_nothing(
    builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    views.apply(journal.append(builder.add_many(3)))
    snapshot = views.snapshot()
    scan = snapshot.scan(TABLE)
    next(scan)
    snapshot.close()
    snapshot.close()
    with pytest.raises(lmdb.Error):
        snapshot.count(TABLE)
    with pytest.raises(lmdb.Error):
        list(scan)


def test_history_of_a_bulk_load_reads_each_block_once(
    builder: BlockBuilder, journal: MemoryJournal, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    views.apply(journal.append([builder.add(*(("Cars", f"{n} {i}", {"n": n}) for i in range(40))) for n in range(5)]))
    reads: list[int] = []
    real = journal.read
    monkeypatch.setattr(journal, "read", lambda location: reads.append(location.offset) or real(location))
    with views.snapshot() as snapshot:
        assert len(list(snapshot.history(TABLE, None))) == 200
    assert len(reads) == 5


def test_a_block_that_is_not_where_the_views_say_is_an_integrity_error(
    builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    views.apply(journal.append(builder.add_many(4)))
    journal.kept[2], journal.kept[3] = journal.kept[3], journal.kept[2]
    with pytest.raises(IntegrityError, match="expected 2, actual 3"):
        views.block(2)
    with views.snapshot() as snapshot, pytest.raises(IntegrityError, match="another block is here"):
        list(snapshot.history(TABLE, None))


def test_questions_about_what_cannot_be_there_are_answered_with_nothing(
    builder: BlockBuilder, journal: MemoryJournal, views: Views
) -> None:
    views.apply(journal.append(builder.add_many(3)))
    with views.snapshot() as snapshot:
        for strange in ("", "a", "x" * 5_000, "é" * 22, "\ud800" * 22):
            assert snapshot.document(TABLE, strange) is None
            assert list(snapshot.history(TABLE, strange)) == []
            assert snapshot.sequence_of_transaction(strange) is None
            assert snapshot.revision_location(strange, 0) is None
        for version in (-1, 2**32, 2**70):
            assert snapshot.revision_location(id_of_text("car 0"), version) is None
