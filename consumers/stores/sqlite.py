"""A projection in SQLite: for actions and small look-ups, row by row, readable by others while it runs.

    <columns of each Table>                        the projection's rows
    strandline_projection  name version position   one row
    strandline_skipped     document_id version reason
    strandline_delivered   key                     what the sender delivered: its knowledge, not the projection's

Write-ahead log, synchronous=NORMAL: a kill leaves every committed batch; a power cut may lose the last ones, whole, and they are read
again from Kafka.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from consumers.errors import StoreMismatchError
from consumers.position import BEGINNING, Position
from consumers.projection import Projection, Row, Rows, Scalar, Table

__all__ = ["SqliteStore"]

_TYPES = {
    "text": "TEXT", "integer": "INTEGER", "real": "REAL", "boolean": "INTEGER", "timestamp": "TEXT", "json": "TEXT",
}  # fmt: skip

_OWN_TABLES = """
CREATE TABLE IF NOT EXISTS strandline_projection (name TEXT NOT NULL, version INTEGER NOT NULL, position TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS strandline_skipped (document_id TEXT, version INTEGER, reason TEXT, PRIMARY KEY (document_id, version));
CREATE TABLE IF NOT EXISTS strandline_delivered (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class SqliteStore:
    """The store; `connection` is open to the sender, which marks what it delivered."""

    def __init__(self, path: Path, connection: sqlite3.Connection, tables: dict[str, Table]) -> None:
        self.path, self.connection, self._tables = path, connection, tables
        self._put = {name: _put_sql(table) for name, table in tables.items()}

    @classmethod
    def open(cls, projection: Projection, path: Path) -> SqliteStore:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            _create(connection, projection)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, projection.tables)

    def position(self) -> Position:
        (text,) = self.connection.execute("SELECT position FROM strandline_projection").fetchone()
        return Position.of_json(text)

    def apply(self, before: Position, after: Position, fold: Callable[[Rows], None]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            stored = self.position()
            if not stored.same_block(before):
                raise StoreMismatchError(f"{self.path}: another process moved it", expected=before, actual=stored)
            fold(self)
            self.connection.execute("UPDATE strandline_projection SET position = ?", (after.to_json().decode(),))
            self.connection.execute("COMMIT")  # rows and position: the commit point
        except BaseException:
            self.connection.rollback()
            raise

    def put(self, table: str, row: Row) -> None:
        values = self._tables[table].values_of(row)
        self.connection.execute(self._put[table], [v.isoformat() if type(v) is datetime else v for v in values])

    def delete(self, table: str, *key: Scalar) -> None:
        self.connection.execute(f'DELETE FROM "{table}" WHERE {_where(self._tables[table])}', key)

    def get(self, table: str, *key: Scalar) -> dict[str, Any] | None:
        rows = self.select(f'SELECT * FROM "{table}" WHERE {_where(self._tables[table])}', *key)
        return dict(zip(self._tables[table].columns, rows[0], strict=True)) if rows else None

    def select(self, sql: str, *parameters: Scalar) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()

    def skip(self, document_id: str, version: int, reason: str) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO strandline_skipped VALUES (?, ?, ?)", (document_id, version, reason)
        )

    def skipped(self) -> dict[tuple[str, int], str]:
        rows = self.connection.execute("SELECT document_id, version, reason FROM strandline_skipped ORDER BY 1, 2")
        return {(document_id, version): reason for document_id, version, reason in rows}

    def contents(self, table: Table) -> Iterator[tuple[Scalar, ...]]:
        order = ", ".join(f'"{name}"' for name in table.key)
        yield from self.connection.execute(f'SELECT {_columns(table)} FROM "{table.name}" ORDER BY {order}')

    def mark_delivered(self, keys: Iterable[str]) -> None:
        """Note that these effects of the outbox have arrived, in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT OR IGNORE INTO strandline_delivered VALUES (?)", [(key,) for key in keys])
        self.connection.execute("COMMIT")

    def take_delivered_of(self, path: Path) -> None:
        """Note as delivered what the store at `path`, of whatever version, has delivered."""
        with closing(sqlite3.connect(path)) as other:
            self.mark_delivered(key for (key,) in other.execute("SELECT key FROM strandline_delivered"))

    def close(self) -> None:
        self.connection.close()


def _create(connection: sqlite3.Connection, projection: Projection) -> None:
    """Make the tables and the position in one transaction, or check that they are this projection's."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in filter(str.strip, _OWN_TABLES.split(";")):
        connection.execute(statement)
    stored = connection.execute("SELECT name, version FROM strandline_projection").fetchone()
    if stored is None:
        for table in projection.tables.values():
            columns = ", ".join(f'"{name}" {_TYPES[kind]}' for name, kind in table.columns.items())
            connection.execute(f'CREATE TABLE "{table.name}" ({columns}, PRIMARY KEY ({_names(table.key)}))')
        for sql in projection.sql:
            connection.execute(sql)
        row = (projection.name, projection.version, BEGINNING.to_json().decode())
        connection.execute("INSERT INTO strandline_projection VALUES (?, ?, ?)", row)
    else:
        projection.check_is(*stored)
    connection.execute("COMMIT")


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _columns(table: Table) -> str:
    return _names(tuple(table.columns))


def _where(table: Table) -> str:
    return " AND ".join(f'"{name}" = ?' for name in table.key)


def _put_sql(table: Table) -> str:
    marks = ", ".join("?" * len(table.columns))
    return f'INSERT OR REPLACE INTO "{table.name}" ({_columns(table)}) VALUES ({marks})'
