"""Which entries a document has in an index. Pure; whoever writes, lays over, looks up or validates goes by it.

An entry's key is made of one part for each path of the index:

    key = part, part, ...                 as `ledger.index_key.order_key` gives them; each ends by itself, so they need no separator

Rules:
- A path without `[*]` gives one part: that of its value, where there is nothing that of null. So each document has one entry, and an
  index can give all of a table's documents in order.
- A path with `[*]` gives one part for each element of the list, equal ones once; what is no list counts as a list of itself, as PartiQL
  ranges over it, and where there is nothing there is no entry. With several such paths each combination has an entry.
- A key longer than `EXACT_SIZE` is cut there and its SHA-256 follows, as `index_key` says: equality stays exact, order holds up to the cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from ledger.catalog import EACH, Index, IndexKey
from ledger.index_key import EXACT_SIZE, order_key
from ledger.query_values import MISSING, Missing
from ledger.values import Annotated, MultiStruct, Sexp, Struct, Value

__all__ = ["NULL_PART", "entry_keys", "joined_key"]

NULL_PART: Final = order_key(None)


def joined_key(parts: Sequence[bytes]) -> bytes:
    """Give the key of an entry from its parts (`order_key` of each value), at most `EXACT_SIZE` + 32 bytes."""
    key = b"".join(parts)
    return key if len(key) <= EXACT_SIZE else key[:EXACT_SIZE] + hashlib.sha256(key).digest()


def entry_keys(index: Index, data: Struct | None) -> frozenset[bytes]:
    """Give the keys of a document's entries; none if there is no document."""
    if data is None:
        return frozenset()
    if len(index.keys) == 1 and len(index.keys[0]) == 1 and type(data) is dict:  # the usual index
        return frozenset((joined_key((order_key(data.get(index.keys[0][0])),)),))  # type: ignore[arg-type]  # no EACH
    parts = [_parts(data, key) for key in index.keys]
    return frozenset(joined_key(combination) for combination in product(*parts))


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
