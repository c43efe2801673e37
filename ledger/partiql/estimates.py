"""How many documents a way will give, as far as anybody knows.

What is known are the counts kept for each index: its entries, and the different keys among them. The rest is rules of thumb, which need be
right only about which of two ways is much the worse. Unit of all costs: one document of a scan.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

from ledger.catalog import Index, Table
from ledger.partiql.context import IndexCounts

__all__ = ["FETCH", "HOLD", "LOOK_UP", "PASSING", "PROBE", "SORT", "Basis", "Counts", "Estimates", "still_holds"]


class Counts(Protocol):
    """What a reader of the ledger keeps of sizes. To ask is cheap, and is no read that could conflict."""

    def count(self, table_id: str) -> int: ...

    def index_counts(self, index_id: str) -> IndexCounts: ...


Basis: TypeAlias = "tuple[tuple[Table, Index | None, int], ...]"
"""Of a table (None) or an index how many entries there were."""

LOOK_UP, FETCH, HOLD, PROBE, SORT = 2.0, 1.2, 1.5, 0.3, 0.5
"""To seek in an index; to get a document by what an index says; to get a row and hold it by key; to ask for it; to sort it."""

_DOCUMENTS, _OF_ONE_KEY = 1_000.0, 10.0
"""What is thought of a table, and of the documents under one key, of which nothing is known."""
_COUNTED_MIN = 50
"""Fewer documents say nothing about what will be there when the plan runs again."""
_CHANGED = 4
"""A count that is so many times as large, or as small, is a reason to plan again."""
_ONE_SIDED, _TWO_SIDED = 1 / 3, 1 / 10
PASSING = 1 / 3
"""The part of the rows that pass a condition."""


class Estimates:
    """Answers from counts; `counts` None: nothing is known.

    `relied`: what it went by, and `chosen` whether anything else could have been done, for whoever keeps the plan.
    """

    def __init__(self, counts: Counts | None) -> None:
        self._counts = counts
        self.chosen = False
        self.relied: dict[tuple[Table, Index | None], IndexCounts] = {}

    def known(self, table: Table) -> bool:
        """Tell whether the documents of a table are counted."""
        return self._counted(table, None) is not None

    def documents(self, table: Table) -> float:
        counts = self._counted(table, None)
        return _DOCUMENTS if counts is None else float(counts.entries)

    def matching(self, table: Table, index: Index, equal: int, ends: int) -> float:
        """Give how many documents have given values in the first `equal` keys, and lie in a range with so many ends in the next one."""
        counts = self._counted(table, index)
        entries, keys = counts or (_DOCUMENTS, _DOCUMENTS / (1 if index.unique else _OF_ONE_KEY))
        known = entries / max(1.0, keys) ** (equal / len(index.keys))
        return float(known) * (1.0, _ONE_SIDED, _TWO_SIDED)[ends]

    def _counted(self, table: Table, index: Index | None) -> IndexCounts | None:
        if self._counts is None:
            return None
        found = self.relied.get((table, index))
        if found is None:
            found = self.relied[table, index] = _now(self._counts, table, index)
        return found if found.entries >= _COUNTED_MIN else None

    def basis(self) -> Basis:
        """Give what a plan goes by, if it had a choice."""
        return tuple((table, index, counts.entries) for (table, index), counts in self.relied.items() if self.chosen)


def _now(counts: Counts, table: Table, index: Index | None) -> IndexCounts:
    if index is not None:
        return counts.index_counts(index.index_id)
    documents = counts.count(table.table_id)
    return IndexCounts(documents, documents)


def still_holds(basis: Basis, counts: Counts) -> bool:
    """Tell whether what a plan goes by is about as it was."""
    for table, index, entries in basis:
        now = _now(counts, table, index).entries
        if now > _CHANGED * max(entries, _COUNTED_MIN) or _CHANGED * now < entries:
            return False
    return True
