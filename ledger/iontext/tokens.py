"""Ion text's scalars and quoted text: from their spelling to values. Regular expressions are possessive, so that none can go back."""

from __future__ import annotations

import re
from base64 import b64decode
from decimal import Decimal

from ledger.errors import InvalidValueError
from ledger.ion.scalars import EXPONENT_MAX, FRACTION_DIGITS_MAX, INT_BYTES_MAX, timestamp_body
from ledger.values import Precision, Timestamp, Value

__all__ = ["BLANK", "LONG_STRING", "QUOTED", "blob_of", "clob_bytes_of", "number_of", "text_of"]

BLANK = re.compile(r"(?:[ \t\n\r\v\f]++|//[^\n\r]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
QUOTED = re.compile(r"""(["'])((?:(?!\1)[^\\\n\r]|\\(?:\r\n|.))*+)\1""", re.DOTALL)
LONG_STRING = re.compile(r"'''((?:[^'\\]|\\.|'(?!''))*+)'''", re.DOTALL)

_INT = re.compile(r"-?(?:0|[1-9](?:_?[0-9])*+)")
_RADIX_INT = re.compile(r"-?0(?:[xX][0-9a-fA-F](?:_?[0-9a-fA-F])*+|[bB][01](?:_?[01])*+)")
_DECIMAL = re.compile(r"(-?)(0|[1-9](?:_?[0-9])*+)(?:\.((?:[0-9](?:_?[0-9])*+)?))?(?:([dDeE])([+-]?[0-9]{1,9}))?")
_TIMESTAMP = re.compile(
    r"([0-9]{4})(?:T|-([0-9]{2})(?:T|-([0-9]{2})(?:T|"
    r"T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(?:(Z)|([+-])([01][0-9]|2[0-3]):([0-5][0-9])))?))"
)
_DIGITS_MAX = 4300

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|[\n\r])|(.)?)", re.DOTALL)
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "v": "\v", '"': '"', "'": "'", "?": "?",
    "\\": "\\", "/": "/",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NOT_IN_CLOB = re.compile(r"[^\x09-\x0d\x20-\x7f]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*+={0,2}")


def text_of(body: str) -> str:
    """Give the text that stands between quotes as `body`."""
    if _CONTROL.search(body):
        raise InvalidValueError("a control character stands in a text: it must be escaped")
    if "\\" not in body:
        return body
    text = _ESCAPE.sub(_unescaped, body)
    if any("\ud800" <= char <= "\udfff" for char in text):
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise InvalidValueError("half of a surrogate pair stands alone in a text") from error
    return text


def _unescaped(found: re.Match[str]) -> str:
    byte, short, long, newline, simple = found.groups()
    if newline:
        return ""
    if simple:
        if simple not in _ESCAPED:
            raise InvalidValueError(f"no escape \\{simple}")
        return _ESCAPED[simple]
    code = int(byte or short or long or "110000", 16)
    if code > 0x10FFFF:
        raise InvalidValueError(f"no escape {found[0]}")
    return chr(code)


def clob_bytes_of(body: str) -> bytes:
    """Give the bytes that stand between a clob's quotes."""
    if _NOT_IN_CLOB.search(body):
        raise InvalidValueError("a clob is written in ASCII; other bytes as \\xHH")
    for escape in _ESCAPE.finditer(body):
        if escape[2] or escape[3]:
            raise InvalidValueError(f"no escape {escape[0]} in a clob")
    return _ESCAPE.sub(_unescaped, body).encode("latin-1")


def blob_of(body: str) -> bytes:
    """Give the bytes of a blob's Base64."""
    text = "".join(body.split())
    if not _BASE64.fullmatch(text) or len(text) % 4:
        raise InvalidValueError("a blob is Base64, padded with = to a multiple of 4 characters")
    return b64decode(text)


def number_of(token: str) -> Value:
    """Give the integer, decimal, float or timestamp that a token spells, all of it.

    Raises:
        InvalidValueError: it spells none, or one out of bounds.
    """
    if len(token) > _DIGITS_MAX:
        raise InvalidValueError(f"a number of {len(token)} characters; at most {_DIGITS_MAX}")
    if _INT.fullmatch(token):
        return _bounded(int(token))
    if found := _DECIMAL.fullmatch(token):
        return _decimal_of(token, found)
    if found := _TIMESTAMP.fullmatch(token):
        return _timestamp_of(found)
    if _RADIX_INT.fullmatch(token):
        return _bounded(int(token, 0))
    raise InvalidValueError(f"no number or timestamp is written {token[:60]}")


def _bounded(number: int) -> int:
    if number.bit_length() > 8 * INT_BYTES_MAX:
        raise InvalidValueError(f"an integer has at most {INT_BYTES_MAX} bytes")
    return number


def _decimal_of(token: str, found: re.Match[str]) -> Decimal | float:
    sign, whole, digits, letter, power = found.groups()
    if letter in ("e", "E"):
        return float(token.replace("_", ""))
    digits = (digits or "").replace("_", "")
    exponent = int(power or 0) - len(digits)
    if abs(exponent) > EXPONENT_MAX:
        raise InvalidValueError(f"a decimal's exponent is within +-{EXPONENT_MAX}, not {exponent}")
    coefficient = tuple(map(int, whole.replace("_", "") + digits))
    return Decimal((int(bool(sign)), coefficient, exponent))


def _timestamp_of(found: re.Match[str]) -> Timestamp:
    year, month, day, hour, minute, second, digits, utc, sign, hours, minutes = found.groups()
    if digits and len(digits) > FRACTION_DIGITS_MAX:
        raise InvalidValueError(f"a timestamp's fraction has at most {FRACTION_DIGITS_MAX} digits, not {len(digits)}")
    precision = (
        Precision.SECOND if second else Precision.MINUTE if hour else Precision.DAY if day else Precision.MONTH if month else Precision.YEAR
    )  # fmt: skip
    offset: int | None = None
    if utc:
        offset = 0
    elif sign and (sign, hours, minutes) != ("-", "00", "00"):
        offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    value = Timestamp(
        int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
        Decimal(f"0.{digits}") if digits else None, offset, precision,
    )  # fmt: skip
    timestamp_body(value)  # refuses what is no time
    return value
