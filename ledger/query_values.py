"""The two values that PartiQL has and Ion has not: MISSING, and the bag. They live in statements only and are never stored.

Source: the PartiQL specification, https://partiql.org/assets/PartiQL-Specification.pdf, section 2.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias

from ledger.values import IonType, TypedNull, Value

__all__ = ["MISSING", "UNMATCHED", "Bag", "Missing", "QueryValue"]


class Missing(Enum):
    """The type whose only value is MISSING: what navigation finds where nothing is."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> Literal[False]:
        return False


MISSING: Final = Missing.MISSING


UNMATCHED: Final = TypedNull(IonType.STRUCT)
"""What an outer join puts for the side that found no partner: a null whose fields are null too. Told by identity; it leaves as null."""


class Bag(list[Value]):
    """A collection without order: `<< 1, 2 >>`, and what a SELECT gives. It leaves the engine as a list."""

    __slots__ = ()


QueryValue: TypeAlias = "Value | Missing"
"""What an expression gives. A bag or list may hold MISSING inside; typing does not follow it there."""
