"""DDL in a real ledger: dropped tables and indexes, in transactions, over restarts, and beside other transactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.check import check_ledger
from ledger.errors import (
    AlreadyExistsError,
    LimitExceededError,
    OccConflictError,
    PlanError,
    StatementError,
    UniqueViolationError,
)
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.request import StatementText
from ledger.values import Value


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ledger.Database]:
    with ledger.open(tmp_path / "cars") as db:
        db.execute("CREATE TABLE Car")
        db.execute("CREATE INDEX ON Car (VIN)")
        db.execute("INSERT INTO Car ?", [{"VIN": "a"}, {"VIN": "b"}])
        yield db


def tables(db: ledger.Database, name: str) -> list[dict[str, Any]]:
    return [
        row
        for row in db.execute("SELECT * FROM information_schema.user_tables WHERE name = ?", name).rows
        if isinstance(row, dict)
    ]


def table_id(db: ledger.Database, name: str = "Car") -> str:
    """Give the id of the oldest table of that name."""
    return str(tables(db, name)[0]["tableId"])


def vins(db: ledger.Database, source: str = "Car") -> list[Value]:
    return sorted(db.execute(f"SELECT VALUE c.VIN FROM {source} AS c").rows, key=str)


def test_a_dropped_table_is_gone_but_for_its_history_and_comes_back_as_it_was(db: ledger.Database) -> None:
    number = table_id(db)
    assert db.execute("DROP TABLE Car").rows == [{"tableId": number}]
    for statement in ("SELECT * FROM Car", "INSERT INTO Car {'VIN': 'c'}", "SELECT * FROM _ql_committed_Car"):
        with pytest.raises(PlanError, match="No such table: Car"):
            db.execute(statement)
    assert db.execute(f"SELECT VALUE h.data.VIN FROM history('{number}') AS h ORDER BY h.data.VIN").rows == ["a", "b"]
    assert [(row["status"], len(row["indexes"])) for row in tables(db, "Car")] == [("INACTIVE", 1)]
    assert db.execute(f'UNDROP TABLE "{number}"').rows == [{"tableId": number}]
    found = db.execute("SELECT VALUE c.VIN FROM Car AS c WHERE c.VIN = 'a'")
    assert (found.rows, found.statistics.scans) == (["a"], ())
    db.execute("UPDATE Car AS c SET c.VIN = 'z' WHERE c.VIN = 'a'")
    assert vins(db) == ["b", "z"]


def test_two_tables_of_one_name_are_told_apart_by_id_and_the_name_goes_to_one(db: ledger.Database) -> None:
    first = table_id(db)
    db.execute("DROP TABLE Car")
    (created,) = db.execute("CREATE TABLE Car").rows
    assert isinstance(created, dict)
    second = created["tableId"]
    assert second != first
    db.execute("INSERT INTO Car {'VIN': 'c'}")
    assert [row["status"] for row in tables(db, "Car")] == ["INACTIVE", "ACTIVE"]
    assert vins(db) == ["c"]
    assert vins(db, "(SELECT VALUE h.data FROM history(Car) AS h)") == ["c"]
    assert vins(db, f"(SELECT VALUE h.data FROM history('{first}') AS h)") == ["a", "b"]
    with pytest.raises(AlreadyExistsError, match=r"USER\.Car already exists"):
        db.execute(f'UNDROP TABLE "{first}"')
    with pytest.raises(PlanError, match="is active"):
        db.execute(f'UNDROP TABLE "{second}"')
    db.execute_transaction([("DROP TABLE Car", []), (f'UNDROP TABLE "{first}"', [])])
    assert vins(db) == ["a", "b"]


def test_dropped_tables_and_indexes_are_the_same_after_a_restart_and_a_rebuild_of_the_views(tmp_path: Path) -> None:
    path = tmp_path / "cars"
    with ledger.open(path) as db:
        for text in ("CREATE TABLE Car", "CREATE INDEX ON Car (VIN)", "CREATE INDEX ON Car (Model)"):
            db.execute(text)
        db.execute("INSERT INTO Car ?", [{"VIN": "a", "Model": 1}, {"VIN": "b", "Model": 1}])
        by_vin, _ = tables(db, "Car")[0]["indexes"]
        db.execute(f'DROP INDEX "{by_vin["indexId"]}" ON Car WITH (purge = true)')
        db.execute("DELETE FROM Car AS c WHERE c.VIN = 'b'")
        db.execute("DROP TABLE Car")
        db.execute('CREATE TABLE Car WITH (aws_tags = `{owner: "us"}`)')
        before = tables(db, "Car")
    for removed in ((), ("STATE",)):
        for name in removed:
            (path / "views" / name).unlink()
        with ledger.open(path) as db:
            assert tables(db, "Car") == before
            assert [row.get("tags") for row in before] == [None, {"owner": "us"}]
            first = before[0]["tableId"]
            db.execute_transaction([("DROP TABLE Car", []), (f'UNDROP TABLE "{first}"', [])])
            found = db.execute("SELECT VALUE c.VIN FROM Car AS c WHERE c.Model = 1")
            assert (found.rows, found.statistics.scans) == (["a"], ())
            db.execute_transaction([("DROP TABLE Car", []), (f'UNDROP TABLE "{before[1]["tableId"]}"', [])])
    check_ledger(path)


def test_a_dropped_index_serves_no_more_and_may_be_made_again(db: ledger.Database) -> None:
    (index,) = tables(db, "Car")[0]["indexes"]
    assert db.execute("SELECT * FROM Car WHERE VIN = 'a'").statistics.scans == ()
    drop = f'DROP INDEX "{index["indexId"]}" ON Car WITH (purge = true)'
    assert db.execute(drop).rows == [{"tableId": table_id(db)}]
    assert tables(db, "Car")[0]["indexes"] == []
    assert db.execute("SELECT * FROM Car WHERE VIN = 'a'").statistics.scans == ("Car",)
    with pytest.raises(PlanError, match="Table Car has no index"):
        db.execute(drop)
    db.execute("UPDATE Car AS c SET c.VIN = 'z' WHERE c.VIN = 'a'")
    db.execute("CREATE INDEX ON Car (VIN)")
    assert vins(db, "(SELECT * FROM Car WHERE VIN IN ('a', 'z'))") == ["z"]


def test_everything_with_one_table_in_one_transaction(db: ledger.Database) -> None:
    """As the DMV samples of QLDB's drivers do it."""
    outcome = db.execute_transaction(
        [
            ("CREATE TABLE Scrap", []),
            ("CREATE INDEX ON Scrap (n)", []),
            ("INSERT INTO Scrap ?", [{"n": 1}]),
            ("SELECT n FROM Scrap WHERE n = 1", []),
            ("DROP TABLE Scrap", []),
        ]
    )
    created, read, dropped = (outcome.results[i] for i in (0, 3, 4))
    assert created is not None
    assert read is not None
    assert dropped is not None
    assert dropped.rows == created.rows
    assert read.rows == [{"n": 1}]
    assert outcome.block_address is not None
    block = db.block(outcome.block_address.sequence_no)
    assert [(table.table_name, len(table.revisions)) for table in block.tables] == [
        ("information_schema.user_tables", 1),
        ("Scrap", 1),
    ]
    assert [row["status"] for row in tables(db, "Scrap")] == ["INACTIVE"]
    with pytest.raises(PlanError, match="No such table: Scrap"):
        db.execute("SELECT * FROM Scrap")


