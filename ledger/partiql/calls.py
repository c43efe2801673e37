"""Calls of functions, and the containers that a statement builds -> closures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ledger.errors import EvaluationError
from ledger.partiql import operators
from ledger.partiql.code import Code, Env, Evaluate
from ledger.partiql.comparison import MistypedError, is_absent, text_of
from ledger.partiql.functions import FUNCTIONS
from ledger.partiql.navigation import struct_of
from ledger.partiql.run import Run
from ledger.partiql.scope import Scope, did_you_mean
from ledger.partiql.tree.expressions import Aggregate, Call, Container, Expression, Name, StructOf, Window
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.sizes import estimated_size
from ledger.values import Annotated, MultiStruct, Sexp

if TYPE_CHECKING:
    from ledger.partiql.compiler import Compiler

__all__ = ["Growth", "aggregate", "call", "container", "struct", "struct_of_constant_names", "weighed_row", "window"]

_NESTED = frozenset({list, dict, Bag, Sexp, tuple, MultiStruct, Annotated})
_MANY = 256
"""So many items weigh something even if none of them is a container: `SELECT t.*, t.*` doubles a flat row."""
_BUILT_BYTES_MAX = 32 * 1024 * 1024
_FEW_TIMES = 256
"""A document of the largest size, held so often in one row, is just what may be built."""


def call(compiler: Compiler, node: Call, scope: Scope) -> Code:
    special = _SPECIAL.get(node.function)
    if special is not None:
        return special(compiler, node, scope)
    function = FUNCTIONS.get(node.function)
    if function is None:
        known = [*FUNCTIONS, *_SPECIAL, "count", "sum", "min", "max", "avg", "cast", "history"]
        compiler.refuse(
            f"No such function: {node.function.upper()}" + did_you_mean(node.function, known, str.upper), node.at
        )
    _check_count(compiler, node, function.least, function.most)
    compiler.makes_foreign |= node.function in ("bag", "list", "sexp", "filter_distinct")
    compile_one = compiler.collection if function.collections else compiler.compile
    arguments = [compile_one(argument, scope) for argument in node.arguments]
    runs = [argument.run for argument in arguments]
    if function.takes_absent:
        return compiler.folded(operators.guarded(function.call, *runs), arguments, node.at)
    return compiler.folded(operators.called(function.call, runs), arguments, node.at)


def _check_count(compiler: Compiler, node: Call, least: int, most: int | None) -> None:
    count = len(node.arguments)
    if count < least or (most is not None and count > most):
        wanted = str(least) if most == least else f"{least} to {most}" if most is not None else f"{least} or more"
        compiler.refuse(f"{node.function.upper()} takes {wanted} arguments, not {count}", node.at)


def _coalesce(compiler: Compiler, node: Call, scope: Scope) -> Code:
    _check_count(compiler, node, 1, None)
    arguments = compiler.many(node.arguments, scope)
    runs = [argument.run for argument in arguments]

    def first_known(env: Env) -> QueryValue:
        for run in runs:
            value = run(env)
            if not is_absent(value):
                return value
        return None

    return compiler.folded(first_known, arguments, node.at)


def _txid(compiler: Compiler, node: Call, _: Scope) -> Code:
    _check_count(compiler, node, 0, 0)
    return Code(lambda env: env[0].context.transaction_id)


def _utcnow(compiler: Compiler, node: Call, _: Scope) -> Code:
    _check_count(compiler, node, 0, 0)
    return Code(lambda env: env[0].context.now)


def _history(compiler: Compiler, node: Call, _: Scope) -> NoReturn:
    compiler.refuse("HISTORY(...) stands in FROM only", node.at)


def aggregate(compiler: Compiler, node: Aggregate, _: Scope) -> NoReturn:
    compiler.refuse(f"{node.function.upper()} stands in SELECT, HAVING or ORDER BY of a query only", node.at)


def window(compiler: Compiler, node: Window, _: Scope) -> NoReturn:
    compiler.refuse("OVER stands in SELECT or ORDER BY of a query only", node.at)


def container(compiler: Compiler, node: Container, scope: Scope) -> Code:
    compiler.makes_foreign = True
    items = compiler.many(node.items, scope)
    runs = [item.run for item in items]
    kind: Callable[[Iterable[Any]], Any] = {"list": list, "bag": Bag, "sexp": Sexp}[node.kind]
    return compiler.folded(_weighed(lambda env: kind([run(env) for run in runs])), items, node.at)


def struct(compiler: Compiler, node: StructOf, scope: Scope) -> Code:
    names = [_field_name(compiler, name, scope) for name, _ in node.fields]
    values = [compiler.compile(value, scope) for _, value in node.fields]
    if all(name.constant for name in names):
        texts = [text_of(compiler.value(name)) for name in names]
        for text, (name_node, _) in zip(texts, node.fields, strict=True):
            if text is None:
                compiler.refuse("a field's name is text", name_node.at)
        build_one = struct_of_constant_names(texts, [v.run for v in values])
        return compiler.folded(_weighed(build_one), values, node.at)
    pairs = [(name.run, value.run) for name, value in zip(names, values, strict=True)]

    def build(env: Env) -> QueryValue:
        found = ((_name_text(env, name(env)), value(env)) for name, value in pairs)
        return struct_of((text, value) for text, value in found if text is not None)

    return Code(_weighed(build))


def _weighed(build: Evaluate) -> Evaluate:
    """Look at how large a container is that has others in it, or many items, and count that as work: 30 LETs, each of which holds the one
    before twice, make a billion elements."""

    def looked_at(env: Env) -> QueryValue:
        value = build(env)
        items = _items_of(value)
        if len(items) > _MANY or not _NESTED.isdisjoint(map(type, items)):
            _weigh(env, value)
        return value

    return looked_at


class Growth:
    """How many times a row of a statement may hold one value that the statement has built, if all of its queries stand in each other."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 1


