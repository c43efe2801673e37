"""Hypothesis strategies for Ion values: everything of `ledger.values`, biased to the edges of the encodings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from hypothesis import strategies as st

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
)

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["", "a", "null", "true", "nan", "$0", "$10", "$ion_1_0", "$ion", "name", "a b", "'", '"', "\\"]),
    st.just("\x00\x0b\x0c\x0e\n\x7f\x85"),
    st.integers(12, 300).map(lambda size: "x" * size),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(["a", "b", "VIN", "owner"]), TEXTS.filter(lambda text: len(text) < 100))
MAYBE_NAMES = st.one_of(NAMES, NAMES, st.none())
INTS = st.one_of(
    st.integers(),
    st.integers(-260, 260),
    st.integers(0, 80).flatmap(lambda bits: st.integers(-(2**bits) - 1, 2**bits + 1)),
)
BYTES = st.one_of(st.binary(max_size=40), st.sampled_from([b"\x0b", b"\x0c", b"\x0e\x0e", bytes(range(256))]))


def decimals(digits_max: int = 60) -> st.SearchStrategy[Decimal]:
    return st.builds(
        lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
        st.integers(0, 1),
        st.one_of(st.integers(0, 300), st.integers(0, 10**digits_max - 1)),
        st.one_of(st.integers(-9, 3), st.integers(-70, 70)),
    )


@st.composite
def timestamps(draw: st.DrawFn, fraction_digits_max: int = 18) -> Timestamp:
    """Draw timestamps of every precision whose instant in UTC is in the years 1 to 9999."""
    precision = draw(st.sampled_from(list(Precision)))
    moment = draw(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)))
    offset = draw(st.one_of(st.none(), st.just(0), st.integers(-1439, 1439))) if precision >= Precision.MINUTE else None
    digits = draw(st.integers(0, fraction_digits_max)) if precision is Precision.SECOND else 0
    fraction = Decimal(draw(st.integers(0, 10**digits - 1))).scaleb(-digits) if digits else None
    fields = [moment.month, moment.day, moment.hour, moment.minute, moment.second]
    kept = {Precision.YEAR: 0, Precision.MONTH: 1, Precision.DAY: 2, Precision.MINUTE: 4, Precision.SECOND: 5}[
        precision
    ]
    return Timestamp(moment.year, *(fields[:kept] + [1, 1, 0, 0, 0][kept:]), fraction, offset, precision)


def scalars(fraction_digits_max: int = 18, decimal_digits_max: int = 60) -> st.SearchStrategy[Value]:
    return st.one_of(
        st.none(),
        st.booleans(),
        INTS,
        st.floats(),
        decimals(decimal_digits_max),
        timestamps(fraction_digits_max),
        TEXTS,
        MAYBE_NAMES.map(Symbol),
        BYTES,
        BYTES.map(Clob),
        st.sampled_from([TypedNull(kind) for kind in IonType if kind is not IonType.NULL]),
    )


def structs(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.one_of(
        st.dictionaries(NAMES, values, max_size=6),
        st.lists(st.tuples(MAYBE_NAMES, values), min_size=1, max_size=5).map(_struct_of),
    )


def _struct_of(fields: list[tuple[str | None, Value]]) -> Value:
    """Give a MultiStruct only where a dict would lose something, as the decoder does."""
    names = [name for name, _ in fields]
    if None in names or len(set(names)) < len(names):
        return MultiStruct(tuple(fields))
    return {name: value for name, value in fields if name is not None}


def _containers(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    some = st.lists(values, max_size=5)
    return st.one_of(some, some.map(Sexp), structs(values), annotated(values))


def annotated(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    plain = values.filter(lambda value: not isinstance(value, Annotated))
    return st.builds(Annotated, st.lists(MAYBE_NAMES, min_size=1, max_size=3).map(tuple), plain)


def values(fraction_digits_max: int = 18, decimal_digits_max: int = 60) -> st.SearchStrategy[Value]:
    """Any Ion value."""
    return st.recursive(scalars(fraction_digits_max, decimal_digits_max), _containers, max_leaves=12)
