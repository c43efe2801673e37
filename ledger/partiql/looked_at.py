"""Which fields of its documents a statement looks at: a scan, or a range of an index, reads no others.

Rules:
- Whoever compiles a name or a path says here what it needs of which slot; what nobody said anything else of is read whole.
- Only a query's own tables are read in part, once all that stands in the query is compiled. What changes documents needs them whole.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.partiql.context import Fields

__all__ = ["LookedAt"]


class LookedAt:
    """What one statement looks at, by slot."""

    def __init__(self) -> None:
        self._fields: dict[int, set[str]] = {}
        self._whole: set[int] = set()
        self._known: dict[int, Fields] = {}

    def field(self, slot: int, name: str) -> None:
        """The value in a slot is asked for this field."""
        self._fields.setdefault(slot, set()).add(name)

    def all_of(self, slot: int) -> None:
        """The value in a slot is needed as it is."""
        self._whole.add(slot)

    def complete(self, slot: int) -> None:
        """All is said of a slot."""
        if slot not in self._whole:
            self._known[slot] = frozenset(self._fields.get(slot, ()))

    def of(self, slot: int) -> Callable[[], Fields | None]:
        """Give what tells the fields that are looked at, when the statement is compiled; None: all of them."""
        return lambda: self._known.get(slot)
