"""Into values and out of them: paths, structs that are built, values that leave the engine.

Rules:
- Navigation into what is not there gives MISSING, never an error.
- Of a field name that stands twice a path finds the first; a struct that is built keeps both.
- No value that a query was given is ever changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ledger.partiql.comparison import bare, text_of
from ledger.query_values import MISSING, UNMATCHED, Bag, QueryValue
from ledger.values import Annotated, MultiStruct, Sexp, Struct, Value, fields_of

__all__ = ["element", "elements_of", "field_of", "ion_value", "is_struct", "struct_of"]


def field_of(value: QueryValue, name: str) -> QueryValue:
    """Give `value.name`."""
    if type(value) is Annotated:
        value = value.value
    if type(value) is dict:
        return value.get(name, MISSING)
    if type(value) is MultiStruct:
        return next((found for field, found in value.fields if field == name), MISSING)
    return None if value is UNMATCHED else MISSING


def element(value: Any, key: Any) -> Any:
    """Give `value[key]`: of a list by position from 0, of a struct by a computed name."""
    value, key = bare(value), bare(key)
    if type(value) in (list, Sexp):
        return value[key] if type(key) is int and 0 <= key < len(value) else MISSING
    name = text_of(key)
    return MISSING if name is None else field_of(value, name)


def elements_of(value: Any) -> Iterator[QueryValue]:
    """Give what FROM ranges over: the elements of a collection, or the value itself."""
    value = value.value if type(value) is Annotated else value
    return iter(value if type(value) in (list, Bag, Sexp) else (value,))


def is_struct(value: QueryValue) -> bool:
    return type(bare(value)) in (dict, MultiStruct)


def struct_of(pairs: Iterable[tuple[str | None, QueryValue]]) -> Struct:
    """Build a struct; MISSING fields are left out, names that stand twice stay twice."""
    found = [(name, value) for name, value in pairs if value is not MISSING]
    struct: dict[str, Value] = dict(found)  # type: ignore[arg-type]
    if len(struct) == len(found) and None not in struct:
        return struct
    return MultiStruct(tuple(found))


def ion_value(value: Any) -> Any:
    """Give what leaves the engine: a bag as a list, a MISSING inside of a collection as null."""
    kind = type(value)
    if value is MISSING or value is UNMATCHED:
        return None
    if kind is Bag or kind is list:
        return [ion_value(item) for item in value]
    if kind is dict:
        return {name: ion_value(item) for name, item in value.items()}
    if kind is Sexp:
        return Sexp(ion_value(item) for item in value)
    if kind is MultiStruct:
        return MultiStruct(tuple((name, ion_value(item)) for name, item in fields_of(value)))
    if kind is Annotated:
        return Annotated(value.annotations, ion_value(value.value))
    return value
