"""The operators on numbers and text.

Rules:
- int with int stays int, of any size; `/` truncates towards zero, `%` has the sign of the dividend.
- A decimal on either side makes a decimal of at most 38 digits, half-even; else a float on either side makes a float.
- NULL or MISSING on either side gives NULL. All else is a `MistypedError`, also a division by zero.
"""

from __future__ import annotations

import decimal
import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ledger.errors import EvaluationError
from ledger.partiql.comparison import MistypedError, bare, type_name_of
from ledger.query_values import MISSING, QueryValue
from ledger.values import Symbol

__all__ = ["DIGITS", "OPERATORS", "Number", "calculate", "concatenate", "negate", "product"]

DIGITS = 38
_CONTEXT = decimal.Context(
    prec=DIGITS,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=decimal.MIN_EMIN,
    Emax=decimal.MAX_EMAX,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
Number = int | Decimal | float
_INT_BITS_MAX = 1 << 20
_TEXT_CHARACTERS_MAX = 1 << 22
"""More than any document holds. Nothing ends a statement within one operator, and what is doubled 40 times is a terabyte."""


def _truncated_quotient(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


def product(a: int, b: int) -> int:
    """Raises EvaluationError: it is too large."""
    if a.bit_length() + b.bit_length() > _INT_BITS_MAX:
        raise EvaluationError(f"the product of two numbers would have more than {_INT_BITS_MAX} bits")
    return a * b


_INT: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": product,
    "/": _truncated_quotient,
    "%": _remainder,
}
_DECIMAL: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _CONTEXT.add,
    "-": _CONTEXT.subtract,
    "*": _CONTEXT.multiply,
    "/": _CONTEXT.divide,
    "%": _CONTEXT.remainder,
}
_FLOAT: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
}


def calculate(sign: str, a: Any, b: Any) -> Number | None:
    """Give `a sign b` for one of + - * / %.

    Raises:
        MistypedError: not numbers, or no such number.
        EvaluationError: a number that is too large.
    """
    a, b = bare(a), bare(b)
    if a is None or b is None or a is MISSING or b is MISSING:
        return None
    kinds = {type(a), type(b)}
    try:
        if kinds == {int}:
            return _INT[sign](a, b)
        if kinds <= {int, Decimal, float}:
            if Decimal in kinds and _finite(a) and _finite(b):
                return _DECIMAL[sign](Decimal(a), Decimal(b))
            return _FLOAT[sign](float(a), float(b))
    except (ArithmeticError, ValueError) as error:  # of decimal, division by zero, an int too large for a float
        raise MistypedError(f"{type_name_of(a)} {sign} {type_name_of(b)} is no number here: {_why(error)}") from error
    raise MistypedError(f'"{sign}" works on numbers, not on {type_name_of(a)} and {type_name_of(b)}')


def _finite(value: Number) -> bool:
    return type(value) is not float or math.isfinite(value)


def _why(error: Exception) -> str:
    return "division by zero" if isinstance(error, ZeroDivisionError) else "out of range"


def _operator(sign: str) -> Callable[[QueryValue, QueryValue], QueryValue]:
    return lambda a, b: calculate(sign, a, b)


def concatenate(a: Any, b: Any) -> str | None:
    """Give `a || b`.

    Raises:
        MistypedError: one of them is not text.
        EvaluationError: the text would be too long.
    """
    a, b = bare(a), bare(b)
    if a is None or b is None or a is MISSING or b is MISSING:
        return None
    first, second = _text(a), _text(b)
    if len(first) + len(second) > _TEXT_CHARACTERS_MAX:
        raise EvaluationError(f'"||" would give a text of more than {_TEXT_CHARACTERS_MAX} characters')
    return first + second


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is Symbol and value.text is not None:
        return value.text
    raise MistypedError(f'"||" works on text, not on {type_name_of(value)}')


def negate(value: Any) -> Number | None:
    """Give `-value`.

    Raises:
        MistypedError: not a number.
    """
    value = bare(value)
    if value is None or value is MISSING:
        return None
    if type(value) in (int, float):
        return -value  # type: ignore[no-any-return]
    if type(value) is Decimal:
        return value.copy_negate()
    raise MistypedError(f'"-" works on numbers, not on {type_name_of(value)}')


OPERATORS: dict[str, Callable[[QueryValue, QueryValue], QueryValue]] = {
    **{sign: _operator(sign) for sign in _INT},
    "||": concatenate,
}
