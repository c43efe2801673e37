"""Plans of the statements that define: CREATE, DROP and UNDROP of tables and indexes; EXEC."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from ledger.partiql.code import Env
from ledger.partiql.compiler import Compiler
from ledger.partiql.sources import table_named
from ledger.partiql.tree.statements import CreateIndex, CreateTable, DropIndex, DropTable, Exec, UndropTable
from ledger.values import Value

__all__ = ["Definition", "plan_definition", "refuse_procedure"]

Definition: TypeAlias = "CreateTable | DropTable | UndropTable | CreateIndex | DropIndex"


def plan_definition(compiler: Compiler, node: Definition) -> Callable[[Env], list[Value]]:
    """Plan a statement of DDL. Raises PlanError: it names what does not exist."""
    if isinstance(node, CreateTable):
        return _create_table(compiler, node)
    if isinstance(node, CreateIndex):
        return _create_index(compiler, node)
    return compiler.refuse("DROP and UNDROP are not supported yet", node.at)


def refuse_procedure(compiler: Compiler, node: Exec) -> NoReturn:
    """Say what of EXEC there is not. Raises PlanError."""
    if node.procedure != "redact_revision":
        compiler.refuse(f"No such procedure: {node.procedure.upper()}; the only one is REDACT_REVISION", node.at)
    compiler.refuse("REDACT_REVISION comes with redaction, which is not supported yet", node.at)


def _create_table(compiler: Compiler, node: CreateTable) -> Callable[[Env], list[Value]]:
    if node.tags is not None:
        compiler.refuse("aws_tags are not supported yet", node.at)
    compiler.tables[node.name] = None
    return lambda env: [{"tableId": env[0].context.create_table(node.name).table_id}]


def _create_index(compiler: Compiler, node: CreateIndex) -> Callable[[Env], list[Value]]:
    table = table_named(compiler, node.table, node.at)

    def create(env: Env) -> list[Value]:
        env[0].context.create_index(table, node.keys, unique=node.unique)
        return [{"tableId": table.table_id}]

    return create
