"""What would hold the committer too long runs beside it: other commits go on meanwhile, and nothing is lost or done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from vehicle_ledger import StoppedClock

import ledger
from ledger.database import open_ledger
from ledger.errors import (
    BesideError,
    JournalFailedError,
    LimitExceededError,
    OccConflictError,
    StatementCancelledError,
    TransactionExpiredError,
    TransactionMismatchError,
)
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.request import OneShot, Waiter
from ledger.values import Value

MANY: list[Value] = list(range(3_000))
CROSS_JOIN = "SELECT COUNT(*) AS n FROM ? AS a, ? AS b"
UPDATE_BY_CROSS_JOIN = (
    f"UPDATE Vehicle AS v SET v.n = (SELECT COUNT(*) FROM ? AS a, {MANY[:20]} AS b) WHERE v.VIN = 'a'"
)
UPDATE_BY_SCAN = "UPDATE Vehicle AS v SET v.n = v.n + 1 WHERE v.kind = 'scanned'"
LIMITS = Limits(visits_in_committer_max=2_000, transaction_age_s_max=30.0, read_s_max=60.0)


class WatchedClock(StoppedClock):
    """Calls `looked` whenever a statement that runs beside the committer asks for the time, from its own thread."""

    looked: Callable[[], None] | None = None

    def monotonic_s(self) -> float:
        if self.looked is not None and threading.current_thread().name.startswith("beside"):
            self.looked()
        return self.s


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
def db(tmp_path: Path, clock: WatchedClock) -> Iterator[ledger.Database]:
    with open_ledger(tmp_path / "cars", clock=clock, limits=LIMITS) as db:
        db.execute("CREATE TABLE Vehicle")
        db.execute("CREATE TABLE Other")
        db.execute("CREATE INDEX ON Vehicle (VIN)")
        db.execute("INSERT INTO Vehicle ?", {"VIN": "a", "n": 0})
        yield db


class Held:
    """Holds a thread in the middle of its statement, at its `at`-th look at the clock."""

    def __init__(self, clock: WatchedClock, at: int = 5) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._left = at
        clock.looked = self._look

    def _look(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.reached.set()
            assert self.go_on.wait(10)


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, "beside") as pool:
        yield pool


def number_of(db: ledger.Database) -> object:
    return db.execute("SELECT VALUE v.n FROM Vehicle AS v WHERE v.VIN = 'a'").rows[0]


@pytest.mark.parametrize("text", [CROSS_JOIN, UPDATE_BY_CROSS_JOIN])
def test_the_committer_gives_back_what_is_too_much_for_it(db: ledger.Database, text: str) -> None:
    waiter = Waiter()
    request = OneShot(waiter.notify, statements=[(text, [MANY] * text.count("?"))])
    db.submit(request)
    with pytest.raises(BesideError, match="more than 2000"):
        waiter.wait(request)
    assert number_of(db) == 0


def test_the_budget_is_that_of_the_whole_transaction(db: ledger.Database) -> None:
    """Twenty statements of 600 visits each are as much as one of 12,000."""
    waiter = Waiter()
    request = OneShot(waiter.notify, statements=[("SELECT COUNT(*) FROM ? AS a", [MANY[:600]])] * 20)
    db.submit(request)
    with pytest.raises(BesideError):
        waiter.wait(request)
    few = OneShot(Waiter().notify, statements=[("SELECT COUNT(*) FROM ? AS a", [MANY[:600]])] * 3)
    waiter = Waiter()
    few.notify = waiter.notify
    db.submit(few)
    assert len(waiter.wait(few).results) == 3


def test_commits_go_on_while_a_cross_join_writes(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor
) -> None:
    held = Held(clock)
    update = beside.submit(db.execute_transaction, [(UPDATE_BY_CROSS_JOIN, [MANY])])
    assert held.reached.wait(10)
    blocks = [db.execute_transaction([("INSERT INTO Other ?", [{"n": n}])]).block_address for n in range(5)]
    held.go_on.set()
    address = update.result().block_address
    assert address is not None
    assert all(block is not None and block.sequence_no < address.sequence_no for block in blocks)
    assert number_of(db) == 60_000


def test_a_conflict_is_tried_again_and_no_update_is_lost(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor
) -> None:
    db.execute("INSERT INTO Vehicle ?", {"VIN": "s", "kind": "scanned", "n": 0})
    for n in range(0, 2_500, 40):
        db.execute("INSERT INTO Vehicle ?", [{"VIN": f"{n + i}"} for i in range(40)])
    held = Held(clock)
    update = beside.submit(db.execute, UPDATE_BY_SCAN)
    assert held.reached.wait(10)
    db.execute("UPDATE Vehicle AS v SET v.n = 10 WHERE v.VIN = 's'")
    held.go_on.set()
    assert len(update.result().rows) == 1
    assert db.execute("SELECT VALUE v.n FROM Vehicle AS v WHERE v.VIN = 's'").rows == [11]


def test_who_conflicts_each_time_is_told_so_and_nothing_happened(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.database._backoff_s", lambda _: 0.0)
    db.execute("INSERT INTO Vehicle ?", {"VIN": "s", "kind": "scanned", "n": 0})
    for n in range(0, 2_500, 40):
        db.execute("INSERT INTO Vehicle ?", [{"VIN": f"{n + i}"} for i in range(40)])
    disturbed: list[object] = []

    def disturb() -> None:
        if db._committer.sessions.lock.locked():  # it begins: nothing is read yet, and nothing can be committed now
            return
        clock.looked = None  # the disturbance looks at the clock too
        disturbed.append(db.execute("UPDATE Vehicle AS v SET v.m = 1 WHERE v.VIN = 'a'"))
        clock.looked = disturb

    clock.looked = disturb
    with pytest.raises(OccConflictError):
        beside.submit(db.execute, UPDATE_BY_SCAN).result()
    clock.looked = None
    assert len(disturbed) >= 5
    assert db.execute("SELECT VALUE v.n FROM Vehicle AS v WHERE v.VIN = 's'").rows == [0]


def test_an_id_commits_once_also_beside(db: ledger.Database) -> None:
    statements = [(UPDATE_BY_CROSS_JOIN, [MANY])]
    first = db.execute_transaction(statements, id_of_text("k"))
    again = db.execute_transaction(statements, id_of_text("k"))
    assert again.replayed
    assert again.block_address == first.block_address
    assert again.transaction_id == first.transaction_id == id_of_text("k")
    with pytest.raises(TransactionMismatchError):
        db.execute_transaction([(UPDATE_BY_CROSS_JOIN, [MANY[:2_900]])], id_of_text("k"))


def test_two_who_run_beside_with_one_id_commit_once(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor
) -> None:
    held = Held(clock)
    statements = [(UPDATE_BY_CROSS_JOIN, [MANY])]
    slow = beside.submit(db.execute_transaction, statements, id_of_text("k"))
    assert held.reached.wait(10)
    first = db.execute_transaction(statements, id_of_text("k"))
    held.go_on.set()
    assert (slow.result().replayed, first.replayed) == (True, False)
    assert slow.result().block_address == first.block_address


def test_who_comes_beside_after_the_first_of_its_id_has_committed_gets_that_outcome(db: ledger.Database) -> None:
    """The committer gave both back before one of them committed; the second would fail on the document of the first."""
    db.execute("CREATE UNIQUE INDEX ON Other (k)")
    statements = [("INSERT INTO Other SELECT VALUE {'k': COUNT(*)} FROM ? AS a, ? AS b", [MANY[:100], MANY[:100]])]
    first = db.execute_beside(statements, id_of_text("k"))
    again = db.execute_beside(statements, id_of_text("k"))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.block_address == first.block_address


def test_the_id_of_an_open_transaction_is_not_free(db: ledger.Database) -> None:
    with db.start_transaction() as txn:
        txn.execute_statement("INSERT INTO Other ?", {"n": 1})
        with pytest.raises(TransactionMismatchError, match="is open"):
            db.execute_transaction([("INSERT INTO Other ?", [{"n": 2}])], txn.transaction_id)
    with pytest.raises(TransactionMismatchError):
        db.execute_transaction([("INSERT INTO Other ?", [{"n": 2}])], txn.transaction_id)
    assert db.execute("SELECT VALUE o.n FROM Other AS o").rows == [1]


# Deadlines.


def test_a_query_ends_at_its_time(db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor) -> None:
    held = Held(clock)
    read = beside.submit(db.execute, CROSS_JOIN, MANY, MANY)
    assert held.reached.wait(10)
    clock.s += 61
    held.go_on.set()
    with pytest.raises(LimitExceededError, match="read_s_max is 60, asked for 61"):
        read.result()


def test_a_write_beside_ends_at_the_age_of_a_transaction(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor
) -> None:
    held = Held(clock)
    update = beside.submit(db.execute, UPDATE_BY_CROSS_JOIN, MANY)
    assert held.reached.wait(10)
    clock.s += 31
    held.go_on.set()
    with pytest.raises(TransactionExpiredError, match=r"open for 31.0 s, the limit is 30.0 s"):
        update.result()
    assert number_of(db) == 0


def test_a_statement_of_an_interactive_transaction_ends_at_its_age(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor
) -> None:
    txn = db.start_transaction()
    held = Held(clock)
    scan = beside.submit(txn.execute_statement, CROSS_JOIN, MANY, MANY)
    assert held.reached.wait(10)
    clock.s += 31
    held.go_on.set()
    with pytest.raises(TransactionExpiredError, match=txn.transaction_id):
        scan.result()


def test_a_read_is_cancelled_by_whoever_has_its_deadline(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor
) -> None:
    held, deadline = Held(clock), db.deadline([(CROSS_JOIN, [])])
    read = beside.submit(db.read, [(CROSS_JOIN, [MANY, MANY])], None, deadline)
    assert held.reached.wait(10)
    deadline.cancel("its client is gone")
    held.go_on.set()
    with pytest.raises(StatementCancelledError, match="its client is gone"):
        read.result()


@pytest.mark.parametrize("text", [CROSS_JOIN, UPDATE_BY_CROSS_JOIN])
def test_closing_the_ledger_ends_what_runs(
    db: ledger.Database, clock: WatchedClock, beside: ThreadPoolExecutor, text: str
) -> None:
    held = Held(clock)
    running = beside.submit(db.execute, text, *[MANY] * text.count("?"))
    assert held.reached.wait(10)
    db._beside.close()
    held.go_on.set()
    with pytest.raises(StatementCancelledError, match="the ledger is closing"):
        running.result()
    db.close()
    with pytest.raises(JournalFailedError, match="closed"):
        db.execute(text, *[MANY] * text.count("?"))
