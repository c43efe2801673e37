"""Field names seen in documents: what the next segment's symbol table is made of. Pure.

- A name is taken when it is met for the second time: names that are really data (an id, a date) come once each and would fill the table.
- Names keep their place from one segment to the next; nothing is ever taken out, and above `names_max` nothing more is taken in.
"""

from __future__ import annotations

from ledger.ion import SymbolTable
from ledger.values import Annotated, MultiStruct, Value, fields_of

__all__ = ["FieldNames"]

_NAME_CHARACTERS_MAX = 128
_CANDIDATES_MAX = 10_000
"""Names met once that are remembered; when they are so many, they are forgotten and counting starts again."""


class FieldNames:
    """Begins with the names of the segment in use."""

    def __init__(self, known: SymbolTable, names_max: int) -> None:
        self._names = dict.fromkeys(known.names)
        self._names_max = names_max
        self._met_once: set[str] = set()

    def table(self) -> SymbolTable:
        """Give the symbols for a new segment."""
        return SymbolTable(tuple(self._names))

    def learn(self, value: Value) -> None:
        """Take in the field names of a document, at every depth."""
        if len(self._names) < self._names_max:
            self._learn(value)

    def _learn(self, value: Value) -> None:
        if isinstance(value, Annotated):
            value = value.value
        if isinstance(value, list | tuple):
            for item in value:
                self._learn(item)
        elif isinstance(value, dict | MultiStruct):
            for name, item in fields_of(value):
                if name is not None and name not in self._names:
                    self._meet(name)
                self._learn(item)

    def _meet(self, name: str) -> None:
        if len(name) > _NAME_CHARACTERS_MAX:
            return
        if name in self._met_once and len(self._names) < self._names_max:
            self._names[name] = None
            self._met_once.discard(name)
            return
        if len(self._met_once) >= _CANDIDATES_MAX:
            self._met_once.clear()
        self._met_once.add(name)
