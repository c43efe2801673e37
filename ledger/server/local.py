"""One ledger in a directory, for the command line: answers with the same structs as the server's routes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.database import Database, Progress, open_ledger
from ledger.errors import LedgerLockedError, NotFoundError
from ledger.server.client import Rows
from ledger.server.proofs import digest_struct
from ledger.server.row_streams import statistics_struct
from ledger.server.transactions import outcome_struct
from ledger.values import Value

__all__ = ["Local"]


class Local:
    """The counterpart of `ledger.server.client.Client`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, directory: Path, progress: Progress | None = None) -> Local:
        """Open a ledger that is there.

        Raises:
            NotFoundError: there is none.
            LedgerLockedError: a server has it; it can be asked instead.
        """
        if not (directory / "FORMAT").is_file():
            raise NotFoundError(f"there is no ledger in {directory}")
        try:
            return cls(open_ledger(directory, progress=progress))
        except LedgerLockedError as error:
            raise LedgerLockedError(f"{error}; if that is a server, ask it with --url") from None

    def execute(self, statement: str, parameters: Sequence[Value]) -> dict[str, Any]:
        return outcome_struct(self._database.execute_transaction([(statement, parameters)]))

    def rows(self, statement: str, parameters: Sequence[Value]) -> Rows:
        """Begin a query. Raises as `RowStream`, also with each row."""
        stream = self._database.stream_values(statement, parameters)
        return Rows(stream, lambda: statistics_struct(stream.statistics))

    def digest(self) -> dict[str, Value]:
        return digest_struct(self._database.digest())

    def receipt(self, document_id: str, version: int, tip: int | None) -> dict[str, Value]:
        return self._database.receipt(document_id, version, tip)

    def close(self) -> None:
        """Nobody else has the ledger open, so nobody else would finish an index."""
        self._database.close(finish_indexes=True)
