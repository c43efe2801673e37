"""Optimistic concurrency control: did anything that a transaction read change after it read it?

A read is remembered as a key, a write touches keys, and the answer is a comparison of block numbers:

    ("document", table id, document id)    one document, absent ones included
    ("index", index id, key bytes)         which documents an index entry leads to, absent keys included
    ("table", table id)                    every document of the table (a scan, a whole history)
    ("count", table id)                    how many documents the table has
    ("catalog", table name)                what the name stands for, and which indexes it has

A range of an index is no key: it is stale when an index key inside of it was touched.

Rules:
- Reads of a transaction are valid as of one block, `ReadSet.as_of`; validating moves it forward.
- A write touches its document, its table, and the index entries that appear or disappear: entries that stay are not touched,
  since who found a document through one has read the document as well.
- A range costs a bisection of the keys touched in its index, and one step for each of them inside of it.
- `RecentWrites` remembers what blocks after the start of the oldest open transaction touched, and forgets the rest. A transaction
  that is older than what is remembered cannot be validated: it has expired.
- Pure: block numbers and times are passed in.

Source: H. T. Kung, J. T. Robinson, "On optimistic methods for concurrency control" (1981), backward validation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from ledger.block import SYSTEM_TABLE_ID
from ledger.overlay import Change, indexed_keys

__all__ = ["Key", "RangeRead", "ReadSet", "RecentWrites", "key_in_common", "keys_touched"]

Key = tuple[str, str] | tuple[str, str, str | bytes]


class RangeRead:
    """The keys of an index from `start` up to, not including, `end`. It grows while a statement reads on."""

    __slots__ = ("end", "index_id", "start")

    def __init__(self, index_id: str, start: bytes, end: bytes) -> None:
        self.index_id, self.start, self.end = index_id, start, end


class ReadSet:
    """What a transaction has read, all of it valid as of block `as_of` (-1: the empty ledger)."""

    __slots__ = ("as_of", "keys", "ranges")

    def __init__(self, as_of: int) -> None:
        self.as_of = as_of
        self.keys: set[Key] = set()
        self.ranges: list[RangeRead] = []


def key_in_common(reads: ReadSet, touched: set[Key]) -> Key | None:
    """Give one of the touched keys that was read."""
    stale = reads.keys & touched
    if stale:
        return next(iter(stale))
    for read in reads.ranges:
        for key in touched:
            if key[0] == "index" and key[1] == read.index_id and read.start <= key[2] < read.end:  # type: ignore[operator, misc]  # it has three parts
                return key
    return None


def keys_touched(changes: Iterable[Change]) -> set[Key]:
    """Give all keys that committing `changes` makes stale for those who read them before."""
    keys: set[Key] = set()
    for change in changes:
        table_id = change.table.table_id
        keys.add(("table", table_id))
        keys.add(("document", table_id, change.document_id))
        if (change.before is None) is not (change.after is None):
            keys.add(("count", table_id))
        keys.update(("index", *entry) for entry in indexed_keys(change.table, change.before, change.after))
        if table_id == SYSTEM_TABLE_ID:
            keys.update(_names_touched(change))
    return keys


def _names_touched(change: Change) -> Iterable[Key]:
    for document in (change.before, change.after):
        if document is not None and isinstance(document.data, dict):
            yield ("catalog", str(document.data["name"]))


class RecentWrites:
    """Which block last touched a key, for blocks after `floor`."""

    def __init__(self, floor: int) -> None:
        self._floor = floor
        self._last: dict[Key, int] = {}
        self._indexes: dict[str, _TouchedKeys] = {}
        self._blocks: deque[tuple[int, float, frozenset[Key] | set[Key]]] = deque()

    def record(self, sequence_no: int, at_s: float, keys: set[Key]) -> None:
        """Remember what block `sequence_no`, committed at `at_s` (monotonic seconds), touched."""
        self._blocks.append((sequence_no, at_s, keys))
        for key in keys:
            if key[0] == "index":
                index = self._indexes.setdefault(key[1], _TouchedKeys())
                index.newest = sequence_no
                if key not in self._last:
                    index.fresh.append(key[2])  # type: ignore[misc, arg-type]  # it has three parts
            self._last[key] = sequence_no

    def forget_up_to(self, sequence_no: int, at_s: float) -> None:
        """Forget blocks up to `sequence_no`, and those that were committed before `at_s`."""
        while self._blocks and (self._blocks[0][0] <= sequence_no or self._blocks[0][1] < at_s):
            number, _, keys = self._blocks.popleft()
            self._floor = number
            for key in keys:
                if self._last[key] == number:
                    del self._last[key]
                    if key[0] == "index":
                        self._forget_entry(key[1])
        if not self._blocks and sequence_no > self._floor:
            self._floor = sequence_no

    def remembers(self, as_of: int) -> bool:
        """Tell whether reads as of that block can still be validated."""
        return as_of >= self._floor

    def conflict(self, reads: ReadSet) -> tuple[Key, int] | None:
        """Give one key that was touched after it was read, with the block that touched it; None if all reads still hold."""
        for key in reads.keys:
            touched = self._last.get(key)
            if touched is not None and touched > reads.as_of:
                return key, touched
        for read in reads.ranges:
            index = self._indexes.get(read.index_id)
            if index is None or index.newest <= reads.as_of:
                continue
            for entry in index.between(read.start, read.end):
                touched = self._last.get(("index", read.index_id, entry))
                if touched is not None and touched > reads.as_of:
                    return ("index", read.index_id, entry), touched
        return None

    def _forget_entry(self, index_id: str) -> None:
        index = self._indexes[index_id]
        index.forgotten += 1
        if index.forgotten * 2 > len(index.ordered) + len(index.fresh):
            kept = [key for key in index.known() if ("index", index_id, key) in self._last]
            if kept:
                index.ordered, index.fresh, index.forgotten = [], kept, 0
            else:
                del self._indexes[index_id]


class _TouchedKeys:
    """Keys of one index, put in order when somebody asks. Forgotten ones stay among them until they are half of them."""

    __slots__ = ("forgotten", "fresh", "newest", "ordered")

    def __init__(self) -> None:
        self.ordered: list[bytes] = []
        self.fresh: list[bytes] = []
        self.forgotten, self.newest = 0, -1

    def known(self) -> set[bytes]:
        return {*self.ordered, *self.fresh}

    def between(self, start: bytes, end: bytes) -> Iterable[bytes]:
        if self.fresh:
            self.ordered += self.fresh
            self.ordered.sort()  # Timsort: two runs
            self.fresh = []
        first = bisect_left(self.ordered, start)
        return self.ordered[first : bisect_left(self.ordered, end, first)]
