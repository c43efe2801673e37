"""What the planner compiles to: Python closures over one flat environment.

    env = [run, parameter 0, ..., parameter n-1, slot, slot, ...]

`env[0]` is the `Run`, which counts and holds the context. Each variable of FROM has a slot of its own in the whole statement,
subqueries included; a source sets its slots and yields, whoever stands above reads them. So a row is no object at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from ledger.errors import LimitExceededError
from ledger.limits import Limits
from ledger.partiql.comparison import MistypedError
from ledger.partiql.context import StatementContext
from ledger.query_values import MISSING, Missing, QueryValue

__all__ = ["Code", "Env", "Evaluate", "FoldingRun", "QueryCode", "Rows", "Run", "constant"]

Env: TypeAlias = list[Any]
Evaluate: TypeAlias = Callable[[Env], QueryValue]
Rows: TypeAlias = Callable[[Env], Iterator[None]]
"""Sets slots and yields, once for each row."""


class Run:
    """One execution of a plan: its door to the world, and its counts."""

    __slots__ = (
        "context",
        "documents_read",
        "last_error",
        "limits",
        "look_ups",
        "scans",
        "type_errors",
        "visits",
        "visits_max",
    )

    def __init__(self, context: StatementContext, limits: Limits) -> None:
        self.context, self.limits = context, limits
        self.documents_read = self.look_ups = self.type_errors = self.visits = 0
        self.visits_max = limits.visits_per_statement_max
        self.scans: list[str] = []
        self.last_error: MistypedError | None = None

    def mistyped(self, error: MistypedError) -> Missing:
        """Note a type error on data; its value is MISSING."""
        self.type_errors += 1
        self.last_error = error
        return MISSING

    def visit(self) -> None:
        """Count one step of the work. Raises LimitExceededError."""
        self.visits += 1
        if self.visits + self.documents_read > self.visits_max:
            raise LimitExceededError("visits_per_statement_max", self.visits_max, self.visits + self.documents_read)

    def hold(self, count: int) -> None:
        """Check that so many rows may be held in memory."""
        if count > self.limits.rows_per_statement_max:
            raise LimitExceededError("rows_per_statement_max", self.limits.rows_per_statement_max, count)


class FoldingRun:
    """Stands for the `Run` while the planner evaluates constants: there a type error is the statement's own."""

    def mistyped(self, error: MistypedError) -> NoReturn:
        raise error


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
