"""What the demo looks at to check itself: letters in a folder, rows in DuckDB, a copy of the journal with one byte flipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import duckdb

from ledger.journal import JournalReader
from ledger.journal.segment import segment_name

__all__ = ["Analytics", "Letters", "analytics", "contents", "damaged_copy", "kill", "letters_in", "names_block"]


def kill(pid: object) -> None:
    """SIGKILL."""
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)


@dataclass(slots=True)
class Letters:
    """What was delivered: VIN -> PersonId of each notice, order number -> total of each invoice."""

    notices: dict[str, str] = field(default_factory=dict)
    notices_shown: list[tuple[str, str, str, str]] = field(default_factory=list)
    invoices: dict[str, Decimal] = field(default_factory=dict)
    dispatch_notes: int = 0


def letters_in(folder: Path) -> Letters:
    """Read the folder of letters; a second letter of the same kind about the same thing is a mistake that shows."""
    found = Letters()
    for path in sorted(folder.glob("*.json")):
        letter = json.loads(path.read_text())
        kind = path.stem.split("-")[2]
        if kind == "notice":
            found.notices[_once(letter["VIN"], found.notices)] = letter["PersonId"]
            cause = str(letter["Cause"]["blockAddress"]["sequenceNo"])
            found.notices_shown.append((letter["Name"], letter["Address"], letter["VIN"], cause))
        elif kind == "invoice":
            found.invoices[_once(letter["OrderNumber"], found.invoices)] = Decimal(letter["Total"])
        elif kind == "dispatch":
            found.dispatch_notes += 1
    return found


def _once(key: str, known: dict[str, str] | dict[str, Decimal]) -> str:
    return f"{key} (again)" if key in known else key


@dataclass(frozen=True, slots=True)
class Analytics:
    """What the analytics projection says. `recall` is (campaign, component, affected, repaired, per cent, open)."""

    documents: int
    versions: int
    transfers: int
    makes: Sequence[tuple[object, ...]]
    recall: tuple[object, ...]


def analytics(store: Path) -> Analytics:
    """Query the projection's DuckDB file, while no projection runs on it."""
    with duckdb.connect(str(store), read_only=True) as db:
        makes = db.execute("""
            SELECT v.data->>'Make', count(DISTINCT v.document_id), count(r.version) FILTER (r.version > 0)
            FROM current('Vehicle') AS v LEFT JOIN versions('VehicleRegistration') AS r ON r.data->>'VIN' = v.data->>'VIN'
            GROUP BY 1 ORDER BY 2 DESC, 1
        """).fetchall()
        progress = "SELECT campaign, component, affected, repaired, percent, open FROM recall_progress"
        return Analytics(
            _number(db, "SELECT count(*) FROM state"),
            _number(db, "SELECT count(*) FROM history"),
            _number(db, "SELECT count(*) FROM versions('VehicleRegistration') WHERE version > 0"),
            makes,
            (db.execute(progress).fetchall() or [()])[0],
        )


def _number(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def contents(store: Path) -> dict[str, tuple[int, str]]:
    """Give each table's number of rows and the SHA-256 of all its rows in order."""
    found = {}
    with duckdb.connect(str(store), read_only=True) as db:
        for table in ("state", "history"):
            rows = db.execute(f"SELECT * FROM {table} ORDER BY table_id, document_id, version").fetchall()
            found[table] = (len(rows), sha256(repr(rows).encode()).hexdigest())
    return found


def damaged_copy(ledger: Path, target: Path, block: int) -> Path:
    """Copy a ledger that nobody has open, and flip one byte in the middle of a block."""
    shutil.copytree(ledger, target, ignore=shutil.ignore_patterns("*.sock"))
    reader = JournalReader.open(target)
    try:
        _, location = next(reader.blocks(block))
    finally:
        reader.close()
    position = location.offset + location.size // 2
    with (target / "journal" / segment_name(location.segment)).open("r+b") as segment:
        segment.seek(position)
        byte = segment.read(1)[0]
        segment.seek(position)
        segment.write(bytes([byte ^ 0x01]))
    return target


def names_block(message: str, block: int) -> bool:
    """Tell whether the message names the block by its sequence number."""
    return re.search(rf"\bblock {block}\b", message) is not None
