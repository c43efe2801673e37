"""Documents as MessagePack: nothing that Ion says is lost, and of what nobody asked for nothing is read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ion_values import structs, values

from ledger.errors import InvalidValueError
from ledger.values import (
    Annotated,
    Clob,
    IonType,
    MultiStruct,
    Sexp,
    Struct,
    Symbol,
    Timestamp,
    TypedNull,
    Value,
    identical,
)
from ledger.views.packing import packed, unpacked, unpacker


@given(structs(values()))
def test_a_document_comes_back_as_it_was(data: Struct) -> None:
    found = unpacked(packed(data))
    assert identical(found, data)
    assert list(found) == list(data) if isinstance(data, dict) else found == data, "fields in their order"


@pytest.mark.parametrize(
    "value",
    [
        2**64, -(2**63) - 1, 2**64 - 1, -(2**63), 10**4000, True, 0, -0.0, float("inf"), Decimal("-0.00"), Decimal("1E+10000"),
        Decimal("1.50"), Timestamp(2026), Timestamp(2026, 1, 1, 0, 0, 0, Decimal("1E-7"), None), Symbol(None), Symbol(""), Symbol("é"),
        Clob(b"c"), b"", Sexp((1, Sexp())), TypedNull(IonType.INT), Annotated(("a", "a"), {"b": Symbol("c")}), {"": {"": []}},
        Annotated(("$ion_symbol_table",), {"symbols": ["a"]}), Annotated(("$ion_symbol_table",), {}), Symbol("$ion_1_0"),
        MultiStruct((("a", 1), ("a", 2))), MultiStruct(((None, 1),)), [[], {}, [None]], "\0", {"n": 2**70, "d": [Decimal("0.1")]},
    ],
    ids=repr,
)  # fmt: skip
def test_what_message_pack_has_no_word_for_comes_back(value: object) -> None:
    assert identical(unpacked(packed({"v": value, "w": [value]})), {"v": value, "w": [value]})  # type: ignore[dict-item]


NAMES = st.text(max_size=3) | st.sampled_from(["Größe", "straße", "名前", "", "a"])


@given(st.dictionaries(NAMES, values(), max_size=4), st.sets(NAMES, max_size=3))
def test_a_part_of_a_document_has_the_fields_that_are_asked_for(data: dict[str, Value], names: set[str]) -> None:
    wanted = frozenset(str(name.encode(), "utf-8") for name in names)  # texts of their own, as a parser's are
    found = unpacker(wanted)(packed(data))
    assert isinstance(found, dict)
    assert identical({n: v for n, v in found.items() if n in wanted}, {n: v for n, v in data.items() if n in wanted})
    assert found.keys() <= wanted or identical(found, data)


def test_what_is_no_map_is_read_whole() -> None:
    data = MultiStruct((("a", 1), ("a", 2)))
    assert unpacker(frozenset("b"))(packed(data)) == data
    assert unpacker(frozenset("b"))(packed({"a": 2**70})) == {"a": 2**70}


ROTTEN = [
    b"", b"\xc1", b"\x81\xa1a", b"\xc7\x01\x01x", b"\xc7\x01\x02x", b"\xc7\x02\x00xy", b"\xd4\x09x",
]  # fmt: skip


@pytest.mark.parametrize("data", ROTTEN)
@pytest.mark.parametrize("fields", [None, frozenset("a")])
def test_bytes_that_nobody_packed_are_refused(data: bytes, fields: frozenset[str] | None) -> None:
    for damaged in (data, b"\x81\xa1a" + data):
        with pytest.raises(InvalidValueError):
            unpacker(fields)(damaged)