def weighed_row(compiler: Compiler, build: Evaluate, uses: int) -> Evaluate:
    """Do what `_weighed` does for rows that hold built values up to `uses` times, where that adds up: 20 queries, each around the one
    before, double a value 20 times. For most statements it does not."""
    growth, weigh = compiler.growth, _weighed(build)
    growth.times *= max(1, uses)
    return build if uses < 2 else lambda env: weigh(env) if growth.times > _FEW_TIMES else build(env)


def _items_of(value: Any) -> Collection[Any]:
    if type(value) is dict:
        return value.values()
    return [item for _, item in value.fields] if type(value) is MultiStruct else value


def _weigh(env: Env, value: QueryValue) -> None:
    size = estimated_size(value)
    if size > _BUILT_BYTES_MAX:
        raise EvaluationError(f"a list or struct of more than {_BUILT_BYTES_MAX} bytes would be built")
    run = env[0]
    if isinstance(run, Run):
        run.worked(size)


def _field_name(compiler: Compiler, node: Expression, scope: Scope) -> Code:
    if isinstance(node, Name) and scope.variable(node.text) is None and not scope.has_sources():
        compiler.refuse(f"a field's name stands in single quotes: '{node.text}'", node.at)
    return compiler.compile(node, scope)


def struct_of_constant_names(names: Sequence[str | None], values: Sequence[Evaluate]) -> Evaluate:
    pairs = list(zip(names, values, strict=True))
    if len(set(names)) < len(names):
        return lambda env: struct_of((name, run(env)) for name, run in pairs)

    def build(env: Env) -> QueryValue:
        found = {}
        for name, run in pairs:
            value = run(env)
            if value is not MISSING:
                found[name] = value
        return found  # type: ignore[return-value]

    return build


def _name_text(env: Env, value: QueryValue) -> str | None:
    text = text_of(value)
    if text is None and not is_absent(value):
        env[0].mistyped(MistypedError("a field's name is text"))
    return text


_SPECIAL: dict[str, Callable[[Compiler, Any, Scope], Code]] = {
    "coalesce": _coalesce,
    "txid": _txid,
    "utcnow": _utcnow,
    "history": _history,
}
