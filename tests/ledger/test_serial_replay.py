"""Serializability: what concurrent transactions saw and did is what they would have seen and done one after the other.

Threads run random transactions, one-shot and interactive, and note every row that they were answered. Afterwards each is executed
again at its block's position in a model without concurrency or indexes; rows and final state must be the same. A transaction
that wrote nothing has no block: it must fit at one position between its begin and its end.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from naive_ledger import NaiveLedger

import ledger
from ledger.errors import AlreadyExistsError, OccConflictError, StatementError
from ledger.request import StatementText
from ledger.values import Value

WORKERS, TRANSACTIONS, KEYS = 4, 60, 12


@dataclass
class Seen:
    """One transaction as its client saw it."""

    after: int
    before: int = 0
    block: int | None = None
    statements: list[tuple[str, list[Value], list[Value]]] = field(default_factory=list)


@pytest.fixture
def _eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def random_statement(rng: random.Random) -> StatementText:
    key, other, amount = f"k{rng.randrange(KEYS)}", f"k{rng.randrange(KEYS)}", rng.randrange(100)
    return rng.choice(
        [
            ("SELECT a.k, a.n FROM Account AS a WHERE a.k = ?", [key]),
            ("SELECT id, a.n FROM Account AS a BY id WHERE a.k IN (?, ?)", [key, other]),
            ("SELECT COUNT(*), SUM(n) FROM Account", []),
            ("SELECT a.k FROM Account AS a WHERE a.n > ?", [amount]),
            ("UPDATE Account AS a SET a.n = a.n + ? WHERE a.k = ?", [amount, key]),
            ("UPDATE Account AS a SET a.k = ? WHERE a.k = ?", [other, key]),
            ("DELETE FROM Account AS a WHERE a.k = ? AND a.n > ?", [key, amount]),
            ("INSERT INTO Account ?", [{"k": key, "n": amount}]),
            ("UPDATE Audit AS d SET d.seen = d.seen + 1 WHERE d.k = ?", [key]),
        ]
    )


def one_shot(db: ledger.Database, rng: random.Random) -> Seen:
    statements = [random_statement(rng) for _ in range(rng.randint(1, 4))]
    seen = Seen(_tip(db))
    outcome = db.execute_transaction(statements)
    seen.before = _tip(db)
    seen.block = None if outcome.block_address is None else outcome.block_address.sequence_no
    for (text, values), result in zip(statements, outcome.results, strict=True):
        assert result is not None
        seen.statements.append((text, list(values), list(result.rows)))
    return seen


def interactive(db: ledger.Database, rng: random.Random) -> Seen:
    """Read, decide on what was read, write: insert a key only if it is absent."""
    seen = Seen(_tip(db))
    with db.start_transaction() as txn:

        def run(text: str, values: list[Value]) -> list[Value]:
            rows = list(txn.execute_statement(text, *values).rows)
            seen.statements.append((text, values, rows))
            return rows

        key = f"new{rng.randrange(KEYS)}"
        if not run("SELECT a.n FROM Account AS a WHERE a.k = ?", [key]):
            run("INSERT INTO Account ?", [{"k": key, "n": 1}])
        for _ in range(rng.randrange(3)):
            text, values = random_statement(rng)
            run(text, list(values))
        outcome = txn.commit()
    seen.before = _tip(db)
    seen.block = None if outcome.block_address is None else outcome.block_address.sequence_no
    return seen


def _tip(db: ledger.Database) -> int:
    return -1 if db.tip is None else db.tip.sequence_no


def client(db: ledger.Database, seed: int, noted: list[Seen], conflicts: list[int]) -> None:
    rng = random.Random(seed)
    for number in range(TRANSACTIONS):
        try:
            if rng.random() < 0.5:
                noted.append(one_shot(db, rng))
            else:
                noted.append(interactive(db, rng))
            if number == TRANSACTIONS // 2:
                noted.append(_index(db))
        except OccConflictError:
            conflicts.append(number)


def _index(db: ledger.Database) -> Seen:
    seen = Seen(_tip(db))
    text = "CREATE INDEX ON Account (k)"
    try:
        outcome = db.execute_transaction([(text, [])])
    except (AlreadyExistsError, StatementError):
        seen.before = _tip(db)
        return seen
    assert outcome.block_address is not None
    assert outcome.results[0] is not None
    seen.block, seen.before = outcome.block_address.sequence_no, outcome.block_address.sequence_no
    seen.statements.append((text, [], list(outcome.results[0].rows)))
    return seen


def replay(model: NaiveLedger, seen: Seen) -> bool:
    """Execute again; tell whether every row is the same, without regard to order, which PartiQL leaves open."""
    for text, values, rows in seen.statements:
        ids = [row["documentId"] for row in rows if isinstance(row, dict) and "documentId" in row]
        if text.startswith("CREATE"):
            ids = [row["tableId"] for row in rows if isinstance(row, dict)]
            model.run(text, values, [str(i) for i in ids])
        elif sorted(map(repr, model.run(text, values, [str(i) for i in ids]))) != sorted(map(repr, rows)):
            return False
    return True


@pytest.mark.usefixtures("_eager_switching")
@pytest.mark.parametrize("seed", range(3))
def test_concurrent_transactions_equal_the_serial_order_of_their_blocks(tmp_path: Path, seed: int) -> None:
    noted: list[Seen] = []
    conflicts: list[int] = []
    with ledger.open(tmp_path / "bank") as db:
        for text in ("CREATE TABLE Account", "CREATE TABLE Audit", "CREATE INDEX ON Audit (k)"):
            outcome = db.execute_transaction([(text, [])])
            assert outcome.block_address is not None
            assert outcome.results[0] is not None
            noted.append(Seen(-1, -1, outcome.block_address.sequence_no, [(text, [], list(outcome.results[0].rows))]))
        for number in range(KEYS):
            text, values = "INSERT INTO Audit ?", [{"k": f"k{number}", "seen": 0}]
            outcome = db.execute_transaction([(text, values)])
            assert outcome.block_address is not None
            assert outcome.results[0] is not None
            noted.append(Seen(-1, -1, outcome.block_address.sequence_no, [(text, values, outcome.results[0].rows)]))
        threads = [threading.Thread(target=client, args=(db, seed * 100 + i, noted, conflicts)) for i in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        final = sorted(map(repr, db.execute("SELECT id, a.k, a.n FROM Account AS a BY id").rows))

    states = {-1: NaiveLedger()}
    model = NaiveLedger()
    by_block = sorted((seen for seen in noted if seen.block is not None), key=lambda seen: seen.block or 0)
    assert [seen.block for seen in by_block] == list(range(len(by_block))), "a block that no client knows of"
    for seen in by_block:
        assert replay(model, seen), f"block {seen.block} saw other rows than a serial run: {seen.statements}"
        assert seen.block is not None
        states[seen.block] = model.copy()
    for seen in noted:
        if seen.block is None:
            assert any(replay(states[i].copy(), seen) for i in range(seen.after, seen.before + 1)), seen
    assert sorted(map(repr, model.run("SELECT id, a.k, a.n FROM Account AS a BY id", [], []))) == final
    assert len(noted) > WORKERS * TRANSACTIONS // 2, "too many conflicts for the test to mean anything"
