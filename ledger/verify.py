"""The exact verifier of our own blocks. Pure: an auditor can run it alone, and needs to trust nobody's server.

A Merkle path over `dot` proves membership only, never position or order, and a list of hashes can hide what it stands for. So here
everything that a block says is recomputed from its parts and compared in order; what cannot be recomputed is refused.

What each function proves, and what it rests on:

    verify_block            the block is whole and says nothing that its blockHash does not cover    rests on: that blockHash
    verify_summary          the same without the documents, which are known by their hashes          rests on: that blockHash
    verify_chain_link       the block follows the one before it                                      rests on: the block before
    verify_table_sequences  no revision of a table is missing or doubled                             rests on: the count so far
    verify_revision         MEMBERSHIP ONLY: the revision is one that a block hash covers            rests on: a block hash given
    verify_place            and it is the one that the block's summary names at that place           rests on: the summary

A blockHash is worth as much as the way it was come by: a chain of links from a block that you know, or a digest that you kept.
"""

from __future__ import annotations

from ledger.block import Block, Revision, metadata_struct
from ledger.block_reading import RevisionRecord, block_of_struct, record_of_struct, summary_of_struct
from ledger.errors import IntegrityError
from ledger.hashing import HASH_SIZE, redacted_revision_hash, revision_hash
from ledger.merkle import fold
from ledger.seal_hashes import block_hash_of, compute_entries
from ledger.values import Timestamp, Value

__all__ = [
    "RevisionRecord",
    "block_of_struct",
    "verify_block",
    "verify_chain_link",
    "verify_place",
    "verify_revision",
    "verify_summary",
    "verify_table_sequences",
]


def verify_block(block: Block) -> None:
    """Recompute everything that the block's hash covers, from its documents up.

    Raises:
        IntegrityError: the first thing that is not as it should be, with the block's address and both values.
    """
    _check_counts(block)
    for table, number, revision in block.revisions():
        actual = _recomputed(block.block_timestamp, block.transaction_id, revision)
        if actual != revision.hash:
            raise IntegrityError(
                f"revision {number} of table {table.table_name}, document {revision.id} version {revision.version}: hash",
                address=block.address,
                expected=actual,
                actual=revision.hash,
            )
    _check_hashes(block)


def verify_summary(struct: Value) -> Block:
    """Verify a block's summary; give the block, whose revisions have hashes and no content (`data` None does not mean "deleted").

    Raises:
        IntegrityError: it is not exactly a summary, or a hash does not match.
    """
    block = summary_of_struct(struct)
    _check_counts(block)
    _check_hashes(block)
    return block


def verify_chain_link(previous: Block | None, block: Block) -> None:
    """Verify that `block` is the one after `previous` (None: block 0). Both must have been verified by themselves.

    Raises:
        IntegrityError: another strand, number or hash, or a time before the previous block's.
    """
    expected: tuple[object, ...] = ("0", b"")
    actual: tuple[object, ...] = (str(block.sequence_no), block.previous_block_hash)
    if previous is not None:
        expected = (f"{previous.strand_id}/{previous.sequence_no + 1}", previous.block_hash)
        actual = (str(block.address), block.previous_block_hash)
    for what, ours, theirs in zip(("address", "previousBlockHash"), expected, actual, strict=True):
        if ours != theirs:
            raise IntegrityError(
                f"does not follow the block before it: {what}", address=block.address, expected=ours, actual=theirs
            )
    if previous is not None and block.block_timestamp.instant() < previous.block_timestamp.instant():
        raise IntegrityError(
            "is older than the block before it",
            address=block.address,
            expected=f"at least {previous.block_timestamp}",
            actual=str(block.block_timestamp),
        )


def verify_table_sequences(block: Block, next_sequence_nos: dict[str, int]) -> None:
    """Verify that each table's revisions go on without a gap, and count them.

    Args:
        next_sequence_nos: tableId -> the number of the table's next revision; a table that is not there starts from 0. Moved on in place.

    Raises:
        IntegrityError: a gap or a repetition; nothing was moved on.
    """
    for table in block.tables:
        expected = next_sequence_nos.get(table.table_id, 0)
        if table.first_sequence_no != expected:
            raise IntegrityError(
                f"table {table.table_name} ({table.table_id}): sequence number",
                address=block.address,
                expected=expected,
                actual=table.first_sequence_no,
            )
    for table in block.tables:
        next_sequence_nos[table.table_id] = table.first_sequence_no + len(table.revisions)


