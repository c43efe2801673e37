"""Indexes of an open ledger: built beside commits, unique under concurrency, and as narrow in conflicts as what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ledger
from ledger.check import check_ledger
from ledger.errors import LimitExceededError, OccConflictError, PlanError, UniqueViolationError
from ledger.limits import Limits
from ledger.values import Value
from ledger.views import Views

LIMITS = Limits(index_build_at_once_max=50)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ledger.Database]:
    with ledger.open(tmp_path / "people", limits=LIMITS) as db:
        db.execute("CREATE TABLE Person")
        yield db
    check_ledger(tmp_path / "people")


@pytest.fixture
def may_build(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, nothing is built; then a part with each commit."""
    event = threading.Event()
    build_some = Views.build_some
    monkeypatch.setattr(Views, "build_some", lambda views: event.is_set() and build_some(views) and False)
    return event


def people(db: ledger.Database, count: int, *, first: int = 0) -> None:
    for start in range(first, first + count, 40):
        part = [{"email": f"{i}@x", "n": i} for i in range(start, min(start + 40, first + count))]
        db.execute("INSERT INTO Person ?", part)


@pytest.mark.parametrize("name", ["Größe", "名前", "plain"])
def test_an_index_over_what_is_there_finds_it_whatever_its_name(db: ledger.Database, name: str) -> None:
    db.execute("INSERT INTO Person ?", [{name: n, "": "other", "n": n} for n in range(3)])
    db.execute(f'CREATE UNIQUE INDEX ON Person ("{name}")')
    for n in range(3):
        found = db.execute(f'SELECT VALUE p.n FROM Person AS p WHERE p."{name}" = ?', n)
        assert (found.rows, found.statistics.look_ups) == ([n], 1)
    with pytest.raises(UniqueViolationError):
        db.execute("INSERT INTO Person ?", {name: 2})


def indexes(db: ledger.Database) -> list[dict[str, Value]]:
    [row] = db.execute("SELECT indexes FROM information_schema.user_tables WHERE name = 'Person'").rows
    assert isinstance(row, dict)
    return row["indexes"]  # type: ignore[return-value]


def until_built(db: ledger.Database) -> str:
    """Commit until the index is no longer being built: each commit lets it go on."""
    while (status := indexes(db)[0]["status"]) == "BUILDING":
        db.execute("DELETE FROM Person BY id WHERE id = 'nobody'")
    return str(status)


def test_a_second_document_with_a_unique_value_is_refused(db: ledger.Database) -> None:
    db.execute("CREATE UNIQUE INDEX ON Person (email)")
    db.execute("INSERT INTO Person ?", {"email": "a@x"})
    db.execute("INSERT INTO Person ?", {"email": "b@x"})
    with pytest.raises(UniqueViolationError, match=r'\[email\] = "a@x"'):
        db.execute("INSERT INTO Person ?", {"email": "a@x"})
    with pytest.raises(UniqueViolationError):
        db.execute("UPDATE Person AS p SET p.email = 'a@x' WHERE p.email = 'b@x'")
    db.execute("UPDATE Person AS p SET p.email = 'a@x' WHERE p.email = 'a@x'")
    db.execute("INSERT INTO Person ?", [{"email": None}, {"email": None}, {}])
    db.execute("DELETE FROM Person AS p WHERE p.email = 'a@x'")
    db.execute("INSERT INTO Person ?", {"email": "a@x"})
    assert db.execute("SELECT COUNT(*) AS n FROM Person").rows == [{"n": 5}]


def test_an_index_through_two_lists_is_refused_since_each_pair_would_be_an_entry(db: ledger.Database) -> None:
    db.execute("CREATE INDEX ON Person (emails[*], n)")
    with pytest.raises(PlanError, match="one list at most"):
        db.execute("CREATE INDEX ON Person (emails[*], phones[*])")


