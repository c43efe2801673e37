"""One execution of a plan: its door to the world, its counts, and what may end it early.

Rules:
- The work is counted in visits (documents, and elements of lists, that were looked at): the same on every machine, and no clock.
- Now and then whoever started the statement is asked whether it may go on (`Watch`): between two visits, so never within one sort.
- What an operator holds in memory is counted in rows, and estimated in bytes from a sample of them: each row would cost too much.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from ledger.errors import LimitExceededError
from ledger.limits import Limits
from ledger.partiql.comparison import MistypedError
from ledger.partiql.context import StatementContext
from ledger.query_values import MISSING, Missing
from ledger.sizes import estimated_size

__all__ = ["FoldingRun", "Holding", "Run", "Watch"]

_FEW = 16
"""Up to so many rows, the first one is looked at and no other."""
_STEP_MAX = 15
_BYTES_OF_VISIT = 1024
"""To build or hold so much takes about as long as to look at a document."""
_ROW_BYTES = 64
"""What a row takes beside its values: its place in a list or table, its own head."""

_NOTHING: frozenset[str] = frozenset()


class Watch(Protocol):
    """Whoever may end a statement while it runs."""

    def look(self, visited: int) -> int:
        """Told how many visits the statement has made, 0 before the first; give at how many to be asked again. Raises what ends it."""

    def ended(self, visited: int) -> None:
        """The statement has come to its end with so many visits."""


class Run:
    """One execution of a plan."""

    __slots__ = (
        "bytes_read",
        "context",
        "documents_read",
        "held_bytes",
        "hints",
        "last_error",
        "limits",
        "look_at",
        "look_ups",
        "sampled",
        "scans",
        "type_errors",
        "visits",
        "watch",
    )

    def __init__(self, context: StatementContext, limits: Limits, watch: Watch | None = None) -> None:
        self.context, self.limits, self.watch = context, limits, watch
        self.documents_read = self.look_ups = self.type_errors = self.visits = self.held_bytes = 0
        self.bytes_read = 0  # only EXPLAIN ANALYZE counts them
        self.look_at = limits.visits_per_statement_max if watch is None else watch.look(0)
        self.scans: list[str] = []
        self.hints: tuple[str, ...] = ()  # for people
        self.sampled: frozenset[str] = _NOTHING  # names of tables whose fields were looked at for a hint
        self.last_error: MistypedError | None = None

    def mistyped(self, error: MistypedError) -> Missing:
        """Note a type error on data; its value is MISSING."""
        self.type_errors += 1
        self.last_error = error
        return MISSING

    def visit(self) -> None:
        """Count one step of the work. Raises as `look`."""
        self.visits += 1
        if self.visits + self.documents_read > self.look_at:
            self.look()

    def worked(self, size: int) -> None:
        """Count what was built, `size` bytes of it, as visits. Raises as `look`."""
        self.visits += size // _BYTES_OF_VISIT
        if self.visits + self.documents_read > self.look_at:
            self.look()

    def look(self) -> None:
        """Called when the work has come to `look_at`: decide whether it goes on.

        Raises:
            LimitExceededError: too many visits.
            Whatever the watch raises.
        """
        visited, maximum = self.visits + self.documents_read, self.limits.visits_per_statement_max
        if visited > maximum:
            raise LimitExceededError("visits_per_statement_max", maximum, visited)
        self.look_at = maximum if self.watch is None else min(maximum, self.watch.look(visited))

    def holding(self, operator: str) -> Holding:
        """Begin to hold rows for an operator: `with run.holding("ORDER BY") as held`, then `held.add(row)` for each."""
        return Holding(self, operator)


class Holding:
    """What one operator holds in memory; let go of at the end of `with`."""

    __slots__ = ("_bytes", "_count", "_look_at", "_looks", "_operator", "_run", "_seen")

    def __init__(self, run: Run, operator: str) -> None:
        self._run, self._operator = run, operator
        self._count = self._seen = self._bytes = self._looks = 0
        self._look_at = 1  # a single row may be enormous

    def __enter__(self) -> Holding:
        return self

    def __exit__(self, *_: object) -> None:
        self._run.held_bytes -= self._bytes
        self._bytes = 0

    def keep(self) -> None:
        """What is held stays until the statement ends."""
        self._bytes = 0

    def add(self, row: object) -> None:
        """Hold one row more.

        Raises:
            LimitExceededError: too many rows, or bytes.
        """
        self._count += 1
        if self._count >= self._look_at:
            self._look(row)

    def _look(self, row: object) -> None:
        limits, count = self._run.limits, self._count
        if count > limits.rows_per_statement_max:
            raise LimitExceededError("rows_per_statement_max", limits.rows_per_statement_max, count, self._operator)
        size = (count - self._seen) * (_ROW_BYTES + estimated_size(row))
        self._bytes += size
        self._run.held_bytes += size
        if self._run.held_bytes > limits.statement_memory_bytes_max:
            raise LimitExceededError(
                "statement_memory_bytes_max", limits.statement_memory_bytes_max, self._run.held_bytes, self._operator
            )
        self._run.worked(size)
        self._goes_on(count)

    def cut(self, count: int) -> None:
        """Go on with the first `count` rows; the others were dropped."""
        if count < self._count:
            kept = self._bytes * count // self._count
            self._run.held_bytes -= self._bytes - kept
            self._bytes, self._count = kept, count
            self._goes_on(count)

    def _goes_on(self, count: int) -> None:
        self._seen = count
        # Not every n-th row: data may have a rhythm of its own.
        step = 1 + (self._looks * 2654435761 >> 7) % _STEP_MAX
        self._looks += 1
        self._look_at = min(max(count + step, _FEW), self._run.limits.rows_per_statement_max + 1)


class FoldingRun:
    """Stands for the `Run` while the planner evaluates constants: there a type error is the statement's own."""

    def mistyped(self, error: MistypedError) -> NoReturn:
        raise error
