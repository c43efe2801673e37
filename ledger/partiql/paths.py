"""Names and paths -> closures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

from ledger.catalog import EACH
from ledger.partiql.code import Code, Env, Evaluate, SlotPath, constant
from ledger.partiql.comparison import bare
from ledger.partiql.navigation import element, elements_of, is_struct
from ledger.partiql.scope import Scope, any_field_code, did_you_mean, field_code
from ledger.partiql.tree.expressions import (
    AllElements,
    AllFields,
    ElementStep,
    FieldStep,
    Literal,
    Name,
    Parameter,
    Path,
    Step,
)
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.values import fields_of

if TYPE_CHECKING:
    from ledger.partiql.compiler import Compiler

__all__ = ["literal", "name", "parameter", "path"]


def literal(compiler: Compiler, node: Literal, _: Scope) -> Code:
    return constant(node.value)


def parameter(compiler: Compiler, node: Parameter, _: Scope) -> Code:
    slot = 1 + node.index
    return Code(lambda env: env[slot])


def name(compiler: Compiler, node: Name, scope: Scope) -> Code:
    code = _named(compiler, node, scope)
    if code.path is not None and not code.path[1]:
        compiler.looked_at.all_of(code.path[0])
    return code


def _named(compiler: Compiler, node: Name, scope: Scope) -> Code:
    """Find what a name means; of a variable that is taken whole, it is for the caller to say what of it is looked at."""
    found = scope.variable(node.text)
    if found is not None:
        if found.path is not None:
            compiler.reads.add(found.path[0])
        return found
    candidates = scope.candidates(node.text)
    if sum(candidate.is_table for candidate in candidates) > 1:
        names = " or ".join(f"{c.name}.{node.text}" for c in candidates if c.is_table)
        compiler.refuse(f"{node.text} may belong to several tables: write {names}", node.at)
    if node.text in compiler.constants:
        return constant(compiler.constants[node.text])
    for candidate in candidates:
        compiler.reads.add(candidate.slot)
        compiler.looked_at.field(candidate.slot, node.text)
    if len(candidates) == 1:
        return field_code(Code(_never, path=(candidates[0].slot, ())), node.text)
    if candidates:
        return any_field_code(tuple(candidate.slot for candidate in candidates), node.text)
    if scope.has_sources():
        return constant(MISSING)
    return _unknown_name(compiler, node, scope)


def _unknown_name(compiler: Compiler, node: Name, scope: Scope) -> NoReturn:
    known: list[str] = []
    above: Scope | None = scope
    while above is not None:
        known += above.names
        above = above.parent
    compiler.refuse(f"No such variable named '{node.text}'" + did_you_mean(node.text, known), node.at)


def path(compiler: Compiler, node: Path, scope: Scope) -> Code:
    root, first = node.root, node.steps[0]
    code = None if scope.grouping is None else scope.grouping.substitute(root)
    if code is None and isinstance(root, Name) and isinstance(first, FieldStep):
        code = _named(compiler, root, scope)
        if code.path is not None and not code.path[1]:
            compiler.looked_at.field(code.path[0], first.name)
    return _steps(compiler, code or compiler.compile(root, scope), node.steps, scope)


def _steps(compiler: Compiler, code: Code, steps: Sequence[Step], scope: Scope) -> Code:
    """Go on from `code` by the steps of a path."""
    for i, step in enumerate(steps):
        if isinstance(step, FieldStep):
            after = field_code(code, step.name)
            code = compiler.folded(after.run, (code,), step.at) if code.constant else after
        elif isinstance(step, ElementStep):
            key = compiler.compile(step.key, scope)
            code = compiler.folded(_element(code.run, key.run), (code, key), step.at)
        else:
            return _wildcard(compiler, code, step, steps[i + 1 :], scope)
    return code


def _wildcard(
    compiler: Compiler, code: Code, step: AllElements | AllFields, rest: Sequence[Step], scope: Scope
) -> Code:
    """Go on from each element, or each field's value: the results are a bag."""
    compiler.makes_foreign = True
    slot = compiler.slots()
    below = _steps(compiler, Code(lambda env: env[slot]), rest, scope)
    several = any(isinstance(later, AllElements | AllFields) for later in rest)
    items = elements_of if isinstance(step, AllElements) else _field_values
    run, run_below = code.run, below.run

    def each(env: Env) -> QueryValue:
        found = Bag()
        for item in items(run(env)):
            env[slot] = item
            value = run_below(env)
            if several:
                found.extend(value)  # type: ignore[arg-type]
            else:
                found.append(value)  # type: ignore[arg-type]
        return found

    return Code(each, path=_path_of_each(code, step, rest))


def _path_of_each(code: Code, step: AllElements | AllFields, rest: Sequence[Step]) -> SlotPath | None:
    if code.path is None or isinstance(step, AllFields):
        return None
    path = (*code.path[1], EACH)
    for later in rest:
        if not isinstance(later, FieldStep | AllElements):
            return None
        path = (*path, later.name if isinstance(later, FieldStep) else EACH)
    return code.path[0], path


def _never(_: Env) -> QueryValue:
    raise AssertionError("the code of a slot is never run without its field")


def _element(base: Evaluate, key: Evaluate) -> Evaluate:
    return lambda env: element(base(env), key(env))


def _field_values(value: QueryValue) -> Iterable[QueryValue]:
    plain = bare(value)
    return [found for _, found in fields_of(plain)] if is_struct(plain) else [value]
