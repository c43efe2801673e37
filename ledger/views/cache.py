"""Decoded current documents, so that hot ones are not decoded again. Bounded; never wrong.

The store's row decides: whoever asks has read the row of its own snapshot, and takes from here only the very version that the row names. A
version of a document never changes, so what is found is right for a snapshot of any age.

Two generations: when the young one has half of the weight, it becomes the old one, and the old one is forgotten unless it was used since.
Each step is one operation on a dict, so threads may race: they can lose an entry, not get a wrong one.
"""

from __future__ import annotations

from ledger.partiql.context import Document

__all__ = ["DocumentCache"]

_WEIGHT_BYTES = 1_024
"""A document of more bytes counts as several."""


class DocumentCache:
    """At most `documents_max` documents of up to 1 KiB, fewer larger ones. Keys are the store's keys."""

    def __init__(self, documents_max: int) -> None:
        self._half = documents_max // 2
        self._weight = 0
        self._young: dict[bytes, tuple[Document, int]] = {}
        self._old: dict[bytes, tuple[Document, int]] = {}

    def get(self, key: bytes, version: int) -> Document | None:
        """Give the document if it is here in exactly that version."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            if found[0].version == version:
                self.put(key, *found)
        return found[0] if found[0].version == version else None

    def put(self, key: bytes, document: Document, size: int) -> None:
        """Remember a document whose row has `size` bytes."""
        if key not in self._young:
            self._weight += 1 + size // _WEIGHT_BYTES
            if self._weight > self._half:
                self._old, self._young, self._weight = self._young, {}, 1 + size // _WEIGHT_BYTES
                if self._weight > self._half:  # larger than all that may be kept
                    return
        self._young[key] = (document, size)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
