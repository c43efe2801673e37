"""Where a projection keeps its rows and its position: the port, and how one is opened.

Rules that every store keeps:
- `apply` writes rows and position in ONE transaction: after a crash at any instant both are there or neither is.
- `apply` moves the position only from the block that its caller read it at. Two processes that project into one store cannot
  both win: the second one stops, whatever the database's own locks allow.
- A store is one file; it says which projection and version it holds, and refuses to be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from consumers.position import Position
from consumers.projection import Projection, Rows
from consumers.stores.duckdb import DuckDbStore
from consumers.stores.sqlite import SqliteStore
from consumers.table import Scalar, Table

__all__ = ["Store", "open_store"]


class Store(Rows, Protocol):
    """One projection's rows and position."""

    path: Path

    def position(self) -> Position: ...

    def apply(self, before: Position, after: Position, fold: Callable[[Rows], None]) -> None:
        """Write what `fold` puts, and the position `after`, in one transaction. THE commit point of a projection.

        Raises:
            StoreMismatchError: the store does not stand on `before`; nothing was written.
        """
        ...

    def skip(self, document_id: str, version: int, reason: str) -> None:
        """Leave the trace that this revision is not to be handed to handlers."""
        ...

    def skipped(self) -> dict[tuple[str, int], str]:
        """Give (document id, version) -> reason."""
        ...

    def contents(self, table: Table) -> Iterator[tuple[Scalar, ...]]:
        """Give all rows of a table, columns in their order, ascending by key."""
        ...

    def close(self) -> None:
        """Close; the file then is whole by itself (nothing of it left in a write-ahead log)."""
        ...


def open_store(projection: Projection, path: Path) -> Store:
    """Open the projection's store, or make it.

    Raises:
        StoreMismatchError: the file holds another projection or version, or another process has it open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind: dict[str, Callable[[Projection, Path], Store]] = {"duckdb": DuckDbStore.open, "sqlite": SqliteStore.open}
    return kind[projection.store](projection, path)
