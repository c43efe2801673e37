"""Statement + Catalog -> Plan, and the cache of plans.

Rules:
- A plan holds closures and no state: any number of threads may execute it at once.
- Parameters never re-plan: the plan is the same whatever they are.
- A plan is good for the catalogue version it was made for; the cache is keyed by text and version, and bounded. One that chose by counts
  is made anew when they have changed much.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from ledger.catalog import Catalog
from ledger.errors import LimitExceededError
from ledger.limits import Limits
from ledger.partiql.changes import plan_delete, plan_update
from ledger.partiql.code import Env, QueryCode
from ledger.partiql.compiler import Compiler
from ledger.partiql.definitions import plan_definition, refuse_procedure
from ledger.partiql.estimates import Basis, Counts, still_holds
from ledger.partiql.explain import Explainer
from ledger.partiql.insertions import plan_insert
from ledger.partiql.navigation import ion_value
from ledger.partiql.parser import parse
from ledger.partiql.queries import plan_query
from ledger.partiql.scope import Scope
from ledger.partiql.tree.queries import Select, SetOperation, With
from ledger.partiql.tree.statements import (
    Body,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    Explain,
    Insert,
    Statement,
    UndropTable,
    Update,
)
from ledger.partiql.tree.text import text_of_expression
from ledger.query_values import MISSING, QueryValue
from ledger.values import Value

__all__ = ["Plan", "PlanCache", "make_plan"]

_K = TypeVar("_K")
_V = TypeVar("_V")
_CACHED_MAX = 512
_CACHED_TEXT_MAX = 4_096
"""Characters: longer texts are mostly literals that never come again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement, ready to execute.

    `kind`: query, dml, ddl. `tables`: names of the catalogue that it relied on, `information_schema.user_tables` when that is read.
    `scans`: names of tables that it may scan; none if all is looked up. `basis`: the counts by which it chose. `advice`: statements that
    would make its scans needless. `ordered`: its rows have an order; `single`: PIVOT or a lone expression, which gives one value.
    `only_told`: EXPLAIN, which may do without the parameters. `run` gives the rows: a query's as they are found, the list of all where
    something is changed.
    """

    text: str
    kind: str
    parameter_count: int
    tables: tuple[str, ...]
    scans: tuple[str, ...]
    basis: Basis
    advice: tuple[str, ...]
    slot_count: int
    ordered: bool
    single: bool
    only_told: bool
    run: Callable[[Env], Iterable[Value]]

    @property
    def read_only(self) -> bool:
        return self.kind == "query"


def make_plan(
    statement: Statement,
    catalog: Catalog,
    *,
    constants: Mapping[str, QueryValue] | None = None,
    counts: Counts | None = None,
    clock_ns: Callable[[], int] | None = None,
    naive: bool = False,
) -> Plan:
    """Plan a statement.

    Args:
        constants: values that names stand for which are nothing else.
        counts: of documents and entries; None: nobody knows.
        clock_ns: a monotonic clock in nanoseconds, for EXPLAIN ANALYZE; None: it tells no times.
        naive: scan always, in the written order; the oracle of the tests.

    Raises:
        PlanError: it names what does not exist, or is wrong by itself; with the place.
        LimitExceededError: it is too deep.
    """
    compiler = Compiler(
        statement.text, statement.parameter_count, plan_query, catalog, constants=constants, counts=counts, naive=naive
    )
    try:
        if isinstance(statement.body, Explain):
            run, query = _explained(compiler, statement.body, clock_ns)
        else:
            run, query = _compiled(compiler, statement.body)
    except RecursionError:  # the caller's own stack was deep already
        maximum = Limits().expression_depth_max
        raise LimitExceededError("expression_depth_max", maximum, len(statement.text)) from None
    return Plan(
        statement.text,
        statement.kind,
        statement.parameter_count,
        tuple(compiler.tables),
        tuple(compiler.scans),
        compiler.estimates.basis(),
        tuple(compiler.advice),
        compiler.next_slot - compiler.first_slot,
        query is not None and query.ordered,
        query.single if query is not None else statement.kind == "query",
        isinstance(statement.body, Explain) and not statement.body.analyze,
        run,
    )


_Compiled: TypeAlias = "tuple[Callable[[Env], Iterable[Value]], QueryCode | None]"


def _explained(compiler: Compiler, node: Explain, clock_ns: Callable[[], int] | None) -> _Compiled:
    """Give the one row that tells the plan; with ANALYZE once the statement has run, its own rows given to nobody."""
    explainer = compiler.explainer = Explainer(compiler.kept_slot, analyze=node.analyze, clock_ns=clock_ns)
    run, _ = _compiled(compiler, node.body)
    operator, details = _told(node.body)
    if not node.analyze:
        return lambda env: [explainer.tree(operator, details)], None

    def analyzed(env: Env) -> list[Value]:
        count = sum(1 for _ in run(env))
        return [explainer.tree(operator, details | {"rows": count}, env)]

    return analyzed, None


def _told(body: Body) -> tuple[str, dict[str, Value]]:
    if isinstance(body, Insert):
        return "insert", {"table": text_of_expression(body.target.expression)}
    if isinstance(body, Update):
        return "update", {}
    return ("delete", {}) if isinstance(body, Delete) else ("select", {})


def _compiled(compiler: Compiler, body: Body) -> _Compiled:
    if isinstance(body, Select | SetOperation | With):
        query = plan_query(compiler, body, Scope())
        return _query(query, foreign=compiler.makes_foreign), query
    if isinstance(body, Insert):
        return plan_insert(compiler, body), None
    if isinstance(body, Update):
        return plan_update(compiler, body), None
    if isinstance(body, Delete):
        return plan_delete(compiler, body), None
    if isinstance(body, CreateTable | DropTable | UndropTable | CreateIndex | DropIndex):
        return plan_definition(compiler, body), None
    if isinstance(body, Exec):
        refuse_procedure(compiler, body)
    assert not isinstance(body, Explain), "EXPLAIN stands at the start only"
    value = compiler.compile(body, Scope()).run

    def one_value(env: Env) -> list[Value]:
        found = value(env)
        return [] if found is MISSING else [ion_value(found)]

    return one_value, None


def _query(query: QueryCode, *, foreign: bool) -> Callable[[Env], Iterable[Value]]:
    values = query.rows
    return (lambda env: map(ion_value, values(env))) if foreign else values  # type: ignore[return-value]


class PlanCache:
    """Remembers what was parsed and planned lately, the least recently used forgotten first. Safe from several threads."""

    def __init__(self, limits: Limits | None = None, clock_ns: Callable[[], int] | None = None) -> None:
        self._limits, self._clock_ns = limits or Limits(), clock_ns
        self._statements: _Recent[str, Statement] = _Recent()
        self._plans: _Recent[tuple[str, int, int], Plan] = _Recent()

    def parse(self, text: str) -> Statement:
        """Parse, or remember. Raises ParseError, LimitExceededError."""
        found = self._statements.get(text)
        if found is None:
            found = parse(text, self._limits)
            if len(text) <= _CACHED_TEXT_MAX:
                self._statements.put(text, found)
        return found

    def plan(self, text: str, catalog: Catalog, counts: Counts | None = None) -> Plan:
        """Plan, or remember. Raises StatementError, LimitExceededError.

        The catalogue says whether a plan is still good; of one that had a choice also the counts do by which it was made.
        """
        key = (text, catalog.version, catalog.state)
        found = self._plans.get(key)
        if found is None or (found.basis and counts is not None and not still_holds(found.basis, counts)):
            found = make_plan(self.parse(text), catalog, counts=counts, clock_ns=self._clock_ns)
            if len(text) <= _CACHED_TEXT_MAX:
                self._plans.put(key, found)
        return found


class _Recent(Generic[_K, _V]):
    """Each step is one operation on the dict, so threads may race: what another one forgot meanwhile is a KeyError of no account."""

    def __init__(self) -> None:
        self._found: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        found = self._found.get(key)
        if found is not None:
            with suppress(KeyError):
                self._found.move_to_end(key)
        return found

    def put(self, key: _K, value: _V) -> None:
        self._found[key] = value
        if len(self._found) > _CACHED_MAX:
            with suppress(KeyError):
                self._found.popitem(last=False)
