"""The value types: what is identical, and what timestamps know of time."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from ion_values import values

from ledger import ion
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
    ion_type,
)

NEARLY_EQUAL: list[Value] = [
    1, True, 1.0, Decimal("1"), Decimal("1.0"), "1", Symbol("1"), b"1", Clob(b"1"), 0, False, 0.0, -0.0, Decimal("0"), Decimal("-0"),
    None, TypedNull(IonType.INT), TypedNull(IonType.STRUCT), Symbol(None), [], Sexp(), {}, MultiStruct(()), [1], [1.0], Sexp((1,)),
    {"a": 1},
    {"a": Decimal("1.0")}, {"a": 1, "b": 2}, MultiStruct((("a", 1),)), MultiStruct((("a", 1), ("a", 1))), MultiStruct((("a", 1), ("a", 2))),
    Annotated(("a",), 1), Annotated(("a",), 1.0), Annotated(("b",), 1), Annotated(("a", "b"), 1), Annotated(("b", "a"), 1),
    Timestamp(2020), Timestamp(2020, precision=Precision.YEAR), Timestamp(2020, offset=0), Timestamp(2020, offset=60),
    Timestamp(2020, fraction=Decimal("0.0")), Timestamp(2020, fraction=Decimal("0.00")), float("nan"), float("inf"), [1, 2], [2, 1],
]  # fmt: skip


def test_nothing_is_identical_with_what_python_calls_equal() -> None:
    for i, a in enumerate(NEARLY_EQUAL):
        for j, b in enumerate(NEARLY_EQUAL):
            assert identical(a, b) == (i == j), (a, b)


@settings(max_examples=100, deadline=None)
@given(values())
def test_a_copy_is_identical(value: Value) -> None:
    assert identical(value, ion.decode(ion.encode(value)))


def test_the_order_of_fields_does_not_matter_to_identity() -> None:
    assert identical({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert identical(MultiStruct((("a", 1), ("a", 2))), MultiStruct((("a", 2), ("a", 1))))
    assert not identical(MultiStruct((("a", 1), ("a", 1), ("a", 2))), MultiStruct((("a", 1), ("a", 2), ("a", 2))))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Timestamp(2020, precision=Precision.YEAR), "2020T"),
        (Timestamp(2020, 3, precision=Precision.MONTH), "2020-03T"),
        (Timestamp(2020, 3, 4, precision=Precision.DAY), "2020-03-04"),
        (Timestamp(2020, 3, 4, 5, 6, offset=-90, precision=Precision.MINUTE), "2020-03-04T05:06-01:30"),
        (Timestamp(2020, 3, 4, 5, 6, 7), "2020-03-04T05:06:07-00:00"),
        (Timestamp(2020, 3, 4, 5, 6, 7, Decimal("0.0000000"), 0), "2020-03-04T05:06:07.0000000Z"),
    ],
)
def test_a_timestamp_is_written_as_ion_text(value: Timestamp, text: str) -> None:
    assert str(value) == text


def test_moments_become_timestamps_and_back_whatever_the_callers_decimal_context() -> None:
    with decimal.localcontext() as context:
        context.prec = 2
        moment = datetime(2020, 1, 2, 3, 4, 5, 123456, timezone(timedelta(hours=2)))
        assert str(Timestamp.of_datetime(moment)) == "2020-01-02T03:04:05.123456+02:00"
        assert str(Timestamp.of_milliseconds(1_600_000_000_007)) == "2020-09-13T12:26:40.007Z"
        assert Timestamp.of_datetime(moment).to_datetime() == moment
        assert Timestamp.of_milliseconds(1_600_000_000_987).to_milliseconds() == 1_600_000_000_987
    nines = Timestamp(2020, fraction=Decimal("0." + "9" * 18), offset=0)
    assert nines.to_datetime() == datetime(2020, 1, 1, 0, 0, 0, 999_999, UTC)
    assert nines.to_milliseconds() % 1000 == 999
    assert Timestamp(2020).to_datetime() == datetime(2020, 1, 1, tzinfo=UTC)


def test_an_instant_is_the_same_at_every_offset() -> None:
    assert Timestamp(2020, 1, 2, 1, offset=60).instant() == Timestamp(2020, 1, 2, offset=0).instant()
    assert Timestamp(2020, fraction=Decimal("0.5")).instant() == Timestamp(2020, fraction=Decimal("0.50")).instant()


def test_the_type_is_seen_through_annotations_and_nulls() -> None:
    assert ion_type(Annotated(("a",), TypedNull(IonType.CLOB))) is IonType.CLOB
    assert ion_type(True) is IonType.BOOL
    with pytest.raises(TypeError):
        ion_type(object())
