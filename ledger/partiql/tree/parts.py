"""What nodes of the tree are made of, whatever their kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TypeVar

from ledger.partiql.tree.expressions import Subquery

__all__ = ["found_in", "holds", "names_of_parts"]

_T = TypeVar("_T")


@cache
def names_of_parts(kind: type) -> tuple[str, ...]:
    """Give the fields of a kind of node that say what it is; where it stands is none of them. What is no node has none."""
    return tuple(f.name for f in fields(kind) if f.name not in ("at", "local")) if is_dataclass(kind) else ()


def holds(node: object, wanted: type) -> bool:
    """Tell whether a node, or a tuple of nodes, holds a node of the type `wanted` that belongs to its own query."""
    return next(found_in(node, wanted), None) is not None


def found_in(node: object, wanted: type[_T]) -> Iterator[_T]:
    """Give the outermost nodes of the type `wanted` that a node, or a tuple of nodes, holds and that belong to its own query."""
    pending = [node]
    while pending:
        node = pending.pop()
        kind: type = type(node)
        if kind is wanted:
            yield node  # type: ignore[misc]
        elif kind is tuple:
            pending.extend(node)  # type: ignore[arg-type]
        elif kind is not Subquery:
            pending.extend([getattr(node, name) for name in names_of_parts(kind)])
