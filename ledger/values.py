"""The Ion data model as Python values, with nothing lost.

Plain Python types serve wherever they say all that Ion says; the rest have a type here:

    null.null      None                  string     str
    null.T         TypedNull             symbol     Symbol        (text None: symbol zero, `$0`)
    bool           bool                  clob       Clob
    int            int                   blob       bytes
    float          float                 list       list
    decimal        decimal.Decimal       sexp       Sexp
    timestamp      Timestamp             struct     dict, or MultiStruct where a name stands twice or has no text
    a::b::value    Annotated

Rules:
- A value is never changed after it was built; whoever wants another one builds another one.
- Python's `==` is too kind (`1 == 1.0 == True`, `Decimal('1.0') == Decimal('1')`): fidelity is compared with `identical`.
- No I/O, and no knowledge of any encoding.

Source: the Amazon Ion data model, https://amazon-ion.github.io/ion-docs/docs/spec.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import TypeAlias

__all__ = [
    "Annotated",
    "Clob",
    "IonType",
    "MultiStruct",
    "Precision",
    "Sexp",
    "Struct",
    "Symbol",
    "Timestamp",
    "TypedNull",
    "Value",
    "fields_of",
    "identical",
    "ion_type",
]


class IonType(IntEnum):
    """Ion's types; the number is the type code of Ion 1.0 binary (positive integers: 2)."""

    NULL = 0
    BOOL = 1
    INT = 2
    FLOAT = 4
    DECIMAL = 5
    TIMESTAMP = 6
    SYMBOL = 7
    STRING = 8
    CLOB = 9
    BLOB = 10
    LIST = 11
    SEXP = 12
    STRUCT = 13


@dataclass(frozen=True, slots=True)
class TypedNull:
    """`null.int`, `null.struct`, ...; `null.null` is None and never stands here."""

    type: IonType


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol value. `text` is None for symbol zero, whose text nobody knows."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Clob:
    """Bytes in an encoding that only their owner knows."""

    data: bytes


class Sexp(tuple["Value", ...]):
    """An S-expression: `Sexp((a, b))`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Sexp({tuple.__repr__(self)})"


@dataclass(frozen=True, slots=True)
class MultiStruct:
    """A struct that a dict cannot hold: a field name twice, or a name without text (None). Fields in their order."""

    fields: tuple[tuple[str | None, Value], ...]


@dataclass(frozen=True, slots=True)
class Annotated:
    """A value with one or more annotations (None: an annotation without text); `value` is not Annotated itself."""

    annotations: tuple[str | None, ...]
    value: Value


class Precision(IntEnum):
    """How much of a timestamp was given. Fractions of a second are told by `Timestamp.fraction`."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    MINUTE = 4
    SECOND = 5


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A point in time exactly as it was written: local fields, offset and precision.

    `fraction` is in [0, 1) seconds and keeps its digits (`Decimal('0.120')`); None when none was given. `offset` is in
    minutes east of UTC; None is the unknown offset `-00:00`, as for all timestamps of day precision or less.
    """

    year: int
    month: int = 1
    day: int = 1
    hour: int = 0
    minute: int = 0
    second: int = 0
    fraction: Decimal | None = None
    offset: int | None = None
    precision: Precision = Precision.SECOND

    @classmethod
    def of_datetime(cls, moment: datetime) -> Timestamp:
        """Take a datetime; a naive one has an unknown offset, microseconds become a fraction of 6 digits if not 0."""
        delta = moment.utcoffset()
        return cls(
            moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second,
            Decimal(f"0.{moment.microsecond:06d}") if moment.microsecond else None,
            None if delta is None else int(delta.total_seconds()) // 60,
        )  # fmt: skip

    @classmethod
    def of_milliseconds(cls, since_1970: int) -> Timestamp:
        """UTC, with exactly three digits of a second: the form of every time that Strandline itself writes."""
        moment = datetime.fromtimestamp(since_1970 // 1000, UTC)
        return cls(
            moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second,
            Decimal(f"0.{since_1970 % 1000:03d}"), 0,
        )  # fmt: skip

    def to_datetime(self) -> datetime:
        """Give an aware datetime (unknown offset: UTC); digits beyond microseconds are cut.

        Raises:
            OverflowError: the instant is outside of what datetime can say.
        """
        micro = self._digits_of_second(6)
        zone = timezone(timedelta(minutes=self.offset)) if self.offset else UTC
        return datetime(self.year, self.month, self.day, self.hour, self.minute, self.second, micro, zone)

    def to_milliseconds(self) -> int:
        """Give whole milliseconds since 1970-01-01T00:00Z; finer digits are cut."""
        days = datetime(self.year, self.month, self.day).toordinal() - _EPOCH_DAY
        minutes = (days * 24 + self.hour) * 60 + self.minute - (self.offset or 0)
        return (minutes * 60 + self.second) * 1000 + self._digits_of_second(3)

    def _digits_of_second(self, count: int) -> int:
        """Give the first digits of the fraction as a number; exact, whatever the decimal context of the caller's thread is."""
        return int(f"{self.fraction:f}"[2 : 2 + count].ljust(count, "0")) if self.fraction else 0

    def instant(self) -> tuple[int, Decimal]:
        """Give whole seconds since 0001-01-01T00:00Z, and the fraction: what ordering and equality in time compare."""
        days = datetime(self.year, self.month, self.day).toordinal() - 1
        minutes = (days * 24 + self.hour) * 60 + self.minute - (self.offset or 0)
        return minutes * 60 + self.second, self.fraction or Decimal(0)

    def __str__(self) -> str:
        """Ion text."""
        text = f"{self.year:04d}"
        if self.precision is Precision.YEAR:
            return text + "T"
        text += f"-{self.month:02d}"
        if self.precision is Precision.MONTH:
            return text + "T"
        text += f"-{self.day:02d}"
        if self.precision is Precision.DAY:
            return text
        text += f"T{self.hour:02d}:{self.minute:02d}"
        if self.precision is Precision.SECOND:
            text += f":{self.second:02d}"
            if self.fraction is not None:
                text += f"{self.fraction:f}"[1:]
        if self.offset is None:
            return text + "-00:00"
        if self.offset == 0:
            return text + "Z"
        sign, minutes = ("-", -self.offset) if self.offset < 0 else ("+", self.offset)
        return f"{text}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


