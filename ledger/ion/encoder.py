"""Value -> Ion 1.0 binary.

One function a type, found by the value's exact class; containers join what their members gave. Names that the given table
lacks are numbered after it, in the order of their first use.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, cast

from ledger.errors import InvalidValueError
from ledger.ion.scalars import INT_BYTES_MAX, decimal_body, timestamp_body
from ledger.ion.symbols import DEPTH_MAX, SYSTEM, SymbolTable, append_table, head, variable_uint
from ledger.values import (
    Annotated,
    Clob,
    IonType,
    MultiStruct,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    Value,
)

__all__ = ["encode", "encode_part"]


class _Names:
    """The table in force while one value is encoded: the given one, and names met on the way."""

    __slots__ = ("fields", "first_new", "ids", "new", "new_fields")

    def __init__(self, table: SymbolTable) -> None:
        self.fields, self.ids, self.first_new = table.field_ids, table.ids, len(table.texts)
        self.new: dict[str, int] = {}
        self.new_fields: dict[str | None, bytes] = {None: b"\x80"}

    def field(self, name: str | None) -> bytes:
        """Give the VarUInt that stands before a field which the table lacks."""
        found = self.new_fields.get(name)
        if found is None:
            found = self.new_fields[name] = variable_uint(self.number(name))
        return found

    def number(self, text: str | None) -> int:
        """Give the id of a symbol, also of a new one."""
        if text is None:
            return 0
        if type(text) is not str:
            raise InvalidValueError(f"a name or symbol is text, not {type(text).__name__}")
        found = self.ids.get(text) or self.new.get(text)
        if found is None:
            found = self.new[text] = self.first_new + len(self.new)
        return found


def encode(value: Value, symbols: SymbolTable = SYSTEM) -> bytes:
    """Give a stream of its own: version marker, one table of `symbols` and what else the value needs, value.

    Raises:
        InvalidValueError: `value` is no Ion value, is out of bounds, or is nested deeper than DEPTH_MAX.
    """
    names = _Names(symbols)
    body = _top_level(value, names)
    return (symbols.header_with(names.new) if names.new else symbols.header) + body


def encode_part(value: Value, symbols: SymbolTable) -> bytes:
    """Give the value for a stream in which `symbols` is in force; names that it lacks are appended to it in front.

    Raises:
        InvalidValueError: as `encode`.
    """
    names = _Names(symbols)
    body = _top_level(value, names)
    return append_table(names.new) + body if names.new else body


def _top_level(value: Value, names: _Names) -> bytes:
    if (
        isinstance(value, Annotated)
        and value.annotations[:1] == ("$ion_symbol_table",)
        and isinstance(value.value, dict | MultiStruct)
    ):
        raise InvalidValueError("a struct annotated $ion_symbol_table would be read as a symbol table")
    try:
        return _ENCODERS[type(value)](value, names, DEPTH_MAX)
    except KeyError as error:
        raise InvalidValueError(f"{getattr(error.args[0], '__name__', error)} is not an Ion value") from error
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"{error.object!r} is not Unicode text: {error.reason}") from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise InvalidValueError(f"not an Ion value: {error}") from error


def _null(value: None, names: _Names, depth: int) -> bytes:
    return b"\x0f"


def _typed_null(value: TypedNull, names: _Names, depth: int) -> bytes:
    if type(value.type) is not IonType or value.type is IonType.NULL:
        raise InvalidValueError(f"no typed null of {value.type!r}")
    return bytes((value.type << 4 | 0x0F,))


def _bool(value: bool, names: _Names, depth: int) -> bytes:
    return b"\x11" if value else b"\x10"


def _int(value: int, names: _Names, depth: int) -> bytes:
    if 0 <= value < 256:
        return _SMALL_INTS[value]
    magnitude = abs(value)
    size = (magnitude.bit_length() + 7) >> 3
    if size > INT_BYTES_MAX:
        raise InvalidValueError(f"an integer has at most {INT_BYTES_MAX} bytes, not {size}")
    return head(0x30 if value < 0 else 0x20, size) + magnitude.to_bytes(size, "big")


_SMALL_INTS = [b"\x20", *(bytes((0x21, n)) for n in range(1, 256))]
_pack_double = struct.Struct(">Bd").pack


def _float(value: float, names: _Names, depth: int) -> bytes:
    if value != value:
        return b"\x48\x7f\xf8\x00\x00\x00\x00\x00\x00"
    packed = _pack_double(0x48, value)
    return b"\x40" if packed == b"\x48\x00\x00\x00\x00\x00\x00\x00\x00" else packed


def _decimal(value: Decimal, names: _Names, depth: int) -> bytes:
    body = decimal_body(value)
    return head(0x50, len(body)) + body


def _timestamp(value: Timestamp, names: _Names, depth: int) -> bytes:
    body = timestamp_body(value)
    return head(0x60, len(body)) + body


def _symbol(value: Symbol, names: _Names, depth: int) -> bytes:
    number = names.number(value.text)
    size = (number.bit_length() + 7) >> 3
    return bytes((0x70 | size,)) + number.to_bytes(size, "big")


_STRING_HEADS = [head(0x80, size) for size in range(256)]


def _string(value: str, names: _Names, depth: int) -> bytes:
    body = value.encode()
    size = len(body)
    return (_STRING_HEADS[size] if size < 256 else head(0x80, size)) + body


def _clob(value: Clob, names: _Names, depth: int) -> bytes:
    if type(value.data) is not bytes:
        raise InvalidValueError(f"a clob holds bytes, not {type(value.data).__name__}")
    return head(0x90, len(value.data)) + value.data


def _blob(value: bytes, names: _Names, depth: int) -> bytes:
    return head(0xA0, len(value)) + value


def _list(value: Iterable[Value], names: _Names, depth: int) -> bytes:
    body = _members(value, names, depth)
    return head(0xB0, len(body)) + body


def _sexp(value: Iterable[Value], names: _Names, depth: int) -> bytes:
    body = _members(value, names, depth)
    return head(0xC0, len(body)) + body


def _members(values: Iterable[Value], names: _Names, depth: int) -> bytes:
    if not depth:
        raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
    depth -= 1
    return b"".join([_ENCODERS[type(value)](value, names, depth) for value in values])


def _struct(value: dict[str, Value], names: _Names, depth: int) -> bytes:
    if None in value:
        raise InvalidValueError("a dict has a name for each field; a field without a name needs a MultiStruct")
    return _struct_of(value.items(), names, depth)


def _multi_struct(value: MultiStruct, names: _Names, depth: int) -> bytes:
    return _struct_of(value.fields, names, depth)


def _struct_of(fields: Iterable[tuple[str | None, Value]], names: _Names, depth: int) -> bytes:
    if not depth:
        raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
    depth -= 1
    known = cast("dict[str | None, bytes]", names.fields)
    parts: list[bytes] = []
    append = parts.append
    for name, value in fields:
        append(known.get(name) or names.field(name))
        kind = type(value)
        if kind is str:
            body = cast(str, value).encode()
            size = len(body)
            append(_STRING_HEADS[size] if size < 256 else head(0x80, size))
            append(body)
        else:
            append(_ENCODERS[kind](value, names, depth))
    body = b"".join(parts)
    return head(0xD0, len(body)) + body  # never 1 byte, which would mean "ordered": a field has two at least


def _annotated(value: Annotated, names: _Names, depth: int) -> bytes:
    if not value.annotations or type(value.value) is Annotated:
        raise InvalidValueError("an Annotated has one annotation or more, around a value that is not Annotated")
    ids = b"".join([variable_uint(names.number(text)) for text in value.annotations])
    body = variable_uint(len(ids)) + ids + _ENCODERS[type(value.value)](value.value, names, depth)
    return head(0xE0, len(body)) + body


_ENCODERS: dict[type, Callable[[Any, _Names, int], bytes]] = {
    type(None): _null,
    TypedNull: _typed_null,
    bool: _bool,
    int: _int,
    float: _float,
    Decimal: _decimal,
    Timestamp: _timestamp,
    Symbol: _symbol,
    str: _string,
    Clob: _clob,
    bytes: _blob,
    list: _list,
    Sexp: _sexp,
    dict: _struct,
    MultiStruct: _multi_struct,
    Annotated: _annotated,
}
