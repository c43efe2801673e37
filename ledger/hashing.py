"""Ion hash with SHA-256, and the hashes that Amazon QLDB builds from it. Pure; a compiled twin may replace it.

    scalar      0B TQ esc(body) 0E              TQ: type code and qualifier; body: as in Ion binary, without its length
    list, sexp  0B TQ member... 0E
    struct      0B D0 esc(sorted(sha256(name value)...)) 0E
    annotated   0B E0 annotation... value 0E    names and annotations are serialised as symbols
    esc         0B, 0C and 0E are each preceded by 0C

The hash of a value is the SHA-256 of that. It does not depend on the order of a struct's fields, and on nothing else but the value.

Source: Amazon Ion Hash, https://amazon-ion.github.io/ion-hash/docs/spec.html; AWS's QLDB verifier and drivers for the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
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
    Struct,
    Symbol,
    Timestamp,
    TypedNull,
    Value,
)

__all__ = [
    "HASH_SIZE",
    "commit_digest",
    "dot",
    "ion_hash",
    "redacted_revision_hash",
    "revision_hash",
    "statement_digest",
]

HASH_SIZE = 32


def ion_hash(value: Value) -> bytes:
    """Give the 32 bytes of a value's Ion hash.

    Raises:
        InvalidValueError: not an Ion value, or one that the codec would refuse.
    """
    try:
        return sha256(_SERIALIZERS[type(value)](value, DEPTH_MAX)).digest()
    except KeyError as error:
        raise InvalidValueError(f"{getattr(error.args[0], '__name__', error)} is not an Ion value") from error
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"{error.object!r} is not Unicode text: {error.reason}") from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise InvalidValueError(f"not an Ion value: {error}") from error


def dot(a: bytes, b: bytes) -> bytes:
    """Combine two hashes whatever their order; an empty one is neutral.

    The smaller comes first, where the last byte counts most and bytes are signed.

    Raises:
        InvalidValueError: an operand has neither 0 nor 32 bytes.
    """
    if len(a) != HASH_SIZE or len(b) != HASH_SIZE:
        if (a and len(a) != HASH_SIZE) or (b and len(b) != HASH_SIZE):
            raise InvalidValueError(f"a hash has 0 or {HASH_SIZE} bytes, not {len(a)} and {len(b)}")
        return a or b
    if a[31] != b[31]:  # all but one of 256 pairs
        return sha256(a + b if a[31] ^ 0x80 < b[31] ^ 0x80 else b + a).digest()
    return sha256(a + b if _order(a) < _order(b) else b + a).digest()


_SIGNED = bytes(byte ^ 0x80 for byte in range(256))


def _order(value: bytes) -> bytes:
    return value[::-1].translate(_SIGNED)


def statement_digest(statement: str, parameters: Sequence[Value]) -> bytes:
    """Give the digest of one executed statement: its text exactly as sent, then its parameters in order.

    Raises:
        InvalidValueError: as `ion_hash`.
    """
    digest = ion_hash(statement)
    for parameter in parameters:
        digest = dot(digest, ion_hash(parameter))
    return digest


def commit_digest(transaction_id: str, statement_digests: Sequence[bytes]) -> bytes:
    """Give what a QLDB driver and the server compare at commit."""
    digest = ion_hash(transaction_id)
    for statement in statement_digests:
        digest = dot(digest, statement)
    return digest


def revision_hash(metadata: dict[str, Value], data: Struct | None) -> bytes:
    """Give a revision's hash; `data` None: the revision deletes the document, and the hash is that of `metadata` alone.

    Raises:
        InvalidValueError: as `ion_hash`.
    """
    return ion_hash(metadata) if data is None else dot(ion_hash(metadata), ion_hash(data))


def redacted_revision_hash(metadata: dict[str, Value], data_hash: bytes) -> bytes:
    """Give the same hash where only the Ion hash of the data is left."""
    return dot(ion_hash(metadata), data_hash)


# Serialisation: one function a type; all take (value, containers still allowed).


def _escape(body: bytes) -> bytes:
    if 0x0C in body or 0x0B in body or 0x0E in body:
        return body.replace(b"\x0c", b"\x0c\x0c").replace(b"\x0b", b"\x0c\x0b").replace(b"\x0e", b"\x0c\x0e")
    return body


def _null(value: None, depth: int) -> bytes:
    return b"\x0b\x0f\x0e"


def _typed_null(value: TypedNull, depth: int) -> bytes:
    if type(value.type) is not IonType or value.type is IonType.NULL:
        raise InvalidValueError(f"no typed null of {value.type!r}")
    return bytes((0x0B, value.type << 4 | 0x0F, 0x0E))


def _bool(value: bool, depth: int) -> bytes:
    return b"\x0b\x11\x0e" if value else b"\x0b\x10\x0e"


def _int(value: int, depth: int) -> bytes:
    if 0 <= value < 256:
        return _SMALL_INTS[value]
    magnitude = abs(value)
    size = (magnitude.bit_length() + 7) >> 3
    if size > INT_BYTES_MAX:
        raise InvalidValueError(f"an integer has at most {INT_BYTES_MAX} bytes, not {size}")
    return (b"\x0b\x30" if value < 0 else b"\x0b\x20") + _escape(magnitude.to_bytes(size, "big")) + b"\x0e"


_SMALL_INTS = [b"\x0b\x20\x0e", *(b"\x0b\x20" + _escape(bytes((number,))) + b"\x0e" for number in range(1, 256))]
_pack_double = struct.Struct(">d").pack


def _float(value: float, depth: int) -> bytes:
    if value != value:
        return b"\x0b\x40\x7f\xf8\x00\x00\x00\x00\x00\x00\x0e"
    body = _pack_double(value)
    return b"\x0b\x40" + (b"" if body == b"\x00\x00\x00\x00\x00\x00\x00\x00" else _escape(body)) + b"\x0e"


def _decimal(value: Decimal, depth: int) -> bytes:
    return b"\x0b\x50" + _escape(decimal_body(value)) + b"\x0e"


def _timestamp(value: Timestamp, depth: int) -> bytes:
    return b"\x0b\x60" + _escape(timestamp_body(value)) + b"\x0e"


def _symbol(value: Symbol, depth: int) -> bytes:
    return _name(value.text)


def _name(text: str | None) -> bytes:
    if text is None:
        return b"\x0b\x71\x0e"
    return b"\x0b\x70" + _escape(text.encode()) + b"\x0e"


def _string(value: str, depth: int) -> bytes:
    return b"\x0b\x80" + _escape(value.encode()) + b"\x0e"


def _clob(value: Clob, depth: int) -> bytes:
    if type(value.data) is not bytes:
        raise InvalidValueError(f"a clob holds bytes, not {type(value.data).__name__}")
    return b"\x0b\x90" + _escape(value.data) + b"\x0e"


def _blob(value: bytes, depth: int) -> bytes:
    return b"\x0b\xa0" + _escape(value) + b"\x0e"


def _list(value: Iterable[Value], depth: int) -> bytes:
    return b"\x0b\xb0" + _members(value, depth) + b"\x0e"


def _sexp(value: Iterable[Value], depth: int) -> bytes:
    return b"\x0b\xc0" + _members(value, depth) + b"\x0e"


def _members(values: Iterable[Value], depth: int) -> bytes:
    if not depth:
        raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
    depth -= 1
    return b"".join([_SERIALIZERS[type(value)](value, depth) for value in values])


def _dict(value: dict[str, Value], depth: int) -> bytes:
    if None in value:
        raise InvalidValueError("a dict has a name for each field; a field without a name needs a MultiStruct")
    return _struct_of(value.items(), depth)


def _multi_struct(value: MultiStruct, depth: int) -> bytes:
    return _struct_of(value.fields, depth)


_NAMES: dict[str | None, bytes] = {}
"""Field names serialised as symbols: a ledger has few of them, and each document all of them. Bounded: they come from outside."""
_NAMES_MAX = 20_000
_REMEMBERED_NAME_MAX = 64


def _struct_of(fields: Iterable[tuple[str | None, Value]], depth: int) -> bytes:
    if not depth:
        raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
    depth -= 1
    hashes: list[bytes] = []
    for name, value in fields:
        named = _NAMES.get(name) or _remember(name)
        kind = type(value)
        if kind is str:  # most values are; the call to `_string` costs as much as what it does
            body = value.encode()  # type: ignore[union-attr]  # as just seen
            if 0x0C in body or 0x0B in body or 0x0E in body:
                body = _escape(body)
            hashes.append(sha256(named + b"\x0b\x80" + body + b"\x0e").digest())
        else:
            hashes.append(sha256(named + _SERIALIZERS[kind](value, depth)).digest())
    hashes.sort()
    return b"\x0b\xd0" + _escape(b"".join(hashes)) + b"\x0e"


def _remember(name: str | None) -> bytes:
    named = _name(name)
    if len(named) <= _REMEMBERED_NAME_MAX:
        if len(_NAMES) >= _NAMES_MAX:
            _NAMES.clear()
        _NAMES[name] = named
    return named


def _annotated(value: Annotated, depth: int) -> bytes:
    if not value.annotations or type(value.value) is Annotated:
        raise InvalidValueError("an Annotated has one annotation or more, around a value that is not Annotated")
    names = b"".join(map(_name, value.annotations))
    return b"\x0b\xe0" + names + _SERIALIZERS[type(value.value)](value.value, depth) + b"\x0e"


_SERIALIZERS: dict[type, Callable[[Any, int], bytes]] = {
    type(None): _null,
    TypedNull: _typed_null,
    bool: _bool,
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
