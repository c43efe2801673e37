"""Are the views what the blocks add up to? A second store is built from the journal, and compared row by row.

Rules:
- Memory is bounded: two ranges are walked side by side. The second store lies in a directory of its own and is removed.
- An index that is not ONLINE serves nobody, and nothing of it is compared. One that is ONLINE must be so in the second store as well.
- Rows are compared by what they say, not by their bytes: a struct has two forms in Python, and is packed as the one that came.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from ledger.catalog import Catalog, Index, Table
from ledger.errors import IntegrityError
from ledger.ids import ID_LENGTH
from ledger.limits import Limits
from ledger.views import rows
from ledger.views.snapshot import Snapshot
from ledger.views.views import BlockLog, Progress, Views

__all__ = ["check_views"]

_KINDS = {
    "transaction": rows.TRANSACTION,
    "history entry": rows.HISTORY,
    "table": rows.TABLE,
    "current document": rows.CURRENT,
    "index entry": rows.INDEX,
    "index": rows.INDEX_STATE,
}


def check_views(views: Views, journal: BlockLog, scratch: Path, *, progress: Progress | None = None) -> None:
    """Compare everything in `views`, which has applied all of `journal`, with what the blocks give.

    Args:
        scratch: a directory with room for a second store.

    Raises:
        IntegrityError: the first difference: where, what the blocks give, what is there.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="check-views-") as directory:
        rebuilt = Views.open(Path(directory), journal, limits=Limits(), progress=progress)
        try:
            _compare_flat_files(rebuilt, views)
            with rebuilt.snapshot() as expected, views.snapshot() as actual:
                serving = {index.index_id for index in _indexes(actual.catalog) if index.status == "ONLINE"}
                for kind, prefix in _KINDS.items():
                    _compare_rows(kind, _rows(expected, prefix, serving), _rows(actual, prefix, serving))
                right, found = (_comparable(snapshot.catalog, serving) for snapshot in (expected, actual))
                if right != found:
                    raise IntegrityError("the catalogue differs", expected=right, actual=found)
        finally:
            rebuilt.close()


def _compare_flat_files(expected: Views, actual: Views) -> None:
    if expected.sequence_no != actual.sequence_no:
        raise IntegrityError("the views end at another block", expected=expected.sequence_no, actual=actual.sequence_no)
    for (name, row, right), (_, _, found) in zip(expected.block_files.rows(), actual.block_files.rows(), strict=True):
        if right != found:
            raise IntegrityError("the views differ", address=f"row {row} of file {name}", expected=right, actual=found)


def _indexes(catalog: Catalog) -> Iterator[Index]:
    return (index for table in catalog.by_id.values() for index in table.indexes)


def _comparable(catalog: Catalog, serving: set[str]) -> list[Table]:
    """Give the tables, of other indexes than `serving` without their state."""
    return [
        replace(
            table,
            indexes=tuple(
                index if index.index_id in serving else replace(index, status="", message=None)
                for index in table.indexes
            ),
        )
        for table in sorted(catalog.by_id.values(), key=lambda table: table.table_id)
    ]


def _rows(snapshot: Snapshot, prefix: bytes, serving: set[str]) -> Iterator[tuple[bytes, bytes]]:
    found = snapshot.rows(prefix)
    if prefix not in (rows.INDEX, rows.INDEX_STATE):
        return found
    return ((key, row) for key, row in found if key[1 : 1 + ID_LENGTH].decode() in serving)


def _compare_rows(kind: str, expected: Iterator[tuple[bytes, bytes]], actual: Iterator[tuple[bytes, bytes]]) -> None:
    for right, found in zip_longest(expected, actual):
        if right == found:
            continue
        if found is None or (right is not None and right[0] < found[0]):
            raise IntegrityError(f"the views lack a {kind}", address=right[0], expected=right[1], actual=None)
        if right is None or found[0] < right[0]:
            raise IntegrityError(f"the views have a {kind} too many", address=found[0], expected=None, actual=found[1])
        raise IntegrityError(f"the views have another {kind}", address=right[0], expected=right[1], actual=found[1])
