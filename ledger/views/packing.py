"""A document's data as it lies in the view store: MessagePack, and Ion binary for what MessagePack cannot say.

    nil, boolean, integer, float 64, string, binary    null.null, bool, int of 64 bits, float, string, blob
    array, map                                         list, struct
    extension 1, 2, 3                                  decimal: its text; timestamp: its body in Ion binary; symbol: its text
    extension 0                                        all else, as a list of one value in Ion binary: clobs, S-expressions,
                                                       larger integers, typed nulls, annotated values, structs that name a
                                                       field twice, the symbol without text

Rules:
- `unpacked(packed(data))` is `data` in Ion's data model (`ledger.values.identical`), the order of fields included.
- A library in C reads it: whole about nine times as fast as Python reads Ion, a few fields of it more than twenty times, since what
  nobody asked for is passed over. That is all it is for: what is hashed, kept as the truth or given to others is Ion.

Source: the MessagePack specification, https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypedDict

from msgspec import DecodeError, ValidationError
from msgspec.msgpack import Decoder, Encoder, Ext

from ledger import ion
from ledger.errors import InvalidValueError
from ledger.ion.scalars import read_timestamp, timestamp_body
from ledger.partiql.context import Fields
from ledger.values import Struct, Symbol, Timestamp, Value

__all__ = ["packed", "unpacked", "unpacker"]

_ION, _DECIMAL, _TIMESTAMP, _SYMBOL = range(4)
_SAME: Final = frozenset((type(None), bool, int, float, str, bytes))
"""What MessagePack says as it is. The types are exact: a subclass would come back as its base."""
_REMEMBERED_BYTES_MAX = 32
_encode = Encoder().encode


def packed(data: Struct) -> bytes:
    """Give the bytes of a document's data.

    Raises:
        InvalidValueError: it holds what is no Ion value.
    """
    try:
        return _encode(_packable(data))
    except OverflowError:  # an integer of more than 64 bits somewhere in it: rare enough to take the long way whole
        return _encode(_extension(data))


def _packable(value: Value) -> Any:
    """Give the value, with extensions in the place of what MessagePack cannot say."""
    kind = type(value)
    if kind is dict:
        assert isinstance(value, dict)
        if _SAME.issuperset(map(type, value.values())):
            return value
        return {name: _packable(member) for name, member in value.items()}
    if kind is list:
        assert isinstance(value, list)
        return value if _SAME.issuperset(map(type, value)) else [_packable(member) for member in value]
    return value if kind in _SAME else _extension(value)


def _extension(value: Value) -> Ext:
    if isinstance(value, Decimal):
        return Ext(_DECIMAL, str(value).encode())
    if isinstance(value, Timestamp):
        return Ext(_TIMESTAMP, timestamp_body(value))
    if isinstance(value, Symbol) and value.text is not None:
        return Ext(_SYMBOL, value.text.encode())
    return Ext(_ION, ion.encode_part([value], ion.SYSTEM))  # alone it might be taken for a symbol table


def unpacker(fields: Fields | None) -> Callable[[bytes], Value]:
    """Give what reads data, of a struct `fields` at least (None: all of it).

    It raises InvalidValueError: the bytes are not what `packed` gives.
    """
    if fields is not None and not all(map(str.isascii, fields)):
        fields = None  # msgspec 0.22 does not find such names of a TypedDict, but others instead of them
    decode = _decoder(fields)

    def unpack(data: bytes) -> Value:
        try:
            return decode(data)
        except (DecodeError, UnicodeDecodeError) as error:
            if fields is not None and isinstance(error, ValidationError):  # not a map, perhaps
                return unpacked(data)
            raise InvalidValueError(f"not MessagePack as it was written: {error}") from error

    return unpack


@lru_cache(1_024)
def _decoder(fields: Fields | None) -> Callable[[bytes], Value]:
    wanted: Any = Any
    if fields is not None:
        names = dict.fromkeys(sorted(fields), Any)
        wanted = TypedDict("wanted", names, total=False)  # type: ignore[misc, no-redef]  # mypy knows only names that stand in the text
    return Decoder(wanted, ext_hook=_extended).decode


def _extended(code: int, data: memoryview) -> Value:
    encoded = bytes(data)
    return (_remembered if len(encoded) <= _REMEMBERED_BYTES_MAX else _value)(code, encoded)


def _value(code: int, encoded: bytes) -> Value:
    try:
        return _EXTENSIONS[code](encoded)
    except (KeyError, ArithmeticError) as error:
        raise InvalidValueError(f"extension {code} of MessagePack is none of ours: {error!r}") from error


def _ion_value(encoded: bytes) -> Value:
    found = ion.decode_part(encoded, ion.SYSTEM)
    if not isinstance(found, list) or len(found) != 1:
        raise InvalidValueError("a list of one value is expected")
    return found[0]


_EXTENSIONS: dict[int, Callable[[bytes], Value]] = {
    _ION: _ion_value,
    _DECIMAL: lambda encoded: Decimal(encoded.decode()),
    _TIMESTAMP: lambda encoded: read_timestamp(encoded, 0, len(encoded)),
    _SYMBOL: lambda encoded: Symbol(encoded.decode()),
}
_remembered = lru_cache(16_384)(_value)
"""Small values come again and again: prices, dates, states. They are never changed, so they can be shared."""

unpacked = unpacker(None)
"""Reads all of it."""
