"""What a projection is: a name, a version, tables, and handlers that fold one revision after the other into rows.

    garage = Projection("garage", version=1, store="sqlite", tables=[Table("garage", {"vin": "text", "make": "text"}, key="vin")])

    @garage.on("Vehicle")
    def vehicle(rows: Rows, revision: Revision) -> None:
        if revision.deleted: ...
        rows.put("garage", {"vin": revision.data["VIN"], "make": revision.data["Make"]})

Rules:
- A handler is a pure function of the revision and of the projection's own rows: no clock, no randomness, no network, no other store.
  Only then is a rebuild equal to what was there (`strandline rebuild` finds out).
- It sees every revision of its tables exactly once, block by block, in the ledger's order. It never sees half a block.
- Other logic or other tables are another version: the store of an older version is refused, and rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from consumers.errors import HandlerError, StoreFailedError, StoreMismatchError, VersionChangedError
from consumers.revision import Revision
from consumers.table import Row, Scalar, Table

__all__ = ["Handler", "Projection", "Rows", "StoreKind"]

StoreKind: TypeAlias = Literal["duckdb", "sqlite"]


class Rows(Protocol):
    """A projection's rows, as a handler reads and writes them inside of the store's transaction."""

    def put(self, table: str, row: Row) -> None:
        """Insert the row, or replace the one with the same key."""
        ...

    def delete(self, table: str, *key: Scalar) -> None:
        """Delete the row with this key, if there is one."""
        ...

    def get(self, table: str, *key: Scalar) -> dict[str, Any] | None:
        """Give the row with this key, as it was put, times in UTC. (In DuckDB a few milliseconds unless it was put in the same batch.)"""
        ...

    def select(self, sql: str, *parameters: Scalar) -> list[tuple[Any, ...]]:
        """Query the rows, those just put included, in the store's SQL with `?` for parameters. ORDER BY keeps it pure."""
        ...


Handler: TypeAlias = Callable[[Rows, Revision], None]


class Projection:
    """A versioned fold over the stream. `sql` are statements run once after the tables were made (views, macros, indexes)."""

    def __init__(
        self, name: str, *, version: int, store: StoreKind, tables: Sequence[Table], sql: Sequence[str] = ()
    ) -> None:
        self.name, self.version, self.store = name, version, store
        self.tables: dict[str, Table] = {table.name: table for table in tables}
        self.sql = tuple(sql)
        self._handlers: dict[str, list[Handler]] = {}
        self._handlers_of_all: list[Handler] = []

    def check_is(self, name: str, version: int, columns: Mapping[str, list[str]]) -> None:
        """Check what a store says of itself; `columns` are those of its tables.

        Raises:
            StoreMismatchError: it holds another projection, or this version had other tables.
            VersionChangedError: it holds another version of this one.
        """
        if name != self.name:
            raise StoreMismatchError("the store holds another projection", expected=self.name, actual=name)
        if version != self.version:
            message = f"the store holds another version of {name}; `strandline rebuild {name}` makes it anew"
            raise VersionChangedError(message, expected=self.version, actual=version)
        for table in self.tables.values():
            if columns.get(table.name) != list(table.columns):
                message = f"table {table.name} of {name} version {version} has changed, the version has not: raise it, and rebuild"
                raise StoreMismatchError(message, expected=list(table.columns), actual=columns.get(table.name))

    def on(self, *tables: str) -> Callable[[Handler], Handler]:
        """Call the function for each revision of these tables of the ledger; of every table, if none is named."""

        def register(handler: Handler) -> Handler:
            for table in tables:
                self._handlers.setdefault(table, []).append(handler)
            if not tables:
                self._handlers_of_all.append(handler)
            return handler

        return register

    def fold(self, rows: Rows, revision: Revision) -> None:
        """Hand one revision to its handlers, in the order in which they were declared.

        Raises:
            HandlerError: one of them raised; it names the record.
            StoreFailedError: the database failed under it, which is not the handler's fault.
        """
        for handler in (*self._handlers_of_all, *self._handlers.get(revision.table, ())):
            try:
                handler(rows, revision)
            except StoreFailedError:
                raise
            except Exception as error:  # whatever a foreign handler raises stops the projection, named
                name = getattr(handler, "__name__", repr(handler))
                raise HandlerError(
                    f"{self.name}: {name} failed on {revision}: {type(error).__name__}: {error}",
                    record=str(revision.record),
                ) from error
