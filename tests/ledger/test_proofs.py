"""Digests, proofs and receipts: each verifies, and no flipped bit does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from block_builder import BlockBuilder
from memory_journal import MemoryJournal

from ledger import merkle, proofs
from ledger.block import Block, BlockAddress
from ledger.errors import IntegrityError, NotFoundError
from ledger.hashing import ion_hash
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.proofs import Digest
from ledger.receipt import check_receipt
from ledger.values import Value
from ledger.views import Views

BLOCKS = 13


@pytest.fixture
def journal() -> MemoryJournal:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    for n in range(BLOCKS):
        writes = [("Cars", f"car {n} {i}", {"n": n, "i": i}) for i in range(n % 4)]
        journal.append([builder.add(("Owners", "one", {"n": n}), *writes, ("Orders", f"order {n}", None))])
    return journal


@pytest.fixture
def views(tmp_path: Path, journal: MemoryJournal) -> Views:
    return Views.open(tmp_path / "views", journal, limits=Limits())


def all_revisions(journal: MemoryJournal) -> list[tuple[Block, str, int, bytes]]:
    return [(block, r.id, r.version, r.hash) for block in journal.kept for _, _, r in block.revisions()]


def test_the_digest_of_an_empty_ledger_is_empty(tmp_path: Path) -> None:
    views = Views.open(tmp_path, MemoryJournal(id_of_text("strand")), limits=Limits())
    assert proofs.digest(views) == Digest(b"", None)
    with pytest.raises(NotFoundError, match="the last block is -1"):
        proofs.digest(views, 0)


def test_the_digest_at_every_tip_is_the_root_over_the_block_hashes(views: Views, journal: MemoryJournal) -> None:
    hashes = [block.block_hash for block in journal.kept]
    for tip in range(BLOCKS):
        assert proofs.digest(views, tip) == Digest(merkle.root(hashes[: tip + 1]), BlockAddress(views.strand_id, tip))
    assert proofs.digest(views) == proofs.digest(views, BLOCKS - 1)


def test_every_block_and_revision_is_proved_at_every_later_tip(views: Views, journal: MemoryJournal) -> None:
    for tip in range(BLOCKS):
        digest = proofs.digest(views, tip).digest
        for block in journal.kept[: tip + 1]:
            assert merkle.fold(block.block_hash, proofs.block_proof(views, block.sequence_no, tip)) == digest
    for block, document_id, _, hash_ in all_revisions(journal):
        for tip in {block.sequence_no, BLOCKS - 1}:
            path = proofs.revision_proof(views, block, document_id, tip)
            assert all(len(step) == 32 for step in path)
            assert merkle.fold(hash_, path) == proofs.digest(views, tip).digest


def test_the_path_in_a_block_leads_to_its_hash(journal: MemoryJournal) -> None:
    for block in journal.kept:
        hashes = [revision.hash for _, _, revision in block.revisions()]
        for position, hash_ in enumerate(hashes):
            assert merkle.fold(hash_, proofs.path_in_block(hashes, position, block)) == block.block_hash


def test_there_is_no_proof_beyond_the_last_block_or_before_the_block(views: Views, journal: MemoryJournal) -> None:
    for number, tip in ((0, BLOCKS), (5, 4), (-1, 3), (BLOCKS, BLOCKS)):
        with pytest.raises(NotFoundError, match=f"block {number} at tip {tip}: the last block is {BLOCKS - 1}"):
            proofs.block_proof(views, number, tip)
    with pytest.raises(NotFoundError, match="no revision of document"):
        proofs.revision_proof(views, journal.kept[3], id_of_text("nobody"))


def test_a_receipt_of_every_revision_passes_the_offline_check(views: Views, journal: MemoryJournal) -> None:
    kept = proofs.digest(views).digest
    for block, document_id, version, _ in all_revisions(journal):
        checked = check_receipt(proofs.receipt("cars", views, document_id, version), kept)
        assert (checked.document_id, checked.version, checked.transaction_id) == (
            document_id,
            version,
            block.transaction_id,
        )
        early = proofs.receipt("cars", views, document_id, version, block.sequence_no)
        assert check_receipt(early, proofs.digest(views, block.sequence_no).digest).digest_tip == block.address


def test_a_receipt_of_what_is_not_there_is_refused(views: Views) -> None:
    for document_id, version in (
        (id_of_text("nobody"), 0),
        (id_of_text("one"), BLOCKS),
        ("short", 0),
        (id_of_text("one"), -1),
    ):
        with pytest.raises(NotFoundError, match="has no version"):
            proofs.receipt("cars", views, document_id, version)
    with pytest.raises(NotFoundError, match="at tip 3"):
        proofs.receipt("cars", views, id_of_text("one"), 7, 3)


def test_a_flipped_bit_in_any_hash_of_a_receipt_is_found(views: Views) -> None:
    receipt = proofs.receipt("cars", views, id_of_text("one"), 6)
    check_receipt(receipt)
    proof = receipt["proof"]
    assert isinstance(proof, list)
    for position, step in enumerate(proof):
        assert isinstance(step, bytes)
        for bit in (0, 7, 255):
            lie: list[Value] = [*proof[:position], flipped(step, bit), *proof[position + 1 :]]
            with pytest.raises(IntegrityError):
                check_receipt(receipt | {"proof": lie})
        with pytest.raises(IntegrityError):
            check_receipt(receipt | {"proof": [*proof[:position], *proof[position + 1 :]]})
    assert isinstance(receipt["digest"], bytes)
    with pytest.raises(IntegrityError):
        check_receipt(receipt | {"digest": flipped(receipt["digest"], 9)})


def test_a_redacted_revision_still_has_its_receipt(tmp_path: Path, journal: MemoryJournal) -> None:
    kept = Views.open(tmp_path / "before", journal, limits=Limits())
    digest = proofs.digest(kept).digest
    block = journal.kept[2]
    owners = block.tables[0]
    [revision] = owners.revisions
    redacted = replace(owners, revisions=(replace(revision, data=None, data_hash=ion_hash(revision.data)),))
    journal.kept[2] = replace(block, tables=(redacted, *block.tables[1:]))
    views = Views.open(tmp_path / "after", journal, limits=Limits())
    assert check_receipt(proofs.receipt("cars", views, revision.id, 2), digest).state == "redacted"


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
