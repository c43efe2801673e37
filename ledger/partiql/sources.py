"""What FROM ranges over, and the ways to its rows: by document id, by an index, or all of it.

Rules:
- A name in FROM is a table before it is a variable; `@name` is a variable only.
- Whatever way is taken, the conjunct that chose it is still checked on what was found: a look-up never changes an answer.
- A source sets its slot (the value) and the one after it (the `Document`, None where there is none).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.block import SYSTEM_TABLE_NAME
from ledger.catalog import EACH, Index, Table
from ledger.errors import EvaluationError
from ledger.partiql import history
from ledger.partiql.code import Code, Env, Evaluate, Rows, SlotPath, constant
from ledger.partiql.comparison import bare
from ledger.partiql.compiler import Compiler
from ledger.partiql.context import Document, Fields
from ledger.partiql.navigation import elements_of
from ledger.partiql.scope import Scope, Variable, did_you_mean, slot_code
from ledger.partiql.tree.expressions import Call, Expression, FieldStep, Literal, Name, Path
from ledger.partiql.tree.queries import Source
from ledger.partiql.tree.text import text_of_expression
from ledger.partiql.way import Documents, Way
from ledger.partiql.ways import Stored, scan
from ledger.query_values import MISSING, QueryValue
from ledger.values import MultiStruct, Sexp, Value, fields_of

__all__ = ["SourcePlan", "declare", "table_named"]

_COMMITTED = "_ql_committed_"
_COMMITTED_FIELDS = frozenset({"blockAddress", "hash", "data", "dataHash", "metadata"})
_SYSTEM_FIELDS = frozenset({"tableId", "name", "indexes", "status", "tags"})


@dataclass(frozen=True, slots=True, eq=False)
class SourcePlan:
    """One source, bound to slots. `kind`: table, committed, history, as_of, system, values, unpivot."""

    node: Source
    kind: str
    slot: int
    at_slot: int | None
    reads: frozenset[int]
    table: Table | None = None
    fields: Callable[[], Fields | None] | None = None  # of a table: those that are looked at
    values: Evaluate | None = None
    interval: history.Interval | history.AsOf | None = None
    path: SlotPath | None = None  # of values that are a path into another source

    @property
    def tables(self) -> tuple[Table, ...]:
        return () if self.table is None else (self.table,)

    @property
    def slots(self) -> tuple[int, ...]:
        return (self.slot, self.slot + 1) if self.at_slot is None else (self.slot, self.slot + 1, self.at_slot)

    @property
    def stored(self) -> Stored | None:
        """The table below, if hints may lead to its documents."""
        if self.table is None or self.fields is None:
            return None
        return Stored(self.table, self.kind, self.slot, self.fields, self.interval)

    def told(self) -> dict[str, Value]:
        """Tell EXPLAIN what it is."""
        if self.table is not None:
            return {"table": self.table.name} if self.kind == "table" else {"table": self.table.name, "view": self.kind}
        return {"source": text_of_expression(self.node.expression)}

    def fields_told(self) -> Value:
        """Tell EXPLAIN which fields are read, when the statement is compiled; null: all."""
        fields = None if self.fields is None else self.fields()
        return None if fields is None else list[Value](sorted(fields))

    def rows(self, compiler: Compiler, way: Way | None, predicate: Evaluate) -> Rows:
        """Give the rows that pass `predicate`, by a way or all of them."""
        if self.kind in ("values", "unpivot"):
            return self._value_rows(predicate)
        if self.kind == "system":
            return _system_rows(self.slot, predicate)
        stored = self.stored
        assert stored is not None
        if way is None:
            compiler.scans[stored.table.name] = None
        view = history.committed_struct if self.kind not in ("table", "as_of") else None
        documents = way.documents if way else scan(stored)
        if compiler.explainer is not None:
            documents = compiler.explainer.weighed(documents)
        return _document_rows(self.slot, documents, view, predicate)

    def _value_rows(self, predicate: Evaluate) -> Rows:
        assert self.values is not None
        values, slot, at = self.values, self.slot, self.at_slot
        pairs = _unpivoted if self.kind == "unpivot" else _with_ordinals

        def rows(env: Env) -> Iterator[None]:
            visit = env[0].visit
            for value in elements_of(values(env)):
                visit()
                env[slot] = value
                if predicate(env) is True:
                    yield

        def rows_with_at(env: Env) -> Iterator[None]:
            visit = env[0].visit
            for ordinal, value in pairs(values(env)):
                visit()
                env[at], env[slot] = ordinal, value  # type: ignore[index]
                if predicate(env) is True:
                    yield

        return rows if at is None else rows_with_at


def _document_rows(
    slot: int,
    documents: Documents,
    view: Callable[[Document], QueryValue] | None,
    predicate: Evaluate,
) -> Rows:
    def rows(env: Env) -> Iterator[None]:
        run = env[0]
        for document in documents(env):
            run.documents_read += 1
            if run.documents_read > run.look_at:
                run.look()
            env[slot] = document.data
            env[slot + 1] = document
            if predicate(env) is True:
                yield

    def viewed_rows(env: Env) -> Iterator[None]:
        assert view is not None
        run = env[0]
        for document in documents(env):
            run.documents_read += 1
            if run.documents_read > run.look_at:
                run.look()
            env[slot] = view(document)
            env[slot + 1] = document
            if predicate(env) is True:
                yield

    return rows if view is None else viewed_rows


def _with_ordinals(value: QueryValue) -> Iterator[tuple[QueryValue, QueryValue]]:
    if type(bare(value)) in (list, Sexp):
        return enumerate(elements_of(value))
    return ((MISSING, item) for item in elements_of(value))


def _unpivoted(value: QueryValue) -> Iterator[tuple[QueryValue, QueryValue]]:
    """Give (name, value) of each field; what is no struct counts as one with the field `_1`."""
    plain = bare(value)
    if type(plain) in (dict, MultiStruct):
        return iter(fields_of(plain))
    return iter(()) if value is MISSING else iter((("_1", value),))


def _index_struct(index: Index) -> Value:
    struct: dict[str, Value] = {"indexId": index.index_id, "expr": index.expr, "status": index.status}
    if index.unique:
        struct["unique"] = True
    if index.message is not None:
        struct["message"] = index.message
    return struct


def _system_rows(slot: int, predicate: Evaluate) -> Rows:
    """information_schema.user_tables, told from the catalogue: whoever reads the plan's `tables` knows that it was read."""

    def rows(env: Env) -> Iterator[None]:
        for table in env[0].context.catalog.by_id.values():
            indexes: list[Value] = list(map(_index_struct, table.indexes))
            row: dict[str, Value] = {
                "tableId": table.table_id,
                "name": table.name,
                "indexes": indexes,
                "status": table.status,
            }
            env[slot] = row | {"tags": dict(table.tags)} if table.tags else row
            if predicate(env) is True:
                yield

    return rows


