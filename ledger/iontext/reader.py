"""Ion text -> values, through amazon.ion.

What amazon.ion does that we do not pass on:
- It lets TypeError and others escape on damaged text: everything becomes InvalidValueError.
- Its C reader damages fractions of a second of more than 9 digits: text that has one is given to its Python reader, which is slow and
  exact.
- It puts the values of a field that stands twice next to each other. (Their order means nothing in Ion.)
"""

from __future__ import annotations

import re
from typing import cast

from amazon.ion import simpleion  # type: ignore[import-untyped]  # it has no type information
from amazon.ion.exceptions import IonException  # type: ignore[import-untyped]  # as above
from amazon.ion.symbols import SymbolTableCatalog  # type: ignore[import-untyped]  # as above

from ledger.errors import InvalidValueError
from ledger.ion.scalars import FRACTION_DIGITS_MAX
from ledger.iontext.python_values import of_python
from ledger.values import Value

__all__ = ["parse", "parse_all"]

_LONG_FRACTION = re.compile(r":\d\d\.\d{10}")
_SECONDS = re.compile(
    r"""'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//[^\n]*|/\*.*?\*/|\d\d:\d\d:\d\d\.(\d{10,})""",
    re.DOTALL,
)
"""Everything that may hold any text, and then what is a fraction of a second indeed."""


def parse(text: str) -> Value:
    """Read exactly one value.

    Raises:
        InvalidValueError: not Ion text, no value or several, or a value out of the codec's bounds.
    """
    values = parse_all(text)
    if len(values) != 1:
        raise InvalidValueError(f"one Ion value is expected, there are {len(values)}")
    return values[0]


def parse_all(text: str) -> list[Value]:
    """Read all values.

    Raises:
        InvalidValueError: not Ion text, or a value out of the codec's bounds.
    """
    digits = (
        max((len(found[1] or "") for found in _SECONDS.finditer(text)), default=0) if _LONG_FRACTION.search(text) else 0
    )
    if digits > FRACTION_DIGITS_MAX:
        raise InvalidValueError(f"a timestamp's fraction has at most {FRACTION_DIGITS_MAX} digits, not {digits}")
    try:
        exact = {"catalog": SymbolTableCatalog()} if digits else {}  # any catalogue selects the Python reader
        found = simpleion.loads(text, single_value=False, **exact)
    except (IonException, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
        raise InvalidValueError(f"not Ion text: {error or type(error).__name__}") from error
    return cast("list[Value]", of_python(list(found)))
