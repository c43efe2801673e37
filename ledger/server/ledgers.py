"""The ledgers of one data directory: DIR/<name> is one ledger, opened at the start or when it is first put.

A damaged ledger does not take the others down: it stays closed, and every request for it is told why (503, or the damage itself).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ledger.database import Database, Progress, check_ledger_name, open_ledger
from ledger.errors import IntegrityError, InvalidValueError, LedgerError, NotFoundError
from ledger.limits import Limits

__all__ = ["Ledgers"]


class Ledgers:
    """All ledgers under `directory`. Look-ups from any thread; `open_all`, `put` and `close` take turns."""

    def __init__(self, directory: Path, limits: Limits, opened: Callable[[Database], None] = lambda _: None) -> None:
        self._directory, self._limits, self._opened = directory, limits, opened
        self._open: dict[str, Database] = {}
        self._damaged: dict[str, IntegrityError] = {}
        self._lock = threading.Lock()

    def open_all(self, progress: Progress | None = None) -> None:
        """Open every ledger that is there.

        Raises:
            LedgerLockedError, FormatVersionError: one cannot be opened by this process at all.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._lock:
            for path in sorted(self._directory.iterdir()):
                if _is_ledger(path):
                    try:
                        self._open_one(path, progress)
                    except IntegrityError as error:
                        self._damaged[path.name] = error

    def put(self, name: str) -> tuple[Database, bool]:
        """Give the ledger of that name, and whether it was made just now.

        Raises:
            InvalidValueError: no ledger can have that name.
            LedgerError: it cannot be opened.
        """
        check_ledger_name(name)
        with self._lock:
            if name in self._open or name in self._damaged:
                return self.get(name), False
            self._refuse_other_case(name)
            return self._open_one(self._directory / name, None), True

    def get(self, name: str) -> Database:
        """Raises NotFoundError; IntegrityError if it is there and damaged."""
        database = self._open.get(name)
        if database is not None:
            return database
        if name in self._damaged:
            raise self._damaged[name]
        raise NotFoundError(f"there is no ledger {name[:40]!r}")

    def open_ones(self) -> Mapping[str, Database]:
        return dict(sorted(self._open.items()))

    def failures(self) -> Mapping[str, LedgerError]:
        """Give why a ledger cannot commit, by name; only those that cannot."""
        failed: dict[str, LedgerError] = dict(self._damaged)
        for name, database in list(self._open.items()):
            try:
                database.check_alive()
            except LedgerError as error:
                failed[name] = error
        return failed

    def stop_reading(self) -> None:
        """End what still reads in any of them, so that nobody waits for it."""
        for database in self.open_ones().values():
            database.stop_reading()

    def close(self) -> None:
        """Settle and close all of them."""
        with self._lock:
            for database in self._open.values():
                database.close()

    def _open_one(self, path: Path, progress: Progress | None) -> Database:
        database = open_ledger(path, limits=self._limits, progress=progress)
        self._open[path.name] = database
        self._opened(database)
        return database

    def _refuse_other_case(self, name: str) -> None:
        """One directory must not be two ledgers on a file system that folds case, nor two topics look like one."""
        other = next((known for known in (*self._open, *self._damaged) if known.lower() == name.lower()), None)
        if other is not None:
            raise InvalidValueError(f"ledger {name!r} would differ from {other!r} by case alone")


def _is_ledger(path: Path) -> bool:
    try:
        check_ledger_name(path.name)
    except InvalidValueError:
        return False
    return (path / "FORMAT").is_file()
