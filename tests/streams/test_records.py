"""What a block becomes: the right topics, keys and order, bytes that are always the same, and proofs that verify alone."""

from __future__ import annotations

import json

import pytest
from block_builder import STRAND_ID, BlockBuilder
from hypothesis import given
from hypothesis import strategies as st

from ledger import ion
from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME
from ledger.catalog import Table, table_document
from ledger.errors import IntegrityError
from ledger.ids import id_of_text
from ledger.values import Value, identical
from ledger.verify import block_of_struct, verify_block, verify_place, verify_revision, verify_summary
from streams.broker import Partition
from streams.inspection import places_of
from streams.partitioner import partition_of
from streams.records import PROOF_HEADER, RECORD_TYPE_HEADER, Record, records_of, topics_of
from streams.topics import TopicNames

NAMES = TopicNames("strandline", "demo")


def proof_of(record: Record) -> Value:
    encoded = dict(record.headers)[PROOF_HEADER]
    assert isinstance(encoded, bytes)
    return ion.decode(encoded)


def test_a_block_becomes_a_record_for_each_revision_and_its_summary_last() -> None:
    block = BlockBuilder().add(
        ("Cars", "a", {"n": 1}), (SYSTEM_TABLE_NAME, "t", {"name": "x"}), ("Cars", "b", None), ("Owners", "c", {})
    )
    records = records_of(block, NAMES)
    assert [(record.topic, record.key) for record in records] == [
        ("strandline.demo.Cars", id_of_text("a")),
        ("strandline.demo.Cars", id_of_text("b")),
        ("strandline.demo.catalog-changes", id_of_text("t")),
        ("strandline.demo.Owners", id_of_text("c")),
        ("strandline.demo.block-summary", STRAND_ID),
    ]
    types = [dict(record.headers)[RECORD_TYPE_HEADER] for record in records]
    assert types == [b"REVISION_DETAILS"] * 4 + [b"BLOCK_SUMMARY"]
    assert {record.timestamp_ms for record in records} == {block.block_timestamp.to_milliseconds()}


def test_a_block_without_revisions_is_its_summary() -> None:
    assert [record.topic for record in records_of(BlockBuilder().add(), NAMES)] == ["strandline.demo.block-summary"]


@pytest.mark.parametrize("revisions", [1, 2, 3, 5, 40])
def test_each_proof_leads_from_the_revision_to_the_block_hash(revisions: int) -> None:
    builder = BlockBuilder()
    for _ in range(2):  # block 0 has no hash before it, block 1 has
        block = builder.add(*(("Cars", f"car {i}", {"n": i}) for i in range(revisions)))
        *details, summary = records_of(block, NAMES)
        verified = verify_summary(proof_of(summary))
        assert verified.block_hash == block.block_hash
        for record in details:
            verify_place(verify_revision(proof_of(record), block.block_hash), verified)


def test_an_altered_document_does_not_verify() -> None:
    block = BlockBuilder().add(("Cars", "a", {"n": 1}))
    proof = proof_of(records_of(block, NAMES)[0])
    assert isinstance(proof, dict)
    assert isinstance(proof["revision"], dict)
    altered = proof | {"revision": proof["revision"] | {"data": {"n": 2}}}
    with pytest.raises(IntegrityError):
        verify_revision(altered, block.block_hash)


def test_summary_and_proofs_together_are_the_whole_block() -> None:
    builder = BlockBuilder()
    builder.add(("Cars", "a", {"n": 1}))
    block = builder.add(("Cars", "a", None), ("Owners", "o", {"name": "Raul"}))
    *details, summary = records_of(block, NAMES)
    struct = proof_of(summary)
    assert isinstance(struct, dict)
    shown: list[Value] = []
    for record in details:
        proof = proof_of(record)
        assert isinstance(proof, dict)
        assert isinstance(proof["revision"], dict)
        shown.append({"blockAddress": proof["blockAddress"]} | proof["revision"])
    again = block_of_struct(struct | {"revisions": shown})
    verify_block(again)
    assert again == block


def test_the_same_block_gives_the_same_bytes() -> None:
    first, second = (BlockBuilder().add(("Cars", "a", {"n": 1})) for _ in range(2))
    assert records_of(first, NAMES, "ion") == records_of(second, NAMES, "ion")


def test_the_ion_value_is_qldbs_envelope() -> None:
    block = BlockBuilder().add(("Cars", "a", {"n": 1}))
    value = ion.decode(records_of(block, NAMES, "ion")[0].value)
    assert isinstance(value, dict)
    assert list(value) == ["streamId", "recordType", "payload"]
    assert value["streamId"] == f"demo/{STRAND_ID}"
    payload = value["payload"]
    assert isinstance(payload, dict)
    assert identical(payload["tableInfo"], {"tableName": "Cars", "tableId": id_of_text("Cars")})
    revision = payload["revision"]
    assert isinstance(revision, dict)
    assert list(revision) == ["blockAddress", "hash", "data", "metadata"]


