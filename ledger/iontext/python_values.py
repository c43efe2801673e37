"""What a program hands over -> values: native Python, datetime, the values of amazon.ion, and our own.

Containers are copied, so that the caller may go on changing his.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from amazon.ion import core  # type: ignore[import-untyped]  # it has no type information
from amazon.ion import simple_types as ionpy
from amazon.ion.symbols import SymbolToken  # type: ignore[import-untyped]  # as above

from ledger.errors import InvalidValueError
from ledger.ion import DEPTH_MAX
from ledger.values import (
    Annotated,
    Clob,
    IonType,
    MultiStruct,
    Precision,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    Value,
)

__all__ = ["of_python"]


def of_python(value: object) -> Value:
    """Give the Ion value that `value` stands for: tuple -> list, datetime -> timestamp, date -> timestamp of day precision.

    Raises:
        InvalidValueError: it stands for none, or is nested deeper than DEPTH_MAX.
    """
    return _converted(value, DEPTH_MAX)


def _converted(value: Any, depth: int) -> Value:
    convert = _CONVERTERS.get(type(value))
    if convert is None:
        convert = next((c for base, c in _BASES if isinstance(value, base)), None)
        if convert is None:
            raise InvalidValueError(f"{type(value).__name__} is not an Ion value")
    return convert(value, depth)


def _same(value: Any, depth: int) -> Value:
    return cast(Value, value)  # reached for the immutable value types only


def _deeper(depth: int) -> int:
    if not depth:
        raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
    return depth - 1


def _list(value: Iterable[object], depth: int) -> list[Value]:
    depth = _deeper(depth)
    return [_converted(member, depth) for member in value]


def _sexp(value: Iterable[object], depth: int) -> Value:
    return Sexp(_list(value, depth))


def _mapping(value: Mapping[object, object], depth: int) -> Value:
    depth = _deeper(depth)
    fields: dict[str, Value] = {}
    for name, member in value.items():
        if not isinstance(name, str):
            raise InvalidValueError(f"a field's name is a str, not {type(name).__name__}")
        fields[str(name)] = _converted(member, depth)
    return fields


def _multi_struct(value: MultiStruct, depth: int) -> Value:
    depth = _deeper(depth)
    return MultiStruct(tuple((name, _converted(member, depth)) for name, member in value.fields))


def _annotated(value: Annotated, depth: int) -> Value:
    return Annotated(tuple(value.annotations), _converted(value.value, depth))


def _datetime(value: datetime, depth: int) -> Value:
    offset = value.utcoffset()
    if offset is not None and offset % timedelta(minutes=1):
        raise InvalidValueError(f"the offset of a timestamp is in whole minutes, not {offset}")
    return Timestamp.of_datetime(value)


def _date(value: date, depth: int) -> Value:
    return Timestamp(value.year, value.month, value.day, precision=Precision.DAY)


# amazon.ion's values

_TYPES = {core.IonType[kind.name]: kind for kind in IonType}
_PRECISIONS = {core.TimestampPrecision[precision.name]: precision for precision in Precision}


def _text(token: Any) -> str | None:
    """Give the text of an annotation or a name, which amazon.ion has as str or as SymbolToken."""
    return token if token is None or isinstance(token, str) else cast("str | None", token.text)


def _with_annotations(convert: Callable[[Any, int], Value]) -> Callable[[Any, int], Value]:
    def converted(value: Any, depth: int) -> Value:
        plain = convert(value, depth)
        annotations = value.ion_annotations
        return Annotated(tuple(map(_text, annotations)), plain) if annotations else plain

    return converted


def _ionpy_null(value: Any, depth: int) -> Value:
    kind = _TYPES[value.ion_type]
    return None if kind is IonType.NULL else TypedNull(kind)


def _ionpy_bytes(value: Any, depth: int) -> Value:
    return Clob(bytes(value)) if value.ion_type is core.IonType.CLOB else bytes(value)


def _ionpy_list(value: Any, depth: int) -> Value:
    members = _list(value, depth)
    return Sexp(members) if value.ion_type is core.IonType.SEXP else members


def _ionpy_struct(value: Any, depth: int) -> Value:
    depth = _deeper(depth)
    fields = [(_text(name), _converted(member, depth)) for name, member in value.items()]
    struct = dict(fields)
    return (
        MultiStruct(tuple(fields)) if len(struct) != len(fields) or None in struct else cast("dict[str, Value]", struct)
    )


def _symbol(value: Any, depth: int) -> Value:
    return Symbol(value.text)


def _timestamp(value: core.Timestamp, depth: int) -> Value:
    precision = _PRECISIONS[getattr(value, core.TIMESTAMP_PRECISION_FIELD)]
    fraction: Decimal | None = getattr(value, core.TIMESTAMP_FRACTIONAL_SECONDS_FIELD)
    if precision is not Precision.SECOND or fraction is None or not fraction.as_tuple().exponent:
        fraction = None
    delta = value.utcoffset()
    return Timestamp(
        value.year, value.month, value.day, value.hour, value.minute, value.second, fraction,
        None if delta is None or precision <= Precision.DAY else delta // timedelta(minutes=1), precision,
    )  # fmt: skip


_CONVERTERS: dict[type, Callable[[Any, int], Value]] = dict.fromkeys(
    (type(None), bool, int, float, Decimal, str, bytes, Symbol, Clob, Timestamp, TypedNull), _same
) | {
    list: _list,
    tuple: _list,
    dict: _mapping,
    Sexp: _sexp,
    MultiStruct: _multi_struct,
    Annotated: _annotated,
    datetime: _datetime,
    date: _date,
    bytearray: lambda value, depth: bytes(value),
    SymbolToken: _symbol,
    core.Timestamp: _timestamp,
    ionpy.IonPyNull: _with_annotations(_ionpy_null),
    ionpy.IonPyBool: _with_annotations(lambda value, depth: bool(value)),
    ionpy.IonPyInt: _with_annotations(lambda value, depth: int(value)),
    ionpy.IonPyFloat: _with_annotations(lambda value, depth: float(value)),
    ionpy.IonPyDecimal: _with_annotations(lambda value, depth: Decimal(value)),
    ionpy.IonPyTimestamp: _with_annotations(_timestamp),
    ionpy.IonPyText: _with_annotations(lambda value, depth: str(value)),
    ionpy.IonPySymbol: _with_annotations(_symbol),
    ionpy.IonPyBytes: _with_annotations(_ionpy_bytes),
    ionpy.IonPyList: _with_annotations(_ionpy_list),
    ionpy.IonPyDict: _with_annotations(_ionpy_struct),
    ionpy.IonPyStdDict: _with_annotations(_ionpy_struct),
}
_BASES: tuple[tuple[type, Callable[[Any, int], Value]], ...] = (
    (datetime, _datetime),  # those of other libraries
    (Mapping, _mapping),
)
