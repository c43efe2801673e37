"""Which entries a document has in an index. Pure; whoever writes, lays over, looks up or validates goes by it.

An entry's key is made of one part for each path of the index:

    key = part, part, ...                 as `ledger.index_key.order_key` gives them; each ends by itself, so they need no separator

Rules:
- A path without `[*]` gives one part: that of its value, where there is nothing that of null. So each document has one entry, and an
  index can give all of a table's documents in order.
- A path with `[*]` gives one part for each element of the list, equal ones once; what is no list counts as a list of itself, as PartiQL
  ranges over it, and where there is nothing there is no entry. Only one path of an index may be such.
- A key longer than `EXACT_SIZE` is cut there and its SHA-256 follows: equality stays exact, order holds up to the cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from ledger import iontext
from ledger.catalog import EACH, Index, IndexKey
from ledger.index_key import EXACT_SIZE, order_key
from ledger.query_values import MISSING, Missing
from ledger.values import Annotated, MultiStruct, Sexp, Struct, Value

__all__ = [
    "NO_KEYS",
    "NULL_PART",
    "entry_changes",
    "entry_keys",
    "joined_key",
    "shown_value",
    "unique_changes",
    "unique_keys",
    "whole_keys",
]

NULL_PART: Final = order_key(None)
NO_KEYS: Final[frozenset[bytes]] = frozenset()
_PLAIN = (str, int, bool)
"""Types of which two equal values of one type have one key; of containers that is not true: `[1] == [True]`."""


def joined_key(parts: Sequence[bytes]) -> bytes:
    """Give the key of an entry from its parts (`order_key` of each value), at most `EXACT_SIZE` + 32 bytes."""
    key = b"".join(parts)
    return key if len(key) <= EXACT_SIZE else key[:EXACT_SIZE] + hashlib.sha256(key).digest()


def entry_keys(index: Index, data: Struct | None) -> frozenset[bytes]:
    """Give the keys of a document's entries; none if there is no document."""
    if data is None:
        return NO_KEYS
    if len(index.keys) == 1 and len(index.keys[0]) == 1 and type(data) is dict:  # the usual index
        return frozenset((joined_key((order_key(data.get(index.keys[0][0])),)),))  # type: ignore[arg-type]  # no EACH
    return frozenset(map(joined_key, _combinations(index, data)))


def entry_changes(
    index: Index, before: Struct | None, after: Struct | None
) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Give (keys that go, keys that come) when a document's data changes; None is no document."""
    if type(before) is dict and type(after) is dict and all(_same(before, after, key) for key in index.keys):
        return NO_KEYS, NO_KEYS
    old, new = entry_keys(index, before), entry_keys(index, after)
    return (NO_KEYS, NO_KEYS) if old == new else (old - new, new - old)


def unique_keys(index: Index, data: Struct | None) -> frozenset[bytes]:
    """Give the keys that only one document may have, if the index is unique: those without a null in them."""
    if data is None:
        return NO_KEYS
    return frozenset(joined_key(parts) for parts in _combinations(index, data) if NULL_PART not in parts)


def unique_changes(index: Index, before: Struct | None, after: Struct) -> frozenset[bytes]:
    """Give the keys of `unique_keys` that a document gets when its data changes."""
    if type(before) is dict and type(after) is dict and all(_same(before, after, key) for key in index.keys):
        return NO_KEYS
    return unique_keys(index, after) - unique_keys(index, before)


def whole_keys(index: Index, data: Struct | None, stored: bytes) -> list[bytes]:
    """Give the document's keys as they were before one of them was cut to `stored`; one, unless two have one SHA-256."""
    if data is None:
        return []
    return [b"".join(parts) for parts in _combinations(index, data) if joined_key(parts) == stored]


def shown_value(index: Index, data: Struct, key: bytes) -> str:
    """Give what a document's entry stands for as Ion text: the value, or of several paths all of them in parentheses."""
    paths = [list(_values(data, path)) or [None] for path in index.keys]
    values = next(values for values in product(*paths) if joined_key([*map(order_key, values)]) == key)
    shown = [iontext.dump(value) for value in values]
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def _combinations(index: Index, data: Struct) -> Iterator[tuple[bytes, ...]]:
    return product(*(_parts(data, key) for key in index.keys))


def _same(before: dict[str, Value], after: dict[str, Value], path: IndexKey) -> bool:
    """Tell whether a path surely leads to the same in both, without working out keys."""
    old: Value | Missing = before
    new: Value | Missing = after
    for step in path:
        if type(old) is not dict or type(new) is not dict or step is EACH:
            break
        old, new = old.get(step, MISSING), new.get(step, MISSING)
    return old is new or (type(old) is type(new) and type(old) in _PLAIN and old == new)


def _parts(data: Struct, path: IndexKey) -> set[bytes]:
    found = set(map(order_key, _values(data, path)))
    return found or (set() if EACH in path else {NULL_PART})


def _values(value: Value, path: IndexKey) -> Iterator[Value]:
    for at, step in enumerate(path):
        if isinstance(value, Annotated):
            value = value.value
        if step is EACH:
            for element in value if isinstance(value, list | Sexp) else (value,):
                yield from _values(element, path[at + 1 :])
            return
        inner = _field(value, step)
        if isinstance(inner, Missing):
            return
        value = inner
    yield value


def _field(value: Value, name: str) -> Value | Missing:
    if isinstance(value, dict):
        return value.get(name, MISSING)
    if isinstance(value, MultiStruct):
        return next((inner for field, inner in value.fields if field == name), MISSING)
    return MISSING
