"""ORDER BY: sort keys of rows, and sorting by them.

Ascending puts nulls last and descending first, since null is the greatest of all; NULLS FIRST and NULLS LAST say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ledger.index_key import order_key
from ledger.partiql.code import Env, Evaluate
from ledger.partiql.tree.queries import OrderKey

__all__ = ["Ordering", "nulls_are_out_of_place"]

_T = TypeVar("_T")
_NULL_KEY = order_key(None)
_BEFORE_ALL = b""


class Ordering:
    """A compiled ORDER BY."""

    def __init__(self, order: Sequence[OrderKey], keys: Sequence[Evaluate]) -> None:
        self._keys = list(zip(keys, [nulls_are_out_of_place(key) for key in order], strict=True))
        self._descending = [key.descending for key in order]

    def keys(self, env: Env) -> list[bytes]:
        """Give the sort keys of the row that env holds."""
        found = []
        for run, nulls_are_least in self._keys:
            key = order_key(run(env))
            found.append(_BEFORE_ALL if nulls_are_least and key == _NULL_KEY else key)
        return found

    def sort(self, rows: list[_T], keys_of: Callable[[_T], list[bytes]]) -> None:
        """Sort in place; rows that are equal keep their order."""
        for i in reversed(range(len(self._descending))):  # stable sorts, the last key first
            rows.sort(key=lambda row: keys_of(row)[i], reverse=self._descending[i])


def nulls_are_out_of_place(key: OrderKey) -> bool:
    """Tell whether nulls are to stand where they are not the greatest of all."""
    return key.nulls_first is not None and key.nulls_first is not key.descending
