"""Operators as closures: each function takes the closures of its operands and gives the closure of the whole.

The types that make up nearly all data have a way of their own in front; the modules of values answer for the rest.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from ledger.index_key import order_key
from ledger.partiql.arithmetic import OPERATORS, product
from ledger.partiql.code import Env, Evaluate
from ledger.partiql.comparison import MistypedError, bare, compare, equals, is_absent, text_of, type_name_of
from ledger.partiql.patterns import like, matcher
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.values import Sexp

__all__ = [
    "arithmetic",
    "between",
    "called",
    "comparison",
    "conjunction",
    "disjunction",
    "equality",
    "guarded",
    "like_pattern",
    "member_of_constants",
    "member_of_items",
    "member_of_value",
    "negation",
]

_DIRECT = frozenset({str, int, bool})
_FAST: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": product}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def guarded(function: Callable[..., QueryValue], *operands: Evaluate) -> Evaluate:
    """Call `function` with the operands' values; where it has no answer, MISSING."""
    if len(operands) == 1:
        only = operands[0]

        def one(env: Env) -> QueryValue:
            try:
                return function(only(env))
            except MistypedError as error:
                return env[0].mistyped(error)  # type: ignore[no-any-return]

        return one

    def several(env: Env) -> QueryValue:
        try:
            return function(*[operand(env) for operand in operands])
        except MistypedError as error:
            return env[0].mistyped(error)  # type: ignore[no-any-return]

    return several


def called(function: Callable[..., QueryValue], operands: Sequence[Evaluate]) -> Evaluate:
    """Call a function that answers NULL for any NULL or MISSING."""

    def call(env: Env) -> QueryValue:
        values = [operand(env) for operand in operands]
        if any(map(is_absent, values)):
            return None
        try:
            return function(*values)
        except MistypedError as error:
            return env[0].mistyped(error)  # type: ignore[no-any-return]

    return call


def arithmetic(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    full = OPERATORS[sign]
    fast = _FAST.get(sign)
    if fast is None:
        return guarded(full, left, right)

    def calculate(env: Env) -> QueryValue:
        a, b = left(env), right(env)
        if type(a) is int and type(b) is int:
            return fast(a, b)  # type: ignore[no-any-return]
        try:
            return full(a, b)
        except MistypedError as error:
            return env[0].mistyped(error)  # type: ignore[no-any-return]

    return calculate


def equality(left: Evaluate, right: Evaluate) -> Evaluate:
    def equal(env: Env) -> QueryValue:
        a, b = left(env), right(env)
        return a == b if type(a) is type(b) and type(a) in _DIRECT else equals(a, b)

    return equal


def comparison(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """Give the closure of one of = <> < <= > >=."""
    if sign == "=":
        return equality(left, right)
    if sign == "<>":
        return negation(equality(left, right))
    direct = _ORDER[sign]

    def ordered(env: Env) -> QueryValue:
        a, b = left(env), right(env)
        if type(a) is type(b) and type(a) in _DIRECT:
            return direct(a, b)
        try:
            found = compare(a, b)
        except MistypedError as error:
            return env[0].mistyped(error)  # type: ignore[no-any-return]
        return None if found is None else direct(found, 0)

    return ordered


def negation(operand: Evaluate) -> Evaluate:
    def negated(env: Env) -> QueryValue:
        value = operand(env)
        if type(value) is bool:
            return not value
        if is_absent(value):
            return None
        if type(bare(value)) is bool:
            return not bare(value)
        return env[0].mistyped(MistypedError(f"NOT works on booleans, not on {type_name_of(value)}"))  # type: ignore[no-any-return]

    return negated


def _truth(value: QueryValue, env: Env, sign: str) -> bool | None:
    """Give a boolean, or None for unknown."""
    value = bare(value)
    if type(value) is bool:
        return value
    if not is_absent(value):
        env[0].mistyped(MistypedError(f"{sign} works on booleans, not on {type_name_of(value)}"))
    return None


def conjunction(operands: Sequence[Evaluate]) -> Evaluate:
    return _junction(operands, "AND", decisive=False)


def disjunction(operands: Sequence[Evaluate]) -> Evaluate:
    return _junction(operands, "OR", decisive=True)


def _junction(operands: Sequence[Evaluate], sign: str, *, decisive: bool) -> Evaluate:
    """Go through the operands up to the first that decides; what is unknown makes the rest unknown."""
    neutral = not decisive

    def junction(env: Env) -> QueryValue:
        result: bool | None = neutral
        for operand in operands:
            value = operand(env)
            if value is neutral:
                continue
            if value is not decisive:
                value = _truth(value, env, sign)
            if value is decisive:
                return decisive
            if value is None:
                result = None
        return result

    return junction


def between(value: Evaluate, low: Evaluate, high: Evaluate) -> Evaluate:
    def inside(env: Env) -> QueryValue:
        x, a, b = value(env), low(env), high(env)
        try:
            above, below = compare(x, a), compare(x, b)
        except MistypedError as error:
            return env[0].mistyped(error)  # type: ignore[no-any-return]
        if (above is not None and above < 0) or (below is not None and below > 0):
            return False
        return None if above is None or below is None else True

    return inside


def member_of_items(value: Evaluate, items: Sequence[Evaluate]) -> Evaluate:
    """IN over a list whose elements stand in the statement."""

    def member(env: Env) -> QueryValue:
        x = value(env)
        if is_absent(x):
            return None
        result: bool | None = False
        for item in items:
            equal = equals(x, item(env))
            if equal:
                return True
            if equal is None:
                result = None
        return result

    return member


def member_of_constants(value: Evaluate, items: Sequence[QueryValue]) -> Evaluate:
    """IN over constants, by one look into a set."""
    keys = frozenset(order_key(item) for item in items if not is_absent(item))
    otherwise = None if any(map(is_absent, items)) else False

    def member(env: Env) -> QueryValue:
        x = value(env)
        if is_absent(x):
            return None
        return True if order_key(x) in keys else otherwise

    return member


def member_of_value(value: Evaluate, collection: Evaluate) -> Evaluate:
    """IN over what an expression gives."""

    def member(env: Env) -> QueryValue:
        x, items = value(env), bare(collection(env))
        if items is None or items is MISSING:
            return None
        if type(items) not in (list, Bag, Sexp):
            return env[0].mistyped(MistypedError(f"IN looks into collections, not into {type_name_of(items)}"))  # type: ignore[no-any-return]
        if is_absent(x):
            return None
        result: bool | None = False
        for item in items:
            equal = equals(x, item)
            if equal:
                return True
            if equal is None:
                result = None
        return result

    return member


def like_pattern(value: Evaluate, pattern: str, escape: str = "") -> Evaluate:
    """LIKE with a pattern that the statement holds. Raises MistypedError: the pattern is wrong."""
    matches = matcher(pattern, escape)

    def matching(env: Env) -> QueryValue:
        x = value(env)
        if type(x) is str:
            return matches(x)
        text = text_of(x)
        if text is not None:
            return matches(text)
        try:
            return like(x, pattern)
        except MistypedError as error:
            return env[0].mistyped(error)  # type: ignore[no-any-return]

    return matching
