"""Which part of an index a comparison can find something in.

Rules:
- `<` and its kin compare within one kind of values (numbers, text, ...), each of which stands together in an index (`ledger.index_key`): a
  range that is open on one side ends where the kind ends.
- A range may be wider than the comparison, since that is checked again on what it finds, and never narrower.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from ledger.partiql.comparison import MistypedError, bare, text_of
from ledger.partiql.context import Bound
from ledger.partiql.patterns import matcher
from ledger.query_values import MISSING, QueryValue
from ledger.values import Clob, Symbol, Timestamp, Value

__all__ = ["bound_of", "closed", "prefix_range"]

_Range = tuple[Bound, Bound]

_NUMBERS = (Bound(float("nan"), True), Bound(float("inf"), True))
_TEXT = (Bound(Symbol(None), True), Bound(b"", False))  # from symbol zero up to the least lob
_LOBS = (Bound(b"", True), Bound([], False))
_TIMESTAMPS = (Bound(float("inf"), False), Bound(Symbol(None), False))
_KINDS: dict[type, _Range] = {
    bool: (Bound(False, True), Bound(True, True)),
    Timestamp: _TIMESTAMPS,
    str: _TEXT,
    Symbol: _TEXT,
    bytes: _LOBS,
    Clob: _LOBS,
}
_UNORDERED = (list, dict)
_LAST_BEFORE_SURROGATES, _FIRST_AFTER = 0xD7FF, 0xE000


def bound_of(value: QueryValue, *, inclusive: bool) -> Bound | None:
    """Give the bound that a value is; None if nothing is below or above it: null, and what has no order."""
    plain = bare(value)
    return None if plain is None or plain is MISSING else Bound(plain, inclusive)


def closed(low: Bound | None, high: Bound | None) -> _Range | None:
    """Close a range that is open on one side; None if nothing can be in it."""
    known = low if low is not None else high
    assert known is not None
    kind = _kind_of(known.value)
    if kind is None:
        return None
    return kind[0] if low is None else low, kind[1] if high is None else high


def _kind_of(value: Value) -> _Range | None:
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    return _NUMBERS if isinstance(value, int | float | Decimal) else None


@lru_cache(maxsize=256)
def _prefix_of(pattern: str, escape: str) -> tuple[str, bool]:
    """Give the text that all matches of a LIKE pattern begin with, and whether it is the whole match."""
    at, prefix = 0, ""
    while at < len(pattern):
        c = pattern[at]
        if c == escape:
            at += 1
            c = pattern[at]
        elif c in ("%", "_"):
            return prefix, False
        prefix += c
        at += 1
    return prefix, True


def prefix_range(pattern: QueryValue, escape: QueryValue = "") -> _Range | None:
    """Give the range of what can be LIKE a pattern; None if nothing can."""
    wanted, special = text_of(pattern), text_of(escape)
    if wanted is None or special is None:
        return None
    try:
        matcher(wanted, special)
    except MistypedError:
        return None
    prefix, whole = _prefix_of(wanted, special)
    if whole:
        return Bound(prefix, True), Bound(prefix, True)
    after = _text_after(prefix)
    return Bound(prefix, True), _TEXT[1] if after is None else Bound(after, False)


def _text_after(prefix: str) -> str | None:
    """Give the least text behind all that begin with `prefix`; None if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[at])
        if point < 0x10FFFF:
            return prefix[:at] + chr(_FIRST_AFTER if point == _LAST_BEFORE_SURROGATES else point + 1)
    return None
