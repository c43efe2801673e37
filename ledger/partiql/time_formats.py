"""TO_STRING and TO_TIMESTAMP: timestamps as text in a given form.

    y 1969  yy 69  yyyy 1969 | M 1  MM 01  MMM Jan  MMMM January  MMMMM J (written only) | d 2  dd 02 | a AM, PM
    h 3  hh 03 (1-12) | H 3  HH 03 (0-23) | m 4  mm 04 | s 5  ss 05 | S SS SSS ... digits of the fraction | n nanoseconds
    X +07 or Z  XX +0700 or Z  XXX +07:00 or Z | x xx xxx likewise, without Z | 'quoted text', '' a quote

Source: QLDB's reference of TO_STRING; partiql-lang-kotlin's TimestampFormatPattern, of which it is a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from ledger.partiql.comparison import MistypedError, a_type_of, bare, shown, text_of, type_name_of
from ledger.partiql.times import timestamp_of_text
from ledger.query_values import QueryValue
from ledger.values import Precision, Timestamp

__all__ = ["to_string", "to_timestamp"]

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_PIECE = re.compile(r"'(?:[^']|'')*'|([a-zA-Z])\1*|[^a-zA-Z']")
_FRACTION = 9


@dataclass(frozen=True, slots=True)
class _Symbol:
    """How one symbol is written, and how it is read: `pattern` matches it, `field` is what it tells (empty: cannot be read)."""

    write: Callable[[Timestamp], str]
    pattern: str = ""
    field: str = ""


def _offset(moment: Timestamp, form: int, z: bool) -> str:
    offset = moment.offset or 0
    if z and offset == 0:
        return "Z"
    hours, minutes = divmod(abs(offset), 60)
    sign = "-" if offset < 0 else "+"
    if form == 1:
        return f"{sign}{hours:02d}" + (f"{minutes:02d}" if minutes else "")
    return f"{sign}{hours:02d}:{minutes:02d}" if form == 3 else f"{sign}{hours:02d}{minutes:02d}"


def _nanoseconds(moment: Timestamp) -> int:
    return int((moment.fraction or Decimal(0)).scaleb(_FRACTION))


def _number(attribute: str, width: int, pattern: str) -> _Symbol:
    return _Symbol(lambda m: f"{getattr(m, attribute):0{width}d}", pattern, attribute)


_SYMBOLS: dict[str, _Symbol] = {
    "y": _number("year", 1, r"\d{1,4}"),
    "yy": _Symbol(lambda m: f"{m.year % 100:02d}", r"\d\d", "short_year"),
    "yyyy": _number("year", 4, r"\d{4}"),
    "M": _number("month", 1, r"\d\d?"),
    "MM": _number("month", 2, r"\d\d"),
    "MMM": _Symbol(lambda m: _MONTHS[m.month - 1][:3], "|".join(m[:3] for m in _MONTHS), "month_name"),
    "MMMM": _Symbol(lambda m: _MONTHS[m.month - 1], "|".join(_MONTHS), "month_name"),
    "MMMMM": _Symbol(lambda m: _MONTHS[m.month - 1][0]),
    "d": _number("day", 1, r"\d\d?"),
    "dd": _number("day", 2, r"\d\d"),
    "a": _Symbol(lambda m: "PM" if m.hour >= 12 else "AM", "AM|PM", "half"),
    "h": _Symbol(lambda m: str((m.hour - 1) % 12 + 1), r"\d\d?", "hour_of_half"),
    "hh": _Symbol(lambda m: f"{(m.hour - 1) % 12 + 1:02d}", r"\d\d", "hour_of_half"),
    "H": _number("hour", 1, r"\d\d?"),
    "HH": _number("hour", 2, r"\d\d"),
    "m": _number("minute", 1, r"\d\d?"),
    "mm": _number("minute", 2, r"\d\d"),
    "s": _number("second", 1, r"\d\d?"),
    "ss": _number("second", 2, r"\d\d"),
    "n": _Symbol(lambda m: str(_nanoseconds(m)), r"\d+", "nanoseconds"),
    "X": _Symbol(lambda m: _offset(m, 1, True), r"Z|[+-]\d\d(?:\d\d)?", "offset"),
    "XX": _Symbol(lambda m: _offset(m, 2, True), r"Z|[+-]\d{4}", "offset"),
    "XXX": _Symbol(lambda m: _offset(m, 3, True), r"Z|[+-]\d\d:\d\d", "offset"),
    "x": _Symbol(lambda m: _offset(m, 1, False), r"[+-]\d\d(?:\d\d)?", "offset"),
    "xx": _Symbol(lambda m: _offset(m, 2, False), r"[+-]\d{4}", "offset"),
    "xxx": _Symbol(lambda m: _offset(m, 3, False), r"[+-]\d\d:\d\d", "offset"),
}
_SYMBOLS["XXXX"], _SYMBOLS["XXXXX"] = _SYMBOLS["XX"], _SYMBOLS["XXX"]
_SYMBOLS["xxxx"], _SYMBOLS["xxxxx"] = _SYMBOLS["xx"], _SYMBOLS["xxx"]


def _fraction(width: int) -> _Symbol:
    return _Symbol(lambda m: f"{_nanoseconds(m):09d}"[:width].ljust(width, "0"), rf"\d{{{width}}}", "fraction")


@lru_cache(maxsize=256)
def _pieces(form: str) -> tuple[str | _Symbol, ...]:
    """Cut a form into literal text and symbols."""
    pieces: list[str | _Symbol] = []
    at = 0
    while at < len(form):
        match = _PIECE.match(form, at)
        if match is None:
            raise MistypedError(f"a quote that is not closed in the format {shown(form)}")
        found, at = match.group(), match.end()
        if found == "''":
            pieces.append("'")
        elif found[0] == "'":
            pieces.append(found[1:-1].replace("''", "'"))
        elif match.group(1) is None:
            pieces.append(found)
        elif set(found) == {"S"} and len(found) <= _FRACTION:
            pieces.append(_fraction(len(found)))
        elif found in _SYMBOLS:
            pieces.append(_SYMBOLS[found])
        else:
            raise MistypedError(f"no symbol {shown(found)} in the format {shown(form)}")
    return tuple(pieces)


def _form(value: QueryValue, function: str) -> str:
    text = text_of(value)
    if text is None:
        raise MistypedError(f"{function} takes a format as text, not {a_type_of(value)}")
    return text


def to_string(value: QueryValue, form: QueryValue) -> str:
    """Write a timestamp.

    Raises:
        MistypedError: not a timestamp, or a wrong format.
    """
    moment = bare(value)
    if type(moment) is not Timestamp:
        raise MistypedError(f"TO_STRING works on timestamps, not on {type_name_of(value)}")
    return "".join(
        piece if isinstance(piece, str) else piece.write(moment) for piece in _pieces(_form(form, "TO_STRING"))
    )


def to_timestamp(value: QueryValue, form: QueryValue = "") -> Timestamp:
    """Read a timestamp; without a format, Ion's text.

    Raises:
        MistypedError: wrong types, a wrong format, or a text that does not have it.
    """
    text = text_of(value)
    if text is None:
        raise MistypedError(f"TO_TIMESTAMP works on text, not on {type_name_of(value)}")
    wanted = _form(form, "TO_TIMESTAMP")
    try:
        if not wanted:
            return timestamp_of_text(text)
        pattern, fields = _reader(wanted)
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError("other text")
        return _assembled(dict(zip(fields, match.groups(), strict=True)))
    except (ValueError, OverflowError) as error:
        raise MistypedError(
            f"TO_TIMESTAMP finds no timestamp of the format {shown(wanted)} in {shown(text)}"
        ) from error


@lru_cache(maxsize=256)
def _reader(form: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    pattern, fields = "", []
    for piece in _pieces(form):
        if isinstance(piece, str):
            pattern += re.escape(piece)
        elif not piece.field:
            raise MistypedError(f"a symbol that can only be written in the format {shown(form)}")
        else:
            pattern += f"({piece.pattern})"
            fields.append(piece.field)
    told = {_MEANS.get(field, field) for field in fields}
    if len(told) != len(fields) - ("half" in fields and "hour_of_half" in fields):
        raise MistypedError(f"a part told twice in the format {shown(form)}")
    if ("hour_of_half" in fields) != ("half" in fields):
        raise MistypedError(f"h and a stand together in the format {shown(form)}")
    for part, needs in _NEEDS.items():
        if part in told and needs not in told:
            raise MistypedError(f"a {part} without a {needs} in the format {shown(form)}")
    if "year" not in told:
        raise MistypedError(f"no year in the format {shown(form)}")
    return re.compile(pattern, re.ASCII | re.IGNORECASE), tuple(fields)


_MEANS = {
    "short_year": "year",
    "month_name": "month",
    "half": "hour",
    "hour_of_half": "hour",
    "nanoseconds": "fraction",
}
_NEEDS = {
    "month": "year",
    "day": "month",
    "hour": "day",
    "minute": "hour",
    "second": "minute",
    "fraction": "second",
    "offset": "hour",
}


def _assembled(fields: dict[str, str]) -> Timestamp:
    numbers = {name: int(text) for name, text in fields.items() if text.isdigit()}
    year = numbers["year"] if "year" in numbers else _of_short_year(numbers["short_year"])
    month = numbers.get("month", 1)
    if "month_name" in fields:
        month = next(i for i, name in enumerate(_MONTHS, 1) if name[:3].lower() == fields["month_name"][:3].lower())
    hour = numbers.get("hour", 0)
    if "hour_of_half" in numbers:
        if not 1 <= numbers["hour_of_half"] <= 12:
            raise ValueError("an hour of 1 to 12")
        hour = numbers["hour_of_half"] % 12 + (12 if fields["half"].upper() == "PM" else 0)
    day, minute, second = numbers.get("day", 1), numbers.get("minute", 0), numbers.get("second", 0)
    datetime(year, month, day, hour, minute, second)
    told = {_MEANS.get(name, name) for name in fields}
    precision = (
        Precision.SECOND
        if "second" in told
        else Precision.MINUTE
        if "hour" in told
        else Precision.DAY
        if "day" in told
        else Precision.MONTH
        if "month" in told
        else Precision.YEAR
    )
    return Timestamp(year, month, day, hour, minute, second, _read_fraction(fields), _read_offset(fields), precision)


def _of_short_year(number: int) -> int:
    return 1900 + number if number >= 70 else 2000 + number


def _read_fraction(fields: dict[str, str]) -> Decimal | None:
    if "fraction" in fields:
        return Decimal("0." + fields["fraction"])
    if "nanoseconds" in fields:
        nanoseconds = int(fields["nanoseconds"])
        if nanoseconds >= 10**_FRACTION:
            raise ValueError("a second or more of nanoseconds")
        return Decimal(nanoseconds).scaleb(-_FRACTION)
    return None


def _read_offset(fields: dict[str, str]) -> int | None:
    text = fields.get("offset")
    if text is None:
        return None
    if text.upper() == "Z":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if minutes > 18 * 60 or int(digits[2:]) > 59:
        raise ValueError("an offset out of range")
    return -minutes if text[0] == "-" else minutes
