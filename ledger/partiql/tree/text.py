"""Expressions -> text again, for people to read: with all the parentheses, and without the insides of subqueries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ledger import iontext
from ledger.partiql.tree.expressions import (
    Aggregate,
    AllElements,
    Between,
    Binary,
    Call,
    Container,
    ElementStep,
    Expression,
    FieldStep,
    In,
    IsType,
    Like,
    Literal,
    Logical,
    Name,
    Parameter,
    Path,
    Step,
    StructOf,
    Subquery,
    Unary,
)
from ledger.query_values import MISSING, Bag

__all__ = ["text_of_expression"]

_SHOWN_MAX = 200
"""Characters; what is longer is cut."""
_SUBQUERY = "(SELECT ...)"


def text_of_expression(node: Expression) -> str:
    """Write an expression in one line."""
    text = _text(node)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _text(node: Any) -> str:
    write = _WRITERS.get(type(node))
    return f"{type(node).__name__.upper()}(...)" if write is None else write(node)


def _literal(node: Literal) -> str:
    value = node.value
    if value is MISSING:
        return "MISSING"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if value is None or isinstance(value, bool | int):
        return "NULL" if value is None else str(value).upper()
    return "<<...>>" if isinstance(value, Bag) else f"`{iontext.dump(value)}`"


def _step(step: Step) -> str:
    if isinstance(step, FieldStep):
        return f".{step.name}"
    if isinstance(step, ElementStep):
        return f"[{_text(step.key)}]"
    return "[*]" if isinstance(step, AllElements) else ".*"


def _listed(nodes: Iterable[Expression]) -> str:
    return ", ".join(map(_text, nodes))


def _operand(node: Expression) -> str:
    return f"({_text(node)})" if isinstance(node, Binary | Logical | Between | In | Like | IsType) else _text(node)


def _not(negated: bool) -> str:
    return "NOT " if negated else ""


def _container(node: Container) -> str:
    start, end = {"list": ("[", "]"), "bag": ("<<", ">>"), "sexp": ("sexp(", ")")}[node.kind]
    return f"{start}{_listed(node.items)}{end}"


def _like(node: Like) -> str:
    escape = f" ESCAPE {_operand(node.escape)}" if node.escape is not None else ""
    return f"{_operand(node.operand)} {_not(node.negated)}LIKE {_operand(node.pattern)}{escape}"


def _call(node: Call) -> str:
    inside = _listed(node.arguments)
    return f"{node.function.upper()}{inside}" if inside == _SUBQUERY else f"{node.function.upper()}({inside})"


def _aggregate(node: Aggregate) -> str:
    distinct = "DISTINCT " if node.distinct else ""
    return f"{node.function.upper()}({distinct}{'*' if node.argument is None else _text(node.argument)})"


_WRITERS: dict[type, Callable[[Any], str]] = {
    Literal: _literal,
    Parameter: lambda _: "?",
    Name: lambda node: f"@{node.text}" if node.local else node.text,
    Path: lambda node: _operand(node.root) + "".join(map(_step, node.steps)),
    Unary: lambda node: f"{node.operator.upper()} {_operand(node.operand)}",
    Binary: lambda node: f"{_operand(node.left)} {node.operator} {_operand(node.right)}",
    Logical: lambda node: f" {node.operator.upper()} ".join(map(_operand, node.operands)),
    Between: lambda n: f"{_operand(n.operand)} {_not(n.negated)}BETWEEN {_operand(n.low)} AND {_operand(n.high)}",
    In: lambda node: f"{_operand(node.operand)} {_not(node.negated)}IN {_operand(node.collection)}",
    Like: _like,
    IsType: lambda node: f"{_operand(node.operand)} IS {_not(node.negated)}{node.type.name.upper()}",
    Call: _call,
    Aggregate: _aggregate,
    Container: _container,
    StructOf: lambda node: "{" + ", ".join(f"{_text(name)}: {_text(value)}" for name, value in node.fields) + "}",
    Subquery: lambda _: _SUBQUERY,
}
