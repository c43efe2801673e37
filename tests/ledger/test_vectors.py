"""Every check that tests/vectors/README.md lists for real QLDB data, and the same with one bit flipped."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import imported, ion, iontext, merkle
from ledger.errors import IntegrityError
from ledger.hashing import commit_digest, dot, ion_hash, revision_hash, statement_digest
from ledger.values import Value

VECTORS = Path(__file__).parent.parent / "vectors"


# 01: stream records in text


def stream_records() -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the payloads of BLOCK_SUMMARY and REVISION_DETAILS of file 01."""
    summary, details = iontext.parse_all((VECTORS / "01-dmv-stream-records.ion").read_text())
    assert isinstance(summary, dict)
    assert isinstance(details, dict)
    return summary["payload"], details["payload"]


# 02: GetBlock, GetRevision, GetDigest


def api_answers() -> dict[str, Any]:
    answers = json.loads((VECTORS / "02-awscli-getblock-getrevision-getdigest.json").read_text())
    return {
        "block": iontext.parse(answers["GetBlock"]["Block"]["IonText"]),
        "block proof": iontext.parse(answers["GetBlock"]["Proof"]["IonText"]),
        "revision": iontext.parse(answers["GetRevision"]["Revision"]["IonText"]),
        "revision proof": iontext.parse(answers["GetRevision"]["Proof"]["IonText"]),
        "digest": base64.b64decode(answers["GetDigest"]["Digest"]),
        "tip": iontext.parse(answers["GetDigest"]["DigestTipAddress"]["IonText"]),
    }


# 03: a KPL-aggregated Kinesis record in binary

KPL_MAGIC = bytes.fromhex("f3899ac2")


