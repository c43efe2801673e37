"""SET, INSERT INTO and REMOVE -> closures that edit one document.

The values are computed from the document as it was; the operations then apply one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import EvaluationError
from ledger.partiql.code import Env, Evaluate, constant
from ledger.partiql.comparison import a_type_of, bare, text_of
from ledger.partiql.compiler import Compiler
from ledger.partiql.context import Document
from ledger.partiql.edits import KeyPath, insert_at, remove_at, set_at
from ledger.partiql.scope import Scope
from ledger.partiql.sources import SourcePlan
from ledger.partiql.storing import stored
from ledger.partiql.tree.expressions import ElementStep, Expression, FieldStep, Name, Path, Step
from ledger.partiql.tree.statements import InsertInto, Operation, Remove, SetPath
from ledger.query_values import MISSING

__all__ = ["Apply", "Locations", "Target", "edit"]


@dataclass(slots=True)
class Target:
    """One document that the statement changes. `removals`: list positions to take out in the end; `data` None: deleted."""

    document: Document
    data: Any
    removals: list[KeyPath] = field(default_factory=list)

    def finish(self) -> None:
        for path in sorted(self.removals, key=_by_position, reverse=True):
            if self.data is not None:
                self.data = remove_at(self.data, path)


Apply = Callable[[Env, Target], None]
_Location = tuple[Evaluate, ...]


def _by_position(path: KeyPath) -> tuple[tuple[bool, str, int], ...]:
    return tuple(
        (type(key) is int, "" if type(key) is int else str(key), key if type(key) is int else 0) for key in path
    )


class Locations:
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


def edit(compiler: Compiler, scope: Scope, locations: Locations, node: Operation) -> Apply:
    """Compile one operation. Raises PlanError: its target is no path into the document."""
    location = locations.of(node.target)
    path = _path_of(location)
    if isinstance(node, SetPath):
        return _setting(path, stored(compiler, node.value, scope, "the value of SET"))
    if isinstance(node, Remove):
        return _removing(path)
    assert isinstance(node, InsertInto)
    value = stored(compiler, node.value, scope, "the value of INSERT")
    key = constant(MISSING).run if node.key is None else compiler.compile(node.key, scope).run
    return _inserting(path, value, key, with_key=node.key is not None)


def _setting(path: Callable[[Env], KeyPath], value: Evaluate) -> Apply:
    def apply(env: Env, target: Target) -> None:
        target.data = set_at(target.data, path(env), value(env))
        if target.data is MISSING:
            raise EvaluationError("a document cannot be set to MISSING; REMOVE or DELETE takes it away")

    return apply


def _removing(path: Callable[[Env], KeyPath]) -> Apply:
    def apply(env: Env, target: Target) -> None:
        keys = path(env)
        if not keys:
            target.data = None
        elif type(keys[-1]) is int:
            target.removals.append(keys)
        else:
            target.data = remove_at(target.data, keys)

    return apply


def _inserting(path: Callable[[Env], KeyPath], value: Evaluate, key: Evaluate, *, with_key: bool) -> Apply:
    def apply(env: Env, target: Target) -> None:
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
