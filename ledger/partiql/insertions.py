"""INSERT, UPSERT and REPLACE: documents into a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.catalog import Table
from ledger.partiql.code import Env
from ledger.partiql.compiler import Compiler
from ledger.partiql.conflicts import plan_conflict
from ledger.partiql.returning import Change, RunChanges, plan_returning
from ledger.partiql.scope import Scope
from ledger.partiql.sources import declare
from ledger.partiql.storing import check_count, checked, document_struct, stored
from ledger.partiql.tree.expressions import Container, Expression
from ledger.partiql.tree.statements import Insert
from ledger.query_values import QueryValue
from ledger.values import Sexp, Struct, Value

__all__ = ["plan_insert"]

_Documents = Callable[[Env], Sequence[QueryValue]]


def plan_insert(compiler: Compiler, node: Insert) -> RunChanges:
    """Compile INSERT INTO t VALUE document, or documents."""
    scope = Scope()
    target = declare(compiler, node.target, scope)
    table = target.table
    assert table is not None
    values = _documents(compiler, node)
    write = _inserting(table) if node.conflict is None else plan_conflict(compiler, node.conflict, target, scope)
    show = plan_returning(compiler, node.returning, target, scope)

    def insert(env: Env) -> list[Value]:
        documents = values(env)
        check_count(env[0], len(documents))
        return show(env, write(env, [document_struct(data) for data in documents]))

    return insert


def _inserting(table: Table) -> Callable[[Env, Sequence[Struct]], list[Change]]:
    return lambda env, documents: [(env[0].context.insert(table, data), None, data) for data in documents]


def _documents(compiler: Compiler, node: Insert) -> _Documents:
    scope = Scope()
    if node.each and isinstance(node.values, Container) and node.values.kind != "sexp":
        return _each_of(compiler, node.values.items, scope)
    return _all_of(compiler, node, scope)


def _each_of(compiler: Compiler, items: Sequence[Expression], scope: Scope) -> _Documents:
    runs = [stored(compiler, item, scope, "a document") for item in items]
    return lambda env: [run(env) for run in runs]


def _all_of(compiler: Compiler, node: Insert, scope: Scope) -> _Documents:
    run = checked(compiler.collection_rows(node.values, scope).run, compiler, "a document")
    each = node.each

    def values(env: Env) -> Sequence[QueryValue]:
        value = run(env)
        if each and type(value) in (list, Sexp):
            return value  # type: ignore[return-value]
        return (value,)

    return values
