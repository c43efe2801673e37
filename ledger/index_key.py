"""The bytes that stand for a value in an index: equal under PartiQL's `=` means equal bytes, and bytes order as ORDER BY does.

    key     = tag, content                    one byte, then as below; a container's end is 00, below every tag
    10 bool       00 | 01
    20 number     00 nan | 01 -inf | 02 negative | 03 zero | 04 positive | 05 +inf; then for 02 and 04 (02: all bytes inverted)
                  exponent, 8 bytes, big endian, biased by 2**63; digits of 0.ddd, ASCII, without zeros at the end; 00
    30 timestamp  seconds since year 1 in UTC, 8 bytes, biased likewise; digits of the fraction; 00
    3f symbol $0  (nobody knows its text)
    40 text       UTF-8, 00 as 00 ff; 00         string and symbol
    50 lob        bytes, 00 as 00 ff; 00         blob and clob
    60 list       keys of the elements; 00
    68 sexp       likewise
    70 struct     (key of the name, key of the value) of each field, sorted; 00
    80 bag        keys of the elements, sorted; 00
    f0 null       also typed nulls, and MISSING in a container

Rules:
- Canonical: 1, 1.0 and 1e0 are one key; so are a string and a symbol of one text, and timestamps of one instant whatever
  their offset and precision. Annotations say nothing.
- Null and MISSING have a key, the last of all, though nothing is equal to them: whoever looks up asks for something else.

Source: PartiQL specification, section 12.2 (the order-by less-than function), with null at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ledger.query_values import Bag, Missing, QueryValue
from ledger.values import Annotated, Clob, MultiStruct, Sexp, Symbol, Timestamp, TypedNull, Value, fields_of

__all__ = ["EXACT_SIZE", "order_key"]

EXACT_SIZE = 256
"""Keys of an index up to this size in bytes are whole; the others are cut there, and a hash of 32 follows (`ledger.index_entries`)."""

_BIAS = 1 << 63
_INVERTED = bytes(255 - byte for byte in range(256))
_NULL = b"\xf0"
_INT_BITS_OF_STR = 13_000
"""Python refuses str() of an int beyond 4,300 digits."""


def order_key(value: QueryValue) -> bytes:
    """Give the whole key, of whatever size; MISSING and nulls have one too, the last of all.

    Raises:
        TypeError: `value` is of no type of PartiQL.
    """
    part = _PARTS.get(type(value))
    if part is None:
        raise TypeError(f"{type(value).__name__} is not a PartiQL value")
    return part(value)


def _null(_: Any) -> bytes:
    return _NULL


def _bool(value: bool) -> bytes:
    return b"\x10\x01" if value else b"\x10\x00"


def _int(value: int) -> bytes:
    if value == 0:
        return b"\x20\x03"
    if value.bit_length() > _INT_BITS_OF_STR:
        return _decimal(Decimal(value))
    digits = str(abs(value))
    return _number(value < 0, len(digits), digits)


def _decimal(value: Decimal) -> bytes:
    if not value:
        return b"\x20\x03"
    return _number(value.is_signed(), value.adjusted() + 1, f"{value.copy_abs():e}".partition("e")[0].replace(".", ""))


def _float(value: float) -> bytes:
    if value != value:
        return b"\x20\x00"
    if value in (float("inf"), float("-inf")):
        return b"\x20\x05" if value > 0 else b"\x20\x01"
    return _decimal(Decimal(value))


def _number(negative: bool, exponent: int, digits: str) -> bytes:
    size = (exponent + _BIAS).to_bytes(8, "big") + digits.rstrip("0").encode() + b"\x00"
    return b"\x20\x02" + size.translate(_INVERTED) if negative else b"\x20\x04" + size


def _timestamp(value: Timestamp) -> bytes:
    seconds, fraction = value.instant()
    digits = f"{fraction:f}".partition(".")[2].rstrip("0")
    return b"\x30" + (seconds + _BIAS).to_bytes(8, "big") + digits.encode() + b"\x00"


def _escaped(data: bytes) -> bytes:
    return data.replace(b"\x00", b"\x00\xff") + b"\x00"


def _text(value: str) -> bytes:
    return b"\x40" + _escaped(value.encode())


def _symbol(value: Symbol) -> bytes:
    return b"\x3f" if value.text is None else _text(value.text)


def _list(value: list[Value]) -> bytes:
    return b"\x60" + b"".join(map(order_key, value)) + b"\x00"


def _sexp(value: Sexp) -> bytes:
    return b"\x68" + b"".join(map(order_key, value)) + b"\x00"


def _bag(value: Bag) -> bytes:
    return b"\x80" + b"".join(sorted(map(order_key, value))) + b"\x00"


def _struct(value: dict[str, Value] | MultiStruct) -> bytes:
    fields = ((b"\x3f" if name is None else _text(name)) + order_key(v) for name, v in fields_of(value))
    return b"\x70" + b"".join(sorted(fields)) + b"\x00"


_PARTS: dict[type, Callable[[Any], bytes]] = {
    type(None): _null,
    TypedNull: _null,
    Missing: _null,
    bool: _bool,
    int: _int,
    Decimal: _decimal,
    float: _float,
    Timestamp: _timestamp,
    str: _text,
    Symbol: _symbol,
    bytes: lambda value: b"\x50" + _escaped(value),
    Clob: lambda value: b"\x50" + _escaped(value.data),
    list: _list,
    Sexp: _sexp,
    Bag: _bag,
    dict: _struct,
    MultiStruct: _struct,
    Annotated: lambda value: order_key(value.value),
}
