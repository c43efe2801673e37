"""Types as CAST and IS see them.

Rules:
- NULL casts to NULL and MISSING to MISSING whatever the type, but NULL to MISSING is MISSING; a known value casts to neither.
- int from decimal and float truncates (QLDB), from text takes `+1`, `01`, `0b10`, `-0x0A`; bool from text is true for 'true' only.
- DECIMAL(p, s) rounds half-even to s digits and must fit p; VARCHAR(n) and CHAR(n) cut.

Source: QLDB's reference of CAST, and the published partiql-tests where it is silent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from ledger.partiql.arithmetic import DIGITS
from ledger.partiql.comparison import MistypedError, a_type_of, bare, shown, text_of, type_name_of
from ledger.partiql.times import timestamp_of_text
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.values import Clob, MultiStruct, Sexp, Symbol, Timestamp

__all__ = ["cast", "is_type"]

_INT = re.compile(r"([+-]?)(?:0[bB]([01]+)|0[xX]([0-9a-fA-F]+)|([0-9]+))")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DIGITS_MAX = 4_000
"""Of an int made from text or from a decimal: an exponent is a few bytes, its digits may be gigabytes."""

_PYTHON: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float,),
    "decimal": (Decimal,),
    "timestamp": (Timestamp,),
    "string": (str,),
    "char": (str,),
    "varchar": (str,),
    "symbol": (Symbol,),
    "clob": (Clob,),
    "blob": (bytes,),
    "list": (list,),
    "sexp": (Sexp,),
    "bag": (Bag,),
    "struct": (dict, MultiStruct),
}


def is_type(value: QueryValue, name: str, arguments: tuple[int, ...] = ()) -> bool:
    """Give `value IS name`. NULL is also what MISSING is; MISSING is only itself.

    With `arguments`: whether it fits as it is, into so many digits and digits after the point, or characters.
    """
    if name == "missing":
        return value is MISSING
    value = bare(value)
    if name == "null":
        return value is None or value is MISSING
    if name == "any":
        return value is not MISSING
    if type(value) not in _PYTHON[name]:
        return False
    if isinstance(value, Decimal) and arguments:
        precision, scale = arguments[0], arguments[1] if len(arguments) > 1 else 0
        return -int(value.as_tuple().exponent) <= scale and (not value or value.adjusted() < precision - scale)
    return not (isinstance(value, str) and arguments) or len(value) <= arguments[0]


def cast(value: QueryValue, name: str, arguments: tuple[int, ...] = ()) -> QueryValue:
    """Give `CAST(value AS name)`.

    Raises:
        MistypedError: there is no such cast, or not for this value.
    """
    plain = bare(value)
    if plain is MISSING or (plain is None and name == "missing"):
        return MISSING
    if plain is None:
        return None
    converter = _CASTS.get(name)
    if name == "any":
        return value
    if converter is None:
        raise MistypedError(f"{a_type_of(plain)} cannot be cast to {name}")
    try:
        found = plain if type(plain) in _PYTHON[name] else converter(plain)
        return _fitted(found, name, arguments) if arguments else found
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise MistypedError(f"{a_type_of(plain)} such as {shown(plain)} cannot be cast to {name}") from error


def _fitted(value: Any, name: str, arguments: tuple[int, ...]) -> QueryValue:
    if name in ("char", "varchar"):
        return value[: arguments[0]]  # type: ignore[no-any-return]
    if name == "decimal":
        precision, scale = arguments[0], arguments[1] if len(arguments) > 1 else 0
        rounded: Decimal = value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN, Context(prec=max(precision, 1)))
        return rounded
    return value  # type: ignore[no-any-return]


def _no(value: Any) -> ValueError:
    return ValueError(type_name_of(value))


def _to_bool(value: Any) -> bool:
    if type(value) in (int, Decimal, float):
        return bool(value != 0)
    text = text_of(value)
    if text is None:
        raise _no(value)
    return text.lower() == "true"


def _to_int(value: Any) -> int:
    if type(value) is bool:
        return int(value)
    if type(value) is float:
        return int(value)
    if type(value) is Decimal:
        if value.adjusted() > _DIGITS_MAX:
            raise OverflowError
        return int(value)
    text = text_of(value)
    match = _INT.fullmatch(text) if text is not None else None
    if match is None:
        raise _no(value)
    sign, binary, hexadecimal, decimal = match.groups()
    number = int(binary, 2) if binary else int(hexadecimal, 16) if hexadecimal else int(decimal)
    return -number if sign == "-" else number


def _to_decimal(value: Any) -> Decimal:
    if type(value) is bool:
        return Decimal(int(value))
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        if not math.isfinite(value):
            raise _no(value)
        return Decimal(repr(value))
    text = text_of(value)
    if text is None or not _NUMBER.fullmatch(text):
        raise _no(value)
    return Decimal(text, Context(prec=DIGITS, traps=[InvalidOperation]))


def _to_float(value: Any) -> float:
    if type(value) in (bool, int, Decimal):
        return float(value)
    text = text_of(value)
    if text is None or not _NUMBER.fullmatch(text):
        raise _no(value)
    return float(text)


def _to_text(value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (int, Decimal, Timestamp):
        return str(value)
    if type(value) is float:
        return repr(value)
    text = text_of(value)
    if text is None:
        raise _no(value)
    return text


def _to_timestamp(value: Any) -> Timestamp:
    text = text_of(value)
    if text is None:
        raise _no(value)
    return timestamp_of_text(text)


def _to_bytes(value: Any) -> bytes:
    if type(value) is not Clob:
        raise _no(value)
    return value.data


def _to_clob(value: Any) -> Clob:
    if type(value) is not bytes:
        raise _no(value)
    return Clob(value)


def _elements(value: Any) -> list[Any]:
    if type(value) not in (list, Sexp, Bag):
        raise _no(value)
    return list(value)


def _to_struct(value: Any) -> Any:
    raise _no(value)


_CASTS: dict[str, Callable[[Any], Any]] = {
    "bool": _to_bool,
    "int": _to_int,
    "float": _to_float,
    "decimal": _to_decimal,
    "timestamp": _to_timestamp,
    "string": _to_text,
    "char": _to_text,
    "varchar": _to_text,
    "symbol": lambda value: Symbol(_to_text(value)),
    "blob": _to_bytes,
    "clob": _to_clob,
    "list": _elements,
    "sexp": lambda value: Sexp(_elements(value)),
    "bag": lambda value: Bag(_elements(value)),
    "struct": _to_struct,
}