def verify_revision(struct: Value, trusted_block_hash: bytes) -> RevisionRecord:
    """Verify one revision record by itself: MEMBERSHIP ONLY.

    Proves that document, version, data, time and transaction are those of a revision that the block hash covers. It does not prove the
    address, the table or the sequence number that the record claims: for these, `verify_place`.

    Raises:
        IntegrityError: not exactly a record, or its hash, path or block hash does not match.
    """
    record = record_of_struct(struct)
    where = f"record of document {record.revision.id} version {record.revision.version}"
    if record.block_hash != trusted_block_hash:
        raise IntegrityError("block hash", address=where, expected=trusted_block_hash, actual=record.block_hash)
    actual = _recomputed(record.transaction_time, record.transaction_id, record.revision)
    if actual != record.revision.hash:
        raise IntegrityError("revision hash", address=where, expected=actual, actual=record.revision.hash)
    reached = fold(actual, record.proof)
    if reached != trusted_block_hash:
        raise IntegrityError(
            "the path leads to another block hash", address=where, expected=trusted_block_hash, actual=reached
        )
    return record


def verify_place(record: RevisionRecord, summary: Block) -> None:
    """Verify that the record is the revision which the summary (verified before) names at the place that the record claims.

    Raises:
        IntegrityError: the block, the table, the place or the revision is another one.
    """
    named = {
        (table.table_id, number): (table.table_name, revision.id, revision.version, revision.hash)
        for table, number, revision in summary.revisions()
    }
    revision = record.revision
    where = f"record of document {revision.id} version {revision.version}"
    for what, expected, actual in (
        ("block", (summary.address, summary.block_hash), (record.block_address, record.block_hash)),
        (
            "transaction",
            (summary.transaction_id, summary.block_timestamp),
            (record.transaction_id, record.transaction_time),
        ),
        (
            f"revision {record.table_sequence_no} of table {record.table_id}",
            named.get((record.table_id, record.table_sequence_no)),
            (record.table_name, revision.id, revision.version, revision.hash),
        ),
    ):
        if expected != actual:
            raise IntegrityError(what, address=where, expected=expected, actual=actual)


def _recomputed(time: Timestamp, transaction_id: str, revision: Revision) -> bytes:
    metadata = metadata_struct(time, transaction_id, revision)
    if revision.data_hash is None:
        return revision_hash(metadata, revision.data)
    return redacted_revision_hash(metadata, revision.data_hash)


def _check_counts(block: Block) -> None:
    """Refuse what no hash could tell: numbers below 0, empty tables, a table or a document twice, hashes of another size."""
    documents = [revision.id for _, _, revision in block.revisions()]
    tables = [table.table_id for table in block.tables]
    hashes = [block.block_hash, block.entries_hash, *(revision.hash for _, _, revision in block.revisions())]
    if block.sequence_no:
        hashes.append(block.previous_block_hash)
    for wrong, what in (
        (block.sequence_no < 0, "its number is negative"),
        (not block.sequence_no and block.previous_block_hash, "block 0 has a block before it"),
        (not all(table.revisions for table in block.tables), "a table has no revision"),
        (len(set(tables)) != len(tables), "a table stands twice"),
        (len(set(documents)) != len(documents), "a document stands twice"),
        (any(table.first_sequence_no < 0 for table in block.tables), "a table's sequence number is negative"),
        (any(revision.version < 0 for _, _, revision in block.revisions()), "a version is negative"),
        (any(len(value) != HASH_SIZE for value in hashes), f"a hash has not {HASH_SIZE} bytes"),
        (
            any(r.data is not None and r.data_hash is not None for _, _, r in block.revisions()),
            "data and dataHash at once",
        ),
        (
            any(r.data_hash is not None and len(r.data_hash) != HASH_SIZE for _, _, r in block.revisions()),
            "a dataHash is none",
        ),
        (
            any(not 0 <= index < len(block.statements) for _, _, r in block.revisions() for index in r.statements),
            "a revision names a statement that is not there",
        ),
    ):
        if wrong:
            raise IntegrityError(what, address=block.address)


def _check_hashes(block: Block) -> None:
    """Recompute the entries, in order, and what is built on them."""
    entries = compute_entries(block)
    names = ("header", "revisions", "tables", "transactionInfo") if block.tables else ("header", "transactionInfo")
    if len(block.entries_hash_list) != len(entries):
        raise IntegrityError(
            "entriesHashList", address=block.address, expected=len(entries), actual=len(block.entries_hash_list)
        )
    for name, expected, actual in zip(names, entries, block.entries_hash_list, strict=True):
        if expected != actual:
            raise IntegrityError(f"entriesHashList, {name}", address=block.address, expected=expected, actual=actual)
    entries_hash, block_hash = block_hash_of(entries, block.previous_block_hash)
    if entries_hash != block.entries_hash:
        raise IntegrityError("entriesHash", address=block.address, expected=entries_hash, actual=block.entries_hash)
    if block_hash != block.block_hash:
        raise IntegrityError("blockHash", address=block.address, expected=block_hash, actual=block.block_hash)
