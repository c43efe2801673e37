"""QLDB's verifier by membership, on what no public sample shows: redactions, deletions, system revisions, chains, bad forms.

Genuine blocks are in test_vectors.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from ledger import imported, merkle
from ledger.errors import IntegrityError
from ledger.hashing import dot, ion_hash
from ledger.values import MultiStruct, Timestamp, Value

Struct = dict[str, Any]


def revision(document_id: str, content: Struct) -> Struct:
    """Give a revision of `content`: {data: ...}, {dataHash: ...} or {}."""
    metadata = {"id": document_id, "version": 1, "txTime": Timestamp.of_milliseconds(1_000), "txId": "t"}
    data_hash = ion_hash(content["data"]) if "data" in content else content.get("dataHash", b"")
    address = {"strandId": "s", "sequenceNo": 1}
    return {"blockAddress": address, "hash": dot(ion_hash(metadata), data_hash), **content, "metadata": metadata}


def block(number: int, previous: bytes, revisions: list[Struct], **more: Value) -> Struct:
    """Give a block as QLDB wrote them: two opaque entries, no `format`, no `tables`."""
    info = {"statements": [{"statement": "x"}]}
    entries = [
        ion_hash("opaque"),
        ion_hash("also opaque"),
        ion_hash(info),
        *(ion_hash(value) for value in more.values()),
    ]
    if revisions:
        entries.insert(1, merkle.root([each["hash"] for each in revisions]))
    entries_hash = merkle.root(entries)
    shown = {
        "blockAddress": {"strandId": "s", "sequenceNo": number},
        "blockHash": dot(entries_hash, previous),
        "entriesHash": entries_hash,
        "previousBlockHash": previous,
        "entriesHashList": entries,
        "transactionInfo": info,
        **more,
    }
    return shown | ({"revisions": revisions} if revisions else {})


DATA = revision("a", {"data": {"x": 1}})
REDACTED = revision("b", {"dataHash": ion_hash({"x": 2})})
DELETED = revision("c", {})
SYSTEM = {"hash": ion_hash("system")}


def test_revisions_with_data_redacted_deleted_and_of_the_system_are_verified() -> None:
    imported.verify_block(block(1, bytes(32), [DATA, REDACTED, DELETED, SYSTEM]))
    for each in (DATA, REDACTED, DELETED, SYSTEM):
        assert imported.verify_revision(each) == each["hash"]


def test_a_redacted_revision_has_the_hash_that_it_had_with_its_data() -> None:
    before = revision("b", {"data": {"x": 2}})
    assert before["hash"] == REDACTED["hash"]
    with pytest.raises(IntegrityError):
        imported.verify_revision(REDACTED | {"dataHash": ion_hash({"x": 3})})
    with pytest.raises(IntegrityError):
        imported.verify_revision(REDACTED | {"dataHash": b""})


def test_a_deletion_is_not_shown_for_a_revision_with_data() -> None:
    with pytest.raises(IntegrityError):
        imported.verify_revision({name: value for name, value in DATA.items() if name != "data"})


def test_redaction_info_must_be_an_entry() -> None:
    honest = block(2, bytes(32), [], redactionInfo={"revisions": [{"documentId": "b"}]})
    imported.verify_block(honest)
    with pytest.raises(IntegrityError, match="redactionInfo"):
        imported.verify_block(honest | {"redactionInfo": {"revisions": []}})


def test_a_block_without_revisions_or_with_an_empty_previous_hash_is_verified() -> None:
    imported.verify_block(block(0, b"", []))


def chain() -> list[Struct]:
    blocks = [block(0, b"", [DATA])]
    for number in (1, 2):
        blocks.append(block(number, blocks[-1]["blockHash"], [REDACTED]))
    return blocks


def test_a_chain_is_followed_block_by_block() -> None:
    blocks = chain()
    assert list(imported.verify_chain(blocks)) == [each["blockHash"] for each in blocks]
    assert list(imported.verify_chain(blocks[1:], blocks[0]["blockHash"]))
    assert list(imported.verify_chain(blocks[1:]))


def test_a_chain_with_a_block_missing_turned_or_of_another_one_is_refused() -> None:
    blocks = chain()
    for wrong in ([blocks[0], blocks[2]], blocks[::-1], [blocks[0], block(1, bytes(32), [])]):
        with pytest.raises(IntegrityError, match="previousBlockHash"):
            list(imported.verify_chain(wrong))
    with pytest.raises(IntegrityError, match="previousBlockHash"):
        list(imported.verify_chain(blocks[1:], bytes(32)))


def test_a_revision_that_is_a_hash_only_proves_nothing() -> None:
    with pytest.raises(IntegrityError, match="proves no revision"):
        imported.verify_revision_proof(SYSTEM, [], SYSTEM["hash"])


def test_proofs_lead_from_leaf_to_digest() -> None:
    hashes = [bytes([i]) * 32 for i in range(5)] + [DATA["hash"]]
    digest = merkle.root(hashes)
    imported.verify_revision_proof(DATA, merkle.audit_path(hashes, 5), digest)
    imported.verify_block_proof(hashes[2], merkle.audit_path(hashes, 2), digest)
    for leaf, proof in ((hashes[1], merkle.audit_path(hashes, 2)), (hashes[2], [b""]), (b"", [digest])):
        with pytest.raises(IntegrityError):
            imported.verify_block_proof(leaf, proof, digest)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        MultiStruct((("a", 1), ("a", 2))),
        {},
        block(1, bytes(32), []) | {"entriesHashList": None},
        block(1, bytes(32), []) | {"entriesHashList": ["x"]},
        block(1, bytes(32), []) | {"revisions": [1]},
        block(1, bytes(32), []) | {"revisions": {}},
        block(1, bytes(32), []) | {"blockHash": b"short"},
        block(1, bytes(32), []) | {"previousBlockHash": None},
        block(1, bytes(32), []) | {"blockAddress": 1, "blockHash": bytes(32)},
    ],
    ids=str,
)
def test_what_has_not_the_form_of_a_block_is_refused(wrong: Value) -> None:
    with pytest.raises(IntegrityError):
        imported.verify_block(wrong)
