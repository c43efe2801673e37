"""What the planner compiles to: Python closures over one flat environment.

    env = [run, parameter 0, ..., parameter n-1, slot, slot, ...]

`env[0]` is the `Run`, which counts and holds the context (`run`). Each variable of FROM has a slot of its own in the whole statement,
subqueries included; a source sets its slots and yields, whoever stands above reads them. So a row is no object at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ledger.catalog import IndexKey
from ledger.partiql.run import FoldingRun, Run
from ledger.query_values import QueryValue

if TYPE_CHECKING:
    from ledger.partiql.hints import Hint

__all__ = ["Code", "Env", "Evaluate", "FoldingRun", "QueryCode", "Rows", "Run", "SlotPath", "constant"]

Env: TypeAlias = list[Any]
Evaluate: TypeAlias = Callable[[Env], QueryValue]
Rows: TypeAlias = Callable[[Env], Iterator[None]]
"""Sets slots and yields, once for each row."""
SlotPath: TypeAlias = "tuple[int, IndexKey]"
"""A slot, and a path into its value."""


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled expression.

    `constant`: it gives the same value whatever env holds. `path`: where it is no more than that, so that a look-up may serve it; with
    EACH in it the value is the bag of all that the path finds; of a document's id: (slot of the document, ()).
    """

    run: Evaluate
    constant: bool = False
    path: SlotPath | None = None


@dataclass(frozen=True, slots=True)
class QueryCode:
    """A compiled query.

    `columns` is None unless SELECT lists named ones; `single`: PIVOT, which gives one value; `implied`: what a row of it says of the
    outer query's.
    """

    rows: Callable[[Env], Iterator[QueryValue]]
    columns: tuple[str, ...] | None = None
    ordered: bool = False
    single: bool = False
    implied: tuple[Hint, ...] = ()


def constant(value: QueryValue) -> Code:
    return Code(lambda _: value, constant=True)
