"""INSERT, UPDATE, FROM ... SET, DELETE.

Rules:
- All reading is done before the first write, so that a statement never meets its own changes (the Halloween problem).
- The values of one statement's operations are computed from the documents as they were; the operations then apply one after the
  other. Positions in lists that REMOVE names are those of the list as it was.
- A type error in a value that is to be stored fails the statement: nothing is stored by accident.
- Only a table's current documents can be changed, of one table a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.catalog import Table
from ledger.errors import EvaluationError, LimitExceededError
from ledger.partiql.code import Env, Evaluate, Rows, Run, constant
from ledger.partiql.comparison import a_type_of, bare, text_of
from ledger.partiql.compiler import Compiler
from ledger.partiql.conjuncts import conjuncts_of
from ledger.partiql.context import Document
from ledger.partiql.edits import KeyPath, insert_at, remove_at, set_at
from ledger.partiql.joins import declare_all, joined
from ledger.partiql.navigation import ion_value
from ledger.partiql.scope import Scope
from ledger.partiql.sources import SourcePlan, table_named
from ledger.partiql.tree.expressions import Container, ElementStep, Expression, FieldStep, Name, Path, Step
from ledger.partiql.tree.queries import From
from ledger.partiql.tree.statements import Delete, Insert, InsertInto, Operation, Remove, SetPath, Update
from ledger.query_values import MISSING, QueryValue
from ledger.values import MultiStruct, Sexp, Value

__all__ = ["plan_delete", "plan_insert", "plan_update"]

RunDml = Callable[[Env], list[Value]]


# INSERT.


def plan_insert(compiler: Compiler, node: Insert) -> RunDml:
    """Compile INSERT INTO t VALUE document, or documents."""
    table = table_named(compiler, node.table, node.at)
    scope = Scope()
    if node.each and isinstance(node.values, Container) and node.values.kind != "sexp":
        values: Callable[[Env], Sequence[Value]] = _each_of(compiler, node.values.items, scope)
    else:
        values = _all_of(compiler, node, scope)

    def insert(env: Env) -> list[Value]:
        run: Run = env[0]
        documents = values(env)
        _check_count(run, len(documents))
        return [{"documentId": run.context.insert(table, _document(data))} for data in documents]

    return insert


def _each_of(compiler: Compiler, items: Sequence[Expression], scope: Scope) -> Callable[[Env], Sequence[Value]]:
    runs = [_stored(compiler, item, scope, "a document") for item in items]
    return lambda env: [_present(run(env)) for run in runs]


def _all_of(compiler: Compiler, node: Insert, scope: Scope) -> Callable[[Env], Sequence[Value]]:
    run = _checked(compiler.collection_rows(node.values, scope).run, compiler, "a document")
    each = node.each

    def values(env: Env) -> Sequence[Value]:
        value = _present(run(env))
        if each and type(value) in (list, Sexp):
            return value  # type: ignore[return-value]
        return (value,)

    return values


def _document(data: Value) -> Any:
    if type(data) not in (dict, MultiStruct):
        hint = "; INSERT INTO t ? takes a list of documents, without VALUE" if type(data) is list else ""
        raise EvaluationError(f"a document is a struct, not {a_type_of(data)}{hint}")
    return data


def _present(value: QueryValue) -> Value:
    if value is MISSING:
        raise EvaluationError("a document is a struct, not missing")
    return value


def _stored(compiler: Compiler, expression: Expression, scope: Scope, what: str) -> Evaluate:
    """Compile an expression whose value is to be stored."""
    return _checked(compiler.compile(expression, scope).run, compiler, what)


def _checked(run_value: Evaluate, compiler: Compiler, what: str) -> Evaluate:
    foreign = compiler.makes_foreign

    def value(env: Env) -> QueryValue:
        run: Run = env[0]
        errors = run.type_errors
        found = run_value(env)
        if run.type_errors != errors:
            raise EvaluationError(f"{what} cannot be computed: {run.last_error}")
        return ion_value(found) if foreign and found is not MISSING else found

    return value


def _check_count(run: Run, count: int) -> None:
    maximum = run.limits.documents_per_transaction_max
    if count > maximum:
        raise LimitExceededError("documents_per_transaction_max", maximum, count)


# UPDATE and DELETE.


@dataclass(slots=True)
class _Target:
    """One document that the statement changes. `removals`: list positions to take out in the end; `data` None: deleted."""

    document: Document
    data: Any
    removals: list[KeyPath] = field(default_factory=list)

    def finish(self) -> None:
        for path in sorted(self.removals, key=_by_position, reverse=True):
            if self.data is not None:
                self.data = remove_at(self.data, path)


_Apply = Callable[[Env, _Target], None]
_Location = tuple[Evaluate, ...]


def _by_position(path: KeyPath) -> tuple[tuple[bool, str, int], ...]:
    return tuple(
        (type(key) is int, "" if type(key) is int else str(key), key if type(key) is int else 0) for key in path
    )


def plan_update(compiler: Compiler, node: Update) -> RunDml:
    """Compile UPDATE, and FROM ... SET."""
    scope, leaves, rows = _plan_target(compiler, node.source, node.where)
    locations = _Locations(compiler, scope, leaves)
    operations = [_operation(compiler, scope, locations, operation) for operation in node.operations]
    return _changing(leaves[0], rows, operations)


def plan_delete(compiler: Compiler, node: Delete) -> RunDml:
    """Compile DELETE."""
    _, leaves, rows = _plan_target(compiler, node.source, node.where)
    return _changing(leaves[0], rows, [_delete])


def _delete(_: Env, target: _Target) -> None:
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


def _changing(target: SourcePlan, rows: Rows, operations: Sequence[_Apply]) -> RunDml:
    table = target.table
    assert table is not None
    slot = target.slot + 1

    def change(env: Env) -> list[Value]:
        run: Run = env[0]
        targets: dict[str, _Target] = {}
        for _ in rows(env):
            document: Document = env[slot]
            found = targets.get(document.document_id)
            if found is None:
                found = targets[document.document_id] = _Target(document, document.data)
                _check_count(run, len(targets))
            for apply in operations:
                if found.data is not None:
                    apply(env, found)
        return _written(run, table, targets)

    return change


def _written(run: Run, table: Table, targets: dict[str, _Target]) -> list[Value]:
    changed: list[Value] = []
    for target in targets.values():
        if target.removals:
            target.finish()
        document = target.document
        if target.data is None:
            run.context.delete(table, document)
        elif target.data is not document.data:
            run.context.update(table, document, _document(target.data))
        else:
            continue
        changed.append({"documentId": document.document_id})
    return changed


# Operations.


class _Locations:
    """Where the aliases of FROM stand inside of the document: each as a path of codes that give its keys."""

    def __init__(self, compiler: Compiler, scope: Scope, leaves: Sequence[SourcePlan]) -> None:
        self._compiler, self._scope = compiler, scope
        self._of_alias: dict[str, _Location] = {}
        self._single = len(leaves) == 1
        for leaf, variable in zip(leaves, scope.sources, strict=True):
            location = () if leaf.kind == "table" else (*self.of(leaf.node.expression), _ordinal(leaf.at_slot or 0))
            if variable.name is not None:
                self._of_alias[variable.name] = location

    def of(self, target: Expression) -> _Location:
        """Find what a target means.

        Raises:
            PlanError: it is no path into the document.
        """
        root, steps = (target.root, target.steps) if isinstance(target, Path) else (target, ())
        if not isinstance(root, Name):
            self._compiler.refuse("a path into the document is needed here", target.at)
        location = self._of_alias.get(root.text)
        if location is None:
            if root.text in self._scope.names:
                self._compiler.refuse(f"{root.text} is not part of the document", root.at)
            if not self._single:
                known = " or ".join(f"{alias}.{root.text}" for alias in self._of_alias)
                self._compiler.refuse(f"which {root.text} is meant? Write {known}", root.at)
            location = (constant(root.text).run,)
        return (*location, *map(self._key, steps))

    def _key(self, step: Step) -> Evaluate:
        if isinstance(step, FieldStep):
            return constant(step.name).run
        if not isinstance(step, ElementStep):
            self._compiler.refuse("* has no place in a path that is to be changed", step.at)
        return self._compiler.compile(step.key, self._scope).run


def _ordinal(slot: int) -> Evaluate:
    return lambda env: env[slot]


def _path_of(location: _Location) -> Callable[[Env], KeyPath]:
    def path(env: Env) -> KeyPath:
        keys: list[str | int] = []
        for run in location:
            key = run(env)
            if type(key) is str or type(key) is int:
                keys.append(key)
            elif key is not MISSING:  # MISSING: a nested source that is no list stands for itself
                text = text_of(key)
                if text is None:
                    raise EvaluationError(f"a path goes by names and positions, not by {a_type_of(key)}")
                keys.append(text)
        return tuple(keys)

    return path


def _operation(compiler: Compiler, scope: Scope, locations: _Locations, node: Operation) -> _Apply:
    location = locations.of(node.target)
    path = _path_of(location)
    if isinstance(node, SetPath):
        return _setting(path, _stored(compiler, node.value, scope, "the value of SET"))
    if isinstance(node, Remove):
        return _removing(path)
    assert isinstance(node, InsertInto)
    value = _stored(compiler, node.value, scope, "the value of INSERT")
    key = constant(MISSING).run if node.key is None else compiler.compile(node.key, scope).run
    return _inserting(path, value, key, with_key=node.key is not None)


def _setting(path: Callable[[Env], KeyPath], value: Evaluate) -> _Apply:
    def apply(env: Env, target: _Target) -> None:
        target.data = set_at(target.data, path(env), value(env))
        if target.data is MISSING:
            raise EvaluationError("a document cannot be set to MISSING; REMOVE or DELETE takes it away")

    return apply


def _removing(path: Callable[[Env], KeyPath]) -> _Apply:
    def apply(env: Env, target: _Target) -> None:
        keys = path(env)
        if not keys:
            target.data = None
        elif type(keys[-1]) is int:
            target.removals.append(keys)
        else:
            target.data = remove_at(target.data, keys)

    return apply


def _inserting(path: Callable[[Env], KeyPath], value: Evaluate, key: Evaluate, *, with_key: bool) -> _Apply:
    def apply(env: Env, target: _Target) -> None:
        where = bare(key(env))
        if with_key:
            where = text_of(where) or where
            if type(where) not in (str, int):
                raise EvaluationError(f"AT takes a position or a field's name, not {a_type_of(where)}")
        new = value(env)
        if new is MISSING:
            raise EvaluationError("MISSING cannot be inserted")
        target.data = insert_at(target.data, path(env), where, new)

    return apply