def test_a_document_with_too_many_elements_for_an_index_is_refused_or_fails_it(db: ledger.Database) -> None:
    many, enough = list(range(1_001)), list(range(1_000))
    db.execute("INSERT INTO Person ?", {"tags": many})
    db.execute("CREATE INDEX ON Person (tags[*])")
    assert "has 1001 entries, index_entries_per_document_max is 1000" in str(indexes(db)[0]["message"])
    db.execute("CREATE INDEX ON Person (others[*])")
    db.execute("INSERT INTO Person ?", {"others": enough})
    with pytest.raises(LimitExceededError, match="index_entries_per_document_max"):
        db.execute("INSERT INTO Person ?", {"others": many})


def test_of_two_open_transactions_with_one_value_one_gets_it(db: ledger.Database) -> None:
    db.execute("CREATE UNIQUE INDEX ON Person (email)")
    first, second = db.start_transaction(), db.start_transaction()
    for transaction in (first, second):
        transaction.execute_statement("INSERT INTO Person ?", {"email": "a@x"})
    first.commit()
    with pytest.raises(OccConflictError):
        second.commit()


def test_of_many_inserts_at_once_one_gets_the_value(db: ledger.Database) -> None:
    db.execute("CREATE UNIQUE INDEX ON Person (email)")

    def insert(number: int) -> bool:
        try:
            if number % 2:
                db.execute("INSERT INTO Person ?", {"email": f"{number // 8}@x"})
            else:
                db.execute_lambda(lambda t: t.execute_statement("INSERT INTO Person ?", {"email": f"{number // 8}@x"}))
        except UniqueViolationError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(insert, range(160))) == 20


def test_a_large_table_is_indexed_while_writes_go_on(db: ledger.Database, may_build: threading.Event) -> None:
    people(db, 600)
    db.execute("CREATE INDEX ON Person (email)")
    assert indexes(db)[0]["status"] == "BUILDING"
    assert db.execute("SELECT p.n FROM Person AS p WHERE p.email = '599@x'").statistics.documents_read == 600
    may_build.set()
    writes = 0
    while indexes(db)[0]["status"] == "BUILDING":
        db.execute("INSERT INTO Person ?", {"email": f"new {writes}", "n": -1})
        db.execute("DELETE FROM Person AS p WHERE p.n = ?", writes)
        writes += 1
    result = db.execute("SELECT p.n FROM Person AS p WHERE p.email = '599@x'")
    assert result.rows == [{"n": 599}]
    assert result.statistics.documents_read == 1, "the plan that scanned is not used any more"
    for number in range(writes):
        assert db.execute("SELECT VALUE p.n FROM Person AS p WHERE p.email = ?", f"new {number}").rows == [-1]
        assert db.execute("SELECT VALUE p.n FROM Person AS p WHERE p.email = ?", f"{number}@x").rows == []


def test_building_goes_on_after_the_ledger_was_closed_and_opened(tmp_path: Path, may_build: threading.Event) -> None:
    with ledger.open(tmp_path / "people", limits=LIMITS) as db:
        db.execute("CREATE TABLE Person")
        people(db, 600)
        db.execute("CREATE UNIQUE INDEX ON Person (email)")
        may_build.set()
        db.execute("INSERT INTO Person VALUE {'n': 1}")
        assert indexes(db)[0]["status"] == "BUILDING"
    with ledger.open(tmp_path / "people", limits=LIMITS) as db:
        assert until_built(db) == "ONLINE"
        with pytest.raises(UniqueViolationError):
            db.execute("INSERT INTO Person ?", {"email": "599@x"})
    check_ledger(tmp_path / "people")


def test_an_open_transaction_does_not_slip_past_an_index_that_is_built_meanwhile(
    db: ledger.Database, may_build: threading.Event
) -> None:
    people(db, 200)
    db.execute("CREATE UNIQUE INDEX ON Person (email)")
    assert indexes(db)[0]["status"] == "BUILDING"
    early = db.start_transaction()
    early.execute_statement("INSERT INTO Person ?", {"email": "199@x"})
    may_build.set()
    assert until_built(db) == "ONLINE"
    with pytest.raises(UniqueViolationError):
        early.commit()


