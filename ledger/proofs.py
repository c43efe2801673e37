"""Digests and proofs: what somebody who trusts nobody needs to check a revision or a block. Reads only; `ledger.verify` checks.

    digest at tip n    Merkle root over the block hashes 0..n
    block proof        path from the block's hash to that root
    revision proof     path in the block's revisions, path of their root in entriesHashList, previousBlockHash, block proof

A path is a list of hashes, leaf to root; folding `dot` over leaf and path gives the root. The previousBlockHash of block 0 is empty
and left out.
All of it costs O(log n) reads.

Source: Amazon QLDB developer guide, "Data verification in Amazon QLDB".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger import merkle
from ledger.block import BLOCK_FORMAT, Block, BlockAddress, address_struct, revision_struct
from ledger.errors import NotFoundError
from ledger.values import Value
from ledger.views import Views

__all__ = ["Digest", "block_proof", "digest", "path_in_block", "receipt", "revision_proof"]

_REVISIONS_ENTRY = 1
"""Where the root of a block's revisions stands in its entriesHashList (design section 3)."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The hash (32 bytes) of all blocks up to `tip`; of an empty ledger b"" and None."""

    digest: bytes
    tip: BlockAddress | None


def digest(views: Views, tip: int | None = None) -> Digest:
    """Give the digest at block number `tip`; default the last one.

    Raises:
        NotFoundError: there is no such block.
    """
    if tip is None and views.sequence_no < 0:
        return Digest(b"", None)
    tip = _check_tip(views, 0, tip)
    return Digest(views.block_files.root(tip + 1), BlockAddress(views.strand_id, tip))


def block_proof(views: Views, sequence_no: int, tip: int | None = None) -> list[bytes]:
    """Give the path from a block's hash to the digest at `tip`.

    Raises:
        NotFoundError: there is no such block, or it is after `tip`.
    """
    return views.block_files.audit_path(sequence_no, _check_tip(views, sequence_no, tip) + 1)


def path_in_block(revision_hashes: Sequence[bytes], position: int, block: Block) -> list[bytes]:
    """Give the path from a revision's hash to its block's hash.

    Args:
        revision_hashes: of all revisions of the block, in its order.
        position: of the revision among them.
    """
    path = merkle.audit_path(revision_hashes, position)
    path += merkle.audit_path(block.entries_hash_list, _REVISIONS_ENTRY)
    if block.previous_block_hash:
        path.append(block.previous_block_hash)
    return path


def revision_proof(views: Views, block: Block, document_id: str, tip: int | None = None) -> list[bytes]:
    """Give the path from the hash of the document's revision in `block` to the digest at `tip`.

    Raises:
        NotFoundError: the block has no revision of the document, or is after `tip`.
    """
    hashes = {revision.id: revision.hash for _, _, revision in block.revisions()}
    if document_id not in hashes:
        raise NotFoundError(f"block {block.address} has no revision of document {document_id}")
    path = path_in_block(list(hashes.values()), list(hashes).index(document_id), block)
    return path + block_proof(views, block.sequence_no, tip)


def receipt(ledger_name: str, views: Views, document_id: str, version: int, tip: int | None = None) -> dict[str, Value]:
    """Give all that an offline check of one revision needs (`ledger.receipt`), with the digest at block number `tip`; default the last.

    Raises:
        NotFoundError: there is no such revision, or it is after `tip`, or there is no such tip.
    """
    with views.snapshot() as snapshot:
        found = snapshot.revision_location(document_id, version)
    if found is None:
        raise NotFoundError(f"document {document_id!r} has no version {version}")
    block = views.block(found[0])
    at_tip = digest(views, tip)
    assert at_tip.tip is not None
    proof: list[Value] = list(revision_proof(views, block, document_id, at_tip.tip.sequence_no))
    table, revision = next((t, r) for t, _, r in block.revisions() if r.id == document_id)
    return {
        "format": BLOCK_FORMAT,
        "ledger": ledger_name,
        "strandId": views.strand_id,
        "blockAddress": address_struct(block.address),
        "tableId": table.table_id,
        "tableName": table.table_name,
        "revision": revision_struct(block, revision),
        "proof": proof,
        "digest": at_tip.digest,
        "digestTipAddress": address_struct(at_tip.tip),
    }


def _check_tip(views: Views, sequence_no: int, tip: int | None) -> int:
    last = views.sequence_no
    tip = last if tip is None else tip
    if not 0 <= sequence_no <= tip <= last:
        raise NotFoundError(f"there is no proof of block {sequence_no} at tip {tip}: the last block is {last}")
    return tip
