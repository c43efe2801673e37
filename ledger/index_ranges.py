"""Ranges of an index's keys, and the order of documents inside of one. Pure.

    whole keys      low <= key < high                            what a range means
    stored keys     start <= key < end                           what is read, and what a transaction notes as read

Rules:
- A key of an index begins with the parts of its first paths, and no part ends where FF follows (00 inside of text is 00 FF). So the
  keys whose first parts are `p` are those from `p` up to, not including, `p` FF.
- Keys longer than `EXACT_SIZE` are stored cut: `start` and `end` take all of them in whose beginning is not enough to tell, and
  `in_order` leaves out those that the range does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ledger.catalog import Index
from ledger.index_entries import NULL_PART, whole_keys
from ledger.index_key import EXACT_SIZE, order_key
from ledger.partiql.context import Bound, Document
from ledger.values import Value

__all__ = ["KeyRange", "after_key", "in_order", "key_ranges"]

_AFTER = b"\xff"
"""Behind all keys that begin with the parts before it."""


class KeyRange(NamedTuple):
    """The keys of an index from `low` up to, not including, `high`; both whole."""

    low: bytes
    high: bytes

    @property
    def start(self) -> bytes:
        """Where the stored keys begin."""
        return self.low[:EXACT_SIZE]

    @property
    def end(self) -> bytes:
        """Where the stored keys end; the first one that is not among them."""
        return self.high if len(self.high) <= EXACT_SIZE else after_key(self.high[:EXACT_SIZE])

    @property
    def exact(self) -> bool:
        """Tell whether every stored key in the range that was not cut is one of the range."""
        return len(self.low) <= EXACT_SIZE and len(self.high) <= EXACT_SIZE

    def holds(self, whole_key: bytes) -> bool:
        return self.low <= whole_key < self.high


def key_ranges(
    index: Index, equal: Sequence[Value], low: Bound | None, high: Bound | None, *, nulls: bool
) -> list[KeyRange]:
    """Give the ranges, ascending, of the keys whose first parts are those of `equal` and whose next one is between `low` and `high`.

    Nothing is equal to null, nothing lies between null and anything. `nulls`: the next part may be null as well.
    """
    first = [order_key(value) for value in equal]
    if NULL_PART in first:
        return []
    prefix = b"".join(first)
    if len(equal) == len(index.keys):
        return [KeyRange(prefix, prefix + _AFTER)]
    if low is None and high is None and nulls:
        return [KeyRange(prefix, prefix + _AFTER)]
    null = KeyRange(prefix + NULL_PART, prefix + NULL_PART + _AFTER)
    start = prefix if low is None else prefix + order_key(low.value) + (b"" if low.inclusive else _AFTER)
    end = null.low if high is None else prefix + order_key(high.value) + (_AFTER if high.inclusive else b"")
    found = [KeyRange(start, end)] if start < end <= null.low else []
    return [*found, null] if nulls else found


def after_key(start: bytes) -> bytes:
    """Give the first of all keys that do not begin with `start` and come after it."""
    kept = start.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1])


def in_order(
    index: Index, asked: KeyRange, found: Iterable[tuple[bytes, Document]], *, descending: bool
) -> Iterator[Document]:
    """Put documents in order, and leave out those outside of `asked`, whose stored keys were cut at the same place."""
    whole = [
        (key, document)
        for stored, document in found
        for key in whole_keys(index, document.data, stored)
        if asked.holds(key)
    ]
    whole.sort(key=lambda pair: pair[1].document_id)
    whole.sort(key=lambda pair: pair[0], reverse=descending)
    return (document for _, document in whole)