# Names in FROM.


def declare(compiler: Compiler, node: Source, scope: Scope, *, ordinals: bool = False) -> SourcePlan:
    """Find what a source is, give it slots, and make its names known in `scope`.

    Args:
        ordinals: positions in lists are kept whether or not AT asks for them.

    Raises:
        PlanError: no such table or variable, or a clause that it cannot have.
    """
    plan = _resolved(compiler, node, scope, ordinals)
    if node.by_alias is not None and plan.kind not in ("table", "committed", "history", "as_of"):
        compiler.refuse("BY names a document's id; this is no table", node.at)
    name = _implied_alias(node.expression) if node.alias is None else node.alias
    fields = {"committed": _COMMITTED_FIELDS, "history": _COMMITTED_FIELDS, "system": _SYSTEM_FIELDS}.get(plan.kind)
    scope.sources.append(Variable(name, plan.slot, plan.kind not in ("values", "unpivot"), fields))
    for alias, code in (
        (name, slot_code(plan.slot)),
        (node.at_alias, slot_code(plan.at_slot or 0)),
        (node.by_alias, Code(_document_id(plan.slot + 1), path=(plan.slot + 1, ()))),
    ):
        if alias is None:
            continue
        if alias in scope.names:
            compiler.refuse(f"{alias} is the name of two things in FROM", node.at)
        scope.names[alias] = code
    return plan


def _document_id(slot: int) -> Evaluate:
    def document_id(env: Env) -> QueryValue:
        document: Document | None = env[slot]
        return None if document is None else document.document_id

    return document_id


def _implied_alias(expression: Expression) -> str | None:
    if isinstance(expression, Name):
        return expression.text
    if isinstance(expression, Path) and isinstance(expression.steps[-1], FieldStep):
        return expression.steps[-1].name
    return None


def _resolved(compiler: Compiler, node: Source, scope: Scope, ordinals: bool) -> SourcePlan:
    if node.as_of is not None:
        return _past(compiler, node, node.as_of, scope)
    found = None if node.unpivot else _stored(compiler, node, scope)
    if found is not None:
        return found
    expression = node.expression
    name = expression.text if isinstance(expression, Name) and not expression.local else None
    if name is not None and (query := scope.query(name)) is not None:
        code, reads = Code(query), frozenset[int]()
    elif name is not None and name in compiler.constants:
        code, reads = constant(compiler.constants[name]), frozenset()
    else:
        outside, compiler.reads = compiler.reads, set()
        code = compiler.collection_rows(expression, scope)
        reads = frozenset(compiler.reads)
        compiler.reads |= outside
    slot = compiler.slots(2)
    at_slot = compiler.slots() if node.at_alias is not None or node.unpivot or ordinals else None
    if node.unpivot:
        return SourcePlan(node, "unpivot", slot, at_slot, reads, values=code.run)
    path = None if code.path is None or EACH in code.path[1] else code.path
    return SourcePlan(node, "values", slot, at_slot, reads, values=code.run, path=path)


