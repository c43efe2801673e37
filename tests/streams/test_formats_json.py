"""Ion values as JSON: what JSON can say, it says; nothing becomes null or loses digits without a word."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.values import Annotated, Clob, IonType, MultiStruct, Sexp, Symbol, Timestamp, TypedNull, Value
from streams.formats.json import dumps, to_json

CASES: list[tuple[Value, object]] = [
    (None, None),
    (True, True),
    (2**80, 2**80),
    (-(2**80), -(2**80)),
    (1.5, 1.5),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
    (Decimal("1.50"), "1.50"),
    (Decimal("1E+3"), "1E+3"),
    (Timestamp(2026, precision=Timestamp(2026).precision.YEAR), "2026T"),
    (Timestamp.of_milliseconds(0), "1970-01-01T00:00:00.000Z"),
    ("null", "null"),
    (Symbol("active"), "active"),
    (Symbol(None), "$0"),
    (b"\x00\xff", "AP8="),
    (Clob(b"\x00\xff"), "AP8="),
    ([1, [2]], [1, [2]]),
    (Sexp((1, Sexp((2,)))), [1, [2]]),
    (TypedNull(IonType.INT), None),
    (Annotated(("a", "b"), 5), 5),
    (Annotated(("a",), float("nan")), "NaN"),
    (Annotated(("a",), {"b": Decimal("1")}), {"b": "1"}),
    (MultiStruct((("a", 1), ("b", None), ("a", float("nan")))), {"a": [1, "NaN"], "b": None}),
    (MultiStruct(((None, 1),)), {"$0": 1}),
    ({"ü": "ß"}, {"ü": "ß"}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), CASES, ids=[repr(value)[:30] for value, _ in CASES])
def test_each_type_has_its_form(value: Value, expected: object) -> None:
    assert to_json(value) == expected
    assert json.loads(dumps(value)) == expected
    assert json.loads(dumps({"within": [value, None]})) == {"within": [expected, None]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(Sexp),
    max_leaves=20,
)


@given(VALUES)
def test_the_quick_way_and_the_careful_way_say_the_same(value: Value) -> None:
    assert json.loads(dumps(value)) == json.loads(json.dumps(to_json(value)))
