"""Reckoning with timestamps: DATE_ADD, DATE_DIFF, EXTRACT, and Ion's text of a timestamp.

Rules:
- DATE_ADD keeps the offset and adds precision if the part needs it: `DATE_ADD(month, 1, 2010T)` is 2010-02T. A day that the new
  month has not becomes its last day.
- DATE_DIFF counts whole parts between two instants; a day is 24 hours. An unknown offset counts as UTC.
- EXTRACT gives what is written, and what a lesser precision implies (the month of 2010T is 1); SECOND with its fraction.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ledger.partiql.comparison import MistypedError, a_type_of, bare, shown, type_name_of
from ledger.query_values import QueryValue
from ledger.values import Precision, Timestamp

__all__ = ["date_add", "date_diff", "extract", "timestamp_of_text"]

_PRECISIONS = {
    "year": Precision.YEAR,
    "month": Precision.MONTH,
    "day": Precision.DAY,
    "hour": Precision.MINUTE,
    "minute": Precision.MINUTE,
    "second": Precision.SECOND,
}
_SECONDS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_ION_TEXT = re.compile(
    r"(\d{4})(?:T|-(\d\d)(?:T|-(\d\d)(?:T?|T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(?:(Z)|([+-])(\d\d):(\d\d)))))", re.ASCII
)


def timestamp_of_text(text: str) -> Timestamp:
    """Read an Ion timestamp.

    Raises:
        ValueError: it is none, or no day of the calendar.
    """
    match = _ION_TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an Ion timestamp")
    year, month, day, hour, minute, second, fraction, utc, sign, offset_hour, offset_minute = match.groups()
    offset = None
    if utc:
        offset = 0
    elif sign and (sign, offset_hour, offset_minute) != ("-", "00", "00"):
        offset = int(offset_hour) * 60 + int(offset_minute)
        if offset >= 1440 or int(offset_minute) > 59:
            raise ValueError(f"{text!r} has an offset out of range")
        offset = -offset if sign == "-" else offset
    precision = Precision(1 + sum(part is not None for part in (month, day, hour, second)))
    datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    return Timestamp(
        int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
        None if fraction is None else Decimal("0" + fraction), offset, precision,
    )  # fmt: skip


def _timestamp(value: QueryValue, function: str) -> Timestamp:
    found = bare(value)
    if type(found) is not Timestamp:
        raise MistypedError(f"{function} works on timestamps, not on {type_name_of(value)}")
    return found


def extract(part: QueryValue, value: QueryValue) -> QueryValue:
    """Give one part of a timestamp; the offset's are NULL where it is unknown."""
    moment = _timestamp(value, "EXTRACT")
    if part == "second":
        return Decimal(moment.second) + (moment.fraction or 0) if moment.fraction is not None else moment.second
    if part in ("timezone_hour", "timezone_minute"):
        if moment.offset is None:
            return None
        number = abs(moment.offset) // 60 if part == "timezone_hour" else abs(moment.offset) % 60
        return -number if moment.offset < 0 else number
    return int(getattr(moment, str(part)))


def date_add(part: QueryValue, amount: QueryValue, value: QueryValue) -> Timestamp:
    """Give the timestamp `amount` (an int) parts later.

    Raises:
        MistypedError: wrong types, or a year outside of 1-9999.
    """
    moment, number = _timestamp(value, "DATE_ADD"), bare(amount)
    if type(number) is not int:
        raise MistypedError(f"DATE_ADD adds an int, not {a_type_of(amount)}")
    name = str(part)
    precision = max(moment.precision, _PRECISIONS[name])
    try:
        if name in ("year", "month"):
            months = (moment.year * 12 + moment.month - 1) + number * (12 if name == "year" else 1)
            year, month = months // 12, months % 12 + 1
            day = min(moment.day, calendar.monthrange(datetime(year, month, 1).year, month)[1])
            return replace(moment, year=year, month=month, day=day, precision=precision)
        later = _local(moment) + timedelta(seconds=number * _SECONDS[name])
    except (ValueError, OverflowError) as error:
        raise MistypedError(f"DATE_ADD leaves the years 1 to 9999: {shown(number)} {name}s after {moment}") from error
    return replace(
        moment, year=later.year, month=later.month, day=later.day, hour=later.hour, minute=later.minute,
        second=later.second, precision=precision,
    )  # fmt: skip


def _local(moment: Timestamp) -> datetime:
    return datetime(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def date_diff(part: QueryValue, earlier: QueryValue, later: QueryValue) -> int:
    """Give the whole parts from `earlier` to `later`; negative if they stand the other way round."""
    first, second = _timestamp(earlier, "DATE_DIFF"), _timestamp(later, "DATE_DIFF")
    if second.instant() < first.instant():
        return -_whole_parts(str(part), second, first)
    return _whole_parts(str(part), first, second)


def _whole_parts(part: str, first: Timestamp, second: Timestamp) -> int:
    if part in _SECONDS:
        (from_s, from_fraction), (to_s, to_fraction) = first.instant(), second.instant()
        return (to_s - from_s - (to_fraction < from_fraction)) // _SECONDS[part]
    a, b = _months(first), _months(second)
    months = b[0] - a[0] - (b[1:] < a[1:])
    return int(months // 12 if part == "year" else months)


def _months(moment: Timestamp) -> tuple[Any, ...]:
    """Give whole months since year 0 in UTC, and what is left: seconds and fraction since the month began."""
    seconds, fraction = moment.instant()
    days, rest = divmod(seconds, 86_400)
    day = datetime.fromordinal(min(max(days + 1, 1), 3_652_059))
    return day.year * 12 + day.month, day.day, rest, fraction
