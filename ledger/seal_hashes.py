"""What a block's hash covers, computed from its parts: one function for the one who seals and the one who verifies.

    entriesHashList   header, then if there are revisions: their root, tables; then transactionInfo
    entriesHash       Merkle root of the list
    blockHash         dot(entriesHash, previousBlockHash)

The revisions' own hashes are taken as they stand; `ledger.verify` recomputes them first.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger import merkle
from ledger.block import Block, header_struct, tables_list, transaction_info_struct
from ledger.hashing import dot, ion_hash

__all__ = ["block_hash_of", "compute_entries"]


def compute_entries(block: Block) -> tuple[bytes, ...]:
    """Give the `entriesHashList` of a block; its hashes of the block and entries are not looked at.

    Raises:
        InvalidValueError: a part of the block is no Ion value.
    """
    header, info = ion_hash(header_struct(block)), ion_hash(transaction_info_struct(block))
    if not block.tables:
        return (header, info)
    revisions = merkle.root([revision.hash for table in block.tables for revision in table.revisions])
    return (header, revisions, ion_hash(tables_list(block)), info)


def block_hash_of(entries_hash_list: Sequence[bytes], previous_block_hash: bytes) -> tuple[bytes, bytes]:
    """Give (entriesHash, blockHash)."""
    entries_hash = merkle.root(entries_hash_list)
    return entries_hash, dot(entries_hash, previous_block_hash)
