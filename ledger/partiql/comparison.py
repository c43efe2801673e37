"""Equality, order and truth of PartiQL's values.

Rules:
- `equals` never fails: across types it is false; with NULL or MISSING it is NULL, but inside of containers both are equal.
- `compare` orders booleans, numbers, timestamps, text and lobs, each among themselves; all else is a `MistypedError`.
- Numbers compare by their exact value whatever their type; `nan` is equal to itself and below all other numbers, so that
  `=`, ORDER BY, GROUP BY and indexes agree.
- Annotations say nothing. A typed null is NULL.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ledger.index_key import order_key
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.values import Annotated, Clob, MultiStruct, Sexp, Symbol, Timestamp, TypedNull

__all__ = [
    "MistypedError",
    "a_type_of",
    "bare",
    "compare",
    "equals",
    "is_absent",
    "shown",
    "text_of",
    "type_name_of",
]

_SHOWN = 60
"""Characters of a value that a message shows."""


class MistypedError(Exception):
    """An operator or function met values that it has no answer for. On data the answer is MISSING, on constants it is an error."""


def bare(value: QueryValue) -> Any:
    """Give the value without annotations, and None for any null."""
    if type(value) is Annotated:
        value = value.value
    return None if type(value) is TypedNull else value


def is_absent(value: QueryValue) -> bool:
    """Tell whether a value is NULL, typed or not, or MISSING."""
    return value is None or value is MISSING or (type(value) in (TypedNull, Annotated) and bare(value) is None)


_BOOL, _NUMBER, _TIMESTAMP, _TEXT, _LOB, _CONTAINER = range(6)
_CLASSES: dict[type, int] = {
    bool: _BOOL, int: _NUMBER, Decimal: _NUMBER, float: _NUMBER, Timestamp: _TIMESTAMP,
    str: _TEXT, Symbol: _TEXT, bytes: _LOB, Clob: _LOB,
    list: _CONTAINER, Sexp: _CONTAINER, Bag: _CONTAINER, dict: _CONTAINER, MultiStruct: _CONTAINER,
}  # fmt: skip
_NAMES: dict[type, str] = {
    type(None): "null", bool: "bool", int: "int", Decimal: "decimal", float: "float", Timestamp: "timestamp",
    str: "string", Symbol: "symbol", bytes: "blob", Clob: "clob", list: "list", Sexp: "sexp", Bag: "bag",
    dict: "struct", MultiStruct: "struct", TypedNull: "null",
}  # fmt: skip
_SAME_TYPE = frozenset({str, int, bool, Decimal, bytes})
"""Types within which Python's own comparison is PartiQL's."""


def type_name_of(value: QueryValue) -> str:
    """Name a value's type for a message."""
    return "missing" if value is MISSING else _NAMES[type(bare(value))]


def a_type_of(value: QueryValue) -> str:
    """Name a value's type with its article."""
    name = type_name_of(value)
    return name if name in ("null", "missing") else f"an {name}" if name == "int" else f"a {name}"


def shown(value: object) -> str:
    """Give a value for a message: not longer than a line, and never the digits of an endless int."""
    if type(value) is int and value.bit_length() > 128:
        return f"an int of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def text_of(value: QueryValue) -> str | None:
    """Give the text of a string or symbol; None for what has none."""
    value = bare(value)
    if type(value) is str:
        return value
    return value.text if type(value) is Symbol else None


def equals(a: Any, b: Any) -> bool | None:
    """Give PartiQL's `a = b`."""
    if type(a) is type(b) and type(a) in _SAME_TYPE:
        return bool(a == b)
    a, b = bare(a), bare(b)
    if a is None or b is None or a is MISSING or b is MISSING:
        return None
    kind = _CLASSES[type(a)]
    if kind != _CLASSES[type(b)]:
        return False
    if kind == _NUMBER:
        return bool(a == b or (a != a and b != b))
    if kind == _CONTAINER:
        return order_key(a) == order_key(b)
    return bool(_plain(kind, a) == _plain(kind, b))


def compare(a: Any, b: Any) -> int | None:
    """Give a number below, at or above 0 as `a` stands before, at or after `b`; None if either is NULL or MISSING.

    Raises:
        MistypedError: they have no order.
    """
    if type(a) is type(b) and type(a) in _SAME_TYPE:
        return -1 if a < b else int(a > b)
    a, b = bare(a), bare(b)
    if a is None or b is None or a is MISSING or b is MISSING:
        return None
    kind = _CLASSES[type(a)]
    if kind != _CLASSES[type(b)] or kind == _CONTAINER:
        raise MistypedError(f"{type_name_of(a)} and {type_name_of(b)} have no order")
    a, b = _plain(kind, a), _plain(kind, b)
    if a != a or b != b:
        return int(b != b) - int(a != a)
    return -1 if a < b else int(a > b)


def _plain(kind: int, value: Any) -> Any:
    """Give what Python compares as PartiQL does, within one kind."""
    if kind == _TIMESTAMP:
        return value.instant()
    if kind == _TEXT:
        text = value if type(value) is str else value.text
        return text is not None, text or ""  # symbol zero stands before all text
    if kind == _LOB:
        return value if type(value) is bytes else value.data
    return value
