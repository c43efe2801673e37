"""Rows and shared names: what is written comes back, whatever names the store knows by then."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.block import BlockAddress
from ledger.errors import IntegrityError
from ledger.ids import id_of_text
from ledger.partiql.context import Document
from ledger.values import Precision, Struct, Symbol, Timestamp, Value, identical
from ledger.views import rows
from ledger.views.names import NAMES_MAX, NO_OWN_NAMES, Names

STRAND, TABLE, ID, TX = (id_of_text(text) for text in ("strand", "table", "document", "transaction"))
TIME = Timestamp.of_milliseconds(1_795_392_000_120)


def document(data: Struct | None, version: int = 3, time: Timestamp = TIME) -> Document:
    return Document(TABLE, ID, version, data, None, b"h" * 32, BlockAddress(STRAND, 2**40), time, TX)


@pytest.mark.parametrize("version", [0, 255, 256, 2**32 - 1])
@pytest.mark.parametrize("data", [None, {}, {"n": 1, "state": Symbol("NY")}])
def test_a_document_comes_back_from_its_row(version: int, data: Struct | None) -> None:
    names = Names([])
    written = document(data, version)
    row = rows.current_row(written, {2**40: rows.milliseconds(TIME)}, names)
    assert rows.version_of_row(row) == version
    assert rows.document_of_row(f"d{TABLE}{ID}".encode(), row, STRAND, names) == written


@pytest.mark.parametrize("ms", [0, -1, -62_135_596_800_000, 253_402_300_799_999])
def test_times_before_1970_and_far_away_come_back(ms: int) -> None:
    time = Timestamp.of_milliseconds(ms)
    assert rows.milliseconds(time) == ms
    row = rows.current_row(document({}, time=time), {2**40: ms}, Names([]))
    assert str(rows.document_of_row(f"d{TABLE}{ID}".encode(), row, STRAND, Names([])).tx_time) == str(time)


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


fields = st.sampled_from("abcdefgh")
structs: st.SearchStrategy[Value] = st.recursive(
    st.integers(0, 3) | st.sampled_from([Symbol("s1"), Symbol("s2")]),
    lambda inner: st.dictionaries(fields, inner, max_size=3) | st.lists(inner, max_size=2),
)
documents = st.dictionaries(fields, structs, max_size=4)


@given(st.lists(documents, max_size=12))
def test_data_is_readable_with_all_later_names_also_by_a_store_opened_again(written: list[Struct]) -> None:
    names, persisted = Names([]), list[tuple[int, str]]()
    encoded = []
    for data in written:
        encoded.append(names.encode(data))
        persisted += names.take_added()
    assert [number for number, _ in persisted] == list(range(len(persisted)))
    for reader in (names, Names([name for _, name in persisted])):
        for data, (part, count) in zip(written, encoded, strict=True):
            assert identical(reader.decode(part, count), data)


def test_a_name_is_shared_from_the_second_time_on() -> None:
    names = Names([])
    first, _ = names.encode({"a rather long name": 1, "once": 2})
    assert names.take_added() == []
    second, count = names.encode({"a rather long name": 1})
    assert names.take_added() == [(0, "a rather long name")]
    assert names.take_added() == []
    assert (len(second), count) == (4, NO_OWN_NAMES)
    assert identical(names.decode(first, 0), {"a rather long name": 1, "once": 2})


def test_names_that_are_data_do_not_grow_the_list_without_end() -> None:
    names = Names([])
    for _ in range(2):
        for n in range(0, NAMES_MAX + 500, 50):
            names.encode({f"id {n + i}": i for i in range(50)})
    assert len(names.take_added()) == NAMES_MAX
    full = names.encode({f"id {NAMES_MAX + 400}": 1, "id 7": 2, "x" * 100: 3})
    assert names.take_added() == []
    assert identical(names.decode(*full), {f"id {NAMES_MAX + 400}": 1, "id 7": 2, "x" * 100: 3})


def test_ids_of_another_form_are_not_looked_for() -> None:
    assert rows.is_id(ID)
    for text in ("", "a", "é" * 22, "x" * 600, "\ud800" * 22):
        assert not rows.is_id(text)
