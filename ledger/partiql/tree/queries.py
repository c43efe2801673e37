"""The nodes of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ledger.partiql.tree.expressions import Expression

__all__ = [
    "From",
    "GroupBy",
    "Item",
    "Join",
    "Let",
    "OrderKey",
    "Pivot",
    "Projection",
    "Query",
    "Select",
    "SelectList",
    "SelectStar",
    "SelectValue",
    "SetOperation",
    "Source",
    "StarOf",
    "With",
]


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that FROM ranges over. `as_of`: the block or the time at which it is looked at, None: now."""

    expression: Expression
    alias: str | None
    at_alias: str | None
    by_alias: str | None
    unpivot: bool
    at: int
    as_of: Expression | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """`kind`: inner (also the comma and CROSS JOIN: `on` is None), left, right, full"""

    kind: str
    left: From
    right: From
    on: Expression | None
    at: int


From: TypeAlias = "Source | Join"


@dataclass(frozen=True, slots=True)
class Item:
    """An expression of a SELECT list; `alias` None: named by its path, or by its position."""

    expression: Expression
    alias: str | None
    at: int


@dataclass(frozen=True, slots=True)
class StarOf:
    """`path.*` as an item of a SELECT list"""

    expression: Expression
    at: int


@dataclass(frozen=True, slots=True)
class SelectList:
    items: tuple[Item | StarOf, ...]


@dataclass(frozen=True, slots=True)
class SelectStar:
    at: int


@dataclass(frozen=True, slots=True)
class SelectValue:
    expression: Expression


@dataclass(frozen=True, slots=True)
class Pivot:
    """`PIVOT value AT name`: one struct of the whole result"""

    value: Expression
    name: Expression


Projection: TypeAlias = "SelectList | SelectStar | SelectValue | Pivot"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """`keys`: (expression, alias); `group_as`: the name of the bag of the group's rows"""

    keys: tuple[tuple[Expression, str | None], ...]
    group_as: str | None
    at: int


@dataclass(frozen=True, slots=True)
class OrderKey:
    """`nulls_first` None: as PartiQL has it, after the rest when ascending, before it when descending"""

    expression: Expression
    descending: bool
    nulls_first: bool | None
    at: int


@dataclass(frozen=True, slots=True)
class Let:
    """`LET expression AS name`"""

    expression: Expression
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    distinct: bool
    projection: Projection
    source: From | None
    lets: tuple[Let, ...]
    where: Expression | None
    group_by: GroupBy | None
    having: Expression | None
    order_by: tuple[OrderKey, ...]
    limit: Expression | None
    offset: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class SetOperation:
    """`operator`: union, intersect, except; `all`: keeps duplicates; `outer`: takes any values.

    `corresponding`: the columns that count, `()`: those that both sides have; None: not said.
    """

    operator: str
    all: bool
    outer: bool
    corresponding: tuple[str, ...] | None
    left: Query | Expression
    right: Query | Expression
    order_by: tuple[OrderKey, ...]
    limit: Expression | None
    offset: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class With:
    """`WITH name AS (query), ... query`"""

    bindings: tuple[tuple[str, Query], ...]
    query: Query
    at: int


Query: TypeAlias = "Select | SetOperation | With"
