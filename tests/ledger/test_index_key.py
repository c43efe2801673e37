from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from ion_values import values

from ledger.index_key import order_key
from ledger.partiql.comparison import MistypedError, compare, equals, is_absent
from ledger.query_values import MISSING, Bag
from ledger.values import Annotated, IonType, Symbol, Timestamp, TypedNull, Value

# Few distinct values in many forms, so that equal ones meet.
NUMBERS = st.one_of(
    st.integers(-30, 30),
    st.integers(-30, 30).map(float),
    st.builds(lambda n, e: Decimal(n).scaleb(e), st.integers(-30, 30), st.integers(-3, 3)),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 0.1, Decimal("0.1"), 10**400, -(10**400)]),
)
SCALARS = st.one_of(
    NUMBERS,
    st.booleans(),
    st.sampled_from(["", "a", "a\x00", "a\x00b", "b", "ä", "💩"]),
    st.sampled_from(["", "a", "b", None]).map(Symbol),
    st.sampled_from([b"", b"a", b"\x00\xff"]),
    st.builds(
        lambda day, offset: Timestamp(2020, 1, day, 12, 0, offset=offset),
        st.integers(1, 2),
        st.sampled_from([0, 60, None]),
    ),
    st.sampled_from(
        [Timestamp(2020), Timestamp(2020, fraction=Decimal("0.10")), Timestamp(2020, fraction=Decimal("0.1"))]
    ),
    st.sampled_from([None, TypedNull(IonType.INT), Annotated(("x",), 1), Annotated(("x",), None)]),
)
NESTED = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=5,
)  # fmt: skip


@given(NESTED, NESTED)
@settings(max_examples=400)
def test_keys_are_equal_where_values_are(a: Value, b: Value) -> None:
    if is_absent(a) or is_absent(b):
        assert equals(a, b) is None
        assert order_key(a if is_absent(a) else b) == order_key(None)
    else:
        assert equals(a, b) is (order_key(a) == order_key(b))


@given(SCALARS, SCALARS)
@settings(max_examples=400)
def test_keys_order_as_values_do(a: Value, b: Value) -> None:
    try:
        order = compare(a, b)
    except MistypedError:
        return
    if order is not None and None not in (getattr(a, "text", ""), getattr(b, "text", "")):
        assert order == (order_key(a) > order_key(b)) - (order_key(a) < order_key(b))


@given(values())
def test_every_ion_value_has_a_key_and_only_nulls_have_that_of_null(value: Value) -> None:
    assert (order_key(value) == order_key(None)) is is_absent(value)


def test_types_stand_in_the_order_of_order_by() -> None:
    in_order = [
        False, True, float("nan"), float("-inf"), -(10**50), Decimal("-1.5"), -1, Decimal("-0.001"), 0, 5e-324, 1, 10**50,
        float("inf"), Timestamp(1999), Timestamp(2020), "", "a", "a\x00", "aa", Symbol("b"), b"", b"a", [], [1], [1, 2], [2],
        {}, {"a": 1}, {"a": 1, "b": 1}, {"a": 2}, Bag([1]), None,
    ]  # fmt: skip
    keys = [order_key(value) for value in in_order]  # type: ignore[arg-type]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_missing_is_null_inside_of_a_list() -> None:
    assert order_key([1, MISSING]) == order_key([Decimal("1.0"), None])  # type: ignore[list-item]
