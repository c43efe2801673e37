"""AS OF, ON CONFLICT and RETURNING in a real ledger: blocks, own writes, transactions beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

import ledger
from ledger.errors import OccConflictError, UniqueViolationError
from ledger.values import Value


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ledger.Database]:
    with ledger.open(tmp_path / "accounts") as db:
        db.execute("CREATE TABLE Account")
        db.execute("CREATE UNIQUE INDEX ON Account (k)")
        yield db


def tip(db: ledger.Database) -> int:
    """Give the last block's sequence number."""
    address = db.digest().tip
    assert address is not None
    return address.sequence_no


def values(db: ledger.Database, source: str, *parameters: object) -> list[Value]:
    return db.execute(f"SELECT VALUE [a.k, a.n] FROM {source} AS a ORDER BY a.k", *parameters).rows


def test_each_block_shows_the_table_as_it_was_after_it(db: ledger.Database) -> None:
    after_block: dict[int, list[Value]] = {}
    after_time: dict[str, tuple[Value, list[Value]]] = {}  # of several blocks in one millisecond the last one counts
    for statement in (
        "INSERT INTO Account << {'k': 1, 'n': 1}, {'k': 2, 'n': 1} >>",
        "UPDATE Account SET n = n + 1 WHERE k = 1",
        "DELETE FROM Account WHERE k = 2",
        "INSERT INTO Account {'k': 2, 'n': 5}",
        "UPDATE Account SET n = 0",
    ):
        db.execute(statement)
        time = db.execute("SELECT VALUE MAX(h.metadata.txTime) FROM history(Account) AS h").rows[0]
        after_block[tip(db)] = values(db, "Account")
        after_time[str(time)] = time, values(db, "Account")
    for number, expected in after_block.items():
        assert values(db, f"Account AS OF {number}") == values(db, "Account AS OF ?", number) == expected
    for time, expected in after_time.values():
        assert values(db, "Account AS OF ?", time) == expected
    assert values(db, "Account AS OF 0") == []
    assert values(db, f"Account AS OF {tip(db) + 7}") == values(db, "Account")


def test_own_writes_are_not_in_the_past(db: ledger.Database) -> None:
    def work(transaction: ledger.InteractiveTransaction) -> list[Value]:
        transaction.execute_statement("INSERT INTO Account {'k': 1}")
        return transaction.execute_statement("SELECT * FROM Account AS OF 100000").rows

    assert db.execute_lambda(work) == []


def test_a_dropped_table_is_there_by_its_id(db: ledger.Database) -> None:
    db.execute("INSERT INTO Account {'k': 1, 'n': 3}")
    before = tip(db)
    number = db.execute("DROP TABLE Account").rows[0]["tableId"]  # type: ignore[index, call-overload]
    assert values(db, f'"{number}" AS OF {before}') == [[1, 3]]


def test_reading_the_past_conflicts_with_nobody(db: ledger.Database) -> None:
    db.execute("INSERT INTO Account {'k': 1, 'n': 1}")
    past, transaction = tip(db), db.start_transaction()
    assert transaction.execute_statement("SELECT VALUE a.n FROM Account AS OF ? AS a", past).rows == [1]
    transaction.execute_statement("INSERT INTO Account {'k': 2, 'n': 2}")
    db.execute("UPDATE Account SET n = 9 WHERE k = 1")
    transaction.commit()
    assert values(db, "Account") == [[1, 9], [2, 2]]


def test_a_time_in_the_past_conflicts_with_nobody_and_the_present_with_who_changes_the_table(
    db: ledger.Database,
) -> None:
    read = "SELECT VALUE a.n FROM Account AS OF ? AS a WHERE k = 1"
    db.execute("INSERT INTO Account {'k': 1, 'n': 1}")
    past, tip_time = None, db.execute("SELECT VALUE metadata.txTime FROM _ql_committed_Account").rows[0]
    while past is None or past == tip_time:  # two blocks may be of one millisecond
        past = tip_time
        db.execute("UPDATE Account SET n = n + 1")
        tip_time = db.execute("SELECT VALUE metadata.txTime FROM _ql_committed_Account").rows[0]
    before, after = db.execute(read, past).rows, db.execute(read, tip_time).rows
    assert after == [before[0] + 1]  # type: ignore[operator]
    for key, moment in ((2, tip_time), (3, past)):
        transaction = db.start_transaction()
        assert transaction.execute_statement(read, moment).rows == (before if moment is past else after)
        transaction.execute_statement("INSERT INTO Account ?", {"k": key})
        db.execute("UPDATE Account SET n = 9 WHERE k = 1")
        with nullcontext() if moment is past else pytest.raises(OccConflictError):
            transaction.commit()


def test_upsert_finds_what_its_own_transaction_wrote(db: ledger.Database) -> None:
    def work(transaction: ledger.InteractiveTransaction) -> None:
        transaction.execute_statement("INSERT INTO Account {'k': 1, 'n': 1}")
        transaction.execute_statement(
            "INSERT INTO Account {'k': 1, 'n': 4} ON CONFLICT (k) DO UPDATE SET n = n + EXCLUDED.n"
        )

    db.execute_lambda(work)
    assert values(db, "Account") == [[1, 5]]


def test_two_upserts_of_one_key_at_once_make_one_document(db: ledger.Database) -> None:
    transactions = [db.start_transaction() for _ in range(2)]
    for transaction in transactions:
        transaction.execute_statement("UPSERT INTO Account {'k': 1, 'n': 1}")
    transactions[0].commit()
    with pytest.raises(OccConflictError):
        transactions[1].commit()
    assert values(db, "Account") == [[1, 1]]


def test_do_nothing_conflicts_only_with_its_keys(db: ledger.Database) -> None:
    transaction = db.start_transaction()
    assert transaction.execute_statement("INSERT INTO Account {'k': 1} ON CONFLICT DO NOTHING RETURNING k").rows == [
        {"k": 1}
    ]
    db.execute("INSERT INTO Account {'k': 2}")
    transaction.commit()
    assert db.execute("INSERT INTO Account {'k': 1} ON CONFLICT DO NOTHING RETURNING k").rows == []
    with pytest.raises(UniqueViolationError):
        db.execute("INSERT INTO Account {'k': 1}")


def test_returning_gives_the_document_as_it_is_stored(db: ledger.Database) -> None:
    row = db.execute("INSERT INTO Account AS a BY id {'k': 1, 'n': 1.50} RETURNING id, a.*").rows[0]
    assert isinstance(row, dict)
    assert db.execute("SELECT id, a.* FROM Account AS a BY id WHERE id = ?", row["id"]).rows == [row]
    changed = db.execute("UPDATE Account SET n = 2 RETURNING MODIFIED OLD *, MODIFIED NEW n AS now").rows
    assert [str(value) for value in changed[0].values()] == ["1.50", "2"]  # type: ignore[union-attr]
