"""A projection in DuckDB: for analytics. Rows are gathered in Python and written through Arrow, one statement a table and batch.

    <columns of each Table>                        the projection's rows, without indexes (MERGE is faster without)
    strandline_projection  name version position   one row
    strandline_skipped     document_id version reason

A MERGE into 500 k rows costs about 35 ms whatever it brings, so `put` only keeps the newest row of each key, and `apply` writes them all
before it commits. DuckDB lets one process open a file that is written to: query it while the projection does not run, or a copy of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]  # it has no type information

from consumers.errors import StoreFailedError, StoreMismatchError
from consumers.position import BEGINNING, Position
from consumers.projection import Projection, Rows
from consumers.table import ColumnType, Row, Scalar, Table

__all__ = ["DuckDbStore"]

_TYPES = {
    "text": "VARCHAR", "integer": "BIGINT", "real": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP",
    "json": "JSON",
}  # fmt: skip
_ARROW: dict[str, Any] = {
    "text": pa.string(), "integer": pa.int64(), "real": pa.float64(), "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"), "json": pa.string(),
}  # fmt: skip

_FAILURES = (
    duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.OutOfMemoryException,
    duckdb.SerializationException, duckdb.TransactionException, duckdb.ConnectionException, duckdb.PermissionException,
)  # fmt: skip
"""What tells of the file or of the machine, not of the SQL."""
_ROWS_READ = 10_000
"""Rows taken from a cursor at once."""

_Buffer: TypeAlias = "dict[tuple[Scalar, ...], tuple[Scalar, ...] | None]"


class DuckDbStore:
    """The store; `connection` serves queries of the same process."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, tables: dict[str, Table]) -> None:
        self.path, self.connection, self._tables = path, connection, tables
        # The newest row of each key of this batch; None: the key was deleted.
        self._buffers: dict[str, _Buffer] = {name: {} for name in tables}

    @classmethod
    def open(cls, projection: Projection, path: Path) -> DuckDbStore:
        with ExitStack() as undo, _failures(path):
            connection = undo.enter_context(closing(duckdb.connect(str(path))))
            _create(connection, projection, path)
            undo.pop_all()
        return cls(path, connection, projection.tables)

    def position(self) -> Position:
        ((text,),) = self.connection.execute("SELECT position FROM strandline_projection").fetchall()
        return Position.of_json(text)

    def apply(self, before: Position, after: Position, fold: Callable[[Rows], None]) -> None:
        with _failures(self.path):
            self._apply(before, after, fold)

    def _apply(self, before: Position, after: Position, fold: Callable[[Rows], None]) -> None:
        self.connection.execute("BEGIN")
        try:
            stored = self.position()
            if not stored.same_block(before):
                raise StoreMismatchError(f"{self.path}: another process moved it", expected=before, actual=stored)
            fold(self)
            self._flush()
            self.connection.execute("UPDATE strandline_projection SET position = ?", [after.to_json().decode()])
            self.connection.execute("COMMIT")  # rows and position: the commit point
        except BaseException:
            with suppress(duckdb.Error):  # a failed database may have rolled back by itself, or be closed
                self.connection.execute("ROLLBACK")
            for buffer in self._buffers.values():
                buffer.clear()
            raise

    def put(self, table: str, row: Row) -> None:
        shape = self._tables[table]
        values = dict(zip(shape.columns, shape.values_of(row), strict=True))
        self._buffers[table][tuple([values[name] for name in shape.key])] = tuple(values.values())

    def delete(self, table: str, *key: Scalar) -> None:
        self._buffers[table][self._tables[table].key_values(key)] = None

    def get(self, table: str, *key: Scalar) -> dict[str, Any] | None:
        shape = self._tables[table]
        key = shape.key_values(key)
        if key in self._buffers[table]:
            found = self._buffers[table][key]
            return None if found is None else dict(zip(shape.columns, found, strict=True))
        where = " AND ".join(f'"{name}" = ?' for name in shape.key)
        rows = self._fetch(f'SELECT * FROM "{table}" WHERE {where}', key)
        if not rows:
            return None
        return {name: _given(kind, v) for (name, kind), v in zip(shape.columns.items(), rows[0], strict=True)}

    def select(self, sql: str, *parameters: Scalar) -> list[tuple[Any, ...]]:
        self._flush()
        return self._fetch(sql, parameters)

    def _fetch(self, sql: str, parameters: Sequence[Scalar]) -> list[tuple[Any, ...]]:
        """Query for a handler: what it did wrong leaves as it is, what the database could not do as StoreFailedError."""
        with _failures(self.path):
            return self.connection.execute(sql, list(parameters)).fetchall()

    def skip(self, document_id: str, version: int, reason: str) -> None:
        self.connection.execute("INSERT INTO strandline_skipped VALUES (?, ?, ?)", [document_id, version, reason])

    def skipped(self) -> dict[tuple[str, int], str]:
        rows = self.connection.execute("SELECT document_id, version, reason FROM strandline_skipped ORDER BY 1, 2")
        return {(document_id, version): reason for document_id, version, reason in rows.fetchall()}

    def contents(self, table: Table) -> Iterator[tuple[Scalar, ...]]:
        columns, order = _names(table.columns), _names(table.key)
        cursor = self.connection.cursor()
        cursor.execute(f'SELECT {columns} FROM "{table.name}" ORDER BY {order}')
        while rows := cursor.fetchmany(_ROWS_READ):
            yield from rows
        cursor.close()

    def close(self) -> None:
        self.connection.close()

    def _flush(self) -> None:
        for name, buffer in self._buffers.items():
            if buffer:
                self._write(self._tables[name], buffer)
                buffer.clear()

    def _write(self, table: Table, buffer: _Buffer) -> None:
        """Write one table's part of the batch: its new rows in one statement, its deletions in another."""
        deleted = [key for key, values in buffer.items() if values is None]
        if deleted:
            self._with_batch(_arrow(table, table.key, deleted), _delete_sql(table))
        rows = [values for values in buffer.values() if values is not None]
        if rows:
            batch = _arrow(table, tuple(table.columns), rows)
            self._with_batch(batch, _insert_sql(table) if table.append_only else _merge_sql(table))

    def _with_batch(self, batch: pa.Table, sql: str) -> None:
        with _failures(self.path):
            self.connection.register("strandline_batch", batch)
            try:
                self.connection.execute(sql)
            finally:
                self.connection.unregister("strandline_batch")