_EPOCH_DAY = datetime(1970, 1, 1).toordinal()

Struct: TypeAlias = "dict[str, Value] | MultiStruct"
Value: TypeAlias = (
    "None | bool | int | float | Decimal | Timestamp | str | Symbol | Clob | bytes | list[Value] | Sexp"
    " | dict[str, Value] | MultiStruct | TypedNull | Annotated"
)

_TYPES: dict[type, IonType] = {
    type(None): IonType.NULL,
    bool: IonType.BOOL,
    int: IonType.INT,
    float: IonType.FLOAT,
    Decimal: IonType.DECIMAL,
    Timestamp: IonType.TIMESTAMP,
    Symbol: IonType.SYMBOL,
    str: IonType.STRING,
    Clob: IonType.CLOB,
    bytes: IonType.BLOB,
    list: IonType.LIST,
    Sexp: IonType.SEXP,
    dict: IonType.STRUCT,
    MultiStruct: IonType.STRUCT,
}


def ion_type(value: Value) -> IonType:
    """Give the Ion type of a value, through its annotations and of its typed null.

    Raises:
        TypeError: `value` is of no type of the table above.
    """
    if isinstance(value, Annotated):
        return ion_type(value.value)
    if isinstance(value, TypedNull):
        return value.type
    found = _TYPES.get(type(value))
    if found is None:
        raise TypeError(f"{type(value).__name__} is not an Ion value")
    return found


def fields_of(struct: Struct) -> Iterable[tuple[str | None, Value]]:
    """Give the (name, value) pairs of either form of a struct, in their order."""
    return struct.items() if isinstance(struct, dict) else struct.fields


def copied(value: Value) -> Value:
    """Give a value that shares no list and no dict with this one, so that whoever gets it may change it."""
    kind = type(value)
    if kind in _EQUAL_IS_IDENTICAL:
        return value
    if isinstance(value, dict):
        if _EQUAL_IS_IDENTICAL.issuperset(map(type, value.values())):
            return dict(value)
        return {name: copied(member) for name, member in value.items()}
    if isinstance(value, Sexp):
        return Sexp(map(copied, value))
    if isinstance(value, list):
        return [copied(member) for member in value]
    if isinstance(value, MultiStruct):
        return MultiStruct(tuple((name, copied(member)) for name, member in value.fields))
    return Annotated(value.annotations, copied(value.value)) if isinstance(value, Annotated) else value


def identical(a: Value, b: Value) -> bool:
    """Tell whether two values are the same in Ion's data model: type, scale, precision, offset and annotations included.

    Structs are compared without regard to the order of their fields, as Ion defines it.
    """
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in _EQUAL_IS_IDENTICAL:
        return a == b
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(name in b and identical(value, b[name]) for name, value in a.items())
    if (isinstance(a, list) and isinstance(b, list)) or (isinstance(a, Sexp) and isinstance(b, Sexp)):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, MultiStruct) and isinstance(b, MultiStruct):
        return _same_bag_of_fields(a.fields, b.fields)
    if isinstance(a, Annotated) and isinstance(b, Annotated):
        return a.annotations == b.annotations and identical(a.value, b.value)
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return a.as_tuple() == b.as_tuple()
    if isinstance(a, float) and isinstance(b, float):
        return (a != a and b != b) or (a.hex() == b.hex())
    if isinstance(a, Timestamp) and isinstance(b, Timestamp):
        return a == b and str(a.fraction) == str(b.fraction)
    return a == b


_EQUAL_IS_IDENTICAL = frozenset((type(None), bool, int, str, bytes, Symbol, Clob, TypedNull))


def _same_bag_of_fields(left: Sequence[tuple[str | None, Value]], right: Sequence[tuple[str | None, Value]]) -> bool:
    rest = list(right)
    for name, value in left:
        match = next((i for i, (other, v) in enumerate(rest) if other == name and identical(value, v)), None)
        if match is None:
            return False
        del rest[match]
    return not rest
