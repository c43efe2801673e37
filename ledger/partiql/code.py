"""What the planner compiles to: Python closures over one flat environment.

    env = [run, parameter 0, ..., parameter n-1, slot, slot, ...]

`env[0]` is the `Run`, which counts and holds the context (`run`). Each variable of FROM has a slot of its own in the whole statement,
subqueries included; a source sets its slots and yields, whoever stands above reads them. So a row is no object at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ledger.partiql.run import FoldingRun, Run
from ledger.query_values import QueryValue

__all__ = ["Code", "Env", "Evaluate", "FoldingRun", "QueryCode", "Rows", "Run", "constant"]

Env: TypeAlias = list[Any]
Evaluate: TypeAlias = Callable[[Env], QueryValue]
Rows: TypeAlias = Callable[[Env], Iterator[None]]
"""Sets slots and yields, once for each row."""


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled expression.

    `constant`: it gives the same value whatever env holds. `path`: (slot, field names) where it is no more than that,
    so that a look-up may serve it; of a document's id: (slot of the document, ()).
    """

    run: Evaluate
    constant: bool = False
    path: tuple[int, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class QueryCode:
    """A compiled query. `columns` is None unless SELECT lists named ones; `single`: PIVOT, which gives one value."""

    rows: Callable[[Env], Iterator[QueryValue]]
    columns: tuple[str, ...] | None = None
    ordered: bool = False
    single: bool = False


def constant(value: QueryValue) -> Code:
    return Code(lambda _: value, constant=True)