def test_a_statement_after_the_drop_in_its_transaction_does_not_see_the_table(db: ledger.Database) -> None:
    with pytest.raises(PlanError, match="No such table: Car"):
        db.execute_transaction([("UPDATE Car SET n = 1", []), ("DROP TABLE Car", []), ("SELECT * FROM Car", [])])
    assert vins(db) == ["a", "b"]
    db.execute_transaction(
        [
            ("UPDATE Car SET n = 1", []),
            ("DROP TABLE Car", []),
            ("CREATE TABLE Car", []),
            ("INSERT INTO Car {'VIN': 'c'}", []),
        ]
    )
    assert vins(db) == ["c"]
    first = table_id(db)
    assert db.execute(f"SELECT VALUE h.data.n FROM history('{first}') AS h WHERE h.metadata.version = 1").rows == [1, 1]


def test_an_own_drop_outlives_what_others_commit_meanwhile(db: ledger.Database) -> None:
    db.execute("CREATE TABLE Other")
    txn = db.start_transaction()
    txn.execute_statement("INSERT INTO Car {'VIN': 'c'}")
    txn.execute_statement("DROP TABLE Car")
    txn.execute_statement("CREATE TABLE Car")
    db.execute("INSERT INTO Other {'n': 1}")
    db.execute("CREATE TABLE Third")
    assert txn.execute_statement("SELECT * FROM Car").rows == []
    assert len(txn.execute_statement("SELECT * FROM Other, Third AS t").rows) == 0
    txn.execute_statement("INSERT INTO Car {'VIN': 'd'}")
    txn.commit()
    assert vins(db) == ["d"]
    assert [row["status"] for row in tables(db, "Car")] == ["INACTIVE", "ACTIVE"]


@pytest.mark.parametrize(
    "reading",
    [
        "INSERT INTO Car {'VIN': 'c'}",
        "SELECT * FROM Car WHERE VIN = 'nothing'",
        "SELECT * FROM history(Car)",
        "CREATE INDEX ON Car (Model)",
        "SELECT * FROM information_schema.user_tables",
        "DROP TABLE Car",
    ],
)
def test_a_drop_conflicts_with_who_relied_on_the_table(db: ledger.Database, reading: str) -> None:
    txn = db.start_transaction()
    txn.execute_statement(reading)
    db.execute("DROP TABLE Car")
    with pytest.raises(OccConflictError):
        txn.commit()


