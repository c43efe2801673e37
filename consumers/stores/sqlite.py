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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from consumers.errors import StoreFailedError, StoreMismatchError
from consumers.position import BEGINNING, Position
from consumers.projection import Projection, Rows
from consumers.table import ColumnType, Row, Scalar, Table

__all__ = ["SqliteStore"]

_TYPES = {
    "text": "TEXT", "integer": "INTEGER", "real": "REAL", "boolean": "INTEGER", "timestamp": "TEXT", "json": "TEXT",
}  # fmt: skip

_OWN_TABLES = """
CREATE TABLE IF NOT EXISTS strandline_projection (name TEXT NOT NULL, version INTEGER NOT NULL, position TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS strandline_skipped (document_id TEXT, version INTEGER, reason TEXT, PRIMARY KEY (document_id, version));
CREATE TABLE IF NOT EXISTS strandline_delivered (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""

_FAILURES = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}  # fmt: skip
"""Result codes that tell of the file or of the machine, not of the SQL."""


class SqliteStore:
    """The store; `connection` is open to the sender, which marks what it delivered."""

    def __init__(self, path: Path, connection: sqlite3.Connection, tables: dict[str, Table]) -> None:
        self.path, self.connection, self._tables = path, connection, tables
        self._put = {name: _put_sql(table) for name, table in tables.items()}

    @classmethod
    def open(cls, projection: Projection, path: Path) -> SqliteStore:
        with ExitStack() as undo, _failures(path):
            connection = undo.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            connection.execute("PRAGMA synchronous=NORMAL")
            _create(connection, projection, path)
            connection.execute("PRAGMA journal_mode=WAL")
            undo.pop_all()
        return cls(path, connection, projection.tables)

    def position(self) -> Position:
        (text,) = self.connection.execute("SELECT position FROM strandline_projection").fetchone()
        return Position.of_json(text)

    def apply(self, before: Position, after: Position, fold: Callable[[Rows], None]) -> None:
        with _failures(self.path):
            self._apply(before, after, fold)

    def _apply(self, before: Position, after: Position, fold: Callable[[Rows], None]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            stored = self.position()
            if not stored.same_block(before):
                raise StoreMismatchError(f"{self.path}: another process moved it", expected=before, actual=stored)
            fold(self)
            self.connection.execute("UPDATE strandline_projection SET position = ?", (after.to_json().decode(),))
            self.connection.execute("COMMIT")  # rows and position: the commit point
        except BaseException:
            with suppress(sqlite3.Error):  # a failed database may have rolled back by itself
                self.connection.rollback()
            raise

    def put(self, table: str, row: Row) -> None:
        values = self._tables[table].values_of(row)
        self._execute(self._put[table], [_stored(value) if type(value) is datetime else value for value in values])

    def delete(self, table: str, *key: Scalar) -> None:
        shape = self._tables[table]
        self._execute(f'DELETE FROM "{table}" WHERE {_where(shape)}', shape.key_values(key))

    def get(self, table: str, *key: Scalar) -> dict[str, Any] | None:
        shape = self._tables[table]
        rows = self._execute(f'SELECT * FROM "{table}" WHERE {_where(shape)}', shape.key_values(key)).fetchall()
        if not rows:
            return None
        return {name: _given(kind, v) for (name, kind), v in zip(shape.columns.items(), rows[0], strict=True)}

    def select(self, sql: str, *parameters: Scalar) -> list[tuple[Any, ...]]:
        return self._execute(sql, parameters).fetchall()

    def _execute(self, sql: str, parameters: Sequence[Scalar]) -> sqlite3.Cursor:
        """Execute for a handler: what it did wrong leaves as it is, what the database could not do as StoreFailedError."""
        try:
            return self.connection.execute(sql, parameters)
        except sqlite3.Error as error:
            if _is_failure(error):
                raise _failed(self.path, error) from error
            raise

    def skip(self, document_id: str, version: int, reason: str) -> None:
        with _failures(self.path):
            self.connection.execute(
                "INSERT OR REPLACE INTO strandline_skipped VALUES (?, ?, ?)", (document_id, version, reason)
            )

    def skipped(self) -> dict[tuple[str, int], str]:
        rows = self.connection.execute("SELECT document_id, version, reason FROM strandline_skipped ORDER BY 1, 2")
        return {(document_id, version): reason for document_id, version, reason in rows}

    def contents(self, table: Table) -> Iterator[tuple[Scalar, ...]]:
        order = ", ".join(f'"{name}"' for name in table.key)
        with _failures(self.path):
            yield from self.connection.execute(f'SELECT {_columns(table)} FROM "{table.name}" ORDER BY {order}')

    def mark_delivered(self, keys: Iterable[str]) -> None:
        """Note that these effects of the outbox have arrived, in one transaction."""
        with _failures(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(
                "INSERT OR IGNORE INTO strandline_delivered VALUES (?)", ((key,) for key in keys)
            )
            self.connection.execute("COMMIT")

    def take_delivered_of(self, path: Path) -> None:
        """Note as delivered what the store at `path`, of whatever version, has delivered."""
        with _failures(path), closing(sqlite3.connect(path)) as other:
            self.mark_delivered(key for (key,) in other.execute("SELECT key FROM strandline_delivered"))

    def close(self) -> None:
        self.connection.close()

    @staticmethod
    def make_one_file(path: Path) -> None:
        """Bring what is in the write-ahead log into the closed store, and remove the log, so that the file can be replaced.

        Raises:
            StoreMismatchError: somebody has it open, who would take this file's log for the other one's.
        """
        with _failures(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                raise StoreMismatchError(
                    f"{path} is open elsewhere; nothing was swapped, close it there first"
                ) from error


def _create(connection: sqlite3.Connection, projection: Projection, path: Path) -> None:
    """Make the tables and the position in one transaction, or check that they are this projection's."""
    connection.execute("BEGIN IMMEDIATE")
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    if tables and "strandline_projection" not in tables:
        raise StoreMismatchError(f"{path} is no projection's store, it has other tables", actual=", ".join(tables))
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
        columns = "SELECT name FROM pragma_table_info(?)"
        shapes = {table: [name for (name,) in connection.execute(columns, (table,))] for table in projection.tables}
        name, version = stored
        projection.check_is(name, version, shapes)
    connection.execute("COMMIT")


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the file into StoreFailedError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: sqlite3.Error) -> StoreFailedError:
    return StoreFailedError(f"{path}: {error}")


def _is_failure(error: sqlite3.Error) -> bool:
    return (
        getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _FAILURES
    )  # the low byte: extended codes add to it


def _stored(moment: datetime) -> str:
    """Say a time in UTC so that texts stand in the order of the times."""
    return moment.isoformat(timespec="microseconds")


def _given(kind: ColumnType, value: Any) -> Any:
    """Give a stored value as it was put."""
    if value is None:
        return None
    return datetime.fromisoformat(value) if kind == "timestamp" else bool(value) if kind == "boolean" else value


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _columns(table: Table) -> str:
    return _names(tuple(table.columns))


def _where(table: Table) -> str:
    return " AND ".join(f'"{name}" = ?' for name in table.key)


def _put_sql(table: Table) -> str:
    marks = ", ".join("?" * len(table.columns))
    return f'INSERT OR REPLACE INTO "{table.name}" ({_columns(table)}) VALUES ({marks})'
