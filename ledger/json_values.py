"""Ion values as JSON, both ways, with nothing lost: the form of every value on the HTTP interface and in `-o json`.

    JSON                                 Ion
    null, true, false, text              null, bool, string
    12, -9007199254740993                int, of any size
    1.50, 5e0, 1E+3                      decimal with exactly this scale (never a float)
    [...], {...}                         list, struct
    {"$ion": "2026-11-22T10:00Z"}        whatever JSON cannot say, as Ion text: floats, timestamps, symbols, blobs, clobs, sexps,
                                         typed nulls, annotations, and structs with a field twice or with a field named `$ion`

Rules:
- What is written reads back identical; what is read once is never guessed. So a name that stands twice in a JSON object is refused:
  RFC 8259 leaves open which one counts, and in a ledger a slip must not become history. Who means it writes `$ion`.
- An object with a field `$ion` has no other field, and its value is the text of exactly one Ion value.
- NaN, Infinity, lone surrogates and bytes that are not UTF-8 are refused.
- No I/O.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

from ledger import iontext
from ledger.errors import InvalidValueError
from ledger.values import Timestamp, Value

__all__ = ["dump_json", "parse_json"]

_ION = "$ion"
_DEPTH_MAX = 64


def parse_json(data: bytes, *, depth_max: int = _DEPTH_MAX) -> Value:
    """Read one JSON text. `depth_max`: how many objects and arrays may stand inside of each other.

    Raises:
        InvalidValueError: it is not JSON, or none that the rules above allow.
    """
    try:
        text = data.decode()
        value: Value = _DECODER.decode(text)
        # Most bodies have fewer brackets than the depth allowed and no surrogate escape: nothing left to look for.
        if text.count("{") + text.count("[") > depth_max or _SURROGATE_ESCAPE.search(text):
            _check(value, depth_max)
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise InvalidValueError(f"this is not JSON: {error.msg} {where}", position=error.pos) from None
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"JSON is UTF-8, and this is not: {error.reason}", position=error.start) from None
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            f"half of a surrogate pair, \\u{ord(error.object[error.start]):04x}, is no text"
        ) from None
    except RecursionError:
        raise InvalidValueError(f"JSON may be {depth_max} arrays and objects deep, this is deeper") from None
    except ValueError as error:  # Python's own bound on the digits of an integer
        raise InvalidValueError(f"JSON: {error}") from None
    return value


def dump_json(value: Value, *, indent: bool = False) -> bytes:
    """Write a value as JSON, in UTF-8; with `indent` for people.

    Raises:
        InvalidValueError: it is nested too deep.
    """
    options = orjson.OPT_INDENT_2 if indent else 0
    try:
        try:
            return orjson.dumps(_tree(value, _AS_IS), option=options)
        except orjson.JSONEncodeError:  # an integer of more than 64 bits, which orjson does not write
            return orjson.dumps(_tree(value, _AS_IS_BUT_INTEGERS), option=options)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidValueError(f"this value cannot be written as JSON: {error}") from None


def _object(pairs: list[tuple[str, Value]]) -> Value:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InvalidValueError(
            f"the name {twice!r} stands twice in a JSON object (in Ion text it may: {{'{_ION}': ...}})"
        )
    if _ION in fields:
        return _of_ion_text(fields)
    return fields


def _of_ion_text(fields: dict[str, Value]) -> Value:
    text = fields[_ION]
    if len(fields) != 1:
        others = ", ".join(repr(name) for name in fields if name != _ION)
        raise InvalidValueError(f"an object with the field '{_ION}' has no other field, this one has {others}")
    if not isinstance(text, str):
        raise InvalidValueError(f"'{_ION}' holds Ion text in a string, this is {type(text).__name__}")
    return iontext.parse(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidValueError(f"the exponent of the number {text[:40]} is out of range") from None


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidValueError(f"{name} is not JSON; a float is written {{'{_ION}': 'nan'}}, 'nan', '+inf' or '-inf'")


# The standard library's scanner, because it hands over what orjson has already lost: pairs, digits, big integers (2 us against 0.4 us).
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_decimal, parse_constant=_refuse_constant)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def _check(value: Value, depth_max: int) -> None:
    """Go through the value level by level. Raises UnicodeEncodeError for half a surrogate pair, InvalidValueError for depth."""
    level: list[Any] = [value]
    depth = -1
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            if type(item) is str:
                item.encode()
            elif type(item) is dict or type(item) is list:
                if depth >= depth_max:
                    raise InvalidValueError(f"JSON may be {depth_max} arrays and objects deep, this is deeper")
                below += item
                if type(item) is dict:
                    below += item.values()
        level = below


_AS_IS_BUT_INTEGERS: frozenset[type] = frozenset({str, bool, type(None)})
_AS_IS = _AS_IS_BUT_INTEGERS | {int}


def _tree(value: Value, as_is: frozenset[type]) -> Any:
    """Give what orjson writes as it should be; the types in `as_is` are written by orjson itself."""
    kind = type(value)
    if kind in as_is:
        return value
    if isinstance(value, dict):
        if _ION in value:
            return {_ION: iontext.dump(value)}
        return {name: (v if type(v) in as_is else _tree(v, as_is)) for name, v in value.items()}
    if isinstance(value, list):
        return [v if type(v) in as_is else _tree(v, as_is) for v in value]
    if isinstance(value, Decimal):
        text = str(value)
        return orjson.Fragment(text if "." in text or "E" in text else text + "e0")
    if isinstance(value, int):
        return orjson.Fragment(str(value))
    if isinstance(value, Timestamp):
        return {_ION: str(value)}
    if isinstance(value, bytes):
        return {_ION: "{{" + b64encode(value).decode() + "}}"}
    return {_ION: iontext.dump(value)}