def test_an_undrop_conflicts_with_who_took_the_name_or_saw_it_free(db: ledger.Database) -> None:
    first = table_id(db)
    db.execute("DROP TABLE Car")
    undrop, create, other = db.start_transaction(), db.start_transaction(), db.start_transaction()
    undrop.execute_statement(f'UNDROP TABLE "{first}"')
    create.execute_statement("CREATE TABLE Car")
    other.execute_statement("CREATE TABLE Elsewhere")
    create.commit()
    other.commit()
    with pytest.raises(OccConflictError):
        undrop.commit()
    assert [row["status"] for row in tables(db, "Car")] == ["INACTIVE", "ACTIVE"]


def test_a_dropped_table_still_counts(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "small", limits=Limits(tables_max=2)) as db:
        db.execute("CREATE TABLE A")
        db.execute("DROP TABLE A")
        db.execute("CREATE TABLE A")
        with pytest.raises(LimitExceededError, match="tables_max is 2"):
            db.execute("CREATE TABLE B")
        db.execute("DROP TABLE A")
        db.execute(f'UNDROP TABLE "{table_id(db, "A")}"')


def test_the_limits_of_the_ledger_hold_after_own_ddl(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "short", limits=Limits(statement_characters_max=60)) as db:
        long = "SELECT * FROM A WHERE n = 1 " + " " * 60
        with pytest.raises(LimitExceededError, match="statement_characters_max"):
            db.execute_transaction([("CREATE TABLE A", []), (long, [])])


def test_a_table_document_says_which_transaction_dropped_it_or_took_that_back(db: ledger.Database) -> None:
    number = table_id(db)
    outcomes = [db.execute_transaction([(text, [])]) for text in ("DROP TABLE Car", f'UNDROP TABLE "{number}"')]
    db.execute("CREATE INDEX ON Car (Model)")
    assert db.tip is not None
    revisions = [r.data for n in range(db.tip.sequence_no + 1) for t, _, r in db.block(n).revisions() if r.id == number]
    assert [r.get("statusTxId") for r in revisions if isinstance(r, dict)] == [
        None,
        None,
        outcomes[0].transaction_id,
        outcomes[1].transaction_id,
        outcomes[1].transaction_id,
    ]


def test_a_failing_ddl_leaves_nothing(db: ledger.Database) -> None:
    for last in ('UNDROP TABLE "nothing"', "DROP TABLE Nothing", 'DROP INDEX "x" ON Other WITH (purge = true)'):
        with pytest.raises(StatementError):
            db.execute_transaction([("DROP TABLE Car", []), ("CREATE TABLE Other", []), (last, [])])
    assert vins(db) == ["a", "b"]
    assert tables(db, "Other") == []


def test_definitions_asked_again_after_a_restart_are_told_again(tmp_path: Path) -> None:
    path, once = tmp_path / "cars", id_of_text("once")
    with ledger.open(path) as db:
        db.execute("CREATE TABLE Car")
        first = table_id(db)
        statements: list[StatementText] = [
            ("DROP TABLE Car", []),
            ("CREATE TABLE Car", []),
            ("DROP TABLE Car", []),
            (f'UNDROP TABLE "{first}"', []),
        ]
        before = db.execute_transaction(statements, once)
    with ledger.open(path) as db:
        again = db.execute_transaction(statements, once)
        assert again.replayed
        assert [result and result.rows for result in again.results] == [
            result and result.rows for result in before.results
        ]
        assert [row["status"] for row in tables(db, "Car")] == ["ACTIVE", "INACTIVE"]


def test_who_defines_something_of_a_table_does_not_slip_past_an_index_that_is_built_meanwhile(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "people", limits=Limits(index_build_at_once_max=50)) as db:
        db.execute("CREATE TABLE Car")
        for start in range(0, 2_000, 40):
            db.execute("INSERT INTO Car ?", [{"VIN": f"{n}"} for n in range(start, start + 40)])
        db.execute("CREATE UNIQUE INDEX ON Car (VIN)")
        txn = db.start_transaction()
        txn.execute_statement("CREATE INDEX ON Car (Model)")
        assert tables(db, "Car")[0]["indexes"][0]["status"] == "BUILDING"
        while tables(db, "Car")[0]["indexes"][0]["status"] == "BUILDING":
            db.execute(
                "DELETE FROM Car BY id WHERE id = 'nobody'"
            )  # each commit lets the building go on; queries might starve it
        with pytest.raises(UniqueViolationError):
            txn.execute_statement("INSERT INTO Car {'VIN': '7'}")
    check_ledger(tmp_path / "people")
