"""A plan with look-ups gives the rows of naive execution, which scans in the written order: an index never changes an answer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from plain_world import PlainWorld
from statements_at_random import CHANGES, DOCUMENTS, ORDERED, QUERIES

from ledger.errors import LedgerError
from ledger.index_key import order_key
from ledger.values import Struct, Value, identical

INDEXES = st.fixed_dictionaries(
    {
        name: st.lists(
            st.sampled_from(
                [
                    "a",
                    "b",
                    "c",
                    "n.k",
                    "a, b",
                    "b, a",
                    "c, n.m, a",
                    "l[*]",
                    "l[*].k",
                    "b, l[*].k",
                    "l[*].m, l[*].k",
                    "l[*].k, c",
                ]
            ),
            max_size=4,
            unique=True,
        )
        for name in ("T", "U")
    }
)
Indexes = dict[str, list[str]]


def worlds(t: list[Struct], u: list[Struct], indexes: Indexes) -> tuple[PlainWorld, PlainWorld]:
    tables = {"T": t, "U": u}
    return PlainWorld(tables, indexes), PlainWorld(tables, indexes, naive=True)


def outcome(world: PlainWorld, statement: str) -> list[Value] | str:
    try:
        rows = world.rows(statement)
    except LedgerError as error:
        return type(error).__name__
    return sorted(rows, key=order_key)


def assert_same(planned: list[Value] | str, naive: list[Value] | str, *, grouped: bool = False) -> None:
    if isinstance(planned, str) or isinstance(naive, str):
        assert planned == naive
        return
    rest = list(naive)
    for row in planned:
        match = next((i for i, other in enumerate(rest) if identical(row, other)), None)
        if (
            match is None and grouped
        ):  # which of 1 and 1.0 stands for their group, or is their least, is left to the order of the rows
            match = next((i for i, other in enumerate(rest) if order_key(row) == order_key(other)), None)
        assert match is not None, (row, naive)
        del rest[match]
    assert not rest


@given(DOCUMENTS, DOCUMENTS, INDEXES, QUERIES)
@settings(max_examples=1_000, deadline=None)
def test_a_planned_query_gives_the_naive_rows(t: list[Struct], u: list[Struct], indexes: Indexes, query: str) -> None:
    planned, naive = worlds(t, u, indexes)
    assert_same(outcome(planned, query), outcome(naive, query), grouped="GROUP BY" in query or "AS m" in query)


@given(DOCUMENTS, INDEXES, st.lists(CHANGES, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_planned_changes_leave_the_naive_documents(t: list[Struct], indexes: Indexes, changes: list[str]) -> None:
    planned, naive = worlds(t, [], indexes)
    for change in changes:
        assert_same(outcome(planned, change), outcome(naive, change))
        assert_same(list(planned.documents("T")), list(naive.documents("T")))


@given(DOCUMENTS, DOCUMENTS, INDEXES, ORDERED)
@settings(max_examples=600, deadline=None)
def test_a_planned_query_gives_its_rows_in_the_naive_order(
    t: list[Struct], u: list[Struct], indexes: Indexes, query: str
) -> None:
    planned, naive = worlds(t, u, indexes)
    text, _, limit = query.partition("|")
    try:
        every = naive.rows(text)
    except LedgerError:
        return
    rows, expected = planned.rows(text + limit), naive.rows(text + limit)
    if "WHERE" not in text:  # documents that are equal under the order come by their ids
        assert all(identical(row, other) for row, other in zip(rows, expected, strict=True))
    assert [_sort_key(row) for row in rows] == [_sort_key(row) for row in expected]
    for row in rows:
        match = next(i for i, other in enumerate(every) if identical(row, other))
        del every[match]


def _sort_key(row: Value) -> bytes:
    assert isinstance(row, list)
    return order_key(row[0])
