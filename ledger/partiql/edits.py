"""Changes inside of a document, by copying along the path: the document that was read stays as it was.

A path is a tuple of field names and list positions. Rules:
- SET makes a missing field, and missing structs on the way to it; a list position must be there. MISSING as the value takes the
  field away.
- Of a field name that stands twice SET changes the first; REMOVE takes all.
- REMOVE of what is not there changes nothing, and gives the very same object.
"""

from __future__ import annotations

from typing import Any

from ledger.errors import EvaluationError
from ledger.partiql.comparison import a_type_of, bare, shown
from ledger.partiql.navigation import struct_of
from ledger.query_values import MISSING, QueryValue
from ledger.values import Annotated, MultiStruct, Sexp, Struct, Value

__all__ = ["KeyPath", "insert_at", "remove_at", "set_at"]

KeyPath = tuple[str | int, ...]


def set_at(value: Any, path: KeyPath, new: QueryValue, at: int = 0) -> Any:
    """Give `value` with `new` at `path`.

    Raises:
        EvaluationError: something on the way is no container, or a list has no such position.
    """
    if at == len(path):
        return new
    key = path[at]
    if type(value) is dict and type(key) is str:
        inner = new if at + 1 == len(path) else set_at(value.get(key, MISSING), path, new, at + 1)
        if inner is MISSING:
            return {name: old for name, old in value.items() if name != key}
        return {**value, key: inner}
    if type(value) is Annotated:
        return Annotated(value.annotations, set_at(value.value, path, new, at))
    if value is MISSING and type(key) is str:
        return {} if new is MISSING else {key: set_at(MISSING, path, new, at + 1)}
    if type(value) is MultiStruct and type(key) is str:
        return _set_field(value, path, new, at)
    if type(value) in (list, Sexp) and type(key) is int and 0 <= key < len(value):
        inner = set_at(value[key], path, new, at + 1)
        if inner is MISSING:
            raise EvaluationError(f"{_shown(path)} cannot be set to MISSING: it is an element of a list")
        return _with(value, key, key + 1, inner)
    raise EvaluationError(f"{_shown(path)} cannot be set: {_found(value, path, at)}")


def _set_field(value: MultiStruct, path: KeyPath, new: QueryValue, at: int) -> Struct:
    fields = list(value.fields)
    i = next((i for i, (name, _) in enumerate(fields) if name == path[at]), None)
    inner = set_at(MISSING if i is None else fields[i][1], path, new, at + 1)
    if i is None:
        return value if inner is MISSING else MultiStruct((*fields, (str(path[at]), inner)))
    fields[i : i + 1] = [] if inner is MISSING else [(fields[i][0], inner)]
    return struct_of(fields)


def insert_at(value: Any, path: KeyPath, key: QueryValue, new: Value, at: int = 0) -> Any:
    """Give `value` with `new` inserted into the list or struct at `path`; `key` MISSING appends to a list.

    Raises:
        EvaluationError: there is no list or struct, no such position, or the field is there already.
    """
    if at < len(path):
        inner = _child(value, path, at)
        return set_at(value, path[at : at + 1], insert_at(inner, path, key, new, at + 1))
    key = bare(key)
    if type(value) is Annotated:
        return Annotated(value.annotations, insert_at(value.value, path, key, new, at))
    if type(value) in (list, Sexp):
        position = len(value) if key is MISSING else key
        if type(position) is not int or not 0 <= position <= len(value):
            raise EvaluationError(f"INSERT INTO {_shown(path)} AT {shown(key)}: it has the positions 0 to {len(value)}")
        return _with(value, position, position, new)
    if type(value) in (dict, MultiStruct):
        if type(key) is not str:
            raise EvaluationError(f"INSERT INTO {_shown(path)}: into a struct it needs AT and the new field's name")
        if _child(value, (key,), 0) is not MISSING:
            raise EvaluationError(f"INSERT INTO {_shown(path)} AT {shown(key)}: the field is there already")
        return set_at(value, (key,), new)
    raise EvaluationError(f"INSERT INTO {_shown(path)}: it is {a_type_of(value)}, neither a list nor a struct")


def remove_at(value: Any, path: KeyPath, at: int = 0) -> Any:
    """Give `value` without what is at `path`, or `value` itself if nothing is there."""
    inner = _child(value, path, at)
    if inner is MISSING:
        return value
    if at + 1 < len(path):
        changed = remove_at(inner, path, at + 1)
        return value if changed is inner else set_at(value, path[at : at + 1], changed)
    if type(value) is Annotated:
        return Annotated(value.annotations, remove_at(value.value, path, at))
    key = path[at]
    if type(value) is MultiStruct:
        return struct_of(field for field in value.fields if field[0] != key)
    if type(value) is dict:
        return {name: old for name, old in value.items() if name != key}
    return _with(value, int(key), int(key) + 1)


def _child(value: Any, path: KeyPath, at: int) -> QueryValue:
    key = path[at]
    if type(value) is Annotated:
        value = value.value
    if type(key) is str:
        if type(value) is dict:
            return value.get(key, MISSING)  # type: ignore[no-any-return]
        if type(value) is MultiStruct:
            return next((found for name, found in value.fields if name == key), MISSING)
    elif type(value) in (list, Sexp) and 0 <= int(key) < len(value):
        return value[key]  # type: ignore[no-any-return]
    return MISSING


def _with(value: Any, start: int, end: int, *new: Any) -> Any:
    """Give a list or sexp in which `new` stands for the elements from `start` to `end`."""
    return type(value)((*value[:start], *new, *value[end:]))


def _shown(path: KeyPath) -> str:
    text = "".join(f"[{shown(key)}]" if type(key) is int else f".{key}" for key in path)
    return text.removeprefix(".") or "the document"


def _found(value: Any, path: KeyPath, at: int) -> str:
    if type(path[at]) is int and type(value) in (list, Sexp):
        return f"{_shown(path[:at])} has {len(value)} elements"
    wanted = "struct" if type(path[at]) is str else "list"
    return f"{_shown(path[:at])} is {a_type_of(value)}, not a {wanted}"
