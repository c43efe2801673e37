"""UPDATE, FROM ... SET, DELETE.

Rules:
- All reading is done before the first write, so that a statement never meets its own changes (the Halloween problem).
- The values of one statement's operations are computed from the documents as they were; the operations then apply one after the
  other. Positions in lists that REMOVE names are those of the list as it was.
- A type error in a value that is to be stored fails the statement: nothing is stored by accident.
- Only a table's current documents can be changed, of one table a statement.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.catalog import Table
from ledger.partiql.code import Env, Rows, Run
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import conjuncts_of
from ledger.partiql.context import Document
from ledger.partiql.document_edits import Apply, Locations, Target, edit
from ledger.partiql.from_plan import declare_all
from ledger.partiql.joins import joined
from ledger.partiql.returning import Change, RunChanges, Show, plan_returning
from ledger.partiql.scope import Scope
from ledger.partiql.sources import SourcePlan
from ledger.partiql.storing import check_count, document_struct
from ledger.partiql.tree.expressions import Expression
from ledger.partiql.tree.queries import From
from ledger.partiql.tree.statements import Delete, Update
from ledger.values import Value

__all__ = ["plan_delete", "plan_update"]


def plan_update(compiler: Compiler, node: Update) -> RunChanges:
    """Compile UPDATE, and FROM ... SET."""
    scope, leaves, rows = _plan_target(compiler, node.source, node.where)
    locations = Locations(compiler, scope, leaves)
    operations = [edit(compiler, scope, locations, operation) for operation in node.operations]
    show = plan_returning(compiler, node.returning, leaves[0], scope)
    return _changing(leaves[0], rows, operations, show)


def plan_delete(compiler: Compiler, node: Delete) -> RunChanges:
    """Compile DELETE."""
    scope, leaves, rows = _plan_target(compiler, node.source, node.where)
    show = plan_returning(compiler, node.returning, leaves[0], scope, deleted=True)
    return _changing(leaves[0], rows, [_delete], show)


def _delete(_: Env, target: Target) -> None:
    target.data = None


def _plan_target(compiler: Compiler, source: From, where: Expression | None) -> tuple[Scope, list[SourcePlan], Rows]:
    scope = Scope()
    plan = declare_all(compiler, source, scope, ordinals=True)
    leaves = [leaf for leaf in plan.leaves if isinstance(leaf, SourcePlan)]
    first = leaves[0]
    if first.kind != "table":
        reason = "is no table" if first.kind in ("values", "unpivot") else "is read-only"
        compiler.refuse(f"only a table's documents can be changed; this {reason}", first.node.at)
    for leaf in leaves[1:]:
        if leaf.kind != "values":
            compiler.refuse("only one table's documents can be changed by a statement", leaf.node.at)
    if len(leaves) < len(plan.leaves):
        compiler.refuse("outer joins have no place in a statement that changes documents", first.node.at)
    return scope, leaves, joined(compiler, plan, conjuncts_of(compiler, where, scope))


def _changing(target: SourcePlan, rows: Rows, operations: Sequence[Apply], show: Show) -> RunChanges:
    table = target.table
    assert table is not None
    slot = target.slot + 1

    def change(env: Env) -> list[Value]:
        run: Run = env[0]
        targets: dict[str, Target] = {}
        for _ in rows(env):
            document: Document = env[slot]
            found = targets.get(document.document_id)
            if found is None:
                found = targets[document.document_id] = Target(document, document.data)
                check_count(run, len(targets))
            for apply in operations:
                if found.data is not None:
                    apply(env, found)
        return show(env, _written(run, table, targets))

    return change


def _written(run: Run, table: Table, targets: dict[str, Target]) -> list[Change]:
    changed: list[Change] = []
    for target in targets.values():
        if target.removals:
            target.finish()
        document = target.document
        if target.data is None:
            run.context.delete(table, document)
        elif target.data is not document.data:
            run.context.update(table, document, document_struct(target.data))
        else:
            continue
        changed.append((document.document_id, document.data, target.data))
    return changed