def controls(records: list[Record]) -> list[tuple[str, dict[str, Value]]]:
    return [
        (record.topic, json.loads(record.value)["payload"])
        for record in records
        if dict(record.headers)[RECORD_TYPE_HEADER] == b"CONTROL"
    ]


@pytest.mark.parametrize(("status", "kind"), [("INACTIVE", "TABLE_DROPPED"), ("ACTIVE", "TABLE_UNDROPPED")])
def test_a_dropped_table_and_one_that_is_back_are_told_to_each_partition_of_their_topic(status: str, kind: str) -> None:
    builder = BlockBuilder()
    builder.add(("Cars", "a", {"n": 1}))
    block = builder.change_table("Cars", status, ("Owners", "b", {}))
    payload = {
        "controlRecordType": kind,
        "tableId": id_of_text("Cars"),
        "tableName": "Cars",
        "blockAddress": {"strandId": STRAND_ID, "sequenceNo": 1},
    }
    records = records_of(block, NAMES, counts={"strandline.demo.Cars": 3})
    assert controls(records) == [("strandline.demo.Cars", payload)] * 3
    types = [dict(record.headers)[RECORD_TYPE_HEADER] for record in records]
    assert types.index(b"CONTROL") == (2 if status == "INACTIVE" else 0), "behind the revisions, or before them"
    assert types[-1] == b"BLOCK_SUMMARY"
    assert topics_of(block, NAMES) == {
        "strandline.demo.Cars", "strandline.demo.Owners", "strandline.demo.catalog-changes",
    }  # fmt: skip


def test_the_proof_of_a_dropped_table_is_that_of_the_catalogues_revision() -> None:
    builder = BlockBuilder()
    block = builder.change_table("Cars", "INACTIVE", ("Cars", "a", {"n": 1}))
    record = next(r for r in records_of(block, NAMES) if dict(r.headers)[RECORD_TYPE_HEADER] == b"CONTROL")
    proved = verify_revision(proof_of(record), block.block_hash)
    assert proved.table_id == SYSTEM_TABLE_ID
    assert isinstance(proved.revision.data, dict)
    assert proved.revision.data["status"] == "INACTIVE"


def test_other_changes_of_a_table_that_was_dropped_once_tell_nothing() -> None:
    builder = BlockBuilder()
    undropped = builder.change_table("Cars", "ACTIVE")
    later = builder.add((SYSTEM_TABLE_NAME, "Cars", undropped.tables[0].revisions[0].data))
    assert controls(records_of(undropped, NAMES)) != []
    assert controls(records_of(later, NAMES)) == []


@given(
    st.lists(st.tuples(st.sampled_from(["Cars", "Owners", SYSTEM_TABLE_NAME]), st.integers(0, 9)), unique=True),
    st.integers(0, 3),
)
def test_where_the_inspection_looks_is_where_the_records_go(writes: list[tuple[str, int]], changes: int) -> None:
    """One rule, twice: the order and places of `records_of` and of `places_of`."""
    builder = BlockBuilder()
    documents = [(table, f"{table} {number}", {"n": number}) for table, number in writes]
    tables = [
        (SYSTEM_TABLE_NAME, name, table_document(Table(id_of_text(name), name[:4], status, (), (), builder.next_transaction_id)))
        for name, status in [("Cars", "INACTIVE"), ("Cars#2", "ACTIVE"), ("Boat", "INACTIVE")][:changes]
    ]  # fmt: skip
    block = builder.add(*documents, *tables)
    counts = {
        f"strandline.demo.{name}": n for name, n in (("Cars", 3), ("Boat", 2), ("Owners", 4), ("catalog-changes", 1))
    }
    *records, _ = records_of(block, NAMES, counts=counts)
    places = list(places_of(block, NAMES, counts))
    assert len(records) == len(places)
    seen: dict[Partition, int] = {}
    told: list[Partition] = []
    for record, (partition, index, identity) in zip(records, places, strict=True):
        if dict(record.headers)[RECORD_TYPE_HEADER] == b"CONTROL":
            told.append(partition)
        else:
            assert partition.number == partition_of(record.key, counts[record.topic])
        assert partition.topic == record.topic
        assert index == seen.get(partition, 0)
        seen[partition] = index + 1
        proof = proof_of(record)
        assert isinstance(proof, dict)
        assert identity == (proof["blockHash"], proof["tableId"], proof["tableSequenceNo"])
    topics = [f"strandline.demo.{name}" for name in ("Cars", "Cars", "Boat")[:changes]]
    assert sorted(told) == sorted(Partition(topic, number) for topic in topics for number in range(counts[topic]))
