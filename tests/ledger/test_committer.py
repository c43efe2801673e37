"""Transactions that share a batch: what they see of each other, and what the failure of one does to the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import ledger
from ledger.block import Block
from ledger.errors import InvalidValueError, LedgerBusyError, LimitExceededError, ReadOnlyError
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.request import OneShot, Request, StatementText, Waiter
from ledger.values import Value

UPDATE = "UPDATE Vehicle AS v SET v.Year = 2 WHERE v.VIN = 'a'"
YEARS = "SELECT v.Year FROM Vehicle AS v WHERE v.VIN = 'a'"
REVISIONS = "SELECT h.metadata.version, h.metadata.txId, h.blockAddress FROM {} AS h WHERE h.metadata.id = ?"


@pytest.fixture
def document_id(db: ledger.Database) -> str:
    row = db.execute("INSERT INTO Vehicle ?", {"VIN": "a", "Year": 1}).rows[0]
    assert isinstance(row, dict)
    return str(row["documentId"])


def settled_in_one_batch(db: ledger.Database, *transactions: Sequence[StatementText]) -> list[Request]:
    """Hold the committer with a first request until all others are queued; give them in their order."""
    queued, settled = threading.Event(), threading.Semaphore(0)

    def hold(_: list[Request]) -> None:
        queued.wait(10)

    def release(requests: list[Request]) -> None:
        settled.release(len(requests))

    requests = [OneShot(release, statements=statements) for statements in transactions]
    for request in [OneShot(hold, statements=[("1", [])]), *requests]:
        db.submit(request)
    queued.set()
    for _ in requests:
        assert settled.acquire(timeout=10)
    return list(requests)


def rows(request: Request) -> list[Value]:
    result = request.result().results[-1]
    assert result is not None
    return result.rows


@pytest.mark.parametrize("moment", ["AS OF 100000", "as /* */ of UTCNOW()"])
def test_who_reads_as_of_now_reads_what_earlier_transactions_of_its_batch_wrote(
    db: ledger.Database, document_id: str, moment: str
) -> None:
    text = f"SELECT v.Year FROM Vehicle {moment} AS v BY id WHERE id = '{document_id}'"
    _, read, whole = settled_in_one_batch(
        db, [(UPDATE, [])], [("INSERT INTO Vehicle {}", []), (text, [])], [(UPDATE, []), (text.partition(" BY")[0], [])]
    )
    assert rows(read) == [{"Year": 2}]
    assert {"Year": 2} in rows(whole)


@pytest.mark.parametrize("view", ["history(Vehicle)", "_ql_committed_Vehicle", "HISTORY(Vehicle)"])
def test_who_shows_revisions_shows_those_of_earlier_transactions_of_its_batch(
    db: ledger.Database, document_id: str, view: str
) -> None:
    update, revisions = settled_in_one_batch(db, [(UPDATE, [])], [(REVISIONS.format(view), [document_id])])
    address = update.result().block_address
    assert address is not None
    assert rows(revisions)[-1] == {
        "version": 1,
        "txId": update.result().transaction_id,
        "blockAddress": {"strandId": address.strand_id, "sequenceNo": address.sequence_no},
    }


@pytest.mark.usefixtures("document_id")
def test_nobody_sees_a_write_that_a_full_disk_refused(db: ledger.Database, full_disk: None) -> None:
    before, update, read, other = settled_in_one_batch(
        db, [(YEARS, [])], [(UPDATE, [])], [(YEARS, [])], [("CREATE TABLE Person", [])]
    )
    assert isinstance(update.error, ReadOnlyError)
    assert isinstance(other.error, ReadOnlyError)
    assert rows(before) == rows(read) == [{"Year": 1}]


@pytest.fixture
def full_disk(db: ledger.Database, document_id: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def append(_: Sequence[Block]) -> None:
        raise ReadOnlyError("no room for a segment")

    with monkeypatch.context() as patch:
        patch.setattr(db._journal, "append", append)
        yield


@pytest.mark.parametrize("wrong", ["", "short", "\u00e9" * 22, "x" * 21 + "\n", "x" * 23])
def test_an_id_that_is_none_is_refused_before_anything_is_written(db: ledger.Database, wrong: str) -> None:
    before = db.tip
    with pytest.raises(InvalidValueError, match="22 characters"):
        db.execute_transaction([("INSERT INTO Vehicle ?", [{"VIN": "a"}])], wrong)
    assert db.tip == before
    db.execute_transaction([("INSERT INTO Vehicle ?", [{"VIN": "a"}])], id_of_text("right"))


@pytest.mark.parametrize("block_bytes_max", [2_000, 100_000])
def test_a_block_just_too_large_fails_its_transaction_and_nothing_else(tmp_path: Path, block_bytes_max: int) -> None:
    """Whatever the documents look like: what passes the check before sealing fits."""
    taken = 0
    limits = Limits(block_bytes_max=block_bytes_max, first_segment_bytes=16 * 1024)
    with ledger.open(tmp_path / "cars", limits=limits) as db:
        db.execute("CREATE TABLE Vehicle")
        for ten in range(15):
            db.execute("INSERT INTO Vehicle ?", {f"name{10 * ten + n}": n for n in range(10)})
        small: list[Value] = [{"name149": None} for _ in range(20)]
        for size in range(block_bytes_max // 100, block_bytes_max, block_bytes_max // 50):
            for document in ({"x": b"x" * size}, {"x": small * (size // 60)}, {"x": "\U0001f600" * (size // 4)}):
                try:
                    db.execute_transaction([("INSERT INTO Vehicle ?", [document]), *[("1", [])] * 5])
                    taken += 1
                except LimitExceededError:
                    db.check_alive()
    assert taken > 5


def test_what_waits_is_bounded_in_bytes(tmp_path: Path) -> None:
    """And what was taken from the queue makes room again."""
    with ledger.open(tmp_path / "cars", limits=Limits(queue_bytes_max=1_000)) as db:
        taken, settled = threading.Event(), threading.Event()
        held, last = threading.Event(), threading.Event()

        def hold(_: list[Request]) -> None:
            taken.set()
            held.wait(10)

        for _ in range(2):
            for event in (taken, settled, held, last):
                event.clear()
            db.submit(OneShot(hold, statements=[("1", [])], size=900))
            assert taken.wait(10)
            db.submit(OneShot(lambda _: settled.set(), statements=[("1", [])], size=900))
            with pytest.raises(LedgerBusyError, match="900 bytes are waiting to be committed, the limit is 1000"):
                db.submit(OneShot(lambda _: None, statements=[("1", [])], size=101))
            db.submit(OneShot(lambda _: last.set(), statements=[("1", [])], size=100))
            held.set()
            assert settled.wait(10)
            assert last.wait(10)


def test_what_is_larger_than_all_that_may_wait_is_taken_when_nothing_waits(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "cars", limits=Limits(queue_bytes_max=1_000)) as db:
        waiter = Waiter()
        request = OneShot(waiter.notify, statements=[("CREATE TABLE Vehicle", [])], size=1_001)
        db.submit(request)
        assert waiter.wait(request).block_address is not None


def test_a_batch_ends_with_the_transaction_that_fills_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    with ledger.open(tmp_path / "cars", limits=Limits(batch_bytes_max=50_000)) as db:
        db.execute("CREATE TABLE Vehicle")
        append = db._journal.append

        def counted(blocks: Sequence[Block]) -> object:
            batches.append(len(blocks))
            return append(blocks)

        monkeypatch.setattr(db._journal, "append", counted)
        document: Value = {"text": b"x" * 20_000}
        requests = settled_in_one_batch(db, *[[("INSERT INTO Vehicle ?", [document])]] * 7)
        assert all(request.error is None for request in requests)
    assert batches == [3, 3, 1]
