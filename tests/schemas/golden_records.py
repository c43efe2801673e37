"""Makes the golden samples of `schemas/golden` from fixed blocks: `python tests/schemas/golden_records.py` writes them anew.

NAME.json         the value of a record with JSON values         NAME.proof.ion    its header strandline-proof
NAME.ion          the value of the same record with Ion values
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "ledger")]

from block_builder import START_MS, STRAND_ID, BlockBuilder  # noqa: E402

from ledger.block import SYSTEM_TABLE_NAME, Block  # noqa: E402
from ledger.values import Annotated, Clob, IonType, MultiStruct, Sexp, Symbol, Timestamp, TypedNull, Value  # noqa: E402
from streams.formats import FORMATS  # noqa: E402
from streams.records import PROOF_HEADER, Record, control_record, records_of  # noqa: E402
from streams.topics import TopicNames  # noqa: E402

GOLDEN = ROOT / "schemas" / "golden"
NAMES = TopicNames("strandline", "vehicle-registration")

EVERYTHING: dict[str, Value] = {
    "VIN": "1N4AL11D75C109151",
    "Owner": {"Name": "Raul Lewis", "Licence": None},
    "Price": Decimal("12000.50"),
    "Mileage": 123_456_789_012_345_678_901,
    "Weight": 1.5,
    "Unknown": float("nan"),
    "Since": Timestamp(2019, 6, 5, precision=Timestamp(2019).precision.DAY),
    "Seen": Timestamp(2026, 11, 22, 10, 30, 0, Decimal("0.120"), 120),
    "State": Symbol("active"),
    "Photo": b"\x00\x01\x02",
    "Notes": Clob(b"text"),
    "Colors": ["red", Annotated(("rgb",), "#ff0000")],
    "Expression": Sexp((Symbol("plus"), 1, 2)),
    "Nothing": TypedNull(IonType.TIMESTAMP),
    "Twice": MultiStruct((("a", 1), ("a", 2))),
}  # fmt: skip

CONTROLS: dict[str, dict[str, Value]] = {
    "control_created": {"controlRecordType": "CREATED"},
    "control_owner": {
        "controlRecordType": "OWNER",
        "publisherId": "6a1f0c5e-6a55-4e7a-9b5e-1c8f7ad1a001",
        "host": "example",
        "pid": 4711,
        "startTime": "2026-11-22T10:00:00.000Z",
    },
    "control_republished": {
        "controlRecordType": "REPUBLISHED",
        "topic": "strandline.vehicle-registration.Cars",
        "partition": 3,
        "fromOffset": 120,
        "fromSequenceNo": 17,
        "throughSequenceNo": 42,
    },
    "control_completed": {"controlRecordType": "COMPLETED"},
}


def blocks() -> list[Block]:
    builder = BlockBuilder()
    return [
        builder.add((SYSTEM_TABLE_NAME, "table Cars", {"name": "Cars"}), statement="CREATE TABLE Cars", parameters=()),
        builder.add(("Cars", "car 1", EVERYTHING), statement="INSERT INTO Cars ?", parameters=(EVERYTHING,)),
        builder.add(
            ("Cars", "car 1", None), ("Owners", "owner 1", {"Name": "Raul Lewis"}), statement="DELETE FROM Cars"
        ),
        builder.change_table("Cars", "INACTIVE"),
        builder.change_table("Cars", "ACTIVE"),
    ]


def files() -> dict[str, bytes]:
    """Give the content of every golden file by its name."""
    made: dict[str, bytes] = {}
    create, insert, delete, drop, undrop = blocks()
    for value_format in FORMATS:
        picked: dict[str, Record] = {
            "catalog_change": records_of(create, NAMES, value_format)[0],
            "block_summary_of_catalog_change": records_of(create, NAMES, value_format)[-1],
            "revision_details": records_of(insert, NAMES, value_format)[0],
            "block_summary": records_of(insert, NAMES, value_format)[-1],
            "revision_details_of_deletion": records_of(delete, NAMES, value_format)[0],
            "block_summary_of_two_tables": records_of(delete, NAMES, value_format)[-1],
            "control_table_dropped": records_of(drop, NAMES, value_format)[1],
            "control_table_undropped": records_of(undrop, NAMES, value_format)[0],
            **{name: control_record(NAMES, STRAND_ID, START_MS, c, value_format) for name, c in CONTROLS.items()},
        }
        for name, record in picked.items():
            made[f"{name}.{value_format}"] = record.value
            for header, value in record.headers:
                if header == PROOF_HEADER:
                    made[f"{name}.proof.ion"] = value
    return made


if __name__ == "__main__":
    for old in GOLDEN.iterdir():
        old.unlink()
    for name, content in files().items():
        (GOLDEN / name).write_bytes(content)