def test_a_unique_index_over_duplicates_fails_says_why_and_enforces_nothing(db: ledger.Database) -> None:
    people(db, 100)
    db.execute("INSERT INTO Person ?", {"email": "7@x"})
    db.execute("CREATE UNIQUE INDEX ON Person (email)")
    assert until_built(db) == "FAILED"
    assert '"7@x" is in two documents: ' in str(indexes(db)[0]["message"])
    db.execute("INSERT INTO Person ?", {"email": "8@x"})
    assert len(db.execute("SELECT p.n FROM Person AS p WHERE p.email = '8@x'").rows) == 2


Ask = Callable[[ledger.InteractiveTransaction], object]
RANGE = "SELECT p.n FROM Person AS p WHERE p.n BETWEEN 10 AND 20"
CONFLICTS: dict[str, tuple[str, list[Value], str, bool]] = {
    "range, insert into it": (RANGE, [], "INSERT INTO Person VALUE {'n': 15}", True),
    "range, insert beside it": (RANGE, [], "INSERT INTO Person VALUE {'n': 25}", False),
    "range, out of it": (RANGE, [], "UPDATE Person AS p SET p.n = 99 WHERE p.n = 20", True),
    "range, beside it": (RANGE, [], "UPDATE Person AS p SET p.n = 99 WHERE p.n = 21", False),
    "range, a document in it": (RANGE, [], "UPDATE Person AS p SET p.m = 1 WHERE p.n = 11", True),
    "other documents by index": (
        "SELECT p.n FROM Person AS p WHERE p.n = 1",
        [],
        "DELETE FROM Person AS p WHERE p.n = 2",
        False,
    ),
    "absent key": ("SELECT p.n FROM Person AS p WHERE p.n = 777", [], "INSERT INTO Person VALUE {'n': 777}", True),
    "count, update": ("SELECT COUNT(*) FROM Person", [], "UPDATE Person AS p SET p.m = 1 WHERE p.n = 1", False),
    "count, insert": ("SELECT COUNT(*) FROM Person", [], "INSERT INTO Person VALUE {'n': 1}", True),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_transaction_conflicts_with_what_it_read_and_no_more(db: ledger.Database, name: str) -> None:
    read, parameters, write, conflicts = CONFLICTS[name]
    people(db, 40)
    db.execute("CREATE INDEX ON Person (n)")
    db.execute("CREATE TABLE Note")
    transaction = db.start_transaction()
    transaction.execute_statement(read, *parameters)
    transaction.execute_statement("INSERT INTO Note VALUE {'seen': 1}")
    db.execute(write)
    if conflicts:
        with pytest.raises(OccConflictError):
            transaction.commit()
    else:
        transaction.commit()


def test_two_transactions_on_different_documents_never_conflict(db: ledger.Database) -> None:
    people(db, 16)
    db.execute("CREATE INDEX ON Person (email)")
    barrier = threading.Barrier(8)

    def count_up(number: int) -> None:
        for _ in range(10):
            transaction = db.start_transaction()
            transaction.execute_statement("SELECT p.n FROM Person AS p WHERE p.email = ?", f"{number}@x")
            transaction.execute_statement("UPDATE Person AS p SET p.n = p.n + 100 WHERE p.email = ?", f"{number}@x")
            barrier.wait()
            transaction.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(8)))
    assert db.execute("SELECT VALUE p.n FROM Person AS p WHERE p.email = '7@x'").rows == [1_007]


def test_who_makes_an_index_can_use_the_table_in_the_same_transaction(db: ledger.Database) -> None:
    people(db, 20)
    with db.start_transaction() as transaction:
        transaction.execute_statement("CREATE INDEX ON Person (n)")
        rows = transaction.execute_statement("SELECT VALUE p.email FROM Person AS p WHERE p.n >= 18 ORDER BY p.n").rows
        assert rows == ["18@x", "19@x"]
        transaction.execute_statement("INSERT INTO Person ?", {"n": 19})
    assert len(db.execute("SELECT p.n FROM Person AS p WHERE p.n = 19").rows) == 2