def protobuf(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give the fields of a protobuf message: varints and length-delimited ones, all that KPL uses."""
    at = 0

    def varint() -> int:
        nonlocal at
        number, shift = 0, 0
        while True:
            byte = data[at]
            number |= (byte & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if byte < 0x80:
                return number

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = varint()
            at += size
            yield key >> 3, data[at - size : at]


def deaggregated(record: bytes) -> list[tuple[str, bytes]]:
    """Give (partition key, data) of each user record of a KPL record, after checking its MD5."""
    assert record[:4] == KPL_MAGIC
    message, md5 = record[4:-16], record[-16:]
    if hashlib.md5(message).digest() != md5:
        raise IntegrityError("MD5 of the KPL record", expected=md5, actual=hashlib.md5(message).digest())
    keys: list[str] = []
    found: list[tuple[str, bytes]] = []
    for number, value in protobuf(message):
        if number == 1:
            assert isinstance(value, bytes)
            keys.append(value.decode())
        elif number == 3:
            assert isinstance(value, bytes)
            fields = dict(protobuf(value))
            index, data = fields[1], fields[3]
            assert isinstance(index, int)
            assert isinstance(data, bytes)
            found.append((keys[index], data))
    return found


def kinesis_record() -> bytes:
    content = json.loads((VECTORS / "03-evidence-store-kinesis-kpl.json").read_text())
    return base64.b64decode(content["kinesis"]["data"])


def kinesis_records() -> list[tuple[str, dict[str, Any]]]:
    """Give (partition key, record)."""
    return [(key, ion.decode(data)) for key, data in deaggregated(kinesis_record())]


def kinesis_payloads() -> tuple[dict[str, Any], dict[str, Any]]:
    payloads = {record["recordType"]: record["payload"] for _, record in kinesis_records()}
    return payloads["BLOCK_SUMMARY"], payloads["REVISION_DETAILS"]


def blocks() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Give (name, block, its one revision) of all three files."""
    answers = api_answers()
    summary_1, details_1 = stream_records()
    summary_3, details_3 = kinesis_payloads()
    return [
        ("01", summary_1, details_1["revision"]),
        ("02", answers["block"], answers["revision"]),
        ("03", summary_3, details_3["revision"]),
    ]


BLOCKS = pytest.mark.parametrize(
    ("block", "revision"), [case[1:] for case in blocks()], ids=[case[0] for case in blocks()]
)


@BLOCKS
def test_entries_hash_and_block_hash_are_genuine(block: dict[str, Any], revision: dict[str, Any]) -> None:
    assert merkle.root(block["entriesHashList"]) == block["entriesHash"]
    assert dot(block["entriesHash"], block["previousBlockHash"]) == block["blockHash"]


@BLOCKS
def test_transaction_info_is_entry_3_and_the_revisions_root_entry_1(
    block: dict[str, Any], revision: dict[str, Any]
) -> None:
    assert ion_hash(block["transactionInfo"]) == block["entriesHashList"][3]
    assert merkle.root([revision["hash"]]) == block["entriesHashList"][1]


@BLOCKS
def test_the_revision_hash_is_that_of_metadata_and_data(block: dict[str, Any], revision: dict[str, Any]) -> None:
    assert revision_hash(revision["metadata"], revision["data"]) == revision["hash"]
    assert imported.verify_revision(revision) == revision["hash"]


@BLOCKS
def test_the_imported_verifier_accepts_the_block(block: dict[str, Any], revision: dict[str, Any]) -> None:
    imported.verify_block(block)
    whole = {name: value for name, value in block.items() if name != "revisionSummaries"} | {"revisions": [revision]}
    imported.verify_block(whole)


def test_statement_digests_without_and_with_a_parameter_are_genuine() -> None:
    for block in (stream_records()[0], api_answers()["block"]):
        (statement,) = block["transactionInfo"]["statements"]
        assert statement_digest(statement["statement"], []) == statement["statementDigest"]
    summary, details = kinesis_payloads()
    (statement,) = [s for s in summary["transactionInfo"]["statements"] if "INSERT" in s["statement"]]
    assert statement_digest(statement["statement"], [details["revision"]["data"]]) == statement["statementDigest"]


def test_both_proofs_lead_to_the_digest() -> None:
    answers = api_answers()
    imported.verify_block_proof(answers["block"]["blockHash"], answers["block proof"], answers["digest"])
    imported.verify_revision_proof(answers["revision"], answers["revision proof"], answers["digest"])


def test_a_revision_proof_is_the_paths_of_revision_entry_and_block_one_after_another() -> None:
    answers = api_answers()
    block = answers["block"]
    revisions = [revision["hash"] for revision in block["revisions"]]
    assert answers["revision proof"] == [
        *merkle.audit_path(revisions, 0),
        *merkle.audit_path(block["entriesHashList"], 1),
        block["previousBlockHash"],
        *answers["block proof"],
    ]


def test_the_block_proof_is_as_long_as_the_path_of_leaf_100_of_124() -> None:
    answers = api_answers()
    count = answers["tip"]["sequenceNo"] + 1
    leaves = [bytes([i]) * 32 for i in range(count)]
    assert (answers["block"]["blockAddress"]["sequenceNo"], count) == (100, 124)
    assert len(answers["block proof"]) == len(merkle.audit_path(leaves, 100))


def test_the_kpl_record_holds_two_records_keyed_by_their_hashes() -> None:
    (summary_key, summary), (details_key, details) = sorted(kinesis_records(), key=lambda item: item[1]["recordType"])
    assert (summary["recordType"], details["recordType"]) == ("BLOCK_SUMMARY", "REVISION_DETAILS")
    assert summary_key == summary["payload"]["blockHash"].hex()
    assert details_key == details["payload"]["revision"]["hash"].hex()
    assert summary["payload"]["blockAddress"]["sequenceNo"] == 14


@pytest.mark.parametrize("at", [4, 100, -1])
def test_a_flipped_bit_in_the_kpl_record_is_seen_by_its_md5(at: int) -> None:
    damaged = bytearray(kinesis_record())
    damaged[at] ^= 1
    with pytest.raises(IntegrityError, match="MD5"):
        deaggregated(bytes(damaged))


def test_dot_is_that_of_the_vector() -> None:
    vectors = json.loads((VECTORS / "06-dot-and-commit-digest.json").read_text())
    for case in vectors["dot"]:
        a, b = (hashlib.sha256(case[name].encode()).digest() for name in ("a_sha256_of", "b_sha256_of"))
        assert dot(a, b).hex() == dot(b, a).hex() == case["result"]


def test_the_commit_digest_is_that_of_the_vector() -> None:
    vectors = json.loads((VECTORS / "06-dot-and-commit-digest.json").read_text())
    for case in vectors["commitDigest"]:
        digests = [statement_digest(s["statement"], s["parameters"]) for s in case["statements"]]
        assert commit_digest(case["transactionId"], digests) == base64.b64decode(case["commitDigest"])


# One bit flipped


def flipped(value: Value) -> Iterator[tuple[str, Value]]:
    """Give (where, the value with one thing changed) for every blob bit and every other leaf below `value`."""
    if isinstance(value, dict):
        for name, member in value.items():
            for where, other in flipped(member):
                yield f".{name}{where}", value | {name: other}
    elif isinstance(value, list):
        for i, member in enumerate(value):
            for where, other in flipped(member):
                yield f"[{i}]{where}", [*value[:i], other, *value[i + 1 :]]
    elif isinstance(value, bytes):
        for bit in range(len(value) * 8):
            changed = bytearray(value)
            changed[bit // 8] ^= 1 << bit % 8
            yield f" bit {bit}", bytes(changed)
    elif isinstance(value, str):
        yield "", value + "x"
    elif isinstance(value, int):
        yield "", value + 1
    else:
        yield "", None


NOT_COVERED = (".blockTimestamp", ".transactionId", ".blockAddress")
"""Fields that stand, if anywhere, in the entries that QLDB left opaque."""


@BLOCKS
def test_each_flipped_bit_of_a_block_is_refused(block: dict[str, Any], revision: dict[str, Any]) -> None:
    count = 0
    for where, wrong in flipped(block):
        if where.startswith(NOT_COVERED) or ".blockAddress" in where or where.endswith(".documentId"):
            continue
        count += 1
        with pytest.raises(IntegrityError):
            imported.verify_block(wrong)
    assert count > 1000


@BLOCKS
def test_each_flipped_bit_of_a_revision_is_refused(block: dict[str, Any], revision: dict[str, Any]) -> None:
    for where, wrong in flipped(revision):
        if not where.startswith(".blockAddress"):
            with pytest.raises(IntegrityError):
                imported.verify_revision(wrong)


def test_each_flipped_bit_of_a_proof_or_digest_is_refused() -> None:
    answers = api_answers()
    revision, proof, digest = answers["revision"], answers["revision proof"], answers["digest"]
    for _, wrong in flipped(proof):
        with pytest.raises(IntegrityError):
            imported.verify_revision_proof(revision, wrong, digest)
    for _, wrong in flipped(digest):
        with pytest.raises(IntegrityError):
            imported.verify_revision_proof(revision, proof, wrong)
    for _, wrong in flipped(answers["block proof"]):
        with pytest.raises(IntegrityError):
            imported.verify_block_proof(answers["block"]["blockHash"], wrong, digest)
    for short in (proof[:-1], proof[1:], [*proof, proof[0]]):
        with pytest.raises(IntegrityError):
            imported.verify_revision_proof(revision, short, digest)
