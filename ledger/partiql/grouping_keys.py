"""Keys of Python's dicts that are equal where PartiQL's values are."""

from __future__ import annotations

from decimal import Decimal

from ledger.index_key import order_key
from ledger.query_values import QueryValue
from ledger.values import Annotated, Symbol

__all__ = ["group_key"]


def group_key(value: QueryValue) -> object:
    """Give what is equal in Python where values are equal under PartiQL's `=`, nulls to each other too; quicker than `order_key`."""
    if type(value) is Annotated:
        value = value.value
    kind = type(value)
    if kind is str or kind is int or kind is Decimal or (kind is float and value == value):
        return value
    if kind is Symbol and value.text is not None:  # type: ignore[union-attr]
        return value.text  # type: ignore[union-attr]
    return order_key(value)
