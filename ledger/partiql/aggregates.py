"""COUNT, SUM, MIN, MAX, AVG, EVERY, ANY: over rows, or as COLL_... over a collection.

Rules:
- NULL and MISSING are passed over. Of nothing COUNT is 0 and the others are NULL.
- SUM of ints is an int, AVG of ints a decimal. MIN and MAX follow ORDER BY's order over all types.
- A value of the wrong type is a `MistypedError`; the caller counts it and goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from ledger.index_key import order_key
from ledger.partiql.arithmetic import Number, calculate
from ledger.partiql.comparison import MistypedError, bare, is_absent, type_name_of
from ledger.partiql.run import Holding
from ledger.query_values import QueryValue

__all__ = ["AGGREGATES", "Accumulator", "Distinct"]


class Accumulator(Protocol):
    """Takes values one by one."""

    def add(self, value: QueryValue) -> None:
        """Take one value. Raises MistypedError."""

    def result(self) -> QueryValue: ...


class _Count:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, value: QueryValue) -> None:
        if not is_absent(value):
            self.count += 1

    def result(self) -> QueryValue:
        return self.count


class _Sum:
    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total: Number = 0

    def add(self, value: QueryValue) -> None:
        if type(value) is int and type(self.total) is int:
            self.total += value
        elif is_absent(value):
            return
        else:
            self.total = calculate("+", self.total, value)  # type: ignore[assignment]
        self.count += 1

    def result(self) -> QueryValue:
        return self.total if self.count else None


class _Average(_Sum):
    def result(self) -> QueryValue:
        if not self.count:
            return None
        total = Decimal(self.total) if type(self.total) is int else self.total
        return calculate("/", total, self.count)


class _Extreme:
    """MIN (`sign` -1) and MAX (1)."""

    __slots__ = ("key", "sign", "value")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.value: QueryValue = None
        self.key: bytes | None = None

    def add(self, value: QueryValue) -> None:
        if is_absent(value):
            return
        key = order_key(value)
        if self.key is None or (key > self.key if self.sign > 0 else key < self.key):
            self.value, self.key = value, key

    def result(self) -> QueryValue:
        return self.value


class _Quantifier:
    """EVERY (`wanted` False decides) and ANY (True decides)."""

    __slots__ = ("decides", "value")

    def __init__(self, decides: bool) -> None:
        self.decides = decides
        self.value: bool | None = None

    def add(self, value: QueryValue) -> None:
        value = bare(value)
        if is_absent(value):
            return
        if type(value) is not bool:
            raise MistypedError(f"EVERY and ANY work on booleans, not on {type_name_of(value)}")
        self.value = self.decides if value is self.decides or self.value is self.decides else not self.decides

    def result(self) -> QueryValue:
        return self.value


class Distinct:
    """Hands each value on once, by PartiQL's equality. `held` counts what is remembered for that."""

    __slots__ = ("below", "held", "seen")

    def __init__(self, below: Accumulator, held: Holding | None = None) -> None:
        self.below, self.held = below, held
        self.seen: set[bytes] = set()

    def add(self, value: QueryValue) -> None:
        key = order_key(value)
        if key not in self.seen:
            self.seen.add(key)
            if self.held is not None:
                self.held.add(key)
            self.below.add(value)

    def result(self) -> QueryValue:
        return self.below.result()


AGGREGATES: dict[str, Callable[[], Accumulator]] = {
    "count": _Count,
    "sum": _Sum,
    "avg": _Average,
    "min": lambda: _Extreme(-1),
    "max": lambda: _Extreme(1),
    "every": lambda: _Quantifier(False),
    "any": lambda: _Quantifier(True),
}
