"""Ion values as JSON that people, Flink and SQL engines read. It may say less than the Ion value; the proof header says it all.

    int                      number, of any size           decimal          string ("1.50"), as Debezium's decimal.handling.mode=string
    float                    number; "NaN", "Infinity"     timestamp        string, ISO 8601 as written (2026-11-22T10:00:00.000Z)
    string, symbol           string                        blob, clob       string, base64
    list, sexp               array                         null.T           null
    struct                   object; a field that stands twice becomes an array of its values
    annotations              dropped

orjson does the work in one pass and calls back for what is not JSON's. It says null for NaN and refuses large integers; a value whose
text holds "null", or that it refuses, is therefore written a second time, carefully.
"""

from __future__ import annotations

import json
from base64 import b64encode
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

from ledger.values import Annotated, Clob, MultiStruct, Sexp, Symbol, Timestamp, TypedNull, Value

__all__ = ["dumps", "to_json"]

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


def dumps(value: Value) -> bytes:
    """Give the JSON text of an Ion value, UTF-8, without white space."""
    try:
        text = orjson.dumps(value, _shown, _OPTIONS)
    except TypeError:
        return _dumps_carefully(value)
    return _dumps_carefully(value) if b"null" in text else text


def to_json(value: Value) -> Any:
    """Give what `json.dumps` of the standard library, or a JSON column, takes."""
    if isinstance(value, dict):
        return {name: to_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [to_json(member) for member in value]
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | int | float):
        return value
    shown = _shown(value)
    return to_json(shown) if isinstance(shown, dict | list | float) or isinstance(value, Annotated) else shown


def _dumps_carefully(value: Value) -> bytes:
    return json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":")).encode()


def _shown(value: Any) -> Any:
    """Say one value in JSON's types; members of containers are said by the caller."""
    kind = type(value)
    if kind is bytes:
        return b64encode(value).decode()
    if kind is Timestamp or kind is Decimal:
        return str(value)
    if kind is Symbol:
        return "$0" if value.text is None else value.text
    if kind is Annotated:
        return value.value
    if kind is Sexp:
        return list(value)
    if kind is Clob:
        return b64encode(value.data).decode()
    if kind is TypedNull:
        return None
    if kind is MultiStruct:
        return _object(value)
    raise TypeError(f"{kind.__name__} is not an Ion value")


def _object(struct: MultiStruct) -> dict[str, Value]:
    members: dict[str, list[Value]] = {}
    for name, value in struct.fields:
        members.setdefault("$0" if name is None else name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in members.items()}
