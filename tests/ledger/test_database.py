"""The embedded database: what a caller sees of transactions, their limits, their ids and their proofs."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from vehicle_ledger import NAMES, StoppedClock, vins

import ledger
from ledger.errors import (
    InvalidValueError,
    JournalFailedError,
    LedgerBusyError,
    LedgerLockedError,
    LimitExceededError,
    NotFoundError,
    StatementCancelledError,
    StatementError,
    TransactionExpiredError,
    TransactionMismatchError,
)
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.receipt import check_receipt
from ledger.request import OneShot, Request, Waiter
from ledger.values import Value
from ledger.verify import verify_block, verify_chain_link


def test_a_transaction_of_several_statements_sees_its_own_writes_and_is_one_block(db: ledger.Database) -> None:
    outcome = db.execute_transaction(
        [
            ("INSERT INTO Vehicle ?", [{"VIN": "a", "Year": 1}]),
            ("UPDATE Vehicle AS v SET v.Year = v.Year + 1 WHERE v.VIN = 'a'", []),
            ("SELECT v.Year FROM Vehicle AS v WHERE v.VIN = 'a'", []),
        ]
    )
    assert outcome.results[2] is not None
    assert outcome.results[2].rows == [{"Year": 2}]
    assert outcome.block_address is not None
    block = db.block(outcome.block_address.sequence_no)
    assert [(r.version, r.data, r.statements) for _, _, r in block.revisions()] == [
        (0, {"VIN": "a", "Year": 2}, (0, 1))
    ]


def test_a_failing_statement_leaves_nothing_of_its_transaction(db: ledger.Database) -> None:
    with pytest.raises(StatementError):
        db.execute_transaction([("INSERT INTO Vehicle ?", [{"VIN": "a"}]), ("SELECT * FROM Nowhere", [])])
    assert vins(db) == []


def test_a_query_writes_no_block(db: ledger.Database) -> None:
    before = db.tip
    assert db.execute_transaction([(NAMES, [])]).block_address is None
    assert db.tip == before


def test_inserted_and_deleted_in_one_transaction_leaves_no_revision(db: ledger.Database) -> None:
    outcome = db.execute_transaction(
        [("INSERT INTO Vehicle ?", [{"VIN": "a"}]), ("DELETE FROM Vehicle AS v WHERE v.VIN = 'a'", [])]
    )
    assert outcome.block_address is None
    assert vins(db) == []


def test_table_index_and_document_in_one_transaction_and_the_index_serves_afterwards(db: ledger.Database) -> None:
    db.execute_transaction(
        [
            ("CREATE TABLE Person", []),
            ("CREATE INDEX ON Person (Name)", []),
            ("INSERT INTO Person ?", [{"Name": "Ada"}]),
            ("UPDATE Person AS p SET p.Age = 36 WHERE p.Name = 'Ada'", []),
        ]
    )
    result = db.execute("SELECT p.Age FROM Person AS p WHERE p.Name = ?", "Ada")
    assert result.rows == [{"Age": 36}]
    assert result.statistics.scans == ()


def test_every_block_verifies_and_chains(db: ledger.Database) -> None:
    for number in range(5):
        db.execute("INSERT INTO Vehicle ?", {"VIN": str(number)})
    db.execute("DELETE FROM Vehicle AS v WHERE v.VIN = '3'")
    previous = None
    assert db.tip is not None
    for number in range(db.tip.sequence_no + 1):
        block = db.block(number)
        verify_block(block)
        verify_chain_link(previous, block)
        previous = block


def test_a_receipt_of_each_version_proves_itself_and_a_missing_one_is_not_found(db: ledger.Database) -> None:
    row = db.execute("INSERT INTO Vehicle ?", {"VIN": "a"}).rows[0]
    assert isinstance(row, dict)
    document_id = str(row["documentId"])
    db.execute("UPDATE Vehicle AS v SET v.Year = 1 WHERE v.VIN = 'a'")
    db.execute("DELETE FROM Vehicle AS v WHERE v.VIN = 'a'")
    for version in range(3):
        check_receipt(db.receipt(document_id, version), db.digest().digest)
    with pytest.raises(NotFoundError):
        db.receipt(document_id, 3)


# Ids brought by the client.


def test_the_same_id_again_gives_the_first_outcome_and_no_second_commit(db: ledger.Database) -> None:
    statements = [("INSERT INTO Vehicle ?", [{"VIN": "a"}]), (NAMES, [])]
    first = db.execute_transaction(statements, id_of_text("once"))
    again = db.execute_transaction(statements, id_of_text("once"))
    assert (again.block_address, again.results, again.replayed) == (first.block_address, first.results, True)
    assert vins(db) == ["a"]


def test_the_same_id_in_one_batch_commits_once(db: ledger.Database) -> None:
    requests = submit_in_one_batch(db, [("INSERT INTO Vehicle ?", [{"VIN": "a"}])], id_of_text("once"), count=3)
    outcomes = [request.result() for request in requests]
    assert [outcome.replayed for outcome in outcomes] == [False, True, True]
    assert len({outcome.block_address for outcome in outcomes}) == 1
    assert vins(db) == ["a"]


def submit_in_one_batch(
    db: ledger.Database, statements: list[tuple[str, list[Value]]], transaction_id: str, count: int
) -> list[Request]:
    """Hold the committer with a first request until `count` others are queued."""
    queued, settled = threading.Event(), threading.Event()
    done: list[Request] = []

    def hold(_: list[Request]) -> None:
        queued.wait(10)

    def collect(requests: list[Request]) -> None:
        done.extend(requests)
        if len(done) == count:
            settled.set()

    db.submit(OneShot(hold, statements=[(NAMES, [])]))
    for _ in range(count):
        db.submit(OneShot(collect, statements=statements, transaction_id=transaction_id))
    queued.set()
    assert settled.wait(10)
    return done


def test_the_same_id_is_known_after_a_restart_and_what_was_written_is_told_again(tmp_path: Path) -> None:
    statements = [
        ("INSERT INTO Vehicle ?", [[{"VIN": "a"}, {"VIN": "b"}]]),
        (NAMES, []),
        ("UPDATE Vehicle AS v SET v.Year = 1 WHERE v.VIN = 'nobody'", []),
    ]
    with ledger.open(tmp_path / "cars") as db:
        db.execute("CREATE TABLE Vehicle")
        first = db.execute_transaction(statements, id_of_text("once"))
    with ledger.open(tmp_path / "cars") as db:
        again = db.execute_transaction(statements, id_of_text("once"))
        assert vins(db) == ["a", "b"]
    assert again.replayed
    assert again.block_address == first.block_address
    assert again.results[0] is not None
    assert first.results[0] is not None
    assert again.results[0].rows == first.results[0].rows
    assert again.results[1] is None, "rows of a query are not kept for ever"
    assert again.results[2] is not None
    assert again.results[2].rows == []


def test_the_same_id_for_other_parameters_is_refused(db: ledger.Database) -> None:
    db.execute_transaction([("INSERT INTO Vehicle ?", [{"VIN": "a"}])], id_of_text("once"))
    with pytest.raises(TransactionMismatchError):
        db.execute_transaction([("INSERT INTO Vehicle ?", [{"VIN": "b"}])], id_of_text("once"))
    with pytest.raises(TransactionMismatchError):
        db.execute_transaction([(NAMES, [])], id_of_text("once"))


# Limits, times, closing.


def test_block_time_never_goes_back(db: ledger.Database, clock: StoppedClock) -> None:
    db.execute("INSERT INTO Vehicle ?", {"VIN": "a"})
    clock.ms -= 3_600_000
    db.execute("INSERT INTO Vehicle ?", {"VIN": "b"})
    assert db.tip is not None
    last, before = db.block(db.tip.sequence_no), db.block(db.tip.sequence_no - 1)
    assert last.block_timestamp == before.block_timestamp


def test_too_many_documents_in_one_transaction_are_refused_whole(db: ledger.Database) -> None:
    with pytest.raises(LimitExceededError, match="documents_per_transaction_max is 40, asked for 41"):
        db.execute("INSERT INTO Vehicle ?", [{"VIN": str(n)} for n in range(41)])
    assert vins(db) == []


@pytest.mark.parametrize(
    ("document", "limit"),
    [({"VIN": "x" * 140_000}, "document_bytes_max"), ({"VIN": "\u20ac" * 45_000}, "document_bytes_max")],
)
def test_a_document_that_is_too_large_is_refused(db: ledger.Database, document: dict[str, Value], limit: str) -> None:
    with pytest.raises(LimitExceededError, match=limit):
        db.execute("INSERT INTO Vehicle ?", document)


def test_a_document_as_large_as_allowed_is_taken_although_the_quick_bound_doubts_it(db: ledger.Database) -> None:
    db.execute("INSERT INTO Vehicle ?", {"VIN": "x" * 130_000})
    assert len(vins(db)) == 1


def test_a_document_that_is_nested_too_deep_is_refused(db: ledger.Database) -> None:
    deep: Value = {"VIN": 1}
    for _ in range(80):
        deep = {"d": deep}
    with pytest.raises(LimitExceededError, match="value_depth_max"):
        db.execute("INSERT INTO Vehicle ?", deep)


def test_text_that_is_not_unicode_is_refused_and_the_ledger_goes_on(db: ledger.Database) -> None:
    with pytest.raises(InvalidValueError):
        db.execute("INSERT INTO Vehicle ?", {"VIN": "\ud800"})
    with pytest.raises((InvalidValueError, StatementError)):
        db.execute("INSERT INTO Vehicle VALUE {'VIN': '\ud800'}")
    db.execute("INSERT INTO Vehicle ?", {"VIN": "a"})


def test_a_full_queue_says_so_at_once(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "cars", limits=Limits(queue_transactions_max=0)) as db, pytest.raises(LedgerBusyError):
        db.execute("CREATE TABLE Vehicle")


def test_too_many_open_transactions_say_so(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "cars", limits=Limits(open_transactions_max=1)) as db:
        first = db.start_transaction()
        with pytest.raises(LedgerBusyError):
            db.start_transaction()
        first.abort()
        db.start_transaction().abort()


def test_sessions_that_nobody_ended_give_their_places_back(tmp_path: Path, clock: StoppedClock) -> None:
    with ledger.open(tmp_path / "cars", limits=Limits(open_transactions_max=2), clock=clock) as db:
        forgotten = [db.start_transaction() for _ in range(2)]
        clock.s += 31
        db.start_transaction().abort()
        with pytest.raises(TransactionExpiredError):
            forgotten[0].commit()


def test_too_many_statements_are_refused_before_one_is_read(db: ledger.Database) -> None:
    with pytest.raises(LimitExceededError, match="statements_per_transaction_max"):
        db.needs_scan([("no statement", [])] * 1_001)


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    db = ledger.open(tmp_path / "cars")
    db.close()
    db.close()
    for call in (
        db.start_transaction,
        db.digest,
        lambda: db.block(0),
        lambda: db.receipt("x" * 22, 0),
        lambda: db.execute("CREATE TABLE T"),
        lambda: db.execute("SELECT * FROM <<1>>"),
    ):
        with pytest.raises(JournalFailedError, match="closed"):
            call()


def test_closing_settles_what_was_submitted(tmp_path: Path) -> None:
    db = ledger.open(tmp_path / "cars")
    db.execute("CREATE TABLE Vehicle")
    waiters = [Waiter() for _ in range(50)]
    requests = [OneShot(w.notify, statements=[("INSERT INTO Vehicle ?", [{"VIN": "a"}])]) for w in waiters]
    for request in requests:
        db.submit(request)
    db.close()
    numbers = [w.wait(r).block_address for w, r in zip(waiters, requests, strict=True)]
    assert None not in numbers
    assert len(set(numbers)) == 50


def test_closing_ends_the_scans_of_other_threads(tmp_path: Path) -> None:
    db = ledger.open(tmp_path / "cars")
    db.execute("CREATE TABLE Vehicle")
    for _ in range(20):
        db.execute("INSERT INTO Vehicle ?", [{"VIN": str(number)} for number in range(40)])
    began = threading.Semaphore(0)

    def scan() -> None:
        began.release()
        while True:
            assert db.execute("SELECT COUNT(*) AS n FROM Vehicle").rows == [{"n": 800}]

    with ThreadPoolExecutor(4) as pool:
        scans = [pool.submit(scan) for _ in range(4)]
        for _ in scans:
            began.acquire()
        db.close()
        for each in scans:
            with pytest.raises((JournalFailedError, StatementCancelledError), match=r"closed|closing"):
                each.result()


def test_a_forked_child_is_told_that_the_ledger_is_not_its_own(db: ledger.Database, tmp_path: Path) -> None:
    state = (tmp_path / "cars" / "views" / "STATE").read_text()
    child = os.fork()
    if child == 0:
        told = 0
        for call in (lambda: db.execute("INSERT INTO Vehicle ?", {"VIN": "a"}), lambda: vins(db), db.start_transaction):
            try:
                call()
            except JournalFailedError:
                told += 1
        db.close()
        os._exit(0 if told == 3 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "cars" / "views" / "STATE").read_text() == state, "the parent still has it open"
    db.execute("INSERT INTO Vehicle ?", {"VIN": "b"})
    assert vins(db) == ["b"]


def test_what_the_caller_does_with_rows_and_parameters_changes_nothing(db: ledger.Database) -> None:
    document: dict[str, Value] = {"VIN": "a", "parts": [{"n": 1}]}
    db.execute_transaction([("INSERT INTO Vehicle ?", [document])])
    document["parts"] = []
    for _ in range(2):
        for query in ("SELECT * FROM Vehicle", "SELECT VALUE v FROM Vehicle AS v WHERE v.VIN = 'a'"):
            row = db.execute(query).rows[0]
            assert row == {"VIN": "a", "parts": [{"n": 1}]}
            row["parts"][0]["n"] = 2  # type: ignore[index]  # it is as above
            row["VIN"] = "b"  # type: ignore[index]
    with db.start_transaction() as txn:
        row = txn.execute_statement("SELECT * FROM Vehicle").rows[0]
        row["VIN"] = "b"  # type: ignore[index]
        txn.execute_statement("UPDATE Vehicle AS v SET v.Year = 1")
    assert db.execute("SELECT * FROM Vehicle").rows == [{"VIN": "a", "parts": [{"n": 1}], "Year": 1}]


def test_a_second_owner_is_refused(db: ledger.Database, tmp_path: Path) -> None:
    with pytest.raises(LedgerLockedError):
        ledger.open(tmp_path / "cars")


@pytest.mark.parametrize("name", ["", "-a", "a-", "a--b", "123", "a_b", "x" * 33, "a.b"])
def test_a_name_that_no_ledger_may_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError):
        ledger.open(tmp_path / name if name else Path())


def test_500_idle_sessions_leave_the_store_bounded(tmp_path: Path) -> None:
    """Each has read, none holds a store transaction: pages that updates free are used again."""
    with ledger.open(tmp_path / "cars") as db:
        db.execute("CREATE TABLE Vehicle")
        db.execute("CREATE INDEX ON Vehicle (VIN)")
        db.execute("INSERT INTO Vehicle ?", [{"VIN": str(n), "note": "x" * 1000} for n in range(20)])
        idle = [db.start_transaction() for _ in range(500)]
        for txn in idle:
            txn.execute_statement("SELECT * FROM Vehicle AS v WHERE v.VIN = 'nobody'")

        def rewrite(times: int) -> int:
            for number in range(times):
                db.execute("UPDATE Vehicle AS v SET v.n = ? WHERE v.VIN = ?", number, str(number % 20))
            return max(file.stat().st_size for file in (tmp_path / "cars" / "views").rglob("*.mdb"))

        after_some = rewrite(300)
        after_more = rewrite(900)
        assert after_more - after_some < 900 * 200, "the store grows by more than history's and ids' small rows"
        for txn in idle:
            txn.commit()
