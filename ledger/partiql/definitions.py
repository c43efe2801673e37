"""Plans of the statements that define: CREATE, DROP and UNDROP of tables and indexes; EXEC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn, TypeAlias

from ledger.partiql.code import Env
from ledger.partiql.compiler import Compiler
from ledger.partiql.sources import table_named
from ledger.partiql.tree.statements import CreateIndex, CreateTable, DropIndex, DropTable, Exec, UndropTable
from ledger.values import Symbol, Value

__all__ = ["Definition", "plan_definition", "refuse_procedure"]

Definition: TypeAlias = "CreateTable | DropTable | UndropTable | CreateIndex | DropIndex"


def plan_definition(compiler: Compiler, node: Definition) -> Callable[[Env], list[Value]]:
    """Plan a statement of DDL. Raises PlanError: it names what does not exist."""
    if isinstance(node, CreateTable):
        return _create_table(compiler, node)
    if isinstance(node, CreateIndex):
        return _create_index(compiler, node)
    if isinstance(node, DropTable):
        return _drop_table(compiler, node)
    if isinstance(node, UndropTable):
        return _undrop_table(compiler, node)
    return _drop_index(compiler, node)


def refuse_procedure(compiler: Compiler, node: Exec) -> NoReturn:
    """Say what of EXEC there is not. Raises PlanError."""
    if node.procedure != "redact_revision":
        compiler.refuse(f"No such procedure: {node.procedure.upper()}; the only one is REDACT_REVISION", node.at)
    compiler.refuse("REDACT_REVISION comes with redaction, which is not supported yet", node.at)


def _create_table(compiler: Compiler, node: CreateTable) -> Callable[[Env], list[Value]]:
    tags = tuple(_checked_tags(compiler, node))
    compiler.tables[node.name] = None
    return lambda env: [{"tableId": env[0].context.create_table(node.name, tags).table_id}]


def _checked_tags(compiler: Compiler, node: CreateTable) -> Iterator[tuple[str, str]]:
    """Give the tags as text. (In a backtick literal 'text' in single quotes is a symbol.)"""
    for name, value in node.tags.items() if isinstance(node.tags, dict) else ():
        text = value.text if isinstance(value, Symbol) else value
        if not isinstance(text, str):
            compiler.refuse(f"the value of the tag {name!r} is no text", node.at)
        yield name, text


def _drop_table(compiler: Compiler, node: DropTable) -> Callable[[Env], list[Value]]:
    table = table_named(compiler, node.name, node.at)

    def drop(env: Env) -> list[Value]:
        env[0].context.drop_table(table)
        return [{"tableId": table.table_id}]

    return drop


def _undrop_table(compiler: Compiler, node: UndropTable) -> Callable[[Env], list[Value]]:
    tables = compiler.catalog.by_id
    table = tables.get(node.table_id)
    if table is None:
        ids = [f'"{t.table_id}"' for t in tables.values() if t.name == node.table_id and not t.active]
        which = f"; the dropped tables of that name are {', '.join(ids)}" if ids else ""
        compiler.refuse(f"No such table id: '{node.table_id}'{which}", node.at)
    if table.active:
        compiler.refuse(f"Table {table.name} with the id '{table.table_id}' is active: it was not dropped", node.at)
    compiler.tables[table.name] = None
    return lambda env: [{"tableId": env[0].context.undrop_table(table.table_id).table_id}]


def _create_index(compiler: Compiler, node: CreateIndex) -> Callable[[Env], list[Value]]:
    table = table_named(compiler, node.table, node.at)

    def create(env: Env) -> list[Value]:
        env[0].context.create_index(table, node.keys, unique=node.unique)
        return [{"tableId": table.table_id}]

    return create


def _drop_index(compiler: Compiler, node: DropIndex) -> Callable[[Env], list[Value]]:
    table = table_named(compiler, node.table, node.at)
    if all(index.index_id != node.index_id for index in table.indexes):
        there = ", ".join(f'"{index.index_id}" on {index.expr}' for index in table.indexes)
        compiler.refuse(f"Table {table.name} has no index '{node.index_id}'; it has {there or 'none'}", node.at)

    def drop(env: Env) -> list[Value]:
        env[0].context.drop_index(table, node.index_id)
        return [{"tableId": table.table_id}]

    return drop
