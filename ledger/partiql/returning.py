"""RETURNING, and what a change gives without it.

    RETURNING [ALL | MODIFIED] [OLD | NEW] { * | alias.* | expression [AS name] }, ...

Rules:
- There is one row for each document that was inserted, changed or deleted; without RETURNING it is `{documentId}`.
- OLD is the document before the statement, NEW after it; neither said: NEW, and OLD of what DELETE deleted. What is not there is MISSING.
- MODIFIED keeps what is not the same before and after: of `*` the top-level fields, of an expression its value, else MISSING.
- It is computed after all writes; of FROM only the table's alias and its BY are known.

Source: RETURNING of partiql-lang-kotlin's grammar and of DynamoDB's PartiQL; expressions without OLD and NEW as SQL users write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ledger.partiql.code import Env, Evaluate
from ledger.partiql.comparison import bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.navigation import ion_value, is_struct, struct_of
from ledger.partiql.projection import column_name
from ledger.partiql.scope import Scope, Variable, slot_code
from ledger.partiql.sources import SourcePlan
from ledger.partiql.tree.queries import Item, StarOf
from ledger.partiql.tree.statements import Returned
from ledger.query_values import MISSING, QueryValue
from ledger.values import Struct, Value, fields_of, identical

__all__ = ["Change", "RunChanges", "Show", "plan_returning"]

RunChanges: TypeAlias = Callable[[Env], list[Value]]
Change: TypeAlias = "tuple[str, Struct | None, Struct | None]"
"""A document's id, and the document before and after; None: it was not there, or is not any more."""
Show: TypeAlias = Callable[[Env, Sequence[Change]], list[Value]]
_Pairs = Callable[[Env], Iterator[tuple[str | None, QueryValue]]]


def plan_returning(
    compiler: Compiler,
    items: Sequence[Returned] | None,
    target: SourcePlan,
    scope: Scope,
    *,
    deleted: bool = False,
) -> Show:
    """Compile what a statement that changes documents of `target` gives; `scope` has its names."""
    if items is None:
        return _ids
    document_id, before, after = (compiler.slots() for _ in range(3))
    name = scope.sources[0].name
    scopes = [_scope(name, slot, target.node.by_alias, document_id) for slot in (before, after)]
    pairs = [_pairs(compiler, item, position, scopes, deleted) for position, item in enumerate(items, 1)]

    def rows(env: Env, changes: Sequence[Change]) -> list[Value]:
        found: list[Value] = []
        for changed_id, old, new in changes:
            env[document_id] = changed_id
            env[before], env[after] = MISSING if old is None else old, MISSING if new is None else new
            found.append(ion_value(struct_of(pair for each in pairs for pair in each(env))))
        return found

    return rows


def _ids(_: Env, changes: Sequence[Change]) -> list[Value]:
    return [{"documentId": document_id} for document_id, _before, _after in changes]


def _scope(name: str | None, slot: int, by_alias: str | None, document_id: int) -> Scope:
    names = {} if name is None else {name: slot_code(slot)}
    if by_alias is not None:
        names[by_alias] = slot_code(document_id)
    return Scope(names=names, sources=[Variable(name, slot, is_table=True)])


def _pairs(compiler: Compiler, node: Returned, position: int, scopes: Sequence[Scope], deleted: bool) -> _Pairs:
    old = deleted if node.old is None else node.old
    shown, other = scopes if old else reversed(scopes)
    if isinstance(node.item, Item):
        name = column_name(node.item.expression, position) if node.item.alias is None else node.item.alias
        run = compiler.compile(node.item.expression, shown).run
        against = compiler.compile(node.item.expression, other).run if node.modified else None
        return _one(name, run, against)
    if isinstance(node.item, StarOf):
        run, against = (compiler.compile(node.item.expression, scope).run for scope in (shown, other))
    else:
        run, against = (slot_code(scope.sources[0].slot).run for scope in (shown, other))
    return _fields(f"_{position}", run, against if node.modified else None)


def _one(name: str, run: Evaluate, against: Evaluate | None) -> _Pairs:
    def pairs(env: Env) -> Iterator[tuple[str | None, QueryValue]]:
        value = run(env)
        if against is None or not _same(value, against(env)):
            yield name, value

    return pairs


def _fields(name: str, run: Evaluate, against: Evaluate | None) -> _Pairs:
    def pairs(env: Env) -> Iterator[tuple[str | None, QueryValue]]:
        value, other = run(env), MISSING if against is None else against(env)
        if not is_struct(value):
            if against is None or not _same(value, other):
                yield name, value
            return
        known = _by_name(other)
        for field, inner in fields_of(bare(value)):
            if against is None or not any(_same(inner, seen) for seen in known.get(field, ())):
                yield field, inner

    return pairs


def _by_name(value: QueryValue) -> dict[str | None, list[QueryValue]]:
    found: dict[str | None, list[QueryValue]] = {}
    if is_struct(value):
        for name, inner in fields_of(bare(value)):
            found.setdefault(name, []).append(inner)
    return found


def _same(a: QueryValue, b: QueryValue) -> bool:
    if a is MISSING or b is MISSING:
        return a is b
    return identical(ion_value(a), ion_value(b))
