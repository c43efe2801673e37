"""Serializability: what concurrent transactions saw and did is what they would have seen and done one after the other.

Threads run random transactions, one-shot and interactive, and note every row that they were answered. Afterwards each is executed
again at its block's position in a model without concurrency or indexes; rows and final state must be the same. A transaction
that wrote nothing has no block: it must fit at one position between its begin and its end, and so must one that was refused (its table
was dropped meanwhile, its name or a unique value taken): there it must be refused by the model, too.
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
TABLE_IDS = "SELECT VALUE t.tableId FROM information_schema.user_tables AS t WHERE t.name = ?"
FINALLY = (
    "SELECT id, a.k, a.n FROM Account AS a BY id",
    "SELECT t.tableId, t.name, t.status FROM information_schema.user_tables AS t",
)

SCHEMA = (
    "CREATE TABLE Account",
    "CREATE TABLE Audit",
    "CREATE TABLE Owner",
    "CREATE INDEX ON Audit (k)",
    "CREATE UNIQUE INDEX ON Owner (email)",
)


@dataclass
class Seen:
    """One transaction as its client saw it."""

    after: int
    before: int = 0
    block: int | None = None
    statements: list[tuple[str, list[Value], list[Value] | None]] = field(default_factory=list)
    """Text, parameters, rows; None where it was not told any."""
    refused: bool = False


@pytest.fixture
def _eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def random_statement(rng: random.Random) -> StatementText:
    key, other, amount = f"k{rng.randrange(KEYS)}", f"k{rng.randrange(KEYS)}", rng.randrange(100)
    statements: list[StatementText] = [
        ("SELECT a.k, a.n FROM Account AS a WHERE a.k = ?", [key]),
        ("SELECT id, a.n FROM Account AS a BY id WHERE a.k IN (?, ?)", [key, other]),
        ("SELECT COUNT(*), SUM(n) FROM Account", []),
        ("SELECT COUNT(*) FROM Account", []),
        ("SELECT a.k, a.n FROM Account AS a WHERE a.n BETWEEN ? AND ?", [amount, amount + 20]),
        ("SELECT a.k, a.n FROM Account AS a WHERE a.k = ? AND a.n >= ?", [key, amount]),
        ("SELECT id, a.n FROM Account AS a BY id WHERE a.n < ? ORDER BY a.n, id LIMIT 2", [amount]),
        ("UPDATE Account AS a SET a.n = a.n + 50 WHERE a.n BETWEEN ? AND ?", [amount, amount + 5]),
        ("SELECT o.email FROM Owner AS o WHERE o.email >= ?", [key]),
        ("DELETE FROM Owner AS o WHERE o.email = ?", [key]),
        ("SELECT a.k FROM Account AS a WHERE a.n > ?", [amount]),
        ("UPDATE Account AS a SET a.n = a.n + ? WHERE a.k = ?", [amount, key]),
        ("UPDATE Account AS a SET a.k = ? WHERE a.k = ?", [other, key]),
        ("DELETE FROM Account AS a WHERE a.k = ? AND a.n > ?", [key, amount]),
        ("INSERT INTO Account ?", [{"k": key, "n": amount}]),
        ("UPDATE Audit AS d SET d.seen = d.seen + 1 WHERE d.k = ?", [key]),
        ("UPDATE Audit AS d SET d.seen = d.seen + 1 WHERE d.k = ?", [other]),
        ("SELECT COUNT(*), SUM(d.seen) FROM Audit AS d", []),
    ]
    return rng.choice(statements)


def take_value(rng: random.Random) -> StatementText:
    """Give a statement that a unique index may refuse."""
    email, other = f"k{rng.randrange(KEYS)}", f"k{rng.randrange(KEYS)}"
    statements: list[StatementText] = [
        ("INSERT INTO Owner ?", [{"email": email}]),
        ("UPDATE Owner AS o SET o.email = ? WHERE o.email = ?", [email, other]),
    ]
    return rng.choice(statements)


def one_shot(db: ledger.Database, rng: random.Random) -> Seen:
    statements = [random_statement(rng) for _ in range(rng.randint(1, 4))]
    statements += [take_value(rng)] if rng.random() < 0.3 else []
    return _executed(db, statements)


def _executed(db: ledger.Database, statements: list[StatementText]) -> Seen:
    seen = Seen(_tip(db))
    try:
        outcome = db.execute_transaction(statements)
    except (StatementError, AlreadyExistsError):
        seen.before, seen.refused = _tip(db), True
        seen.statements = [(text, list(values), None) for text, values in statements]
        return seen
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
            text, values = random_statement(rng) if rng.random() < 0.8 else take_value(rng)
            try:
                run(text, list(values))
            except StatementError:
                seen.before, seen.refused = _tip(db), True
                seen.statements.append((text, list(values), None))
                return seen
        outcome = txn.commit()
    seen.before = _tip(db)
    seen.block = None if outcome.block_address is None else outcome.block_address.sequence_no
    return seen


def _tip(db: ledger.Database) -> int:
    return -1 if db.tip is None else db.tip.sequence_no


def definition(db: ledger.Database, rng: random.Random, audits: list[str]) -> Seen:
    """Drop the table Audit, take one of that name back, or make another one; `audits`: the ids of all that there were."""
    seen = _executed(
        db, [(rng.choice(["DROP TABLE Audit", "CREATE TABLE Audit", f'UNDROP TABLE "{rng.choice(audits)}"']), [])]
    )
    text, _, rows = seen.statements[0]
    if text.startswith("CREATE") and rows:
        audits += [str(row["tableId"]) for row in rows if isinstance(row, dict)]
    return seen


def client(db: ledger.Database, seed: int, noted: list[Seen], conflicts: list[int], audits: list[str]) -> None:
    rng = random.Random(seed)
    for number in range(TRANSACTIONS):
        try:
            if rng.random() < 0.5:
                noted.append(one_shot(db, rng))
            else:
                noted.append(interactive(db, rng))
            if number == TRANSACTIONS // 2:
                fields = rng.choice(["k", "n", "k, n"])
                index = _executed(db, [(f"CREATE INDEX ON Account ({fields})", [])])
                noted += [] if index.refused else [index]  # the model knows no index that there could be already
            if number % 2:
                noted.append(definition(db, rng, audits))
        except OccConflictError:
            conflicts.append(number)


def replay(model: NaiveLedger, seen: Seen) -> bool:
    """Execute again; tell whether every row is the same, without regard to order, which PartiQL leaves open."""
    try:
        for text, values, rows in seen.statements:
            if rows is None:
                model.run(text, values, [f"{n:022}" for n in range(KEYS)])
                continue
            ids = [str(row.get("documentId", row.get("tableId"))) for row in rows if isinstance(row, dict)]
            found = model.run(text, values, ids)
            if " INDEX " not in text and sorted(map(repr, found)) != sorted(map(repr, rows)):
                return False
    except (StatementError, AlreadyExistsError):
        return seen.refused and rows is None
    return not seen.refused


@pytest.mark.usefixtures("_eager_switching")
@pytest.mark.parametrize("seed", range(3))
def test_concurrent_transactions_equal_the_serial_order_of_their_blocks(tmp_path: Path, seed: int) -> None:
    noted: list[Seen] = []
    conflicts: list[int] = []
    with ledger.open(tmp_path / "bank") as db:
        for text in SCHEMA:
            outcome = db.execute_transaction([(text, [])])
            assert outcome.block_address is not None
            assert outcome.results[0] is not None
            noted.append(Seen(-1, -1, outcome.block_address.sequence_no, [(text, [], list(outcome.results[0].rows))]))
        for number in range(KEYS):
            values: list[Value] = [{"k": f"k{number}", "seen": 0}]
            text = "INSERT INTO Audit ?"
            outcome = db.execute_transaction([(text, values)])
            assert outcome.block_address is not None
            assert outcome.results[0] is not None
            noted.append(Seen(-1, -1, outcome.block_address.sequence_no, [(text, values, outcome.results[0].rows)]))
        audits = [str(row) for row in db.execute(TABLE_IDS, "Audit").rows]
        threads = [
            threading.Thread(target=client, args=(db, seed * 100 + i, noted, conflicts, audits)) for i in range(WORKERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        final = [sorted(map(repr, db.execute(text).rows)) for text in FINALLY]

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
    assert [sorted(map(repr, model.run(text, [], []))) for text in FINALLY] == final
    assert sum(not seen.refused for seen in noted) > WORKERS * TRANSACTIONS // 2, (
        "too little for the test to mean anything"
    )
    assert any(seen.refused for seen in noted)
    assert len(audits) > 1