def _stored(compiler: Compiler, node: Source, scope: Scope) -> SourcePlan | None:
    """Find a table, a view of one, or the catalogue; None if the expression is none of them."""
    expression = node.expression
    kind, table, interval = "table", None, None
    reads: frozenset[int] = frozenset()
    if isinstance(expression, Call) and expression.function == "history":
        kind = "history"
        table, interval, reads = _history_of(compiler, expression, scope)
    elif isinstance(expression, Path) and isinstance(expression.root, Name) and not expression.root.local:
        name, steps = expression.root.text, expression.steps
        if name == "information_schema":
            if len(steps) != 1 or not isinstance(steps[0], FieldStep) or steps[0].name != "user_tables":
                compiler.refuse("information_schema has one table: user_tables", expression.at)
            kind = "system"
            compiler.tables[SYSTEM_TABLE_NAME] = None
        elif name in compiler.catalog.by_name and scope.query(name) is None:
            compiler.refuse(f"{name} is a table here; a path of its documents begins with @{name}", expression.at)
        else:
            return None
    elif isinstance(expression, Name) and not expression.local and scope.query(expression.text) is None:
        name = expression.text
        if name.startswith(_COMMITTED):
            kind, table = "committed", table_named(compiler, name.removeprefix(_COMMITTED), expression.at)
        elif name in compiler.catalog.by_name or not (scope.variable(name) or name in compiler.constants):
            table = table_named(compiler, name, expression.at)
        else:
            return None
    else:
        return None
    slot = compiler.slots(2)
    at_slot = compiler.slots() if node.at_alias is not None else None
    return SourcePlan(node, kind, slot, at_slot, reads, table, compiler.looked_at.of(slot), interval=interval)


def _past(compiler: Compiler, node: Source, as_of: Expression, scope: Scope) -> SourcePlan:
    """Plan `T AS OF moment`; also of the committed view, and of a dropped table by its id."""
    expression = node.expression
    if node.unpivot or not isinstance(expression, Name) or scope.query(expression.text) is not None:
        compiler.refuse("AS OF follows a table's name", as_of.at)
    name = expression.text.removeprefix(_COMMITTED)
    table = compiler.catalog.by_id.get(name) or table_named(compiler, name, expression.at)
    compiler.tables[table.name] = None
    code, reads = compiler.recorded(as_of, scope)
    if reads:
        compiler.refuse("AS OF takes one moment for the whole statement: a constant or a parameter", as_of.at)
    if code.constant:
        try:
            history.AsOf.check(compiler.value(code), None)
        except EvaluationError as error:
            compiler.refuse(str(error), as_of.at)
    kind = "as_of" if name == expression.text else "history"
    slot = compiler.slots(2)
    at_slot = compiler.slots() if node.at_alias is not None else None
    moment = history.AsOf(code.run)
    return SourcePlan(node, kind, slot, at_slot, frozenset(), table, compiler.looked_at.of(slot), interval=moment)


def _history_of(compiler: Compiler, call: Call, scope: Scope) -> tuple[Table, history.Interval, frozenset[int]]:
    if not 1 <= len(call.arguments) <= 3:
        compiler.refuse("history(table [, start [, end]])", call.at)
    which = call.arguments[0]
    if isinstance(which, Literal) and isinstance(which.value, str):
        found = compiler.catalog.by_id.get(which.value)
        if found is None:
            compiler.refuse(f"No such table id: '{which.value}'", which.at)
        compiler.tables[found.name] = None
        table = found
    elif isinstance(which, Name):
        by_id = compiler.catalog.by_id.get(which.text)
        table = by_id if by_id is not None else table_named(compiler, which.text, which.at)
        compiler.tables[table.name] = None
    else:
        compiler.refuse("history takes a table's name, or its id as text", which.at)
    outside, compiler.reads = compiler.reads, set()
    bounds = [compiler.compile(bound, scope).run for bound in call.arguments[1:]]
    reads = frozenset(compiler.reads)
    compiler.reads |= outside
    return table, history.Interval(*bounds), reads


def table_named(compiler: Compiler, name: str, at: int) -> Table:
    """Find an active table, and note that the plan relies on its name.

    Raises:
        PlanError: there is none.
    """
    table = compiler.catalog.by_name.get(name)
    if table is None:
        dropped = [f'"{t.table_id}"' for t in compiler.catalog.by_id.values() if t.name == name]
        hint = (
            f"; it was dropped: UNDROP TABLE {dropped[-1]}" if dropped else did_you_mean(name, compiler.catalog.by_name)
        )
        compiler.refuse(f"No such table: {name}{hint}", at)
    compiler.tables[name] = None
    return table
