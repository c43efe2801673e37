"""Blocks -> what changes in the view store. Pure: it decides, `ledger.views.store` writes.

Rules:
- A run of blocks is folded to its outcome before anything is written: a document that ten blocks of a batch change is encoded
  and put once.
- A block that changes the catalogue ends its run, so the indexes of a run are those before it. Those that it makes are BUILDING.
- A document is live from its first revision with data (or redacted data) to the revision without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ledger.block import SYSTEM_TABLE_ID, Block, TableRevisions
from ledger.catalog import Catalog, Index, table_of_document
from ledger.errors import IntegrityError
from ledger.ids import ID_LENGTH
from ledger.partiql.context import Commit, Document
from ledger.views import rows

__all__ = [
    "Run",
    "TableRun",
    "catalog_after",
    "fold",
    "indexes_of",
    "runs",
    "sequence_gap",
]

_KEY_SIZE = 44


@dataclass(slots=True)
class TableRun:
    """What a run changed in one table. `documents` by their CURRENT key: what they are after it (None: deleted)."""

    first_sequence_no: int
    next_sequence_no: int
    documents: dict[bytes, Document | None] = field(default_factory=dict)
    live_added: int = 0


@dataclass(slots=True)
class Run:
    """What a run of blocks changed. `entries` are (key, value) of HISTORY and TRANSACTION rows."""

    tables: dict[str, TableRun] = field(default_factory=dict)
    entries: list[tuple[bytes, bytes]] = field(default_factory=list)
    times_ms: dict[int, int] = field(default_factory=dict)
    """Sequence number -> block time, as rows keep it."""


def runs(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Cut blocks into runs, each of which changes the catalogue at most in its last block."""
    run: list[Block] = []
    for block in blocks:
        run.append(block)
        if any(table.table_id == SYSTEM_TABLE_ID for table in block.tables):
            yield run
            run = []
    if run:
        yield run


def fold(blocks: Sequence[Block]) -> Run:
    """Fold a run of blocks.

    Raises:
        IntegrityError: an id is none, a time is none of ours, or a table's sequence has a gap.
    """
    run = Run()
    for block in blocks:
        number = rows.pack_number(block.sequence_no)
        run.entries.append((rows.TRANSACTION + _ascii(block, block.transaction_id), number))
        run.times_ms[block.sequence_no] = rows.milliseconds(block.block_timestamp)
        for table in block.tables:
            _fold_table(run, block, table, number)
    return run


def _fold_table(run: Run, block: Block, table: TableRevisions, number: bytes) -> None:
    first = table.first_sequence_no
    changed = run.tables.get(table.table_id)
    if changed is None:
        changed = run.tables[table.table_id] = TableRun(first, first)
    elif changed.next_sequence_no != first:
        raise sequence_gap(table.table_id, changed.next_sequence_no, first)
    changed.next_sequence_no += len(table.revisions)
    address = block.address
    for revision in table.revisions:
        key = _ascii(block, table.table_id + revision.id, _KEY_SIZE)
        run.entries.append((rows.HISTORY + key + revision.version.to_bytes(4, "big"), number))
        live = revision.data is not None or revision.data_hash is not None
        changed.live_added += live - (revision.version > 0)
        changed.documents[rows.CURRENT + key] = (
            Document(
                table.table_id,
                revision.id,
                revision.version,
                revision.data,
                Commit(address, block.block_timestamp, block.transaction_id, revision.hash),
            )
            if live
            else None
        )


def sequence_gap(table_id: str, expected: int, actual: int) -> IntegrityError:
    """Give the error to raise where a table's revisions do not follow each other."""
    message = "the table's revisions have a gap or stand twice"
    return IntegrityError(message, address=f"table {table_id}", expected=expected, actual=actual)


def _ascii(block: Block, text: str, size: int = ID_LENGTH) -> bytes:
    if len(text) != size or not text.isascii():
        raise IntegrityError("a block has an id that is not 22 ASCII characters", address=block.address, actual=text)
    return text.encode()


def catalog_after(run: Run, catalog: Catalog) -> Catalog:
    """Give the catalogue after a run.

    Raises:
        IntegrityError: a document of the system table is no table.
    """
    changed = run.tables.get(SYSTEM_TABLE_ID)
    if changed is None:
        return catalog
    for key, document in changed.documents.items():
        if document is None or document.data is None or document.commit is None:
            raise IntegrityError("a table's document was deleted", address=key)
        table = table_of_document(document.data)
        known = {index.index_id: index for index in indexes_of(catalog, table.table_id)}
        indexes = tuple(known.get(index.index_id) or replace(index, status="BUILDING") for index in table.indexes)
        catalog = catalog.with_table(document.commit.block_address.sequence_no, replace(table, indexes=indexes))
    return catalog


def indexes_of(catalog: Catalog, table_id: str) -> tuple[Index, ...]:
    table = catalog.by_id.get(table_id)
    return () if table is None else table.indexes
