"""Ion hash and QLDB's trees a second time, as naive as they can be: byte by byte after the specification, sharing nothing with the product.

`hash_function` is a parameter because the official vectors of Ion hash use the identity as "hash".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from ledger.values import (
    Annotated,
    Clob,
    MultiStruct,
    Precision,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    Value,
)

HashFunction = Callable[[bytes], bytes]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def ion_hash(value: Value, hash_function: HashFunction = sha256) -> bytes:
    return hash_function(serialize(value, hash_function))


def serialize(value: Value, hash_function: HashFunction) -> bytes:
    if isinstance(value, Annotated):
        names = b"".join(_symbol(name) for name in value.annotations)
        return b"\x0b\xe0" + names + serialize(value.value, hash_function) + b"\x0e"
    if isinstance(value, list | Sexp):
        qualifier = b"\xc0" if isinstance(value, Sexp) else b"\xb0"
        return b"\x0b" + qualifier + b"".join(serialize(member, hash_function) for member in value) + b"\x0e"
    if isinstance(value, dict | MultiStruct):
        fields = list(value.items()) if isinstance(value, dict) else list(value.fields)
        hashes = [hash_function(_symbol(name) + serialize(member, hash_function)) for name, member in fields]
        return b"\x0b\xd0" + _escape(b"".join(sorted(hashes))) + b"\x0e"
    if isinstance(value, Symbol):
        return _symbol(value.text)
    return _scalar(*_qualified(value))


def _symbol(text: str | None) -> bytes:
    return _scalar(0x71, b"") if text is None else _scalar(0x70, text.encode())


def _scalar(qualifier: int, body: bytes) -> bytes:
    return b"\x0b" + _escape(bytes([qualifier]) + body) + b"\x0e"


def _escape(body: bytes) -> bytes:
    escaped = b""
    for byte in body:
        if byte in (0x0B, 0x0C, 0x0E):
            escaped += b"\x0c"
        escaped += bytes([byte])
    return escaped


def _qualified(value: Value) -> tuple[int, bytes]:
    match value:
        case None:
            return 0x0F, b""
        case TypedNull(kind):
            return kind * 16 + 15, b""
        case bool():
            return (0x11 if value else 0x10), b""
        case int():
            return (0x20 if value >= 0 else 0x30), _magnitude(abs(value))
        case float():
            return 0x40, _float(value)
        case Decimal():
            return 0x50, _decimal(value)
        case Timestamp():
            return 0x60, _timestamp(value)
        case str():
            return 0x80, value.encode()
        case Clob(data):
            return 0x90, data
        case bytes():
            return 0xA0, value
    raise AssertionError(value)


def _magnitude(number: int) -> bytes:
    digits = []
    while number:
        number, digit = divmod(number, 256)
        digits.insert(0, digit)
    return bytes(digits)


def _float(value: float) -> bytes:
    if str(value) == "nan":
        return bytes.fromhex("7ff8000000000000")
    return b"" if str(value) == "0.0" else struct.pack(">d", value)


def _decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    coefficient = int("".join(str(digit) for digit in digits))
    if not sign and not coefficient and not exponent:
        return b""
    magnitude = _magnitude(coefficient)
    if sign:
        if not magnitude or magnitude[0] >= 0x80:
            magnitude = b"\x00" + magnitude
        magnitude = bytes([magnitude[0] + 0x80]) + magnitude[1:]
    elif magnitude and magnitude[0] >= 0x80:
        magnitude = b"\x00" + magnitude
    return _variable_int(exponent) + magnitude


def _timestamp(value: Timestamp) -> bytes:
    utc = datetime(value.year, value.month, value.day, value.hour, value.minute, value.second)
    utc -= timedelta(minutes=value.offset or 0)
    offset = b"\xc0" if value.offset is None else _variable_int(value.offset)
    count = {Precision.YEAR: 1, Precision.MONTH: 2, Precision.DAY: 3, Precision.MINUTE: 5, Precision.SECOND: 6}[
        value.precision
    ]
    fields = (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)[:count]
    fraction = b"" if value.fraction is None else _decimal(value.fraction)
    return offset + b"".join(_variable_uint(field) for field in fields) + fraction


def _bits(number: int, count: int) -> str:
    return f"{number:b}".zfill(count)


def _variable_uint(number: int) -> bytes:
    bits = _bits(number, 7)
    bits = "0" * (-len(bits) % 7) + bits
    groups = [bits[i : i + 7] for i in range(0, len(bits), 7)]
    return bytes(int("0" + group, 2) for group in groups[:-1]) + bytes([int("1" + groups[-1], 2)])


def _variable_int(number: int) -> bytes:
    bits = _bits(abs(number), 6)
    bits = ("1" if number < 0 else "0") + "0" * (-(len(bits) + 1) % 7) + bits
    groups = [bits[i : i + 7] for i in range(0, len(bits), 7)]
    return bytes(int("0" + group, 2) for group in groups[:-1]) + bytes([int("1" + groups[-1], 2)])


# QLDB's trees


def dot(a: bytes, b: bytes) -> bytes:
    if not a or not b:
        return a + b
    for i in range(31, -1, -1):
        left, right = (byte - 256 if byte > 127 else byte for byte in (a[i], b[i]))
        if left != right:
            return sha256(a + b) if left < right else sha256(b + a)
    return sha256(a + b)


def root(hashes: list[bytes]) -> bytes:
    """RFC 6962's recursion: the left part is the largest power of two below the size."""
    if len(hashes) <= 1:
        return b"".join(hashes)
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return dot(root(hashes[:split]), root(hashes[split:]))


def audit_path(hashes: list[bytes], index: int) -> list[bytes]:
    if len(hashes) <= 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*audit_path(hashes[:split], index), root(hashes[split:])]
    return [*audit_path(hashes[split:], index - split), root(hashes[:split])]
