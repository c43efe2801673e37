"""Receipts: what is proven and what it rests on; and every change of a receipt is refused."""

from __future__ import annotations

from typing import Any

import pytest
from block_builder import BlockBuilder
from test_verify import accepted, changed, record_struct, with_revision

from ledger import ion, merkle
from ledger.block import address_struct, revision_struct
from ledger.errors import IntegrityError
from ledger.hashing import ion_hash
from ledger.receipt import check_receipt
from ledger.values import Value

BUILDER = BlockBuilder()
BLOCKS = [
    BUILDER.add(("Cars", "a", {"n": 0}), ("Cars", "b", {"n": 1})),
    BUILDER.add(("Cars", "a", None)),
    BUILDER.add(("Cars", "b", {"n": 2})),
]
DIGEST = merkle.root([block.block_hash for block in BLOCKS])


def receipt(at: int, number: int = 0) -> dict[str, Any]:
    """Give the receipt of the n-th revision of a block, as of the last block."""
    block = BLOCKS[at]
    table, _, revision = list(block.revisions())[number]
    proof: Any = record_struct(block, number)["proof"]
    return {
        "format": 1,
        "ledger": "cars",
        "strandId": block.strand_id,
        "blockAddress": address_struct(block.address),
        "tableId": table.table_id,
        "tableName": table.table_name,
        "revision": revision_struct(block, revision),
        "proof": [*proof, *merkle.audit_path([each.block_hash for each in BLOCKS], at)],
        "digest": DIGEST,
        "digestTipAddress": address_struct(BLOCKS[-1].address),
    }


ALL = [(0, 0), (0, 1), (1, 0), (2, 0)]


@pytest.mark.parametrize(("at", "number"), ALL)
def test_an_honest_receipt_says_what_it_proves(at: int, number: int) -> None:
    checked = check_receipt(ion.decode(ion.encode(receipt(at, number))), DIGEST)
    revision = list(BLOCKS[at].revisions())[number][2]
    assert (checked.document_id, checked.version) == (revision.id, revision.version)
    assert checked.state == ("data" if revision.data is not None else "deleted")
    assert checked.transaction_id == BLOCKS[at].transaction_id
    assert f"document {revision.id} version {revision.version}" in str(checked)
    assert "rests on the digest that you gave" in str(checked)


def test_without_a_digest_of_the_readers_own_it_says_that_this_proves_little() -> None:
    checked = check_receipt(receipt(0))
    assert not checked.digest_was_given
    assert "agrees with itself" in str(checked)
    assert DIGEST.hex() in str(checked)


def test_what_nothing_proves_is_named_as_claimed() -> None:
    checked = check_receipt(receipt(0))
    assert checked.claimed == {"ledger": "cars", "block": str(BLOCKS[0].address), "table": "Cars"}
    assert "not proven: ledger cars" in str(checked)


def test_the_table_may_be_left_out() -> None:
    short = {name: value for name, value in receipt(0).items() if not name.startswith("table")}
    assert "table" not in check_receipt(short).claimed


def test_a_redacted_revision_is_proven_as_such() -> None:
    (_, _, revision) = next(BLOCKS[2].revisions())
    redacted = with_revision(BLOCKS[2], 0, data=None, data_hash=ion_hash(revision.data))
    shown = receipt(2) | {"revision": revision_struct(redacted, next(redacted.revisions())[2])}
    assert check_receipt(shown, DIGEST).state == "redacted"


def test_another_digest_is_refused() -> None:
    with pytest.raises(IntegrityError, match="another digest than yours"):
        check_receipt(receipt(0), bytes(32))


CLAIMED = {
    ".ledger text",
    ".tableId text",
    "-tableId",
    ".tableName text",
    "-tableName",
    ".digestTipAddress.sequenceNo number",
}


@pytest.mark.parametrize(("at", "number"), ALL)
def test_whatever_is_changed_in_a_receipt_it_is_refused(at: int, number: int) -> None:
    """But for what is named as claimed."""
    attempts = list(changed(receipt(at, number)))
    assert len(attempts) > 80
    assert set(accepted(lambda struct: check_receipt(struct, DIGEST), attempts)) == CLAIMED


def moved(struct: dict[str, Any], number: int) -> dict[str, Any]:
    """Change the block's number everywhere."""
    address = struct["blockAddress"] | {"sequenceNo": number}
    return struct | {"blockAddress": address, "revision": struct["revision"] | {"blockAddress": address}}


def test_the_blocks_number_is_only_claimed_but_cannot_be_after_the_tip() -> None:
    assert check_receipt(moved(receipt(0), 1), DIGEST).claimed["block"].endswith("/1")
    with pytest.raises(IntegrityError, match="before the block"):
        check_receipt(moved(receipt(0), 3), DIGEST)


@pytest.mark.parametrize("value", [None, [], {}, "receipt", 1])
def test_what_is_no_receipt_is_refused(value: Value) -> None:
    with pytest.raises(IntegrityError):
        check_receipt(value)


@pytest.mark.parametrize("name", ["id", "version", "txTime", "txId"])
def test_a_receipt_with_metadata_of_other_types_is_refused_even_if_its_hash_is_right(name: str) -> None:
    """A server may seal what it likes: whoever reads the receipt is still told."""
    metadata = receipt(0)["revision"]["metadata"] | {name: [name]}
    data = {"n": 0}
    leaf = merkle.fold(ion_hash(metadata), [ion_hash(data)])
    shown = receipt(0)["revision"] | {"metadata": metadata, "hash": leaf}
    with pytest.raises(IntegrityError, match="another type"):
        check_receipt(receipt(0) | {"revision": shown, "proof": [], "digest": leaf})
