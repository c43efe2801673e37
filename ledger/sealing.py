"""Sealing: finished transactions become hash-chained blocks. Pure: tip + work + time -> blocks.

Rules:
- Revisions are grouped by table in order of the first write; each table's sequence goes on where the block before left it.
- Block time never goes back (design section 1): the caller passes `max(now, tip's time)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ledger import hashing
from ledger.block import Block, Revision, TableRevisions, metadata_struct
from ledger.overlay import Change
from ledger.seal_hashes import block_hash_of, compute_entries
from ledger.transaction import Work
from ledger.values import Timestamp

__all__ = ["seal_batch"]


def seal_batch(
    strand_id: str,
    tip: Block | None,
    works: Iterable[Work],
    now: Timestamp,
    next_sequence_nos: dict[str, int],
) -> list[Block]:
    """Seal works, in order, after `tip`.

    Args:
        next_sequence_nos: tableId -> the number of the table's next revision; moved on in place.
    """
    blocks: list[Block] = []
    for work in works:
        tip = _seal(strand_id, tip, work, now, next_sequence_nos)
        blocks.append(tip)
    return blocks


def _seal(strand_id: str, tip: Block | None, work: Work, now: Timestamp, next_sequence_nos: dict[str, int]) -> Block:
    unsealed = Block(
        strand_id=strand_id,
        sequence_no=0 if tip is None else tip.sequence_no + 1,
        transaction_id=work.transaction_id,
        block_timestamp=now,
        previous_block_hash=b"" if tip is None else tip.block_hash,
        block_hash=b"",
        entries_hash=b"",
        entries_hash_list=(),
        statements=work.statements,
        tables=_tables(work, now, next_sequence_nos),
    )
    entries = compute_entries(unsealed)
    entries_hash, block_hash = block_hash_of(entries, unsealed.previous_block_hash)
    return replace(unsealed, entries_hash_list=entries, entries_hash=entries_hash, block_hash=block_hash)


def _tables(work: Work, now: Timestamp, next_sequence_nos: dict[str, int]) -> tuple[TableRevisions, ...]:
    by_table: dict[str, list[tuple[Change, bytes | None]]] = {}
    for change, data_hash in zip(work.changes, work.data_hashes, strict=True):
        by_table.setdefault(change.table.table_id, []).append((change, data_hash))
    sealed = []
    for table_id, changes in by_table.items():
        first = next_sequence_nos.get(table_id, 0)
        next_sequence_nos[table_id] = first + len(changes)
        revisions = tuple(_revision(change, data_hash, now, work.transaction_id) for change, data_hash in changes)
        sealed.append(TableRevisions(table_id, changes[0][0].table.name, first, revisions))
    return tuple(sealed)


def _revision(change: Change, data_hash: bytes | None, now: Timestamp, transaction_id: str) -> Revision:
    data = None if change.after is None else change.after.data
    unhashed = Revision(change.document_id, change.version, b"", data, None, tuple(change.statements))
    metadata_hash = hashing.ion_hash(metadata_struct(now, transaction_id, unhashed))
    return replace(unhashed, hash=hashing.dot(metadata_hash, data_hash or b""))
