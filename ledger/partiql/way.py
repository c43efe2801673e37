"""A way to a table's documents, whatever it goes by.

A way may give more than the condition that chose it lets through, since that is checked again on each row; it gives no document
twice, and none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.catalog import Index, IndexKey
from ledger.partiql.code import Env
from ledger.partiql.context import Document

__all__ = ["Direction", "Documents", "Way", "once"]

Documents = Callable[[Env], Iterator[Document]]


@dataclass(frozen=True, slots=True)
class Direction:
    """One key of an order that is asked for: nulls last if ascending, first if descending."""

    path: IndexKey
    descending: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A way.

    `operator`: its name for EXPLAIN; `rows`: how many documents it is thought to give, at what `cost`; `reads`: the slots that must be set
    before it can be gone.
    """

    operator: str
    index: Index | None
    rows: float
    cost: float
    reads: frozenset[int]
    documents: Documents


def once(below: Documents) -> Documents:
    """Give each document once, though several values lead to it."""

    def documents(env: Env) -> Iterator[Document]:
        seen: set[tuple[str, int]] = set()
        for document in below(env):
            key = (document.document_id, document.version)
            if key not in seen:
                seen.add(key)
                yield document

    return documents
