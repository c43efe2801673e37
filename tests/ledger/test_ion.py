"""The binary codec: golden bytes, round trips, and amazon.ion as oracle (it only ever sees bytes that our side wrote or took)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from amazon.ion import simpleion
from hypothesis import given, settings
from hypothesis import strategies as st
from ion_values import NAMES, values

from ledger import ion, iontext
from ledger.errors import InvalidValueError
from ledger.ion import symbols
from ledger.values import (
    Annotated,
    Clob,
    IonType,
    MultiStruct,
    Precision,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    Value,
    identical,
)

VECTORS = Path(__file__).parent.parent / "vectors"
IVM = "e00100ea"

GOLDEN: list[tuple[Value, str]] = [
    (None, "0f"),
    (False, "10"),
    (True, "11"),
    (0, "20"),
    (1, "2101"),
    (255, "21ff"),
    (256, "220100"),
    (-1, "3101"),
    (-256, "320100"),
    (0.0, "40"),
    (-0.0, "488000000000000000"),
    (1.5, "483ff8000000000000"),
    (float("nan"), "487ff8000000000000"),
    (Decimal("0"), "50"),
    (Decimal("-0"), "528080"),
    (Decimal("0.0"), "51c1"),
    (Decimal("1.5"), "52c10f"),
    (Decimal("-1.28"), "53c28080"),
    (Decimal("1E+64"), "5300c001"),
    (Timestamp(2011, precision=Precision.YEAR), "63c00fdb"),
    (Timestamp(2011, 2, precision=Precision.MONTH), "64c00fdb82"),
    (Timestamp(2011, 2, 20, precision=Precision.DAY), "65c00fdb8294"),
    (Timestamp(2011, 2, 20, 11, 30, 59, Decimal("0.100"), -480), "6b43e00fdb829493" + "9ebbc364"),
    (Timestamp(2011, 2, 20, 19, 30, offset=0, precision=Precision.MINUTE), "67800fdb8294939e"),
    (Symbol(None), "70"),
    (Symbol("name"), "7104"),
    ("", "80"),
    ("abc", "83616263"),
    ("0123456789abcd", "8e8e3031323334353637383961626364"),
    (Clob(b"\xff"), "91ff"),
    (b"\x01\x02", "a20102"),
    ([], "b0"),
    ([1, [2]], "b52101b22102"),
    (Sexp((1,)), "c22101"),
    ({}, "d0"),
    ({"name": 1}, "d3842101"),
    (MultiStruct((("name", 1), ("name", 2))), "d6842101842102"),
    (MultiStruct(((None, 1),)), "d3802101"),
    (TypedNull(IonType.STRUCT), "df"),
    (TypedNull(IonType.INT), "2f"),
    (Annotated(("name", None), "a"), "e58284808161"),
]


@pytest.mark.parametrize(("value", "body"), GOLDEN, ids=lambda v: v if isinstance(v, str) else repr(v)[:30])
def test_a_value_has_the_bytes_of_the_specification(value: Value, body: str) -> None:
    assert ion.encode(value).hex() == IVM + body
    assert identical(ion.decode(bytes.fromhex(IVM + body)), value)


def test_new_names_are_declared_in_front_and_known_ones_are_not() -> None:
    table = ion.SymbolTable(["VIN", "Owner"])
    assert table.header.hex() == "e00100ea" + "ee8f8183dc87ba" + "8356494e" + "854f776e6572"
    assert ion.encode_part({"VIN": 1, "Owner": 2}, table).hex() == "d68a21018b2102"
    appended = ion.encode_part({"VIN": 1, "n": Symbol("m")}, table)
    assert appended.hex() == "ec8183d9" + "867103" + "87b4816e816d" + "d68a21018c710d"
    assert ion.decode(table.header + appended) == {"VIN": 1, "n": Symbol("m")}
    assert ion.decode_part(appended, table) == {"VIN": 1, "n": Symbol("m")}
    assert ion.encode({"n": 1}, table).hex().startswith("e00100ea" + "ee928183")


def test_a_name_that_stands_twice_in_a_table_is_written_by_its_first_id() -> None:
    table = ion.SymbolTable(["a", "a", "b"])
    assert ion.encode_part({"a": 0, "b": 0}, table).hex() == "d48a208c20"


def test_fields_keep_their_order() -> None:
    names = [f"field {i}" for i in range(50)]
    assert list(ion.decode(ion.encode(dict.fromkeys(names)))) == names


@settings(max_examples=300, deadline=None)
@given(values(), st.lists(NAMES, max_size=5))
def test_decode_gives_back_what_was_encoded(value: Value, names: list[str]) -> None:
    table = ion.SymbolTable(names)
    part = ion.encode_part(value, table)
    for decoded in (
        ion.decode(ion.encode(value)),
        ion.decode(ion.encode(value, table)),
        ion.decode_part(part, table),
        ion.decode_part(memoryview(part), table),
        ion.decode(table.header + part),
    ):
        assert identical(decoded, value)


@settings(max_examples=100, deadline=None)
@given(st.lists(values(), max_size=4), st.lists(NAMES, max_size=3))
def test_several_values_share_one_stream(many: list[Value], names: list[str]) -> None:
    """Each part appends its own names, and the ids of one part mean nothing to the next, which resets the table."""
    table = ion.SymbolTable(names)
    stream = b"".join(table.header + ion.encode_part(value, table) for value in many)
    assert stream == b"" or all(map(identical, ion.decode_all(stream), many))


@settings(max_examples=300, deadline=None)
@given(values(fraction_digits_max=9, decimal_digits_max=34))
def test_amazon_ion_reads_what_we_wrote_and_we_read_what_it_wrote(value: Value) -> None:
    """In a list, since it drops a symbol `$ion_1_0` at the top; and within what its writer does not damage."""
    theirs = simpleion.loads(ion.encode([value]))
    assert identical(iontext.of_python(theirs), [value])
    assert identical(ion.decode(simpleion.dumps(theirs)), [value])


def _ion_tests(verdict: str) -> list[tuple[str, bytes]]:
    lines = (VECTORS / "ion_tests_binary.txt").read_text().splitlines()
    parts = [line.split() for line in lines if not line.startswith("#")]
    return [(name, bytes.fromhex(data)) for found, name, data in parts if found == verdict]


LONGER_FRACTION = "typecodes/T6-large.10n"
"""The one good file with more than FRACTION_DIGITS_MAX digits of a second: refused on purpose."""
PADDED_IDS = "typecodes/T7-large.10n"
"""Ids of up to 14 bytes, all 0: amazon.ion takes at most 8."""


@pytest.mark.parametrize(("name", "data"), [case for case in _ion_tests("good") if case[0] != LONGER_FRACTION])
def test_what_ion_tests_call_good_is_read_as_amazon_ion_reads_it(name: str, data: bytes) -> None:
    ours = ion.decode_all(data)
    theirs = (
        [Symbol(None)] * 10
        if name == PADDED_IDS
        else iontext.of_python(list(simpleion.loads(data, single_value=False)))
    )
    assert identical(theirs, ours)
    assert all(identical(ion.decode(ion.encode(value)), value) for value in ours)


def test_a_fraction_beyond_the_bound_is_refused_as_such() -> None:
    data = dict(_ion_tests("good"))[LONGER_FRACTION]
    with pytest.raises(InvalidValueError, match="at most 18 digits"):
        ion.decode_all(data)


@pytest.mark.parametrize(("name", "data"), _ion_tests("bad"))
def test_what_ion_tests_call_bad_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(InvalidValueError):
        ion.decode_all(data)


def nested(depth: int) -> Value:
    value: Value = 1
    for i in range(depth):
        value = [value] if i % 2 else {"a": value}
    return value


def cyclic() -> Value:
    value: list[Value] = []
    value.append(value)
    return value


REFUSED: list[object] = [
    "\ud800", {"\ud800": 1}, Symbol("\ud800"), {"a": object()}, {1: 2}, {None: 1}, (1, 2), bytearray(b"a"), range(3), {1}, 1j,
    Decimal("NaN"), Decimal("Infinity"), Decimal("-sNaN"), Decimal("1E+10001"), Decimal("1E-10001"), Decimal(10**4300), 2 ** (8 * 1785),
    -(2 ** (8 * 1785)), TypedNull(IonType.NULL), TypedNull(2), Annotated((), 1), Annotated(("a",), Annotated(("b",), 1)),
    Annotated((1,), 1),
    Symbol(1), Clob("a"), Clob(bytearray()), MultiStruct(((1, 2),)), MultiStruct((1,)), nested(101), cyclic(), Sexp((object(),)),
    Annotated(("$ion_symbol_table",), {"symbols": ["a"]}),
    Timestamp(2020, 2, 30), Timestamp(0), Timestamp(10000), Timestamp(2020, 1, 1, 24), Timestamp(2020, 1, 1, 0, 0, 60),
    Timestamp(2020, 1, 1, 0, 0, 0, Decimal(1)), Timestamp(2020, 1, 1, 0, 0, 0, Decimal(0)), Timestamp(2020, 1, 1, 0, 0, 0, Decimal("-0.1")),
    Timestamp(2020, 1, 1, 0, 0, 0, Decimal("0.1234567890123456789")), Timestamp(2020, 1, 1, 0, 0, 0, Decimal("NaN")),
    Timestamp(2020, 1, 1, 0, 0, 0, 0.5), Timestamp(2020, 1, 1, offset=1440), Timestamp(2020, 1, 1, offset=1.5), Timestamp("2020"),
    Timestamp(1, 1, 1, 0, 0, 0, None, 60), Timestamp(9999, 12, 31, 23, 59, 59, None, -60),
    Timestamp(2020, 2, precision=Precision.YEAR), Timestamp(2020, precision=Precision.YEAR, offset=0),
    Timestamp(2020, 1, 1, 0, 0, 1, precision=Precision.MINUTE), Timestamp(2020, precision=4), Timestamp(2020, precision=None),
    Timestamp(2020, 1, 1, fraction=Decimal("0.1"), precision=Precision.DAY),
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: ascii(value)[:60])
def test_the_encoder_refuses_what_is_no_ion_value(value: object) -> None:
    as_table = isinstance(value, Annotated) and "$ion_symbol_table" in value.annotations  # refused at the top only
    for wrapped in (value,) if as_table else (value, [value], {"a": value}):
        with pytest.raises(InvalidValueError):
            ion.encode(wrapped)
        with pytest.raises(InvalidValueError):
            ion.encode_part(wrapped, ion.SYSTEM)


def test_nesting_is_allowed_up_to_the_bound_both_ways() -> None:
    deepest = nested(ion.DEPTH_MAX)
    data = ion.encode(deepest)
    assert identical(ion.decode(data), deepest)
    with pytest.raises(InvalidValueError, match="deep"):
        ion.decode(data, depth_max=ion.DEPTH_MAX - 1)
    with pytest.raises(InvalidValueError, match="deep"):
        ion.encode([deepest])


def test_the_largest_numbers_go_through() -> None:
    for value in (
        2 ** (8 * 1785) - 1,
        -(2 ** (8 * 1785)) + 1,
        Decimal("1E+10000"),
        Decimal("-1E-10000"),
        Decimal(10**4290 + 1),
    ):
        assert identical(ion.decode(ion.encode(value)), value)


def test_a_symbol_table_refuses_names_that_are_no_text() -> None:
    for name in ("\ud800", None, 1):
        with pytest.raises(InvalidValueError):
            ion.SymbolTable([name])


def test_a_value_annotated_like_a_symbol_table_is_a_value_unless_it_stands_at_the_top() -> None:
    value = [Annotated(("$ion_symbol_table",), {"symbols": ["a"]})]
    assert identical(ion.decode(ion.encode(value)), value)
    assert identical(ion.decode(ion.encode(Annotated(("$ion_symbol_table",), 1))), Annotated(("$ion_symbol_table",), 1))


def test_names_that_are_too_many_or_too_long_to_remember_are_written_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbols, "_STRINGS_MAX", 3)
    for name in [*(f"name {i}" for i in range(10)), "n" * 65, "n" * 100_000]:
        assert ion.decode(ion.encode({name: 1})) == {name: 1}
    assert len(symbols._STRINGS) <= 3
    assert max(map(len, symbols._STRINGS)) <= 64
