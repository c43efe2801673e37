"""Interactive transactions: what two of them see of each other, how they end, and when they conflict."""

from __future__ import annotations

import pytest
from vehicle_ledger import NAMES, StoppedClock, vins

import ledger
from ledger.errors import (
    OccConflictError,
    TransactionClosedError,
    TransactionExpiredError,
)
from ledger.limits import Limits


def test_two_transactions_on_different_documents_by_index_do_not_conflict(db: ledger.Database) -> None:
    db.execute("INSERT INTO Vehicle ?", [{"VIN": "a"}, {"VIN": "b"}])
    first, second = db.start_transaction(), db.start_transaction()
    first.execute_statement("UPDATE Vehicle AS v SET v.Year = 1 WHERE v.VIN = 'a'")
    second.execute_statement("UPDATE Vehicle AS v SET v.Year = 2 WHERE v.VIN = 'b'")
    first.commit()
    second.commit()
    assert len(db.execute("SELECT * FROM Vehicle AS v WHERE v.Year IN (1, 2)").rows) == 2


def test_the_second_of_two_who_insert_the_same_absent_key_conflicts(db: ledger.Database) -> None:
    first, second = db.start_transaction(), db.start_transaction()
    for txn in (first, second):
        assert txn.execute_statement("SELECT * FROM Vehicle AS v WHERE v.VIN = ?", "a").rows == []
        txn.execute_statement("INSERT INTO Vehicle ?", {"VIN": "a"})
    first.commit()
    with pytest.raises(OccConflictError, match=r"read .* as of block"):
        second.commit()
    assert vins(db) == ["a"]


def test_a_conflict_is_told_at_the_next_statement_already(db: ledger.Database) -> None:
    txn = db.start_transaction()
    txn.execute_statement("SELECT COUNT(*) FROM Vehicle")
    db.execute("INSERT INTO Vehicle ?", {"VIN": "a"})
    with pytest.raises(OccConflictError):
        txn.execute_statement("SELECT COUNT(*) FROM Vehicle")
    with pytest.raises(TransactionClosedError):
        txn.commit()


def test_a_read_only_transaction_that_scanned_a_changed_table_conflicts_at_commit(db: ledger.Database) -> None:
    txn = db.start_transaction()
    txn.execute_statement("SELECT COUNT(*) FROM Vehicle")
    db.execute("INSERT INTO Vehicle ?", {"VIN": "a"})
    with pytest.raises(OccConflictError):
        txn.commit()


def test_a_new_statement_sees_what_was_committed_since_if_nothing_read_has_changed(db: ledger.Database) -> None:
    txn = db.start_transaction()
    txn.execute_statement("SELECT * FROM Vehicle AS v WHERE v.VIN = 'a'")
    db.execute("INSERT INTO Vehicle ?", {"VIN": "b"})
    assert len(txn.execute_statement("SELECT * FROM Vehicle AS v WHERE v.VIN = 'b'").rows) == 1
    txn.commit()


def test_ddl_conflicts_with_who_relied_on_the_table(db: ledger.Database) -> None:
    txn = db.start_transaction()
    txn.execute_statement("INSERT INTO Vehicle ?", {"VIN": "a"})
    db.execute("CREATE INDEX ON Vehicle (Model)")
    with pytest.raises(OccConflictError):
        txn.commit()


def test_execute_lambda_retries_a_conflict_and_gives_what_the_lambda_gave(db: ledger.Database) -> None:
    tries: list[int] = []

    def work(txn: ledger.InteractiveTransaction) -> str:
        txn.execute_statement("SELECT COUNT(*) FROM Vehicle")
        if not tries:
            db.execute("INSERT INTO Vehicle ?", {"VIN": "a"})
        tries.append(1)
        txn.execute_statement("INSERT INTO Vehicle ?", {"VIN": "b"})
        return "done"

    assert db.execute_lambda(work) == "done"
    assert len(tries) == 2
    assert vins(db) == ["a", "b"]


def test_what_the_lambda_raises_aborts_and_comes_through(db: ledger.Database) -> None:
    def work(txn: ledger.InteractiveTransaction) -> None:
        txn.execute_statement("INSERT INTO Vehicle ?", {"VIN": "a"})
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        db.execute_lambda(work)
    assert vins(db) == []


def test_a_transaction_older_than_the_limit_has_expired(db: ledger.Database, clock: StoppedClock) -> None:
    txn = db.start_transaction()
    txn.execute_statement("INSERT INTO Vehicle ?", {"VIN": "a"})
    clock.s += Limits().transaction_age_s_max + 1
    with pytest.raises(TransactionExpiredError, match=r"^Transaction \w{22} has expired"):
        txn.commit()
    assert vins(db) == []


def test_an_old_transaction_whose_reads_are_forgotten_has_expired_also_in_a_statement(
    db: ledger.Database, clock: StoppedClock
) -> None:
    txn = db.start_transaction()
    txn.execute_statement("SELECT * FROM Vehicle AS v WHERE v.VIN = 'a'")
    clock.s += Limits().transaction_age_s_max + 1
    for number in range(2):
        db.execute("INSERT INTO Vehicle ?", {"VIN": str(number)})
    with pytest.raises(TransactionExpiredError):
        txn.execute_statement("SELECT * FROM Vehicle AS v WHERE v.VIN = 'a'")


def test_committed_and_aborted_transactions_are_closed(db: ledger.Database) -> None:
    txn = db.start_transaction()
    txn.commit()
    with pytest.raises(TransactionClosedError, match="is committed"):
        txn.execute_statement(NAMES)
    other = db.start_transaction()
    other.abort()
    other.abort()
    with pytest.raises(TransactionClosedError, match="is aborted"):
        other.commit()
