"""SELECT's rows: one value for each row of FROM.

Rules:
- A column is named by its alias, else by the last name of its path (also inside of a CAST), else `_N` by its position. MISSING
  columns are left out.
- `SELECT *` over one source is its value; over several, or with AT and BY, all fields side by side. What is no struct stands as
  `_N`; a MISSING source adds nothing.
- A name that stands twice stays twice.
- What may hold a value many times that the statement itself has built is weighed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.partiql.calls import struct_of_constant_names, weighed_row
from ledger.partiql.code import Code, Env, Evaluate
from ledger.partiql.comparison import bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.navigation import is_struct, struct_of
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import Cast, Expression, FieldStep, Name, Path
from ledger.partiql.tree.queries import From, Item, SelectList, Source, StarOf
from ledger.query_values import MISSING, QueryValue
from ledger.values import fields_of

__all__ = ["Projected", "column_name", "project_groups", "project_list", "project_star"]

_Pairs = Callable[[Env], Iterator[tuple[str | None, QueryValue]]]


@dataclass(frozen=True, slots=True)
class Projected:
    """`columns`: their names, None if a row may have others; `codes`: by name, for ORDER BY."""

    run: Evaluate
    columns: tuple[str, ...] | None
    codes: dict[str, Code]


def column_name(expression: Expression, position: int) -> str:
    """Give the name of a column without alias; `position` counts from 1."""
    if isinstance(expression, Name):
        return expression.text
    if isinstance(expression, Path) and isinstance(expression.steps[-1], FieldStep):
        return expression.steps[-1].name
    if isinstance(expression, Cast):
        return column_name(expression.operand, position)
    return f"_{position}"


def project_list(compiler: Compiler, projection: SelectList, scope: Scope) -> Projected:
    names: list[str] = []
    values: list[Code] = []
    all_codes = compiler.many((item.expression for item in projection.items), scope)
    pairs: list[_Pairs] = []
    for position, (item, code) in enumerate(zip(projection.items, all_codes, strict=True), 1):
        if isinstance(item, StarOf):
            pairs.append(_fields(code.run, f"_{position}"))
        else:
            assert isinstance(item, Item)
            name = column_name(item.expression, position) if item.alias is None else item.alias
            names.append(name)
            values.append(code)
            pairs.append(_one(name, code.run))
    codes = dict(zip(names, values, strict=True))
    stored = {variable.slot for variable in scope.sources if variable.is_table}
    built = [code for code in all_codes if not code.constant and (code.path is None or code.path[0] not in stored)]
    if len(names) < len(pairs):
        run = weighed_row(compiler, lambda env: struct_of(pair for each in pairs for pair in each(env)), len(built))
        return Projected(run, None, codes)
    run = weighed_row(compiler, struct_of_constant_names(names, [value.run for value in values]), len(built))
    return Projected(run, tuple(names) if len(codes) == len(names) else None, codes)


def _one(name: str, run: Evaluate) -> _Pairs:
    def pairs(env: Env) -> Iterator[tuple[str | None, QueryValue]]:
        yield name, run(env)

    return pairs


def _fields(run: Evaluate, name: str) -> _Pairs:
    def pairs(env: Env) -> Iterator[tuple[str | None, QueryValue]]:
        value = run(env)
        if is_struct(value):
            yield from fields_of(bare(value))
        else:
            yield name, value

    return pairs


def project_star(compiler: Compiler, tree: From, scope: Scope) -> Projected:
    """Give what `SELECT *` gives: `scope` holds the sources of `tree` in their order."""
    pairs: list[_Pairs] = []
    for position, (source, variable) in enumerate(zip(_sources(tree), scope.sources, strict=True), 1):
        slot = variable.slot
        compiler.looked_at.all_of(slot)
        pairs.append(_fields(_slot(slot), f"_{position}"))
        pairs += [_one(alias, scope.names[alias].run) for alias in (source.at_alias, source.by_alias) if alias]
    if len(pairs) == 1:
        return Projected(_whole(scope.sources[0].slot), None, {})
    built = 0 if all(variable.is_table for variable in scope.sources) else len(pairs)
    run = weighed_row(compiler, lambda env: struct_of(pair for each in pairs for pair in each(env)), built)
    return Projected(run, None, {})


def project_groups(compiler: Compiler, scope: Scope) -> Projected:
    """Give what `SELECT *` of groups gives: the keys, and the group if it has a name."""
    names = list(scope.names)
    run = struct_of_constant_names(names, [code.run for code in scope.names.values()])
    return Projected(weighed_row(compiler, run, len(names)), tuple(names), scope.names)


def _slot(slot: int) -> Evaluate:
    return lambda env: env[slot]


def _whole(slot: int) -> Evaluate:
    def whole(env: Env) -> QueryValue:
        value = env[slot]
        if type(value) is dict or is_struct(value):
            return value  # type: ignore[no-any-return]
        return {} if value is MISSING else {"_1": value}

    return whole


def _sources(tree: From) -> Iterator[Source]:
    if isinstance(tree, Source):
        yield tree
    else:
        yield from _sources(tree.left)
        yield from _sources(tree.right)
