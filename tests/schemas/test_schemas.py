"""The models read every record that the publisher writes, lose nothing of it, and refuse what is none."""

from __future__ import annotations

import json
from base64 import b64encode

import golden_records
import pytest
from pydantic import ValidationError

from ledger import ion
from ledger.values import Timestamp, identical
from ledger.verify import verify_revision, verify_summary
from schemas import BlockSummaryRecord, ControlRecord, RevisionDetailsRecord, parse
from streams.formats.json import to_json

GOLDEN = {path.name: path.read_bytes() for path in golden_records.GOLDEN.iterdir()}
JSON = sorted(name for name in GOLDEN if name.endswith(".json"))


def test_the_golden_samples_are_what_is_written_today() -> None:
    assert golden_records.files() == GOLDEN


@pytest.mark.parametrize("name", JSON)
def test_a_model_reads_each_sample_and_gives_it_back(name: str) -> None:
    record = parse(GOLDEN[name])
    shown = json.loads(record.model_dump_json(by_alias=True, exclude_unset=True))
    assert without_time_spelling(shown) == without_time_spelling(json.loads(GOLDEN[name]))


@pytest.mark.parametrize("name", JSON)
def test_the_ion_sample_says_the_same(name: str) -> None:
    decoded = ion.decode(GOLDEN[name.replace(".json", ".ion")])
    assert to_json(decoded) == json.loads(GOLDEN[name])


def test_the_proof_of_a_revision_holds_the_exact_document_and_leads_to_its_block() -> None:
    summary = verify_summary(ion.decode(GOLDEN["block_summary.proof.ion"]))
    proof = ion.decode(GOLDEN["revision_details.proof.ion"])
    record = verify_revision(proof, summary.block_hash)
    assert record.revision.data is not None
    assert identical(record.revision.data, golden_records.EVERYTHING)


def test_json_says_what_it_can() -> None:
    record = parse(GOLDEN["revision_details.json"])
    assert isinstance(record, RevisionDetailsRecord)
    assert record.payload.revision.data == {
        "VIN": "1N4AL11D75C109151",
        "Owner": {"Name": "Raul Lewis", "Licence": None},
        "Price": "12000.50",
        "Mileage": 123456789012345678901,
        "Weight": 1.5,
        "Unknown": "NaN",
        "Since": "2019-06-05",
        "Seen": "2026-11-22T10:30:00.120+02:00",
        "State": "active",
        "Photo": "AAEC",
        "Notes": b64encode(b"text").decode(),
        "Colors": ["red", "#ff0000"],
        "Expression": ["plus", 1, 2],
        "Nothing": None,
        "Twice": {"a": [1, 2]},
    }


def test_a_deletion_has_no_data() -> None:
    record = parse(GOLDEN["revision_details_of_deletion.json"])
    assert isinstance(record, RevisionDetailsRecord)
    assert record.payload.revision.deleted
    assert record.payload.revision.metadata.version == 1


def test_a_summary_names_its_revisions_and_shows_a_system_revision_by_its_hash_alone() -> None:
    record = parse(GOLDEN["block_summary_of_two_tables.json"])
    assert isinstance(record, BlockSummaryRecord)
    assert [table.table_name for table in record.payload.tables] == ["Cars", "Owners"]
    assert [len(revision.hash) for revision in record.payload.revision_summaries] == [32, 32]
    system = parse(GOLDEN["block_summary_of_catalog_change.json"])
    assert isinstance(system, BlockSummaryRecord)
    assert [revision.document_id for revision in system.payload.revision_summaries] == [None]


def test_unknown_fields_are_kept() -> None:
    value = json.loads(GOLDEN["control_owner.json"])
    value["payload"]["version"] = "9.9"
    record = parse(value)
    assert isinstance(record, ControlRecord)
    assert record.model_dump(by_alias=True)["payload"]["version"] == "9.9"


@pytest.mark.parametrize(
    "wrong", [b"{}", b"[]", b'{"recordType":"OTHER","streamId":"a/b","payload":{}}', b"\xe0\x01\x00\xea"]
)
def test_what_is_no_record_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValidationError):
        parse(wrong)


def without_time_spelling(value: object) -> object:
    """Give the value with each time as milliseconds: `Z` and digits of a second may be spelt otherwise."""
    if isinstance(value, dict):
        return {
            name: _milliseconds(v) if name in ("blockTimestamp", "startTime", "txTime") else without_time_spelling(v)
            for name, v in value.items()
        }
    return [without_time_spelling(v) for v in value] if isinstance(value, list) else value


def _milliseconds(text: object) -> int:
    from datetime import datetime

    return Timestamp.of_datetime(datetime.fromisoformat(str(text))).to_milliseconds()
