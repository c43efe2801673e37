"""Writes the entries of indexes in one LMDB transaction, and keeps count of them and of their keys without ever scanning."""

from __future__ import annotations

import lmdb

from ledger.ids import ID_LENGTH
from ledger.views import rows

__all__ = ["Entries"]


class Entries:
    """The entries that one transaction of the store changes; `finish` writes the counts."""

    def __init__(self, transaction: lmdb.Transaction[bytes]) -> None:
        self._transaction = transaction
        self._cursor = transaction.cursor()
        self._added: dict[str, list[int]] = {}

    def remove(self, index_id: str, key: bytes, document_id: str) -> None:
        prefix = rows.index_prefix(index_id) + key
        self._transaction.delete(prefix + document_id.encode())
        self._count(index_id, -1, 0 if self._first_with(prefix) else -1)

    def add(self, index_id: str, key: bytes, document_id: str) -> str | None:
        """Enter a document; give another one that had the key before, if any."""
        prefix = rows.index_prefix(index_id) + key
        other = self._first_with(prefix)
        self._transaction.put(prefix + document_id.encode(), b"")
        self._count(index_id, 1, 0 if other else 1)
        return other

    def finish(self) -> None:
        """Write the counts of what was changed; an index that failed meanwhile has none."""
        self._cursor.close()
        for index_id, (entries, keys) in self._added.items():
            row = rows.index_row(self._transaction, index_id)
            if row.state != rows.FAILED:
                rows.put_index_row(self._transaction, index_id, row.counting(entries, keys))

    def _first_with(self, prefix: bytes) -> str | None:
        if not self._cursor.set_range(prefix):
            return None
        found = self._cursor.key()
        # A longer one is of another key, of which this one is the beginning; they come after it.
        return (
            found[-ID_LENGTH:].decode() if len(found) == len(prefix) + ID_LENGTH and found.startswith(prefix) else None
        )

    def _count(self, index_id: str, entries: int, keys: int) -> None:
        added = self._added.get(index_id)
        if added is None:
            self._added[index_id] = [entries, keys]
        else:
            added[0] += entries
            added[1] += keys
