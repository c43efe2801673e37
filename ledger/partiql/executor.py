"""Plan + parameters + context -> rows: the one function that executes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.errors import StatementError
from ledger.limits import Limits
from ledger.partiql.code import Run
from ledger.partiql.context import StatementContext
from ledger.partiql.planner import Plan
from ledger.query_values import MISSING
from ledger.values import Value

__all__ = ["Result", "Statistics", "execute"]


@dataclass(slots=True)
class Statistics:
    """What a statement cost: documents given by the views, look-ups made, tables scanned (by name, once each), and the type errors
    that its operators met in the data."""

    documents_read: int = 0
    look_ups: int = 0
    scans: tuple[str, ...] = ()
    type_errors: int = 0


@dataclass(slots=True)
class Result:
    """What a statement gives. `rows` are Ion values; bags are lists."""

    rows: list[Value]
    statistics: Statistics = field(default_factory=Statistics)


def execute(plan: Plan, parameters: Sequence[Value], context: StatementContext, limits: Limits) -> Result:
    """Execute a plan once.

    Raises:
        StatementError: not as many parameters as question marks.
        EvaluationError: the statement failed on the values that it met.
        LimitExceededError: too many rows, or documents.
    """
    if len(parameters) != plan.parameter_count:
        raise StatementError(f"Query expects {plan.parameter_count} parameters, but statement has {len(parameters)}")
    run = Run(context, limits)
    rows = plan.run([run, *parameters, *[MISSING] * plan.slot_count])
    scans = tuple(dict.fromkeys(run.scans)) if run.scans else ()
    return Result(rows, Statistics(run.documents_read, run.look_ups, scans, run.type_errors))
