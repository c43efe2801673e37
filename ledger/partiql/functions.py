"""The functions of values, by name.

Rules:
- An argument that is NULL or MISSING makes the result NULL, unless the function says that it takes them.
- Text is counted in code points. A symbol serves as text.
- What a function has no answer for is a `MistypedError`.

Source: QLDB's PartiQL functions; those it had not (ABS, MOD, POSITION, OVERLAY, ..., COLL_*) as in PartiQL's tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from ledger.partiql.aggregates import AGGREGATES, Distinct
from ledger.partiql.arithmetic import calculate
from ledger.partiql.comparison import MistypedError, a_type_of, bare, equals, shown, text_of, type_name_of
from ledger.partiql.time_formats import to_string, to_timestamp
from ledger.partiql.times import date_add, date_diff, extract
from ledger.query_values import Bag, QueryValue
from ledger.values import Clob, MultiStruct, Sexp, fields_of

__all__ = ["FUNCTIONS", "Function"]


@dataclass(frozen=True, slots=True)
class Function:
    """`least` and `most`: how many arguments (None: any number). `takes_absent`: it is called with NULL and MISSING too.
    `collections`: a query among its arguments is a collection, never a scalar."""

    call: Callable[..., QueryValue]
    least: int
    most: int | None
    takes_absent: bool = False
    collections: bool = False


def _text(function: str, value: QueryValue) -> str:
    text = text_of(value)
    if text is None:
        raise MistypedError(f"{function} works on text, not on {type_name_of(value)}")
    return text


def _int(function: str, value: QueryValue) -> int:
    number = bare(value)
    if type(number) is not int:
        raise MistypedError(f"{function} takes an int there, not {a_type_of(value)}")
    return number


def _items(function: str, value: QueryValue) -> Any:
    plain = bare(value)
    if type(plain) not in (list, Bag, Sexp):
        raise MistypedError(f"{function} works on collections, not on {type_name_of(value)}")
    return plain


def _size(value: QueryValue) -> int:
    plain = bare(value)
    if type(plain) in (dict, MultiStruct):
        return len(tuple(fields_of(plain)))
    return len(_items("SIZE", plain))


def _exists(value: QueryValue) -> bool:
    plain = bare(value)
    if type(plain) not in (list, Bag, Sexp, dict, MultiStruct):
        raise MistypedError(f"EXISTS works on containers, not on {type_name_of(value)}")
    return _size(plain) > 0


def _nullif(a: QueryValue, b: QueryValue) -> QueryValue:
    return None if equals(a, b) else a


def _octets(value: QueryValue) -> int:
    plain = bare(value)
    if type(plain) is bytes:
        return len(plain)
    if type(plain) is Clob:
        return len(plain.data)
    return len(_text("OCTET_LENGTH", value).encode())


def _substring(value: QueryValue, start: QueryValue, *length: QueryValue) -> str:
    text, first = _text("SUBSTRING", value), _int("SUBSTRING", start)
    end = len(text) + 1
    if length:
        size = _int("SUBSTRING", length[0])
        if size < 0:
            raise MistypedError(f"SUBSTRING of the length {shown(size)}")
        end = first + size
    return text[max(first, 1) - 1 : max(end, 1) - 1]


def _trim(side: QueryValue, characters: QueryValue, value: QueryValue) -> str:
    text, chars = _text("TRIM", value), _text("TRIM", characters)
    if side == "leading":
        return text.lstrip(chars)
    return text.rstrip(chars) if side == "trailing" else text.strip(chars)


def _position(sought: QueryValue, value: QueryValue) -> int:
    return _text("POSITION", value).find(_text("POSITION", sought)) + 1


def _overlay(value: QueryValue, placed: QueryValue, start: QueryValue, *length: QueryValue) -> str:
    text, new, first = _text("OVERLAY", value), _text("OVERLAY", placed), _int("OVERLAY", start)
    size = _int("OVERLAY", length[0]) if length else len(new)
    if first < 1 or size < 0:
        raise MistypedError(f"OVERLAY from {shown(first)} for {shown(size)}")
    return text[: first - 1] + new + text[first - 1 + size :]


_REPLACED_MAX = 1_000_000
"""Characters that REPLACE may put in: two short texts could make one of gigabytes."""


def _replace(value: QueryValue, old: QueryValue, new: QueryValue) -> str:
    text, sought, put = _text("REPLACE", value), _text("REPLACE", old), _text("REPLACE", new)
    if text.count(sought) * len(put) > _REPLACED_MAX:
        raise MistypedError(f"REPLACE that puts in more than {_REPLACED_MAX} characters")
    return text.replace(sought, put)


def _number(function: str, value: QueryValue) -> Any:
    number = bare(value)
    if type(number) not in (int, Decimal, float):
        raise MistypedError(f"{function} works on numbers, not on {type_name_of(value)}")
    return number


def _abs(value: QueryValue) -> QueryValue:
    number = _number("ABS", value)
    return number.copy_abs() if type(number) is Decimal else abs(number)


def _round(function: str, value: QueryValue, mode: str, of_float: Callable[[float], int]) -> int:
    number = _number(function, value)
    if type(number) is int:
        return number
    if type(number) is float:
        if not math.isfinite(number):
            raise MistypedError(f"{function} of {number}")
        return of_float(number)
    if number.adjusted() > 4_000:
        raise MistypedError(f"{function} of a number of more than 4,000 digits")
    return int(number.to_integral_value(mode))


def _sqrt(value: QueryValue) -> float:
    number = _number("SQRT", value)
    try:
        return math.sqrt(number)
    except (ValueError, OverflowError) as error:
        raise MistypedError(f"SQRT of a number that has none: {error}") from error


def _collection_aggregate(name: str) -> Callable[..., QueryValue]:
    def aggregate(value: QueryValue) -> QueryValue:
        accumulator = AGGREGATES[name]()
        for item in _items(f"COLL_{name.upper()}", value):
            accumulator.add(item)
        return accumulator.result()

    return aggregate


def _distinct(value: QueryValue) -> Bag:
    found = Bag()

    class _Collect:
        def add(self, value: QueryValue) -> None:
            found.append(value)  # type: ignore[arg-type]

        def result(self) -> QueryValue:
            return found

    once = Distinct(_Collect())
    for item in _items("FILTER_DISTINCT", value):
        once.add(item)
    return found


def _container(kind: type[list[Any]] | type[Sexp]) -> Callable[..., QueryValue]:
    return lambda *items: kind(items)


FUNCTIONS: dict[str, Function] = {
    "exists": Function(_exists, 1, 1, takes_absent=True, collections=True),
    "size": Function(_size, 1, 1, collections=True),
    "cardinality": Function(_size, 1, 1, collections=True),
    "nullif": Function(_nullif, 2, 2, takes_absent=True),
    "char_length": Function(lambda s: len(_text("CHAR_LENGTH", s)), 1, 1),
    "octet_length": Function(_octets, 1, 1),
    "bit_length": Function(lambda s: 8 * _octets(s), 1, 1),
    "lower": Function(lambda s: _text("LOWER", s).lower(), 1, 1),
    "upper": Function(lambda s: _text("UPPER", s).upper(), 1, 1),
    "substring": Function(_substring, 2, 3),
    "trim": Function(_trim, 3, 3),
    "position": Function(_position, 2, 2),
    "overlay": Function(_overlay, 3, 4),
    "replace": Function(_replace, 3, 3),
    "text_replace": Function(_replace, 3, 3),
    "abs": Function(_abs, 1, 1),
    "mod": Function(lambda a, b: calculate("%", a, b), 2, 2),
    "ceil": Function(lambda n: _round("CEIL", n, ROUND_CEILING, math.ceil), 1, 1),
    "floor": Function(lambda n: _round("FLOOR", n, ROUND_FLOOR, math.floor), 1, 1),
    "sqrt": Function(_sqrt, 1, 1),
    "date_add": Function(date_add, 3, 3),
    "date_diff": Function(date_diff, 3, 3),
    "extract": Function(extract, 2, 2),
    "to_string": Function(to_string, 2, 2),
    "to_timestamp": Function(to_timestamp, 1, 2),
    "bag": Function(_container(Bag), 0, None, takes_absent=True),
    "list": Function(_container(list), 0, None, takes_absent=True),
    "sexp": Function(_container(Sexp), 0, None, takes_absent=True),
    "filter_distinct": Function(_distinct, 1, 1, collections=True),
    **{f"coll_{name}": Function(_collection_aggregate(name), 1, 1, collections=True) for name in AGGREGATES},
}
FUNCTIONS["character_length"] = FUNCTIONS["char_length"]
FUNCTIONS["ceiling"] = FUNCTIONS["ceil"]
FUNCTIONS["coll_some"] = FUNCTIONS["coll_any"]
