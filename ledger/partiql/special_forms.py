"""What looks like a function or a type and has a grammar of its own: CAST(e AS type), TRIM(BOTH 'x' FROM s), COUNT(*), ...

All of them become plain calls, casts, aggregates or windows of the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.partiql import window_forms
from ledger.partiql.lexer import RESERVED, Token
from ledger.partiql.tree.expressions import Aggregate, Call, Cast, Expression, Literal, TypeName

if TYPE_CHECKING:
    from ledger.partiql.expression_parser import ExpressionParser

__all__ = ["call", "type_name"]

TYPE_NAMES = {
    "null": "null", "missing": "missing", "any": "any",
    "bool": "bool", "boolean": "bool",
    "int": "int", "integer": "int", "smallint": "int", "bigint": "int", "int2": "int", "int4": "int", "int8": "int",
    "float": "float", "real": "float", "double": "float",
    "decimal": "decimal", "dec": "decimal", "numeric": "decimal",
    "timestamp": "timestamp",
    "string": "string", "char": "char", "character": "char", "varchar": "varchar",
    "symbol": "symbol", "clob": "clob", "blob": "blob",
    "list": "list", "array": "list", "sexp": "sexp", "bag": "bag", "struct": "struct", "tuple": "struct",
}  # fmt: skip
_AGGREGATES = frozenset({"count", "sum", "min", "max", "avg", "every", "any", "some"})
_PARTS = frozenset({"year", "month", "day", "hour", "minute", "second"})
_ZONE_PARTS = frozenset({"timezone_hour", "timezone_minute"})
_CALLABLE = frozenset(
    """bag bit_length cast char_length character_length coalesce count date_add date_diff exists extract list lower
    avg any max min nullif octet_length overlay position sexp size some substring sum to_string to_timestamp trim txid upper
    utcnow left right translate""".split()  # noqa: SIM905
)
"""Reserved words that a call may begin with."""


def type_name(parser: ExpressionParser) -> TypeName:
    """Read a type: one or two words, and numbers in parentheses."""
    token = parser.token
    name = TYPE_NAMES.get(token.word)
    if name is None:
        parser.fail("a type")
    parser.advance()
    if token.word == "double":
        parser.expect("precision", " of DOUBLE PRECISION")
    elif name == "char" and parser.accept("varying"):
        name = "varchar"
    arguments: list[int] = []
    if name in ("decimal", "char", "varchar", "float") and parser.accept("("):
        at = parser.token.at
        arguments.append(_size(parser))
        if name == "decimal" and arguments == [0]:
            parser.refuse("DECIMAL of no digits", at)
        if name == "decimal" and parser.accept(","):
            arguments.append(_size(parser))
        parser.expect(")")
    return TypeName(name, tuple(arguments), token.at)


def _size(parser: ExpressionParser) -> int:
    token = parser.token
    if type(token.value) is not int or not 0 <= token.value <= 1_000_000:
        parser.fail("a number of digits or characters")
    parser.advance()
    return token.value


def call(parser: ExpressionParser) -> Expression:
    """Read `word (...)`; the parser stands at the word, and a parenthesis follows."""
    token = parser.token
    if token.word in RESERVED and token.word not in _CALLABLE:
        parser.fail("an expression")
    parser.advance()
    parser.advance()
    if token.word in _AGGREGATES:
        found = _aggregate(parser, token)
    else:
        form = _FORMS.get("coll_" if token.word.startswith("coll_") else token.word)
        found = form(parser, token) if form else Call(token.word, parser.expressions(")"), token.at)
    if parser.token.word == "over" and parser.peek().word == "(":
        return window_forms.window(parser, found)
    return found


def _aggregate(parser: ExpressionParser, token: Token) -> Expression:
    if parser.accept("*"):
        if token.word != "count":
            parser.refuse(f"{token.word.upper()}(*) is not an aggregate, only COUNT(*) is", token.at)
        parser.expect(")")
        return Aggregate("count", False, None, token.at)
    distinct = parser.accept("distinct")
    if not distinct:
        parser.accept("all")
    argument = parser.argument()
    parser.expect(")")
    function = "any" if token.word == "some" else token.word
    return Aggregate(function, distinct, argument, token.at)


def _cast(parser: ExpressionParser, token: Token) -> Expression:
    operand = parser.expression()
    parser.expect("as", " and a type")
    kind = type_name(parser)
    parser.expect(")")
    return Cast(token.word, operand, kind, token.at)


def _part(parser: ExpressionParser, allowed: frozenset[str]) -> Literal:
    if parser.token.word not in allowed:
        parser.fail("one of " + ", ".join(sorted(part.upper() for part in allowed)))
    token = parser.advance()
    return Literal(token.word, token.at)


def _extract(parser: ExpressionParser, token: Token) -> Expression:
    part = _part(parser, _PARTS | _ZONE_PARTS)
    parser.expect("from", " of EXTRACT")
    value = parser.expression()
    parser.expect(")")
    return Call("extract", (part, value), token.at)


def _date_function(parser: ExpressionParser, token: Token) -> Expression:
    part = _part(parser, _PARTS)
    parser.expect(",")
    return Call(token.word, (part, *parser.expressions(")")), token.at)


def _trim(parser: ExpressionParser, token: Token) -> Expression:
    side = parser.token.word if parser.token.word in ("leading", "trailing", "both") else ""
    if side:
        parser.advance()
    where = Literal(side or "both", token.at)
    if parser.accept("from"):  # TRIM(BOTH FROM s)
        found = Call("trim", (where, Literal(" ", token.at), parser.expression()), token.at)
    else:
        first = parser.expression()
        if parser.accept("from"):
            found = Call("trim", (where, first, parser.expression()), token.at)
        elif side:
            parser.fail("FROM of TRIM")
        else:
            found = Call("trim", (where, Literal(" ", token.at), first), token.at)
    parser.expect(")")
    return found


def _substring(parser: ExpressionParser, token: Token) -> Expression:
    arguments = [parser.expression()]
    if parser.accept("from"):
        arguments.append(parser.expression())
        if parser.accept("for"):
            arguments.append(parser.expression())
        parser.expect(")")
        return Call("substring", tuple(arguments), token.at)
    parser.expect(",", " or FROM of SUBSTRING")
    return Call("substring", (*arguments, *parser.expressions(")")), token.at)


def _position(parser: ExpressionParser, token: Token) -> Expression:
    sought = parser.expression(6)  # above IN
    if not parser.accept(","):
        parser.expect("in", " of POSITION")
    found = Call("position", (sought, parser.expression()), token.at)
    parser.expect(")")
    return found


def _overlay(parser: ExpressionParser, token: Token) -> Expression:
    arguments = [parser.expression()]
    if parser.accept(","):
        return Call("overlay", (*arguments, *parser.expressions(")")), token.at)
    parser.expect("placing", " of OVERLAY")
    arguments.append(parser.expression())
    parser.expect("from", " of OVERLAY")
    arguments.append(parser.expression())
    if parser.accept("for"):
        arguments.append(parser.expression())
    parser.expect(")")
    return Call("overlay", tuple(arguments), token.at)


def _collection_aggregate(parser: ExpressionParser, token: Token) -> Expression:
    distinct = parser.accept("distinct")
    if not distinct:
        parser.accept("all")
    arguments = parser.expressions(")")
    if distinct:
        arguments = (Call("filter_distinct", arguments, token.at),)
    return Call(token.word, arguments, token.at)


_FORMS: dict[str, Callable[[ExpressionParser, Token], Expression]] = {
    "cast": _cast,
    "can_cast": _cast,
    "extract": _extract,
    "date_add": _date_function,
    "date_diff": _date_function,
    "trim": _trim,
    "substring": _substring,
    "position": _position,
    "overlay": _overlay,
    "coll_": _collection_aggregate,
}
