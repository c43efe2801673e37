"""What is remembered of answers, and how much of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import ledger
from ledger.ids import id_of_text
from ledger.limits import Limits

INSERT = "INSERT INTO Vehicle ?"
NAMES = "SELECT v.VIN FROM Vehicle AS v WHERE v.VIN = ?"


def asked_again(db: ledger.Database, number: int, text: str) -> ledger.Outcome:
    statements: list[tuple[str, list[object]]] = [
        (INSERT, [{"VIN": f"{number}", "text": text}]),
        (NAMES, [f"{number}"]),
    ]
    return db.execute_transaction(statements, id_of_text(f"{number}"))


@pytest.mark.parametrize(
    "limits",
    [Limits(recent_outcomes_max=10), Limits(recent_outcomes_bytes_max=30_000)],
    ids=["as many as", "as large as"],
)
def test_only_the_last_answers_are_remembered_whole(tmp_path: Path, limits: Limits) -> None:
    """Of what was forgotten the journal still tells what was written, and no longer the rows of queries."""
    with ledger.open(tmp_path / "cars", limits=limits) as db:
        db.execute("CREATE TABLE Vehicle")
        first = [asked_again(db, number, "") for number in range(50)]
        again = [asked_again(db, number, "") for number in reversed(range(50))]
        assert len(db.execute("SELECT VALUE v.VIN FROM Vehicle AS v").rows) == 50
    assert all(outcome.replayed for outcome in again)
    assert [outcome.results[0] for outcome in again] == [outcome.results[0] for outcome in reversed(first)]
    known = [outcome.results[1] is not None for outcome in again]
    assert known == sorted(known, reverse=True)
    assert 5 <= sum(known) <= 20


def test_an_answer_larger_than_all_that_may_be_kept_is_not_kept(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "cars", limits=Limits(recent_outcomes_bytes_max=5_000)) as db:
        db.execute("CREATE TABLE Vehicle")
        statements = [(INSERT, [{"VIN": "1", "text": "x" * 10_000}]), ("SELECT * FROM Vehicle AS v", [])]
        assert db.execute_transaction(statements, id_of_text("1")).results[1] is not None
        again = db.execute_transaction(statements, id_of_text("1"))
        assert again.replayed
        assert again.results[1] is None
