"""LET: names for expressions of a row, between FROM and WHERE.

A later name may be made of earlier ones. A name of a path into FROM is that path, so that an index serves it. Every other one is computed
once a row, after the conditions of WHERE that speak of none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ledger.catalog import EACH
from ledger.partiql.code import Env, Evaluate, Rows, constant
from ledger.partiql.comparison import bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.scope import Scope, slot_code
from ledger.partiql.tree.expressions import Expression, Logical, Name
from ledger.partiql.tree.parts import names_of_parts
from ledger.partiql.tree.queries import Let

__all__ = ["Bound", "binding", "plan_lets", "split_condition"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A name that is computed once a row."""

    name: str
    slot: int
    run: Evaluate


def plan_lets(compiler: Compiler, lets: Sequence[Let], scope: Scope) -> list[Bound]:
    """Make the names known in `scope`; give those that have to be computed."""
    bound: list[Bound] = []
    for let in lets:
        if let.name in scope.names:
            compiler.refuse(f"{let.name} is the name of two things", let.at)
        code = compiler.compile(let.expression, scope)
        if code.path is None or EACH in code.path[1] or code.path[0] in {each.slot for each in bound}:
            bound.append(Bound(let.name, compiler.slots(), code.run))
            code = slot_code(bound[-1].slot)
        scope.names[let.name] = code
    return bound


def binding(
    compiler: Compiler, bound: Sequence[Bound], where: Expression | None, scope: Scope
) -> Callable[[Rows], Rows]:
    """Compile the part of WHERE that speaks of computed names. What comes out sets them, and keeps the rows that pass."""
    if not bound:
        return lambda below: below
    passes = (constant(True) if where is None else compiler.compile(where, scope)).run

    def bind(below: Rows) -> Rows:
        def rows(env: Env) -> Iterator[None]:
            for _ in below(env):
                for each in bound:
                    env[each.slot] = each.run(env)
                if bare(passes(env)) is True:
                    yield

        return rows

    return bind


def split_condition(where: Expression | None, names: AbstractSet[str]) -> tuple[Expression | None, Expression | None]:
    """Give the part of a condition that speaks of none of these names, and the part that may."""
    if where is None:
        return None, None
    parts = where.operands if isinstance(where, Logical) and where.operator == "and" else (where,)
    below = [part for part in parts if not _speaks_of(part, names)]
    above = [part for part in parts if _speaks_of(part, names)]
    return _all(below), _all(above)


def _all(parts: Sequence[Expression]) -> Expression | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Logical("and", tuple(parts), parts[0].at)


def _speaks_of(node: object, names: AbstractSet[str]) -> bool:
    if isinstance(node, Name):
        return node.text in names
    if isinstance(node, tuple):
        return any(_speaks_of(inner, names) for inner in node)
    kind: type = type(node)
    return any(_speaks_of(getattr(node, name), names) for name in names_of_parts(kind))
