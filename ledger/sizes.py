"""How large a value is: in Ion binary, by a bound from above that is much cheaper than encoding it; in memory, roughly the same."""

from __future__ import annotations

from decimal import Decimal

from ledger.errors import LimitExceededError
from ledger.values import Annotated, Clob, MultiStruct, Symbol, Value, fields_of

__all__ = ["estimated_size", "size_bound"]

_CONTAINER = 12
"""Type byte, length and field symbol of a value that is shorter than 2**28 bytes, with room."""
_LOOKED_INTO_DEPTH = 64
_DEEP = 64 * 1024
"""What a value counts that is deeper than any document: made by a query, and rare."""


def size_bound(value: Value, depth_max: int) -> int:
    """Give a number of bytes that the value does not exceed in Ion binary, its field names included.

    Raises:
        LimitExceededError: containers stand inside of each other more than `depth_max` deep.
    """
    return _bound(value, depth_max, depth_max)


def estimated_size(value: object) -> int:
    """Give about how many bytes a value, a row or a list of them takes in memory; what is no Ion value counts little."""
    try:
        return _bound(value, _LOOKED_INTO_DEPTH, _LOOKED_INTO_DEPTH)  # type: ignore[arg-type]  # any object ends in the last line
    except LimitExceededError:
        return _DEEP


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
        raise LimitExceededError("value_depth_max", depth_max, depth_max + 1)
    if isinstance(value, dict | MultiStruct):
        return _CONTAINER + sum(
            4 * len(name or "") + _CONTAINER + _bound(item, room - 1, depth_max) for name, item in fields_of(value)
        )
    if isinstance(value, list | tuple):
        return _CONTAINER + sum(_bound(item, room - 1, depth_max) for item in value)
    assert isinstance(value, Annotated)
    names = sum(4 * len(name or "") + _CONTAINER for name in value.annotations)
    return _CONTAINER + names + _bound(value.value, room, depth_max)
