"""ON CONFLICT: what is done instead of inserting a document whose unique key another one has.

    DO NOTHING
    DO UPDATE  { EXCLUDED | SET path = value, ... } [WHERE condition]
    DO REPLACE { EXCLUDED | VALUE document } [WHERE condition]

Rules:
- EXCLUDED is the document that was to be inserted; bare names and the table's alias are the one that is there.
- UPDATE EXCLUDED lays the new document's top-level fields over the old one's; REPLACE EXCLUDED leaves nothing of the old one.
- One statement inserts or changes a document at most once; where it would a second time it fails. DO NOTHING may meet its own.
- The values are computed one document after the other, each after the documents before it were written.

Source: PartiQL RFC 0011 (INSERT), RFC 0030 (UPSERT, REPLACE).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.catalog import Index, Table, expr_of
from ledger.errors import EvaluationError
from ledger.index_entries import unique_keys
from ledger.partiql.code import Env, Evaluate
from ledger.partiql.comparison import bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.context import Document
from ledger.partiql.document_edits import Apply, Locations, Target, edit
from ledger.partiql.navigation import struct_of
from ledger.partiql.returning import Change
from ledger.partiql.scope import Scope, slot_code
from ledger.partiql.sources import SourcePlan
from ledger.partiql.storing import document_struct, stored
from ledger.partiql.tree.statements import OnConflict
from ledger.values import Struct, fields_of

__all__ = ["plan_conflict"]

_EXCLUDED = ("EXCLUDED", "excluded")
_Find = Callable[[Env, Struct], "Document | None"]
_Resolve = Callable[[Env, Document, Struct], "Struct | None"]


def plan_conflict(
    compiler: Compiler, node: OnConflict, target: SourcePlan, scope: Scope
) -> Callable[[Env, Sequence[Struct]], list[Change]]:
    """Compile INSERT with ON CONFLICT; `scope` has the names of `target`.

    Raises:
        PlanError: the table has no unique index, or none on these paths.
    """
    table = target.table
    assert table is not None
    indexes = _unique_indexes(compiler, node, table)
    find, resolve = _finder(table, indexes), _resolver(compiler, node, target, scope)

    def insert(env: Env, documents: Sequence[Struct]) -> list[Change]:
        context = env[0].context
        changes: dict[str, Change] = {}
        for data in documents:
            if node.keys_needed:
                _check_keys(indexes, data)
            found = find(env, data)
            if found is None:
                document_id = context.insert(table, data)
                changes[document_id] = (document_id, None, data)
                continue
            after = resolve(env, found, data)
            if after is None:
                continue
            if found.document_id in changes:
                raise EvaluationError(f"the statement would change the document {found.document_id} twice")
            _check_kept(indexes, data, found, after)
            context.update(table, found, after)
            changes[found.document_id] = (found.document_id, found.data, after)
        return list(changes.values())

    return insert


def _unique_indexes(compiler: Compiler, node: OnConflict, table: Table) -> list[Index]:
    unique = [index for index in table.indexes if index.unique]
    if not unique:
        compiler.refuse(f"{table.name} has no unique index, so nothing can conflict", node.at)
    if node.keys is None:
        return unique
    named = [index for index in unique if set(index.keys) == set(node.keys)]
    if not named:
        known = " or ".join(index.expr for index in unique)
        compiler.refuse(f"{table.name} has no unique index on {expr_of(node.keys)}, but on {known}", node.at)
    return named


def _finder(table: Table, indexes: Sequence[Index]) -> _Find:
    """Give what finds the document that has a key of these indexes; one that has a key of another makes the INSERT fail."""

    def find(env: Env, data: Struct) -> Document | None:
        found: Document | None = env[0].context.conflicting(table, data)
        if found is None or not any(unique_keys(i, data) & unique_keys(i, found.data) for i in indexes):
            return None
        return found

    return find


def _check_keys(indexes: Sequence[Index], data: Struct) -> None:
    if not any(unique_keys(index, data) for index in indexes):
        known = " or ".join(index.expr for index in indexes)
        raise EvaluationError(f"UPSERT and REPLACE need documents with the unique key: {known}")


def _check_kept(indexes: Sequence[Index], data: Struct, found: Document, after: Struct) -> None:
    """Raises EvaluationError: the changed document has no longer a key by which it was found (RFC 0011, 4.2)."""
    for index in indexes:
        if unique_keys(index, data) & unique_keys(index, found.data) and not unique_keys(index, after):
            raise EvaluationError(f"what ON CONFLICT stores must have the unique key {index.expr}")


def _resolver(compiler: Compiler, node: OnConflict, target: SourcePlan, scope: Scope) -> _Resolve:
    if node.action == "nothing":
        return lambda env, found, data: None
    if target.node.alias in _EXCLUDED or scope.sources[0].name in _EXCLUDED:
        compiler.refuse("EXCLUDED is the document that was to be inserted; give the table an alias", target.node.at)
    excluded = compiler.slots()
    inner = Scope(names={**scope.names, **dict.fromkeys(_EXCLUDED, slot_code(excluded))}, sources=scope.sources)
    change = _change(compiler, node, target, inner)
    where = None if node.where is None else compiler.compile(node.where, inner).run

    def resolve(env: Env, found: Document, data: Struct) -> Struct | None:
        env[target.slot], env[target.slot + 1], env[excluded] = found.data, found, data
        if where is not None and bare(where(env)) is not True:
            return None
        return change(env, found, data)

    return resolve


def _change(
    compiler: Compiler, node: OnConflict, target: SourcePlan, scope: Scope
) -> Callable[[Env, Document, Struct], Struct]:
    if node.value is not None:
        return _replaced(stored(compiler, node.value, scope, "a document"))
    if node.sets:
        locations = Locations(compiler, scope, [target])
        return _edited([edit(compiler, scope, locations, one) for one in node.sets])
    if node.action == "replace":
        return lambda env, found, data: data
    return lambda env, found, data: _merged(found.data, data)


def _replaced(value: Evaluate) -> Callable[[Env, Document, Struct], Struct]:
    return lambda env, found, data: document_struct(value(env))


def _edited(edits: Sequence[Apply]) -> Callable[[Env, Document, Struct], Struct]:
    def after(env: Env, found: Document, _: Struct) -> Struct:
        target = Target(found, found.data)
        for apply in edits:
            apply(env, target)
        return document_struct(target.data)

    return after


def _merged(before: Struct | None, new: Struct) -> Struct:
    assert before is not None
    names = {name for name, _ in fields_of(new)}
    kept = [(name, value) for name, value in fields_of(before) if name not in names]
    return struct_of([*kept, *fields_of(new)])
