"""A table of a projection: its columns, and what may stand in them. Pure.

    text       str                    integer    int of 64 bits, not bool          real    float, int
    boolean    bool                   timestamp  datetime with a time zone         json    str that is JSON

A value is checked when a row is put, where the record that it came from is still known; a database may notice much later, or, as SQLite
does with types, never. Stores give a value back as it was put, times in UTC, whether it is of this batch or of an earlier one: what a
handler sees does not depend on where batches begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import orjson

__all__ = ["ColumnType", "Row", "Scalar", "Table"]

Scalar: TypeAlias = "str | int | float | bool | datetime | None"
Row: TypeAlias = Mapping[str, Scalar]
ColumnType: TypeAlias = Literal["text", "integer", "real", "boolean", "timestamp", "json"]

_OWN_NAMES = "strandline_"
"""What the names of a store's own tables begin with."""
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, init=False)
class Table:
    """A table of the projection's store. `key`: the columns that name a row, one or several, all `text` or `integer`.

    `append_only`: a row, once put, is never put again nor deleted (a history): stores need not look for it.

    Raises:
        ValueError: a name that no store takes, or a key that is none of the columns.
    """

    name: str
    columns: Mapping[str, ColumnType]
    key: tuple[str, ...]
    append_only: bool

    def __init__(
        self, name: str, columns: Mapping[str, ColumnType], key: str | Sequence[str], *, append_only: bool = False
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "columns", dict(columns))
        object.__setattr__(self, "key", (key,) if isinstance(key, str) else tuple(key))
        object.__setattr__(self, "append_only", append_only)
        self._check()

    def values_of(self, row: Row) -> tuple[Scalar, ...]:
        """Give the row's values in the order of the columns, as every store gives them back; a column that is not named is NULL.

        Raises:
            KeyError: a column that the table does not have.
            TypeError, ValueError: a value that is not of its column's type, or NULL in the key; it names the column.
        """
        if not row.keys() <= self.columns.keys():
            raise KeyError(f"table {self.name} has no column {', '.join(row.keys() - self.columns.keys())}")
        for name in self.key:
            if row.get(name) is None:
                raise ValueError(f"table {self.name}: {name} is part of the key, and missing")
        return tuple([self._value(name, kind, row.get(name)) for name, kind in self.columns.items()])

    def key_values(self, key: Sequence[Scalar]) -> tuple[Scalar, ...]:
        """Check the values of a key; those that are NULL lead to no row.

        Raises:
            TypeError, ValueError: too few, too many, or not of their columns' types.
        """
        if len(key) != len(self.key):
            raise ValueError(f"table {self.name} has the key ({', '.join(self.key)}), not {len(key)} values")
        return tuple([self._value(name, self.columns[name], value) for name, value in zip(self.key, key, strict=True)])

    def _value(self, name: str, kind: ColumnType, value: Scalar) -> Scalar:
        try:
            return None if value is None else _FITTED[kind](value)
        except (TypeError, ValueError) as error:
            kind_of_error = TypeError if isinstance(error, TypeError) else ValueError
            raise kind_of_error(f"table {self.name}: {name} is {kind}: {error}") from error

    def _check(self) -> None:
        for name in (self.name, *self.columns):
            if not name or '"' in name or name.lower().startswith(_OWN_NAMES):
                raise ValueError(f"table {self.name!r}: a table or a column cannot be named {name!r}")
        if len({name.lower() for name in self.columns}) < len(self.columns):
            raise ValueError(f"table {self.name}: two columns have one name, upper and lower case are the same")
        if not self.key or not all(self.columns.get(name) in ("text", "integer") for name in self.key):
            raise ValueError(f"table {self.name}: the key ({', '.join(self.key)}) must be columns of text or integer")


def _text(value: Scalar) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not {value!r}")
    if not value.isascii():
        value.encode()  # half of a surrogate pair: no database takes that
    return value


def _integer(value: Scalar) -> int:
    if type(value) is not int:
        raise TypeError(f"not {value!r}")
    if value not in _INTEGERS:
        raise ValueError(f"{value} has more than 64 bits")
    return value


def _real(value: Scalar) -> float:
    if type(value) not in (float, int):
        raise TypeError(f"not {value!r}")
    return float(value)  # type: ignore[arg-type]  # it is one of the two


def _boolean(value: Scalar) -> bool:
    if type(value) is not bool:
        raise TypeError(f"not {value!r}")
    return value


def _timestamp(value: Scalar) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"not {value!r}")
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone; what moment it is would depend on the machine")
    return value.astimezone(UTC)


def _json(value: Scalar) -> str:
    text = _text(value)
    orjson.loads(text)
    return text


_FITTED: dict[ColumnType, Callable[[Scalar], Scalar]] = {
    "text": _text, "integer": _integer, "real": _real, "boolean": _boolean, "timestamp": _timestamp, "json": _json,
}  # fmt: skip
"""Column type -> the value as a store keeps it, or an error: found when a row is put, where the record is still known."""
