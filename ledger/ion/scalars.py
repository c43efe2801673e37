"""The bodies of decimals and timestamps: what follows the type descriptor in Ion binary, and what Ion hash hashes.

    decimal     exponent VarInt, coefficient Int (sign and magnitude); nothing at all for 0d0
    timestamp   offset VarInt (C0: unknown), year VarUInt, [month, day, [hour, minute, [second, [fraction as decimal]]]], in UTC

Bounds, ours and not Ion's: an integer or coefficient has at most INT_BYTES_MAX bytes, an exponent is within +-EXPONENT_MAX, a
fraction of a second has at most FRACTION_DIGITS_MAX digits. They keep every value cheap to print, compare and calculate with.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from ledger.errors import InvalidValueError
from ledger.values import Precision, Timestamp

__all__ = [
    "EXPONENT_MAX",
    "FRACTION_DIGITS_MAX",
    "INT_BYTES_MAX",
    "decimal_body",
    "read_decimal",
    "read_timestamp",
    "read_variable_uint",
    "timestamp_body",
]

INT_BYTES_MAX = 1785
"""4299 digits: Python prints no integer of more than 4300."""
EXPONENT_MAX = 10_000
FRACTION_DIGITS_MAX = 18
_DIGITS_MAX = 4300
"""Decimal digits that INT_BYTES_MAX bytes can need."""
_VARIABLE_UINT_BYTES_MAX = 8
_UNKNOWN_OFFSET = b"\xc0"
_OFFSET_MAX = 24 * 60 - 1
_SECOND = Precision.SECOND
_HOUR_AND_MINUTE = 4
_FIELD_COUNTS = {
    Precision.YEAR: 0,
    Precision.MONTH: 1,
    Precision.DAY: 2,
    Precision.MINUTE: _HOUR_AND_MINUTE,
    _SECOND: 5,
}
"""Fields after the year."""
_PRECISIONS = {count: precision for precision, count in _FIELD_COUNTS.items()}
_MARKED = tuple(bytes((n | 0x80,)) for n in range(128))


# Writing


def _variable_int(number: int) -> bytes:
    """Give the VarInt: as VarUInt, with the sign in bit 6 of the first byte."""
    magnitude = abs(number)
    if magnitude < 0x40:
        return bytes((magnitude | (0xC0 if number < 0 else 0x80),))
    rest = [(magnitude & 0x7F) | 0x80]
    magnitude >>= 7
    while magnitude >= 0x40:
        rest.append(magnitude & 0x7F)
        magnitude >>= 7
    rest.append(magnitude | (0x40 if number < 0 else 0))
    return bytes(reversed(rest))


_VARIABLE_INTS = {number: _variable_int(number) for number in range(-63, 64)}


def decimal_body(value: Decimal) -> bytes:
    """Give the body of a decimal.

    Raises:
        InvalidValueError: not a finite number, or out of bounds.
    """
    text = str(value)
    if "E" in text or len(text) > 40:
        return _body_of_parts(*_parts(value))
    whole, _, digits = text.partition(".")
    try:
        coefficient = int(whole + digits)
    except ValueError:
        return _body_of_parts(*_parts(value))
    return _body_of_parts(text[0] == "-", abs(coefficient), -len(digits))


def _parts(value: Decimal) -> tuple[bool, int, int]:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidValueError(f"Ion has no decimal {value}")
    if abs(exponent) > EXPONENT_MAX:
        raise InvalidValueError(f"a decimal's exponent is within +-{EXPONENT_MAX}, not {exponent}")
    if len(digits) > _DIGITS_MAX:
        raise InvalidValueError(f"a decimal has at most {_DIGITS_MAX} digits, not {len(digits)}")
    return bool(sign), int("".join(map(str, digits))), exponent


def _body_of_parts(negative: bool, magnitude: int, exponent: int) -> bytes:
    if not magnitude and not negative:
        return (_VARIABLE_INTS.get(exponent) or _variable_int(exponent)) if exponent else b""
    coefficient = magnitude.to_bytes(magnitude.bit_length() // 8 + 1, "big")
    if len(coefficient) > INT_BYTES_MAX:
        raise InvalidValueError(f"a decimal's coefficient has at most {INT_BYTES_MAX} bytes, not {len(coefficient)}")
    if negative:
        coefficient = bytes((coefficient[0] | 0x80,)) + coefficient[1:]
    return (_VARIABLE_INTS.get(exponent) or _variable_int(exponent)) + coefficient


def timestamp_body(value: Timestamp) -> bytes:
    """Give the body of a timestamp.

    Raises:
        InvalidValueError: no such time, or a field is set that the precision leaves out.
    """
    offset, precision = value.offset, value.precision
    try:
        moment = datetime(value.year, value.month, value.day, value.hour, value.minute, value.second)
        if offset:
            if not -_OFFSET_MAX <= offset <= _OFFSET_MAX:
                raise InvalidValueError(f"a timestamp's offset is within +-{_OFFSET_MAX} minutes, not {offset}")
            moment -= timedelta(minutes=offset)
        east = _UNKNOWN_OFFSET if offset is None else (_VARIABLE_INTS.get(offset) or _variable_int(offset))
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidValueError(f"no timestamp: {error}") from error
    year = moment.year
    start = east + (bytes((year >> 7, (year & 0x7F) | 0x80)) if year > 127 else _MARKED[year])
    if precision is not _SECOND:
        return start + _coarse(value, moment)
    start += bytes(
        (moment.month | 0x80, moment.day | 0x80, moment.hour | 0x80, moment.minute | 0x80, moment.second | 0x80)
    )
    return start if value.fraction is None else start + _fraction_body(value.fraction)


def _coarse(value: Timestamp, moment: datetime) -> bytes:
    given = _FIELD_COUNTS.get(value.precision) if type(value.precision) is Precision else None
    fields = (value.month, value.day, value.hour, value.minute, value.second)
    if (
        given is None
        or value.fraction is not None
        or fields[given:] != (1, 1, 0, 0, 0)[given:]
        or (given < _HOUR_AND_MINUTE and value.offset is not None)
    ):
        raise InvalidValueError(f"timestamp {value!r} has more than its precision says")
    return bytes(field | 0x80 for field in (moment.month, moment.day, moment.hour, moment.minute)[:given])


def _fraction_body(fraction: Decimal) -> bytes:
    if type(fraction) is not Decimal:
        raise InvalidValueError(f"a timestamp's fraction is a Decimal, not {type(fraction).__name__}")
    text = str(fraction)
    digits = text[2:]
    if text[:2] == "0." and len(digits) <= FRACTION_DIGITS_MAX:  # else `1E-7`, or something refused below
        magnitude = int(digits)
        return (
            _VARIABLE_INTS[-len(digits)] + magnitude.to_bytes(magnitude.bit_length() // 8 + 1, "big")[not magnitude :]
        )
    negative, magnitude, exponent = _parts(fraction)
    if negative or not -FRACTION_DIGITS_MAX <= exponent < 0 or magnitude >= 10**-exponent:
        raise InvalidValueError(
            f"a timestamp's fraction is at least 0, below 1, with 1 to {FRACTION_DIGITS_MAX} digits, not {fraction}"
        )
    return _body_of_parts(False, magnitude, exponent)


# Reading


def read_variable_uint(data: bytes, position: int, stop: int) -> tuple[int, int]:
    """Give the VarUInt at `position` and the position after it; it ends before `stop`."""
    number = 0
    for at in range(position, min(stop, position + _VARIABLE_UINT_BYTES_MAX)):
        byte = data[at]
        if byte & 0x80:
            return number << 7 | byte & 0x7F, at + 1
        number = number << 7 | byte
    raise InvalidValueError("a variable-length integer does not end", position=position)


def _read_variable_int(data: bytes, position: int, stop: int) -> tuple[bool, int, int]:
    """Give (negative, magnitude, position after)."""
    if position >= stop:
        raise InvalidValueError("a variable-length integer is missing", position=position)
    first = data[position]
    negative, number = bool(first & 0x40), first & 0x3F
    if first & 0x80:
        return negative, number, position + 1
    rest, after = read_variable_uint(data, position + 1, stop)
    return negative, number << 7 * (after - position - 1) | rest, after


def read_decimal(data: bytes, position: int, stop: int) -> Decimal:
    """Read the body of a decimal, `data[position:stop]`.

    Raises:
        InvalidValueError: not a decimal, or out of bounds.
    """
    if position == stop:
        return Decimal(0)
    negative_exponent, exponent, start = _read_variable_int(data, position, stop)
    if exponent > EXPONENT_MAX:
        raise InvalidValueError(f"a decimal's exponent is within +-{EXPONENT_MAX}, not {exponent}", position=position)
    if stop - start > INT_BYTES_MAX:
        raise InvalidValueError(f"a decimal's coefficient has at most {INT_BYTES_MAX} bytes", position=start)
    negative, magnitude = False, 0
    if start < stop:
        negative = data[start] > 0x7F
        magnitude = int.from_bytes(data[start:stop], "big")
        if negative:
            magnitude -= 1 << (8 * (stop - start) - 1)
    sign = "-" if negative else ""
    return Decimal(f"{sign}{magnitude}E{'-' if negative_exponent else ''}{exponent}")


def read_timestamp(data: bytes, position: int, stop: int) -> Timestamp:
    """Read the body of a timestamp, `data[position:stop]`.

    Raises:
        InvalidValueError: not a timestamp, or no such time.
    """
    start = position
    negative, offset, position = _read_variable_int(data, position, stop)
    unknown = negative and not offset
    year, position = read_variable_uint(data, position, stop)
    fields: list[int] = []
    while position < stop and len(fields) < 5:
        field, position = read_variable_uint(data, position, stop)
        fields.append(field)
    fraction = _read_fraction(data, position, stop) if position < stop else None
    precision = _PRECISIONS.get(len(fields))
    if precision is None or offset > _OFFSET_MAX:
        raise InvalidValueError(
            "a timestamp has an hour without minutes, or an offset of a day or more", position=start
        )
    if len(fields) < _HOUR_AND_MINUTE:  # Ion: without a time of day an offset says nothing
        offset, unknown = 0, True
    month, day, hour, minute, second = fields + [1, 1, 0, 0, 0][len(fields) :]
    try:
        moment = datetime(year, month, day, hour, minute, second)
        if negative:
            offset = -offset
        if offset:
            moment += timedelta(minutes=offset)
    except (ValueError, OverflowError) as error:
        raise InvalidValueError(f"no such time: {error}", position=start) from error
    return Timestamp(
        moment.year, moment.month, moment.day, moment.hour, moment.minute, second, fraction,
        None if unknown else offset, precision,
    )  # fmt: skip


def _read_fraction(data: bytes, position: int, stop: int) -> Decimal | None:
    sign, digits, exponent = read_decimal(data, position, stop).as_tuple()
    assert isinstance(exponent, int)
    if digits == (0,):
        if exponent >= 0:
            return None  # Ion: zero with such an exponent says nothing
        sign = 0
    if sign or not -FRACTION_DIGITS_MAX <= exponent < 0 or len(digits) > -exponent:
        raise InvalidValueError(
            f"a timestamp's fraction is at least 0, below 1, with at most {FRACTION_DIGITS_MAX} digits",
            position=position,
        )
    return Decimal((0, digits, exponent))
