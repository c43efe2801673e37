"""The same JSON documents, indexes and queries in Strandline, SQLite and DuckDB, each in this process, its file on the same disk.

    SQLite    one column of JSON text; indexes on json_extract(doc, '$.field'); WAL, synchronous=FULL: an fsync a transaction, as ours
    DuckDB    one column of JSON; its indexes are not on expressions, so it scans; a commit syncs its log

What a query finds is handed over as Python values: of a whole document the others' JSON is read with orjson.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import duckdb
import orjson

import ledger
from ledger.database import Database
from ledger.request import OneShot

__all__ = ["CASES", "ENGINES", "Engine", "Strandline", "documents", "people"]

INDEXES = (
    ("Vehicle", "VIN", True),
    ("Vehicle", "Mileage", False),
    ("Vehicle", "Owner", False),
    ("Person", "PersonId", True),
    ("Person", "City", False),
)
VEHICLES_OF_A_PERSON = 10
_MAKES = (
    "Audi",
    "BMW",
    "Citroen",
    "Dacia",
    "Fiat",
    "Ford",
    "Honda",
    "Kia",
    "Lada",
    "Mazda",
    "Nissan",
    "Opel",
    "Seat",
    "Skoda",
    "Tesla",
    "Volvo",
)
_DOCUMENTS_A_TRANSACTION = 40
_WAITING_MAX = 64

Row = dict[str, Any]


def documents(count: int) -> Iterator[Row]:
    """Give vehicles, `VEHICLES_OF_A_PERSON` a person."""
    for number in range(count):
        yield {
            "VIN": f"VIN{number:014d}", "Type": "Sedan", "Year": 2011 + number % 15, "Make": _MAKES[number * 7 % len(_MAKES)],
            "Model": f"M{number % 97}",
            "Color": ("Silver", "Red", "Blue")[number % 3], "Owner": f"P{number % max(1, count // VEHICLES_OF_A_PERSON):010d}",
            "Mileage": number * 7919 % count,
        }  # fmt: skip


def people(count: int) -> Iterator[Row]:
    """Give the owners of `count` vehicles, a hundred to a city."""
    for number in range(max(1, count // VEHICLES_OF_A_PERSON)):
        yield {"PersonId": f"P{number:010d}", "Name": f"Name {number}", "City": f"City {number // 100}"}


CASES: dict[str, dict[str, str]] = {
    "look-up by unique index": {
        "strandline": "SELECT * FROM Vehicle WHERE VIN = ?",
        "sqlite": "SELECT doc FROM Vehicle WHERE json_extract(doc, '$.VIN') = ?",
        "duckdb": "SELECT doc FROM Vehicle WHERE json_extract_string(doc, '$.VIN') = ?",
    },
    "range of an index, 100 rows": {
        "strandline": "SELECT VIN, Mileage FROM Vehicle WHERE Mileage BETWEEN ? AND ?",
        "sqlite": "SELECT json_extract(doc, '$.VIN'), json_extract(doc, '$.Mileage') FROM Vehicle"
        " WHERE json_extract(doc, '$.Mileage') BETWEEN ? AND ?",
        "duckdb": "SELECT json_extract_string(doc, '$.VIN'), (doc->'$.Mileage')::INT FROM Vehicle"
        " WHERE (doc->'$.Mileage')::INT BETWEEN ? AND ?",
    },
    "index join, 100 x 10 rows": {
        "strandline": "SELECT p.Name, v.VIN FROM Person AS p JOIN Vehicle AS v ON v.Owner = p.PersonId WHERE p.City = ?",
        "sqlite": "SELECT json_extract(p.doc, '$.Name'), json_extract(v.doc, '$.VIN') FROM Person AS p JOIN Vehicle AS v"
        " ON json_extract(v.doc, '$.Owner') = json_extract(p.doc, '$.PersonId') WHERE json_extract(p.doc, '$.City') = ?",
        "duckdb": "SELECT json_extract_string(p.doc, '$.Name'), json_extract_string(v.doc, '$.VIN') FROM Person AS p JOIN Vehicle AS v"
        " ON json_extract_string(v.doc, '$.Owner') = json_extract_string(p.doc, '$.PersonId')"
        " WHERE json_extract_string(p.doc, '$.City') = ?",
    },
    "UPDATE by unique index, durable": {
        "strandline": "UPDATE Vehicle SET Type = ? WHERE VIN = ?",
        "sqlite": "UPDATE Vehicle SET doc = json_set(doc, '$.Type', ?) WHERE json_extract(doc, '$.VIN') = ?",
        "duckdb": "UPDATE Vehicle SET doc = json_merge_patch(doc, json_object('Type', ?)) WHERE json_extract_string(doc, '$.VIN') = ?",
    },
    "GROUP BY over all": {
        "strandline": "SELECT Make, COUNT(*) AS n, AVG(Mileage) AS m FROM Vehicle GROUP BY Make",
        "sqlite": "SELECT json_extract(doc, '$.Make') AS k, COUNT(*), AVG(json_extract(doc, '$.Mileage')) FROM Vehicle GROUP BY k",
        "duckdb": "SELECT json_extract_string(doc, '$.Make') AS k, COUNT(*), AVG((doc->'$.Mileage')::INT) FROM Vehicle GROUP BY k",
    },
    "full scan": {
        "strandline": "SELECT COUNT(*) AS n FROM Vehicle WHERE Color LIKE 'R%' AND \"Year\" > 2015",
        "sqlite": "SELECT COUNT(*) FROM Vehicle WHERE json_extract(doc, '$.Color') LIKE 'R%' AND json_extract(doc, '$.Year') > 2015",
        "duckdb": "SELECT COUNT(*) FROM Vehicle WHERE json_extract_string(doc, '$.Color') LIKE 'R%' AND (doc->'$.Year')::INT > 2015",
    },
}  # fmt: skip
"""What is asked -> engine -> its statement."""


class Engine(Protocol):
    """One database with the tables Vehicle and Person."""

    name: str

    def fill(self, count: int) -> None:
        """Make the tables, `count` vehicles, their owners and the indexes."""

    def run(self, statement: str, parameters: Sequence[object]) -> int:
        """Run a statement as a transaction of its own; give the number of its rows."""

    def close(self) -> None: ...


class Strandline:
    name = "strandline"

    def __init__(self, directory: Path) -> None:
        self.database: Database = ledger.open(directory / "queries")

    def fill(self, count: int) -> None:
        for table in ("Vehicle", "Person"):
            self.database.execute(f"CREATE TABLE {table}")
        for table, field, unique in INDEXES:
            self.database.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX ON {table} ({field})")
        self.insert("Vehicle", documents(count))
        self.insert("Person", people(count))

    def insert(self, table: str, rows: Iterator[Row]) -> None:
        """Insert in transactions of 40 documents, several waiting at once, so that the committer has batches."""
        room, failed = threading.Semaphore(_WAITING_MAX), []

        def settled(requests: Sequence[OneShot]) -> None:
            failed.extend(request.error for request in requests if request.error is not None)
            for _ in requests:
                room.release()

        while several := list(islice(rows, _DOCUMENTS_A_TRANSACTION)):
            room.acquire()
            self.database.submit(OneShot(settled, statements=[(f"INSERT INTO {table} ?", [several])]))
        for _ in range(_WAITING_MAX):
            room.acquire()
        assert not failed, failed[0]

    def run(self, statement: str, parameters: Sequence[object]) -> int:
        return len(self.database.execute(statement, *parameters).rows)

    def close(self) -> None:
        self.database.close()


class Sqlite:
    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        self._connection = sqlite3.connect(directory / "queries.sqlite", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")

    def fill(self, count: int) -> None:
        for table, rows in (("Vehicle", documents(count)), ("Person", people(count))):
            self._connection.execute(f"CREATE TABLE {table} (doc TEXT)")
            self._connection.execute("BEGIN")
            self._connection.executemany(
                f"INSERT INTO {table} VALUES (?)", ((orjson.dumps(row).decode(),) for row in rows)
            )
            self._connection.execute("COMMIT")
        for table, field, unique in INDEXES:
            self._connection.execute(
                f"CREATE {'UNIQUE ' if unique else ''}INDEX {table}{field} ON {table} (json_extract(doc, '$.{field}'))"
            )
        self._connection.execute("ANALYZE")

    def run(self, statement: str, parameters: Sequence[object]) -> int:
        return _read(self._connection.execute(statement, parameters).fetchall())

    def close(self) -> None:
        self._connection.close()


class DuckDb:
    name = "duckdb"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._connection = duckdb.connect(str(directory / "queries.duckdb"))

    def fill(self, count: int) -> None:
        for table, rows in (("Vehicle", documents(count)), ("Person", people(count))):
            lines = self._directory / f"{table}.jsonl"
            lines.write_bytes(b"\n".join(map(orjson.dumps, rows)))
            self._connection.execute(
                f"CREATE TABLE {table} AS SELECT json AS doc FROM read_json_objects('{lines}', format = 'newline_delimited')"
            )
            lines.unlink()

    def run(self, statement: str, parameters: Sequence[object]) -> int:
        return _read(self._connection.execute(statement, list(parameters)).fetchall())

    def close(self) -> None:
        self._connection.close()


def _read(rows: list[tuple[Any, ...]]) -> int:
    for row in rows:
        if type(row[0]) is str and row[0].startswith("{"):
            orjson.loads(row[0])
    return len(rows)


ENGINES = (Strandline, Sqlite, DuckDb)