def _create(connection: duckdb.DuckDBPyConnection, projection: Projection, path: Path) -> None:
    """Make the tables and the position in one transaction, or check that they are this projection's."""
    connection.execute("BEGIN")
    shapes: dict[str, list[str]] = {}
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"
    for table_name, column in connection.execute(query).fetchall():
        shapes.setdefault(table_name, []).append(column)
    if shapes and "strandline_projection" not in shapes:
        raise StoreMismatchError(f"{path} is no projection's store, it has other tables", actual=", ".join(shapes))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS strandline_projection (name VARCHAR, version BIGINT, position VARCHAR)"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS strandline_skipped (document_id VARCHAR, version BIGINT, reason VARCHAR)"
    )
    stored = connection.execute("SELECT name, version FROM strandline_projection").fetchall()
    if not stored:
        for table in projection.tables.values():
            columns = ", ".join(f'"{name}" {_TYPES[kind]}' for name, kind in table.columns.items())
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        for sql in projection.sql:
            connection.execute(sql)
        row = [projection.name, projection.version, BEGINNING.to_json().decode()]
        connection.execute("INSERT INTO strandline_projection VALUES (?, ?, ?)", row)
    else:
        ((name, version),) = stored
        projection.check_is(name, version, shapes)
    connection.execute("COMMIT")


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    """Turn what DuckDB says of the file into StoreFailedError."""
    try:
        yield
    except _FAILURES as error:
        raise StoreFailedError(f"{path}: {error}") from error


def _given(kind: ColumnType, value: Any) -> Any:
    """Give a stored value as it was put."""
    return value.replace(tzinfo=UTC) if kind == "timestamp" and value is not None else value


def _arrow(table: Table, names: tuple[str, ...], rows: list[tuple[Scalar, ...]]) -> pa.Table:
    columns = []
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        kind = table.columns[name]
        if kind == "timestamp":
            values = tuple(v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in values)  # UTC already
        columns.append(pa.array(values, type=_ARROW[kind]))
    return pa.table(columns, names=list(names))


def _names(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _insert_sql(table: Table) -> str:
    return f'INSERT INTO "{table.name}" SELECT * FROM strandline_batch'


def _merge_sql(table: Table) -> str:
    matched = " AND ".join(f't."{name}" = s."{name}"' for name in table.key)
    updates = ", ".join(f'"{name}" = s."{name}"' for name in table.columns if name not in table.key)
    values = ", ".join(f's."{name}"' for name in table.columns)
    update = f"WHEN MATCHED THEN UPDATE SET {updates} " if updates else ""
    return (
        f'MERGE INTO "{table.name}" AS t USING strandline_batch AS s ON {matched} {update}'
        f"WHEN NOT MATCHED THEN INSERT ({_names(table.columns)}) VALUES ({values})"
    )


def _delete_sql(table: Table) -> str:
    matched = " AND ".join(f't."{name}" = s."{name}"' for name in table.key)
    return f'DELETE FROM "{table.name}" AS t USING strandline_batch AS s WHERE {matched}'
