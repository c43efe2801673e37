"""Ion text: the official tests, round trips, amazon.ion as oracle where it is right, Python values, and bad text."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from amazon.ion import simpleion
from amazon.ion.symbols import SymbolToken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ion_values import values
from test_ion import REFUSED, nested

from ledger import ion, iontext
from ledger.errors import InvalidValueError
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
BEYOND_BOUNDS = {
    "equivs/timestampsLargeFractionalPrecision.ion": "at most 18 digits",
    "subfieldVarUInt32bit.ion": "reserve over",
}
"""Good text with values that a ledger refuses: name -> what the refusal says."""


def _ion_tests(verdict: str) -> list[tuple[str, str]]:
    lines = (VECTORS / "ion_tests_text.jsonl").read_text().splitlines()
    return [(name, text) for found, name, text in map(json.loads, lines) if found == verdict]


@pytest.mark.parametrize(("name", "text"), [case for case in _ion_tests("good") if case[0] not in BEYOND_BOUNDS])
def test_what_ion_tests_call_good_is_read_and_survives_every_way_round(name: str, text: str) -> None:
    ours = iontext.parse_all(text)
    assert identical(iontext.parse_all("\n".join(map(iontext.dump, ours))), ours)
    assert identical(ion.decode(ion.encode(ours)), ours)
    if name != "timestamp/equivTimeline/timestamps.ion":  # 10 digits of a second: amazon.ion keeps 9
        assert identical(iontext.of_python(list(simpleion.loads(text, single_value=False))), ours)


@pytest.mark.parametrize(("name", "why"), BEYOND_BOUNDS.items())
def test_a_value_beyond_our_bounds_is_refused_as_such(name: str, why: str) -> None:
    with pytest.raises(InvalidValueError, match=why):
        iontext.parse_all(dict(_ion_tests("good"))[name])


@pytest.mark.parametrize(("name", "text"), _ion_tests("bad"))
def test_what_ion_tests_call_bad_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidValueError):
        iontext.parse_all(text)


@settings(max_examples=300, deadline=None)
@given(values(), st.booleans())
def test_text_gives_back_the_same_value(value: Value, pretty: bool) -> None:
    assert identical(iontext.parse(iontext.dump(value, pretty=pretty)), value)


@settings(max_examples=200, deadline=None)
@given(values(fraction_digits_max=9, decimal_digits_max=34))
def test_amazon_ion_understands_what_we_write(value: Value) -> None:
    assert identical(iontext.of_python(simpleion.loads(iontext.dump([value]))), [value])


@settings(max_examples=200, deadline=None)
@given(values(fraction_digits_max=9, decimal_digits_max=34))
def test_we_understand_what_amazon_ion_writes(value: Value) -> None:
    theirs = simpleion.loads(ion.encode([value]))
    assert identical(iontext.parse(simpleion.dumps(theirs, binary=False)), [value])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1"), "1."),
        (Decimal("-0"), "-0."),
        (Decimal("1.50"), "1.50"),
        (Decimal("0.001"), "0.001"),
        (Decimal("1E+3"), "1d3"),
        (Decimal("1E-30"), "1d-30"),
        (1.0, "1.0e0"),
        (float("-inf"), "-inf"),
        (Symbol("null"), "'null'"),
        (Symbol("$10"), "'$10'"),
        (Symbol(None), "$0"),
        (Sexp((Symbol("+"), 1)), "('+' 1)"),
        ({"a b": "it's \"\\\n"}, "{'a b': \"it's \\\"\\\\\\n\"}"),
        (Clob(b'"\xff'), '{{"\\x22\\xff"}}'),
        (b"hi", "{{aGk=}}"),
        (Annotated(("a", "b c"), TypedNull(IonType.LIST)), "a::'b c'::null.list"),
        (Timestamp(2020, 2, precision=Precision.MONTH), "2020-02T"),
        ([], "[]"),
    ],
)
def test_values_are_written_as_people_write_them(value: Value, text: str) -> None:
    assert iontext.dump(value) == text
    assert identical(iontext.parse(text), value)


def test_pretty_text_has_one_member_a_line() -> None:
    value: Value = {"a": [1, {}], "b": Annotated(("x",), {"c": Sexp((1, 2))})}
    assert iontext.dump(value, pretty=True) == (
        "{\n  a: [\n    1,\n    {}\n  ],\n  b: x::{\n    c: (\n      1\n      2\n    )\n  }\n}"
    )


def test_an_error_names_line_and_column() -> None:
    with pytest.raises(InvalidValueError, match="line 3, column 8"):
        iontext.parse("{\n  a: 1,\n  bcd: 0123\n}")


@pytest.mark.parametrize("text", ["", " // nothing", "1 2", "$ion_1_0", "$ion_1_1 1"])
def test_exactly_one_value_is_expected(text: str) -> None:
    with pytest.raises(InvalidValueError):
        iontext.parse(text)


@pytest.mark.parametrize(
    "opening",
    ["[", "(", "{a:", "a::", "'", '"', '"\\', "'''", "/*", "{{", '{{"', "''' ", "(+", "1", "1.", "\\", "$ion_1_0 a::"],
)
def test_endless_text_is_refused_at_once(opening: str) -> None:
    with pytest.raises(InvalidValueError):
        iontext.parse(opening * 50_001)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
@example("\ud800")
@example('"\\ud800"')
@example('"\\U00110000"')
@example("null.")
@example("1d99999999999")
@example("2020-01-01T00:00:60Z")
@example("0000T")
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        values = iontext.parse_all(text)
    except InvalidValueError:
        return
    assert all(identical(ion.decode(ion.encode([value])), [value]) for value in values)


@settings(max_examples=200, deadline=None)
@given(values(), st.data())
def test_damaged_text_is_read_or_refused_and_nothing_else(value: Value, data: st.DataObject) -> None:
    text = iontext.dump(value)
    at = data.draw(st.integers(0, len(text)))
    damaged = (
        text[:at]
        + data.draw(st.text("'\"{}[]():,.\\/$-+0129aeTZ\n ", max_size=2))
        + text[at + data.draw(st.integers(0, 2)) :]
    )
    try:
        values = iontext.parse_all(damaged)
    except InvalidValueError:
        return
    assert all(identical(ion.decode(ion.encode([each])), [each]) for each in values)


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: ascii(value)[:60])
def test_what_the_codec_refuses_is_not_written(value: object) -> None:
    as_table = isinstance(value, Annotated) and "$ion_symbol_table" in value.annotations  # refused at the top only
    for wrapped in (value,) if as_table else (value, [value], {"a": value}):
        with pytest.raises(InvalidValueError):
            iontext.dump(wrapped)


# Python values


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ((1, ("a",)), [1, ["a"]]),
        (OrderedDict(a=1), {"a": 1}),
        (bytearray(b"a"), b"a"),
        (datetime(2020, 1, 2, 3, 4, 5), Timestamp(2020, 1, 2, 3, 4, 5)),
        (datetime(2020, 1, 2, 3, 4, 5, 120_000, UTC), Timestamp(2020, 1, 2, 3, 4, 5, Decimal("0.120000"), 0)),
        (datetime(2020, 1, 2, tzinfo=timezone(timedelta(minutes=-90))), Timestamp(2020, 1, 2, offset=-90)),
        (date(2020, 1, 2), Timestamp(2020, 1, 2, precision=Precision.DAY)),
        (SymbolToken("a", None), Symbol("a")),
        (Sexp((1, (2,))), Sexp((1, [2]))),
        (MultiStruct((("a", (1,)), ("a", 2))), MultiStruct((("a", [1]), ("a", 2)))),
        (Annotated(("a",), (1,)), Annotated(("a",), [1])),
        (True, True),
    ],
)
def test_python_values_become_ion_values(given_value: object, expected: Value) -> None:
    assert identical(iontext.of_python(given_value), expected)


def test_what_the_caller_changes_later_does_not_reach_the_value() -> None:
    inner = [1]
    outer = {"a": inner}
    value = iontext.of_python(outer)
    inner.append(2)
    outer["b"] = inner
    assert value == {"a": [1]}


@pytest.mark.parametrize(
    "value",
    [
        object(), {1}, {1: 2}, 1j, nested(101), range(3), {"a": [object()]}, Decimal,
        datetime(2020, 1, 1, tzinfo=timezone(timedelta(seconds=90))),
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
def test_what_is_no_ion_value_is_refused(value: object) -> None:
    with pytest.raises(InvalidValueError):
        iontext.of_python(value)
