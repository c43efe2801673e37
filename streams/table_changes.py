"""What a block does to whole tables: DROP and UNDROP, which every partition of the table's topic is told. Pure.

    block with a revision of the system table whose `statusTxId` is the block's own transaction
      -> one CONTROL record in each partition of `<prefix>.<ledger>.<table>`:
         TABLE_UNDROPPED before the block's revisions, TABLE_DROPPED behind them

Rules:
- A block alone tells it: publisher, inspection and checker come to the same records, whatever else they know.
- The topic is made before such a block as it is made before a revision, so that it does not matter whether the table ever had a document.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ledger.block import SYSTEM_TABLE_ID, Block
from ledger.catalog import table_of_document
from ledger.values import Struct

__all__ = ["TableChange", "dropped", "table_changes", "undropped"]


class TableChange(NamedTuple):
    """A table that was dropped, or is active again. Its document's revision is the block's `place`-th, the system table's `number`-th."""

    control_record_type: str
    table_id: str
    table_name: str
    place: int
    number: int


def table_changes(block: Block) -> tuple[TableChange, ...]:
    """Give the DROPs and UNDROPs of a block, in its order."""
    if all(table.table_id != SYSTEM_TABLE_ID for table in block.tables):
        return ()
    return tuple(
        _change(place, number, revision.data)
        for place, (table, number, revision) in enumerate(block.revisions())
        if table.table_id == SYSTEM_TABLE_ID
        and isinstance(revision.data, dict)
        and revision.data.get("statusTxId") == block.transaction_id
    )


def _change(place: int, number: int, document: Struct) -> TableChange:
    table = table_of_document(document)
    kind = "TABLE_UNDROPPED" if table.active else "TABLE_DROPPED"
    return TableChange(kind, table.table_id, table.name, place, number)


def undropped(changes: Iterable[TableChange]) -> list[TableChange]:
    """Give those whose records come before the block's revisions."""
    return [change for change in changes if change.control_record_type == "TABLE_UNDROPPED"]


def dropped(changes: Iterable[TableChange]) -> list[TableChange]:
    """Give those whose records come behind the block's revisions."""
    return [change for change in changes if change.control_record_type == "TABLE_DROPPED"]
