"""Ion 1.0 binary -> value; made for hostile bytes.

Every value is   descriptor (type, low nibble) [length VarUInt] body   and must end inside of what holds it.

Bounds: nesting (`depth_max`), integers and exponents (`scalars`), ids reserved by shared imports (`symbols`). No loop outlives the
bytes, and nothing is allocated for a length before the bytes are known to be there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import cast

from ledger.errors import InvalidValueError
from ledger.ion.scalars import INT_BYTES_MAX, read_decimal, read_timestamp, read_variable_uint
from ledger.ion.symbols import DEPTH_MAX, IVM, SYSTEM, SymbolsInForce, SymbolTable
from ledger.values import Annotated, Clob, IonType, MultiStruct, Sexp, Symbol, TypedNull, Value

__all__ = ["decode", "decode_all", "decode_part"]

_LIST, _SEXP, _STRUCT, _ANNOTATION = 0xB0, 0xC0, 0xD0, 0xE0
_Texts = Sequence[str | None]


def decode(data: bytes | memoryview, *, depth_max: int = DEPTH_MAX) -> Value:
    """Read a stream that holds exactly one value.

    Raises:
        InvalidValueError: anything else, with the position of the byte.
    """
    return _only(_read_stream(_with_version(data), SYSTEM.texts, depth_max))


def decode_all(data: bytes | memoryview, *, depth_max: int = DEPTH_MAX) -> list[Value]:
    """Read all values of a stream.

    Raises:
        InvalidValueError: not an Ion 1.0 binary stream, with the position of the byte.
    """
    return _read_stream(_with_version(data), SYSTEM.texts, depth_max)


def decode_part(data: bytes | memoryview, symbols: SymbolTable, *, depth_max: int = DEPTH_MAX) -> Value:
    """Read one value that stands in a stream in which `symbols` is in force.

    Raises:
        InvalidValueError: anything else, with the position of the byte in `data`.
    """
    return _only(_read_stream(bytes(data), symbols.texts, depth_max))


def _with_version(data: bytes | memoryview) -> bytes:
    data = bytes(data)
    if data[:4] != IVM:
        raise InvalidValueError("not Ion 1.0 binary: it begins with E0 01 00 EA", position=0)
    return data


def _only(values: list[Value]) -> Value:
    if len(values) != 1:
        raise InvalidValueError(f"one value is expected, there are {len(values)}")
    return values[0]


def _read_stream(data: bytes, texts: _Texts, depth_max: int) -> list[Value]:
    values: list[Value] = []
    symbols = SymbolsInForce(texts)
    position, stop = 0, len(data)
    try:
        while position < stop:
            descriptor = data[position]
            if descriptor == 0xE0:
                if data[position : position + 4] != IVM:
                    raise InvalidValueError("only Ion 1.0 is known", position=position)
                symbols.reset()
                position += 4
                continue
            start, end = _bounds(data, position, stop)
            if descriptor >= 0x0F:  # below: padding
                value = _READERS[descriptor](data, start, end, symbols.texts, depth_max)
                if type(value) is not Annotated or not symbols.take(value, position):
                    values.append(value)
            position = end
    except RecursionError as error:
        raise InvalidValueError("nested too deep", position=position) from error
    return values


def _bounds(data: bytes, position: int, stop: int) -> tuple[int, int]:
    """Give where the body of the value at `position` starts and ends; `position` is before `stop`."""
    length = _LENGTHS[data[position]]
    start = position + 1
    if length < 0:
        length, start = read_variable_uint(data, start, stop)
    if length > stop - start:
        raise InvalidValueError(f"a value of {length} bytes where {stop - start} are left", position=position)
    return start, start + length


# Values: one reader a type; all take (data, start of the body, its end, symbols' texts, containers still allowed).


def _null(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return None


def _true(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return True


def _false(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return False


def _refused(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    raise InvalidValueError(
        f"no value has such a type descriptor, or not here (body of {stop - position} bytes)", position=position
    )


def _int(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    if stop - position > INT_BYTES_MAX:
        raise InvalidValueError(f"an integer has at most {INT_BYTES_MAX} bytes", position=position)
    return int.from_bytes(data[position:stop], "big")


def _negative_int(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    if stop - position > INT_BYTES_MAX:
        raise InvalidValueError(f"an integer has at most {INT_BYTES_MAX} bytes", position=position)
    number = int.from_bytes(data[position:stop], "big")
    if not number:
        raise InvalidValueError("a negative zero is no integer", position=position)
    return -number


_unpack_double = struct.Struct(">d").unpack_from
_unpack_single = struct.Struct(">f").unpack_from


def _float(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    size = stop - position
    if not size:
        return 0.0
    return cast(float, (_unpack_double if size == 8 else _unpack_single)(data, position)[0])


def _decimal(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return read_decimal(data, position, stop)


def _timestamp(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return read_timestamp(data, position, stop)


def _text_of(number: int, texts: _Texts, position: int) -> str | None:
    if number >= len(texts):
        raise InvalidValueError(f"symbol {number} is not in the table of {len(texts)}", position=position)
    return texts[number]


def _symbol(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    number = data[position:stop].lstrip(b"\x00")
    if len(number) > 8:
        raise InvalidValueError("a symbol id has at most 8 bytes", position=position)
    return Symbol(_text_of(int.from_bytes(number, "big"), texts, position))


def _string(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    try:
        return data[position:stop].decode()
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"not UTF-8: {error.reason}", position=position + error.start) from error


def _clob(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return Clob(data[position:stop])


def _blob(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return data[position:stop]


def _members(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> list[Value]:
    if depth <= 0:
        raise InvalidValueError("nested too deep", position=position)
    depth -= 1
    values: list[Value] = []
    while position < stop:
        descriptor = data[position]
        start, position = _bounds(data, position, stop)
        if descriptor >= 0x0F:
            values.append(_READERS[descriptor](data, start, position, texts, depth))
    return values


def _sexp(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    return Sexp(_members(data, position, stop, texts, depth))


def _struct(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    if depth <= 0:
        raise InvalidValueError("nested too deep", position=position)
    depth -= 1
    names: list[str | None] = []
    values: list[Value] = []
    known = len(texts)
    while position < stop:
        number = data[position]
        start = position + 1
        if number > 0x7F:
            number -= 0x80
        else:
            number, start = read_variable_uint(data, position, stop)
        if start >= stop:
            raise InvalidValueError("a field has no value", position=position)
        descriptor = data[start]
        length = _LENGTHS[descriptor]
        start += 1
        if length < 0:
            length, start = read_variable_uint(data, start, stop)
        end = start + length
        if end > stop:
            raise InvalidValueError(f"a value of {length} bytes where {stop - start} are left", position=start)
        if descriptor >= 0x0F:  # below: padding, whose name says nothing
            if number >= known:
                raise InvalidValueError(f"symbol {number} is not in the table of {known}", position=position)
            names.append(texts[number])
            values.append(_READERS[descriptor](data, start, end, texts, depth))
        position = end
    fields = dict(zip(names, values, strict=True))
    if len(fields) != len(names) or None in fields:
        return MultiStruct(tuple(zip(names, values, strict=True)))
    return cast("dict[str, Value]", fields)


def _ordered_struct(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    """Descriptor D1: the fields come in ascending order of their ids, and there is at least one."""
    if position == stop:
        raise InvalidValueError("an ordered struct has no field", position=position)
    last, at = 0, position
    while at < stop:
        number, start = read_variable_uint(data, at, stop)
        if start >= stop:
            raise InvalidValueError("a field has no value", position=at)
        if number < last:
            raise InvalidValueError(f"an ordered struct has field {number} after {last}", position=at)
        last = number
        at = _bounds(data, start, stop)[1]
    return _struct(data, position, stop, texts, depth)


def _annotated(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
    size, at = read_variable_uint(data, position, stop)
    if not size or size > stop - at:
        raise InvalidValueError(f"annotations of {size} bytes where {stop - at} are left", position=position)
    annotations, end = [], at + size
    while at < end:
        number, after = read_variable_uint(data, at, end)
        annotations.append(_text_of(number, texts, at))
        at = after
    if at >= stop:
        raise InvalidValueError("an annotation has no value", position=at)
    descriptor = data[at]
    start, end = _bounds(data, at, stop)
    if descriptor < 0x0F or descriptor >= _ANNOTATION or end != stop:
        raise InvalidValueError(
            "annotations stand before exactly one value, not padding, not annotated again", position=at
        )
    return Annotated(tuple(annotations), _READERS[descriptor](data, start, end, texts, depth))


# Tables by descriptor byte

_Reader = Callable[[bytes, int, int, _Texts, int], Value]


def _typed_null(null: TypedNull) -> _Reader:
    def read(data: bytes, position: int, stop: int, texts: _Texts, depth: int) -> Value:
        return null

    return read


def _readers() -> list[_Reader]:
    """Give the reader of each descriptor byte."""
    of_type: list[_Reader] = [
        _refused, _refused, _int, _negative_int, _float, _decimal, _timestamp, _symbol, _string, _clob, _blob, _members,
        _sexp, _struct, _annotated, _refused,
    ]  # fmt: skip
    readers = [of_type[descriptor >> 4] for descriptor in range(256)]
    readers[0x0F], readers[0x10], readers[0x11], readers[0xD1] = _null, _false, _true, _ordered_struct
    for kind in IonType:
        if kind is not IonType.NULL:
            readers[kind << 4 | 0x0F] = _typed_null(TypedNull(kind))
    readers[0x3F] = readers[0x2F]
    for low in range(1, 15):
        if low not in (4, 8):
            readers[0x40 | low] = _refused
    readers[0x30] = _negative_int
    readers[0x60] = _refused
    for descriptor in (0xE0, 0xE1, 0xE2, 0xEF):
        readers[descriptor] = _refused
    return readers


def _lengths() -> list[int]:
    """Give the length that each descriptor byte says; -1 for a VarUInt after it."""
    lengths = [low if low < 14 else (-1 if low == 14 else 0) for low in range(16)] * 16
    lengths[0x10:0x20] = [0] * 16  # booleans: the low nibble is the value
    lengths[0xD1] = -1
    return lengths


_READERS = _readers()
_LENGTHS = _lengths()
