"""What a name means at a place of the statement.

Rules:
- Names are case sensitive. A variable (alias) of the innermost scope that has it comes first.
- Else a bare name is a field of what the innermost FROM ranges over. With several sources it belongs to the one that is a struct
  having it, decided row by row; if two of them are tables the catalogue cannot tell, and the statement is wrong.
- Sources that are no tables do not hide the fields of an outer query's sources; tables do.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ledger.catalog import EACH
from ledger.partiql.code import Code, Env, Evaluate
from ledger.partiql.navigation import field_of
from ledger.partiql.tree.expressions import Expression
from ledger.query_values import MISSING, QueryValue

__all__ = ["Grouping", "Scope", "Variable", "any_field_code", "did_you_mean", "field_code", "slot_code"]


class Grouping(Protocol):
    """What stands above GROUP BY, or above window functions: there some expressions are computed already."""

    def substitute(self, expression: Expression) -> Code | None:
        """Give the code of an expression that the grouping has already computed."""

    def slots(self) -> list[int]:
        """Give the slots that it sets for each row, as far as they are known by now."""
        ...


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing that FROM ranges over. `fields`: the only names that its structs can have, None if nobody knows."""

    name: str | None
    slot: int
    is_table: bool = False
    fields: frozenset[str] | None = None


@dataclass(slots=True)
class Scope:
    """The names of one query. `names`: aliases of every kind; `sources`: what bare names may be fields of; `queries`: of WITH."""

    parent: Scope | None = None
    names: dict[str, Code] = field(default_factory=dict)
    sources: list[Variable] = field(default_factory=list)
    queries: dict[str, Evaluate] = field(default_factory=dict)
    grouping: Grouping | None = None

    def query(self, name: str) -> Evaluate | None:
        """Give what `WITH name AS (...)` gives."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.queries:
                return scope.queries[name]
            scope = scope.parent
        return None

    def variable(self, name: str) -> Code | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def candidates(self, name: str) -> list[Variable]:
        """Give the sources that `name` may be a field of, innermost first."""
        found: list[Variable] = []
        scope: Scope | None = self
        while scope is not None:
            found += [v for v in scope.sources if v.fields is None or name in v.fields]
            if any(v.is_table for v in scope.sources):
                break
            scope = scope.parent
        return found

    def has_sources(self) -> bool:
        scope: Scope | None = self
        while scope is not None:
            if scope.sources:
                return True
            scope = scope.parent
        return False


def did_you_mean(name: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Give the end of a message: the known name that is meant, if one is near."""
    near = difflib.get_close_matches(name, list(known)[:2_000], n=1)
    return f"; did you mean {shown(near[0])}?" if near else ""


def slot_code(slot: int) -> Code:
    return Code(lambda env: env[slot], path=(slot, ()))


def field_code(base: Code, name: str) -> Code:
    """Give the code of `base.name`."""
    run_base = base.run

    def run(env: Env) -> QueryValue:
        value = run_base(env)
        return value.get(name, MISSING) if type(value) is dict else field_of(value, name)

    path = None
    if base.path is not None and EACH not in base.path[1]:
        slot, fields = base.path
        path = (slot, (*fields, name))
        if not fields:

            def run(env: Env) -> QueryValue:  # the most frequent code of all, so without a call in between
                value = env[slot]
                return value.get(name, MISSING) if type(value) is dict else field_of(value, name)

    return Code(run, path=path)


def any_field_code(slots: tuple[int, ...], name: str) -> Code:
    """Give the code of a bare name that may belong to any of several sources."""

    def run(env: Env) -> QueryValue:
        for slot in slots:
            found = field_of(env[slot], name)
            if found is not MISSING:
                return found
        return MISSING

    return Code(run)
