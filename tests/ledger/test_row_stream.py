"""Rows one by one from one durable state, and how a stream ends."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest
from vehicle_ledger import StoppedClock

import ledger
from ledger.database import open_ledger
from ledger.errors import (
    EvaluationError,
    JournalFailedError,
    LimitExceededError,
    PlanError,
    StatementCancelledError,
    StatementError,
    TransactionMismatchError,
)
from ledger.ids import id_of_text
from ledger.limits import Limits

ALL = "SELECT v.VIN FROM Vehicle AS v"


def fill(db: ledger.Database, count: int, **more: object) -> None:
    for first in range(0, count, 40):
        db.execute("INSERT INTO Vehicle ?", [{"VIN": f"{n:06}"} | more for n in range(first, min(first + 40, count))])


def test_a_stream_shows_one_state_whatever_is_committed_meanwhile(db: ledger.Database) -> None:
    fill(db, 100)
    with db.stream(ALL) as rows:
        seen = [next(rows)]
        fill(db, 100)
        db.execute("DELETE FROM Vehicle AS v WHERE v.VIN = '000099'")
        seen += rows
        assert sorted(str(row["VIN"]) for row in seen) == [f"{n:06}" for n in range(100)]  # type: ignore[index, call-overload]  # all structs
        assert rows.statistics.documents_read == 100
        assert rows.statistics.scans == ("Vehicle",)
        assert list(rows) == []


def test_rows_of_a_stream_are_the_callers_own(db: ledger.Database) -> None:
    db.execute("INSERT INTO Vehicle ?", {"VIN": "a", "list": [1]})
    for _ in range(2):
        for row in db.stream("SELECT * FROM Vehicle AS v WHERE v.VIN = ?", "a"):
            assert row == {"VIN": "a", "list": [1]}
            row["list"].append(2)  # type: ignore[index, union-attr]  # a struct with a list


def test_memory_stays_flat_however_many_rows_there_are(tmp_path: Path) -> None:
    """A stream of ten times as many rows takes as much; neither is bounded as a result is."""
    limits = Limits(result_bytes_max=100_000, rows_per_statement_max=100)
    with ledger.open(tmp_path / "cars", limits=limits) as db:
        db.execute("CREATE TABLE Vehicle")
        fill(db, 400, text="x" * 2_000)
        with pytest.raises(LimitExceededError, match=r"rows_per_statement_max|result_bytes_max"):
            db.execute("SELECT * FROM Vehicle")
        peaks = []
        for times in (1, 10):
            gc.collect()
            tracemalloc.start()
            with db.stream(f"SELECT v.*, n FROM Vehicle AS v, {list(range(times))} AS n") as rows:
                assert sum(1 for _ in rows) == 400 * times
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000  # 400 rows are 800 KB
    assert peaks[1] < 1_000_000


def test_what_is_wrong_is_told_before_the_first_row_or_with_the_row_that_fails(db: ledger.Database) -> None:
    fill(db, 10)
    for wrong, error in [
        ("SELECT nonsense FROM", StatementError),
        ("SELECT * FROM Nothing", PlanError),
        ("DELETE FROM Vehicle", PlanError),
        ("SELECT * FROM Vehicle AS v WHERE v.VIN = ?", StatementError),
    ]:
        with pytest.raises(error):
            db.stream(wrong)
    with db.stream("SELECT VALUE (SELECT VALUE x FROM [0] AS x LIMIT n) FROM [1, 1, -1] AS n") as rows:
        assert [next(rows), next(rows)] == [[0], [0]]
        with pytest.raises(EvaluationError):
            list(rows)
        with pytest.raises(StatementCancelledError):
            next(rows)
    assert db._views._snapshots == 0


def test_closing_early_lets_go_of_the_snapshot_and_never_looks_complete(db: ledger.Database) -> None:
    fill(db, 100)
    rows = db.stream(ALL)
    next(rows)
    assert db._views._snapshots == 1
    rows.close()
    rows.close()
    assert db._views._snapshots == 0
    with pytest.raises(StatementCancelledError, match="closed before its last row"):
        next(rows)


def test_a_stream_that_was_forgotten_lets_go_too(db: ledger.Database) -> None:
    fill(db, 100)
    rows = db.stream(ALL)
    next(rows)
    del rows
    gc.collect()
    assert db._views._snapshots == 0


def test_closing_the_ledger_closes_its_streams(db: ledger.Database) -> None:
    fill(db, 100)
    rows = db.stream(ALL)
    next(rows)
    db.close()
    with pytest.raises(StatementCancelledError):
        next(rows)
    with pytest.raises(JournalFailedError):
        db.stream(ALL)


def test_a_stream_ends_at_its_time_also_if_nobody_reads(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_ledger(tmp_path / "cars", clock=clock, limits=Limits(read_s_max=5.0)) as db:
        db.execute("CREATE TABLE Vehicle")
        fill(db, 100)
        rows = db.stream(ALL)
        next(rows)
        clock.s += 6
        with pytest.raises(LimitExceededError, match="read_s_max is 5, asked for 6"):
            next(rows)
        assert db._views._snapshots == 0


def test_the_id_of_a_transaction_that_wrote_is_not_answered_with_rows(db: ledger.Database) -> None:
    db.execute_transaction([("INSERT INTO Vehicle ?", [{"VIN": "a"}])], id_of_text("w"))
    with pytest.raises(TransactionMismatchError):
        db.stream_values(ALL, [], id_of_text("w"))
    assert db._views._snapshots == 0
