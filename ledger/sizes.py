"""How large a value is: in Ion binary, by a bound from above that is much cheaper than encoding it; in memory, roughly the same, and a
little more for each list and struct."""

from __future__ import annotations

from decimal import Decimal

from ledger.errors import InvalidValueError, LimitExceededError
from ledger.values import Annotated, Clob, MultiStruct, Symbol, Value, fields_of

__all__ = ["estimated_size", "size_bound"]

_CONTAINER = 12
"""Type byte, length and field symbol of a value that is shorter than 2**28 bytes, with room."""
_HEAD_IN_MEMORY = 52
"""What a list or struct takes in memory, however little it holds: many small ones are what a query can make without end."""
_LOOKED_INTO_DEPTH = 64
_DEEP = 64 * 1024
"""What a value counts that is deeper than any document: made by a query, and rare."""
_ENORMOUS = 64 * 1024 * 1024
"""Nobody looks further into a value that is so large. A query can make one that holds the same list a billion times."""
_MORE_THAN_ANY_LIMIT = 1 << 62
_NOT_REFUSED = 0
"""Instead of a depth: what is deeper counts `_DEEP`."""


def size_bound(value: Value, depth_max: int) -> int:
    """Give a number of bytes that the value does not exceed in Ion binary, its field names included.

    Raises:
        LimitExceededError: containers stand inside of each other more than `depth_max` deep.
        InvalidValueError: it is enormous.
    """
    try:
        return _bound(value, depth_max, depth_max)
    except _EnormousError:
        raise InvalidValueError(f"a value of more than {_ENORMOUS} bytes") from None


def estimated_size(value: object) -> int:
    """Give about how many bytes a value, a row or a list of them takes in memory, or more than any limit.

    What is no Ion value counts little.
    """
    try:
        return _bound(value, _LOOKED_INTO_DEPTH, _NOT_REFUSED)  # type: ignore[arg-type]  # any object ends in the last line
    except _EnormousError:
        return _MORE_THAN_ANY_LIMIT


class _EnormousError(Exception):
    """A value has `_ENORMOUS` bytes or more."""


def _bound(value: Value, room: int, depth_max: int) -> int:
    kind = type(value)
    if kind is str:
        return 4 * len(value) + _CONTAINER  # type: ignore[arg-type]  # 4: the longest UTF-8 form of a character
    if kind is dict or kind is MultiStruct or kind is Annotated or isinstance(value, list | tuple):
        return _bound_container(value, room, depth_max)
    if isinstance(value, int):
        return value.bit_length() // 8 + _CONTAINER
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) + 2 * _CONTAINER
    if isinstance(value, Symbol):
        return 4 * len(value.text or "") + _CONTAINER
    if isinstance(value, bytes | Clob):
        return len(value if isinstance(value, bytes) else value.data) + _CONTAINER
    return 3 * _CONTAINER


def _bound_container(value: Value, room: int, depth_max: int) -> int:
    if room == 0:
        if depth_max == _NOT_REFUSED:
            return _DEEP
        raise LimitExceededError("value_depth_max", depth_max, depth_max + 1)
    size = _CONTAINER
    if depth_max == _NOT_REFUSED:
        size += _HEAD_IN_MEMORY
    if isinstance(value, dict | MultiStruct):
        for name, item in fields_of(value):
            size += 4 * len(name or "") + _CONTAINER + _bound(item, room - 1, depth_max)
            if size > _ENORMOUS:
                raise _EnormousError
        return size
    if isinstance(value, list | tuple):
        for item in value:
            size += _bound(item, room - 1, depth_max)
            if size > _ENORMOUS:
                raise _EnormousError
        return size
    assert isinstance(value, Annotated)
    names = sum(4 * len(name or "") + _CONTAINER for name in value.annotations)
    return _CONTAINER + names + _bound(value.value, room, depth_max)
