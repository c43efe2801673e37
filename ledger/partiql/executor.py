"""Plan + parameters + context -> rows: the one place that executes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ledger.errors import LimitExceededError, StatementError
from ledger.limits import Limits
from ledger.partiql.context import StatementContext
from ledger.partiql.planner import Plan
from ledger.partiql.run import Run, Watch
from ledger.query_values import MISSING
from ledger.sizes import estimated_size
from ledger.values import Value

__all__ = ["Execution", "Result", "Statistics", "execute"]

_AT_ONCE = 16
"""Rows between two looks at how large the result has become."""
_RESULT = "the rows that it answers"


@dataclass(slots=True)
class Statistics:
    """What a statement cost: documents given by the views, look-ups made, tables scanned (by name, once each), and the type errors
    that its operators met in the data. `hints`: what could be done about it, for people."""

    documents_read: int = 0
    look_ups: int = 0
    scans: tuple[str, ...] = ()
    type_errors: int = 0
    hints: tuple[str, ...] = ()


@dataclass(slots=True)
class Result:
    """What a statement gives. `rows` are Ion values; bags are lists. `size`: about how many bytes they take, 0 for a few rows."""

    rows: list[Value]
    statistics: Statistics = field(default_factory=Statistics)
    size: int = 0


class Execution:
    """A statement that runs: the rows of a query come one by one, what changes something is done at the start.

    Raises:
        StatementError: not as many parameters as question marks.
    """

    __slots__ = ("_advice", "_run", "rows")

    def __init__(
        self,
        plan: Plan,
        parameters: Sequence[Value],
        context: StatementContext,
        limits: Limits,
        watch: Watch | None = None,
    ) -> None:
        if len(parameters) != plan.parameter_count and not (plan.only_told and not parameters):
            raise StatementError(
                f"Query expects {plan.parameter_count} parameters, but statement has {len(parameters)}"
            )
        self._advice = plan.advice
        self._run = run = Run(context, limits, watch)
        self.rows: Iterable[Value] = plan.run([run, *parameters, *[MISSING] * plan.slot_count])

    @property
    def statistics(self) -> Statistics:
        """What it has cost so far."""
        run = self._run
        scans = tuple(dict.fromkeys(run.scans)) if run.scans else ()
        hints = (*self._advice, *run.hints) if scans else ()
        return Statistics(run.documents_read, run.look_ups, scans, run.type_errors, hints)

    def ended(self) -> None:
        run = self._run
        if run.watch is not None:
            run.watch.ended(run.visits + run.documents_read)


def execute(
    plan: Plan,
    parameters: Sequence[Value],
    context: StatementContext,
    limits: Limits,
    watch: Watch | None = None,
    result_bytes: int = 0,
) -> Result:
    """Execute a plan once, and gather its rows.

    Args:
        watch: may end the statement while it runs.
        result_bytes: what earlier results of the transaction take.

    Raises:
        StatementError: not as many parameters as question marks.
        EvaluationError: the statement failed on the values that it met.
        LimitExceededError: too many rows, bytes or visits.
        Whatever the watch raises.
    """
    execution = Execution(plan, parameters, context, limits, watch)
    rows, size = execution.rows, 0
    if type(rows) is not list:
        rows, size = _gathered(iter(rows), limits, result_bytes)
    execution.ended()
    return Result(rows, execution.statistics, size)


def _gathered(rows: Iterator[Value], limits: Limits, before: int) -> tuple[list[Value], int]:
    found: list[Value] = []
    size, maximum = 0, limits.rows_per_statement_max
    while True:
        part = list(islice(rows, _AT_ONCE))
        found += part
        if len(found) > maximum:
            raise LimitExceededError("rows_per_statement_max", maximum, len(found), _RESULT)
        if len(part) < _AT_ONCE:
            return found, size
        # Not the same row of each part: data may have a rhythm of its own.
        size += _AT_ONCE * estimated_size(part[7 * len(found) // _AT_ONCE % _AT_ONCE])
        if before + size > limits.result_bytes_max:
            raise LimitExceededError("result_bytes_max", limits.result_bytes_max, before + size, _RESULT)
