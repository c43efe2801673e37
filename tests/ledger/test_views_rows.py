"""Rows of the view store: what is written comes back, and what is no row of ours is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from crc32c import crc32c

from ledger.block import BlockAddress
from ledger.errors import IntegrityError
from ledger.ids import id_of_text
from ledger.partiql.context import Commit, Document
from ledger.values import Precision, Struct, Symbol, Timestamp
from ledger.views import rows

STRAND, TABLE, ID, TX = (id_of_text(text) for text in ("strand", "table", "document", "transaction"))
KEY = f"d{TABLE}{ID}".encode()
TIME = Timestamp.of_milliseconds(1_795_392_000_120)


def document(data: Struct | None, version: int = 3, time: Timestamp = TIME) -> Document:
    return Document(TABLE, ID, version, data, Commit(BlockAddress(STRAND, 2**40), time, TX, b"h" * 32))


@pytest.mark.parametrize("version", [0, 255, 256, 2**32 - 1])
@pytest.mark.parametrize("data", [None, {}, {"n": 1, "state": Symbol("NY")}])
def test_a_document_comes_back_from_its_row(version: int, data: Struct | None) -> None:
    written = document(data, version)
    row = rows.current_row(written, {2**40: rows.milliseconds(TIME)})
    assert rows.version_of_row(row) == version
    assert rows.reader(STRAND)(KEY, row) == written


@pytest.mark.parametrize("ms", [0, -1, -62_135_596_800_000, 253_402_300_799_999])
def test_times_before_1970_and_far_away_come_back(ms: int) -> None:
    time = Timestamp.of_milliseconds(ms)
    assert rows.milliseconds(time) == ms
    row = rows.current_row(document({}, time=time), {2**40: ms})
    commit = rows.reader(STRAND)(KEY, row).commit
    assert commit is not None
    assert str(commit.tx_time) == str(time)


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(2026),
        Timestamp(2026, 1, 1, 0, 0, 0, None, 0),
        Timestamp(2026, 1, 1, 0, 0, 0, Decimal("0.1200"), 0),
        Timestamp(2026, 1, 1, 0, 0, 0, Decimal("0.120"), 60),
        Timestamp(2026, 1, 1, 0, 0, 0, Decimal("0.120"), None),
        Timestamp(2026, 1, 1, 0, 0, 0, Decimal("0.120"), 0, Precision.MINUTE),
    ],
)
def test_a_time_that_a_row_cannot_keep_is_refused(time: Timestamp) -> None:
    with pytest.raises(IntegrityError, match="three digits"):
        rows.milliseconds(time)


def test_only_the_fields_that_are_asked_for_come_back() -> None:
    row = rows.current_row(document({"a": 1, "b": Symbol("NY"), "c": [1]}), {2**40: 0})
    assert rows.reader(STRAND, frozenset("bz"))(KEY, row) == document(
        {"b": Symbol("NY")}, time=Timestamp.of_milliseconds(0)
    )


@pytest.mark.parametrize("data", [b"\xc1", b"\x81\xa1a", b"\x90", b"\x2a", b"\xc7\x01\x09x"])
@pytest.mark.parametrize("fields", [None, frozenset("a")])
def test_rotten_data_is_told_with_its_key(data: bytes, fields: frozenset[str] | None) -> None:
    row = rows.current_row(document(None), {2**40: 0})[:-4] + data
    with pytest.raises(IntegrityError, match="a stored document is"):
        rows.reader(STRAND, fields)(KEY, row + crc32c(row).to_bytes(4, "little"))


@pytest.mark.parametrize("data", [None, {}, {"a": "b", "n": Decimal("1.5")}])
@pytest.mark.parametrize("fields", [None, frozenset[str](), frozenset("a")])
def test_any_bit_that_has_rotted_is_told_with_its_key(data: Struct | None, fields: frozenset[str] | None) -> None:
    row, read = rows.current_row(document(data), {2**40: 0}), rows.reader(STRAND, fields)
    assert read(KEY, row).version == 3
    for at in range(8 * len(row)):
        rotten = bytearray(row)
        rotten[at // 8] ^= 1 << at % 8
        with pytest.raises(IntegrityError, match="has rotted"):
            read(KEY, bytes(rotten))
    for size in range(len(row)):
        with pytest.raises(IntegrityError, match="has rotted"):
            read(KEY, row[:size])


def test_ids_of_another_form_are_not_looked_for() -> None:
    assert rows.is_id(ID)
    for text in ("", "a", "é" * 22, "x" * 600, "\ud800" * 22):
        assert not rows.is_id(text)
