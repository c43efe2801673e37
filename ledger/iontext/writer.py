"""Values -> Ion text, with nothing lost.

Compact by default: `{name: "Ada", tags: [a, b]}`; `pretty` puts each member of a container on a line of its own.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from ledger.errors import InvalidValueError
from ledger.ion import DEPTH_MAX
from ledger.ion.scalars import INT_BYTES_MAX, decimal_body, timestamp_body
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

__all__ = ["dump"]

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NOT_IDENTIFIER = re.compile(r"null|true|false|nan|\$[0-9]+|\$ion_[0-9]+_[0-9]+")
_SPECIAL = re.compile(r"""[\x00-\x1f\x7f-\x9f"'\\\u2028\u2029\ufeff]""")
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}
_INDENT = "  "


def dump(value: Value, *, pretty: bool = False) -> str:
    """Give the Ion text of a value.

    Raises:
        InvalidValueError: not an Ion value, or one that the codec would refuse.
    """
    if (
        isinstance(value, Annotated)
        and value.annotations[:1] == ("$ion_symbol_table",)
        and isinstance(value.value, dict | MultiStruct)
    ):
        raise InvalidValueError("a struct annotated $ion_symbol_table would be read as a symbol table")
    try:
        text = _written(value, "\n" if pretty else "", DEPTH_MAX)
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"not Unicode text: {error.reason}") from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise InvalidValueError(f"not an Ion value: {error}") from error
    return text


def _written(value: Value, line: str, depth: int) -> str:
    """Give the text; `line` is the newline and indentation of where the value stands, or empty for one line."""
    write = _WRITERS.get(type(value))
    if write is None:
        raise InvalidValueError(f"{type(value).__name__} is not an Ion value")
    return write(value, line, depth)


def _typed_null(value: TypedNull, line: str, depth: int) -> str:
    if type(value.type) is not IonType or value.type is IonType.NULL:
        raise InvalidValueError(f"no typed null of {value.type!r}")
    return f"null.{value.type.name.lower()}"


def _int(value: int, line: str, depth: int) -> str:
    if value.bit_length() > 8 * INT_BYTES_MAX:
        raise InvalidValueError(f"an integer has at most {INT_BYTES_MAX} bytes")
    return str(value)


def _float(value: float, line: str, depth: int) -> str:
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "+inf" if value > 0 else "-inf"
    text = repr(value)
    return text if "e" in text else text + "e0"


def _decimal(value: Decimal, line: str, depth: int) -> str:
    decimal_body(value)  # refuses what is out of bounds
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    if exponent > 0 or -exponent > len(digits) + 6:
        return f"{'-' * sign}{text}d{exponent}"
    whole = len(digits) + exponent
    if whole <= 0:
        text, whole = "0" * (1 - whole) + text, 1
    return f"{'-' * sign}{text[:whole]}.{text[whole:]}"


def _timestamp(value: Timestamp, line: str, depth: int) -> str:
    timestamp_body(value)  # refuses what is no time
    return str(value)


def _symbol(value: Symbol, line: str, depth: int) -> str:
    return _name(value.text)


def _name(text: str | None) -> str:
    if text is None:
        return "$0"
    if _IDENTIFIER.fullmatch(text) and not _NOT_IDENTIFIER.fullmatch(text):
        return text
    return f"'{_escaped(text, chr(34))}'"


def _string(value: str, line: str, depth: int) -> str:
    return f'"{_escaped(value, chr(39))}"'


def _escaped(text: str, harmless: str) -> str:
    """Give the text between quotes; `harmless` is the quote of the other kind."""

    def escape(found: re.Match[str]) -> str:
        char = found[0]
        if char == harmless:
            return char
        return _ESCAPES.get(char) or (f"\\{char}" if char in "\"'" else f"\\u{ord(char):04x}")

    return _SPECIAL.sub(escape, text)


def _clob(value: Clob, line: str, depth: int) -> str:
    if type(value.data) is not bytes:
        raise InvalidValueError(f"a clob holds bytes, not {type(value.data).__name__}")
    return '{{"' + "".join(map(_CLOB_BYTES.__getitem__, value.data)) + '"}}'


_CLOB_BYTES = [chr(b) if 0x20 <= b < 0x7F and chr(b) not in "\"'\\" else f"\\x{b:02x}" for b in range(256)]


def _blob(value: bytes, line: str, depth: int) -> str:
    return "{{" + b64encode(value).decode() + "}}"


def _list(value: Iterable[Value], line: str, depth: int) -> str:
    inner, depth = _inside(line, depth)
    return _joined("[", [_written(member, inner, depth) for member in value], ",", "]", line)


def _sexp(value: Iterable[Value], line: str, depth: int) -> str:
    inner, depth = _inside(line, depth)
    return _joined("(", [_written(member, inner, depth) for member in value], "", ")", line)


def _dict(value: dict[str, Value], line: str, depth: int) -> str:
    if None in value:
        raise InvalidValueError("a dict has a name for each field; a field without a name needs a MultiStruct")
    return _struct_of(value.items(), line, depth)


def _multi_struct(value: MultiStruct, line: str, depth: int) -> str:
    return _struct_of(value.fields, line, depth)


def _struct_of(fields: Iterable[tuple[str | None, Value]], line: str, depth: int) -> str:
    inner, depth = _inside(line, depth)
    members = [f"{_name(name)}: {_written(member, inner, depth)}" for name, member in fields]
    return _joined("{", members, ",", "}", line)


def _inside(line: str, depth: int) -> tuple[str, int]:
    if not depth:
        raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
    return (line + _INDENT if line else ""), depth - 1


def _joined(opening: str, members: list[str], comma: str, closing: str, line: str) -> str:
    if not members:
        return opening + closing
    if not line:
        return opening + f"{comma} ".join(members) + closing
    return opening + line + _INDENT + f"{comma}{line}{_INDENT}".join(members) + line + closing


def _annotated(value: Annotated, line: str, depth: int) -> str:
    if not value.annotations or type(value.value) is Annotated:
        raise InvalidValueError("an Annotated has one annotation or more, around a value that is not Annotated")
    return "".join(f"{_name(text)}::" for text in value.annotations) + _written(value.value, line, depth)


_WRITERS: dict[type, Callable[[Any, str, int], str]] = {
    type(None): lambda value, line, depth: "null",
    TypedNull: _typed_null,
    bool: lambda value, line, depth: "true" if value else "false",
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
    dict: _dict,
    MultiStruct: _multi_struct,
    Annotated: _annotated,
}
