"""Merkle trees as Amazon QLDB builds them: level by level, neighbours joined by `dot`, an odd last one moves up unchanged.

    root        h0 h1 h2 h3 h4          path of h4:  [root(h0..h3)]
               ab    cd    h4           path of h2:  [h3, dot(h0, h1), h4]
                 abcd      h4
                    root

`dot` has no left and right, so a path needs no flags, and proves membership: never position, order or count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.hashing import dot

__all__ = ["audit_path", "fold", "root"]


def root(hashes: Sequence[bytes]) -> bytes:
    """Give the root of the tree over `hashes` (32 bytes each); b"" for none."""
    level = list(hashes)
    while len(level) > 1:
        level = _level_above(level)
    return level[0] if level else b""


def audit_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Give the siblings on the way from leaf `index` to the root.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(f"leaf {index} of {len(hashes)}")
    path, level = [], list(hashes)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level = _level_above(level)
        index //= 2
    return path


def fold(leaf: bytes, path: Iterable[bytes]) -> bytes:
    """Give the root that `path` leads to from `leaf`."""
    for sibling in path:
        leaf = dot(leaf, sibling)
    return leaf


def _level_above(level: list[bytes]) -> list[bytes]:
    above = [dot(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        above.append(level[-1])
    return above
