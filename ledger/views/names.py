"""Field names that the rows of a store share, so that a row holds a byte or two for a name.

The list only grows, up to `NAMES_MAX`. A name is taken in when it is met for the second time: names that are really data (an id, a date)
come once each, and would fill the list. A row brings with it what the list lacks.
Symbols and annotations among the values are always the row's own: they are values, and there may be millions.
"""

from __future__ import annotations

from typing import Final

from ledger import ion
from ledger.values import Annotated, MultiStruct, Sexp, Struct, Value, fields_of

__all__ = ["NAMES_MAX", "NO_OWN_NAMES", "Names", "field_names"]

NAMES_MAX: Final = 4_096
NAME_CHARACTERS_MAX: Final = 64
NO_OWN_NAMES: Final = 0xFFFF
_TABLES_MAX = 64
_CANDIDATES_MAX = 10_000
"""Names met once that are remembered; when they are more, counting starts again."""
_ANNOTATION = 0xE0


class Names:
    """The shared names. One thread encodes, and so extends them; any thread may decode."""

    def __init__(self, names: list[str]) -> None:
        self._table = ion.SymbolTable(names)
        self._earlier: dict[int, ion.SymbolTable] = {}
        self._met_once: set[str] = set()
        self._added: list[tuple[int, str]] = []

    def encode(self, data: Struct) -> tuple[bytes, int]:
        """Give Ion bytes, and the count of names that they rely on (NO_OWN_NAMES: whatever table comes later can read them)."""
        encoded = ion.encode_part(data, self._table)
        if encoded[0] < _ANNOTATION:
            return encoded, NO_OWN_NAMES
        if self._learn(data):
            encoded = ion.encode_part(data, self._table)
        return encoded, NO_OWN_NAMES if encoded[0] < _ANNOTATION else len(self._table.names)

    def take_added(self) -> list[tuple[int, str]]:
        """Give (number, name) of the names that were learnt since it was asked last, to be written beside the rows."""
        added, self._added = self._added, []
        return added

    def decode(self, encoded: bytes, count: int) -> Value:
        """Read what `encode` gave.

        Raises:
            InvalidValueError: it gave something else.
        """
        return ion.decode_part(encoded, self._table if count == NO_OWN_NAMES else self._first(count))

    def _learn(self, data: Struct) -> bool:
        room = NAMES_MAX - len(self._table.names)
        if not room:
            return False
        unknown = [n for n in field_names(data) if n not in self._table.ids and len(n) <= NAME_CHARACTERS_MAX]
        new = [name for name in unknown if name in self._met_once][:room]
        if len(self._met_once) > _CANDIDATES_MAX:
            self._met_once.clear()
        self._met_once.update(unknown)
        self._met_once.difference_update(new)
        if not new:
            return False
        self._added += enumerate(new, start=len(self._table.names))
        self._table = ion.SymbolTable(self._table.names + tuple(new))
        return True

    def _first(self, count: int) -> ion.SymbolTable:
        table = self._table
        if count == len(table.names):
            return table
        earlier = self._earlier.get(count)
        if earlier is None:
            if len(self._earlier) >= _TABLES_MAX:
                self._earlier = {}
            earlier = self._earlier[count] = ion.SymbolTable(table.names[:count])
        return earlier


def field_names(value: Value) -> dict[str, None]:
    """Give the names of all fields in a value, each once."""
    found: dict[str, None] = {}
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, Annotated):
            value = value.value
        if isinstance(value, dict | MultiStruct):
            for name, member in fields_of(value):
                if name is not None:
                    found[name] = None
                rest.append(member)
        elif isinstance(value, list | Sexp):
            rest.extend(value)
    return found
