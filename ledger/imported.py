"""The verifier of blocks, revisions and proofs that Amazon QLDB wrote: by membership, exactly as AWS's own verifier does it.

QLDB leaves two entries of `entriesHashList` opaque and never uses positions, so this proves that each part shown is covered by the
block's hash, and no more: not the order of revisions, not that all of them are shown, not `blockTimestamp`, `transactionId` or
`blockAddress` (which stand, if anywhere, in the opaque entries). Our own blocks have `ledger.verify`, which proves all of that.

Values are Ion structs as an export, a stream, GetBlock and GetRevision give them; unknown fields are ignored.

Source: aws-samples/amazon-qldb-dmv-sample-java, JournalBlock.verifyBlockHash, Verifier, ValidateQldbHashChain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.errors import IntegrityError
from ledger.hashing import HASH_SIZE, dot, ion_hash
from ledger.merkle import fold, root
from ledger.values import MultiStruct, Value

__all__ = ["verify_block", "verify_block_proof", "verify_chain", "verify_revision", "verify_revision_proof"]


def verify_block(block: Value) -> None:
    """Verify an exported block, or a stream's BLOCK_SUMMARY (whose revisions are known by their hashes only).

    Proves: every revision shown, `transactionInfo` and `redactionInfo` are covered by `blockHash`.

    Raises:
        IntegrityError: a hash does not match, or a part is no member of `entriesHashList`.
    """
    fields = _struct(block, "block")
    where = _name(fields)
    entries = [
        _hash(entry, f"{where}: entriesHashList[{i}]")
        for i, entry in enumerate(_list(fields, "entriesHashList", where))
    ]
    for name in ("transactionInfo", "redactionInfo"):
        if name in fields:
            _check_member(ion_hash(fields[name]), entries, name, where)
    shown = [*_optional(fields, "revisions", where), *_optional(fields, "revisionSummaries", where)]
    if shown:
        _check_member(root([verify_revision(revision) for revision in shown]), entries, "revisions", where)
    entries_hash = root(entries)
    _check("entriesHash", where, entries_hash, _hash(fields.get("entriesHash"), f"{where}: entriesHash"))
    expected = dot(entries_hash, _previous(fields, where))
    _check("blockHash", where, expected, _hash(fields.get("blockHash"), f"{where}: blockHash"))


def verify_chain(blocks: Iterable[Value], previous_block_hash: bytes | None = None) -> Iterator[bytes]:
    """Verify blocks one after another, each by itself and against the one before it; give the hash of each.

    Args:
        previous_block_hash: of the block before the first one, from a source that is trusted; None: the first block's word is taken.

    Raises:
        IntegrityError: a block is wrong, or does not follow.
    """
    for block in blocks:
        verify_block(block)
        fields = _struct(block, "block")
        previous = _previous(fields, _name(fields))
        if previous_block_hash is not None:
            _check("previousBlockHash", _name(fields), previous_block_hash, previous)
        previous_block_hash = _hash(fields["blockHash"], "blockHash")
        yield previous_block_hash


def verify_revision(revision: Value) -> bytes:
    """Recompute a revision's hash from its metadata and data (redacted: dataHash; deleted: metadata alone), and give it.

    A system revision, or one of a summary, has no metadata: its hash is taken as it stands, as QLDB's own verifier does.

    Raises:
        IntegrityError: the hash is another one.
    """
    fields = _struct(revision, "revision")
    shown = _hash(fields.get("hash"), "revision hash")
    if "metadata" not in fields:
        return shown
    content = b""
    if "data" in fields:
        content = ion_hash(fields["data"])
    elif "dataHash" in fields:
        content = _hash(fields["dataHash"], "dataHash")
    _check("hash", "revision", dot(ion_hash(fields["metadata"]), content), shown)
    return shown


def verify_block_proof(block_hash: bytes, proof: Sequence[bytes], digest: bytes) -> None:
    """Verify GetBlock's proof. Proves: the digest covers a block of that hash. Verify the block itself with `verify_block`.

    Raises:
        IntegrityError: the path leads to another digest.
    """
    _check("digest", "block proof", digest, _reached(block_hash, proof))


def verify_revision_proof(revision: Value, proof: Sequence[bytes], digest: bytes) -> None:
    """Verify a revision and GetRevision's proof. Proves: the digest covers this document, version, data, time and transaction.

    Raises:
        IntegrityError: the revision has no metadata, its hash is another one, or the path leads to another digest.
    """
    if "metadata" not in _struct(revision, "revision"):
        raise IntegrityError("a hash alone proves no revision", address="revision")
    _check("digest", "revision proof", digest, _reached(verify_revision(revision), proof))


def _reached(leaf: bytes, proof: Sequence[bytes]) -> bytes:
    return fold(_hash(leaf, "leaf"), [_hash(node, f"proof[{i}]") for i, node in enumerate(proof)])


def _previous(fields: dict[str, Value], where: str) -> bytes:
    previous = fields.get("previousBlockHash")
    return b"" if previous == b"" else _hash(previous, f"{where}: previousBlockHash")


def _name(fields: dict[str, Value]) -> str:
    address = fields.get("blockAddress")
    return f"block {address.get('strandId')!r}/{address.get('sequenceNo')!r}" if isinstance(address, dict) else "block"


def _check(what: str, where: str, expected: bytes, actual: bytes) -> None:
    if expected != actual:
        raise IntegrityError(what, address=where, expected=expected, actual=actual)


def _check_member(computed: bytes, entries: list[bytes], what: str, where: str) -> None:
    if computed not in entries:
        raise IntegrityError(f"the hash of {what} is not in entriesHashList", address=where, actual=computed)


def _struct(value: Value, where: str) -> dict[str, Value]:
    if isinstance(value, dict):
        return value
    twice = " that has a field once only" if isinstance(value, MultiStruct) else ""
    raise IntegrityError(f"is no struct{twice}", address=where)


def _list(fields: dict[str, Value], name: str, where: str) -> list[Value]:
    value = fields.get(name)
    if type(value) is not list:
        raise IntegrityError(f"{name} is no list", address=where)
    return value


def _optional(fields: dict[str, Value], name: str, where: str) -> list[Value]:
    return _list(fields, name, where) if name in fields else []


def _hash(value: Value, where: str) -> bytes:
    if type(value) is not bytes or len(value) != HASH_SIZE:
        raise IntegrityError(f"is no hash of {HASH_SIZE} bytes", address=where, actual=value)
    return value
