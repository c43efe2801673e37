from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import EvaluationError
from ledger.partiql.edits import insert_at, remove_at, set_at
from ledger.partiql.navigation import element
from ledger.query_values import MISSING
from ledger.values import MultiStruct, Sexp, Value, identical

DOCUMENTS = st.recursive(
    st.integers(0, 3),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3), st.lists(inner, max_size=3), st.lists(inner, max_size=2).map(Sexp)
    ),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))  # fmt: skip
PATHS = st.lists(st.one_of(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=3).map(tuple)


def at(value: Value, path: tuple[str | int, ...]) -> object:
    found: object = value
    for key in path:
        found = element(found, key)
    return found


@given(DOCUMENTS, PATHS)
def test_what_was_set_is_found_and_the_original_stays(document: Value, path: tuple[str | int, ...]) -> None:
    was = copy.deepcopy(document)
    try:
        changed = set_at(document, path, "new")
    except EvaluationError:
        return
    assert at(changed, path) == "new"
    assert identical(document, was)
    assert identical(set_at(changed, path, "newer"), set_at(document, path, "newer"))


@given(DOCUMENTS, PATHS)
def test_what_was_removed_is_gone_and_the_rest_stays(document: Value, path: tuple[str | int, ...]) -> None:
    was = copy.deepcopy(document)
    there = at(document, path) is not MISSING
    changed = remove_at(document, path)
    assert (changed is document) is not there
    assert identical(document, was)
    if there and isinstance(path[-1], str):
        assert at(changed, path) is MISSING
    elif there:
        assert len(at(changed, path[:-1])) == len(at(document, path[:-1])) - 1  # type: ignore[arg-type]


@given(st.lists(st.integers(), max_size=4), st.integers(0, 4))
def test_what_is_inserted_moves_the_rest(items: list[Value], position: int) -> None:
    if position > len(items):
        with pytest.raises(EvaluationError, match="positions"):
            insert_at({"l": items}, ("l",), position, "new")
        return
    found = insert_at({"l": items}, ("l",), position, "new")["l"]
    assert found == [*items[:position], "new", *items[position:]]
    assert insert_at({"l": items}, ("l",), MISSING, "new")["l"] == [*items, "new"]


def test_a_field_name_that_stands_twice() -> None:
    both = MultiStruct((("a", 1), ("b", 2), ("a", 3)))
    assert set_at(both, ("a",), 9) == MultiStruct((("a", 9), ("b", 2), ("a", 3)))
    assert set_at(both, ("c",), 9) == MultiStruct((*both.fields, ("c", 9)))
    assert remove_at(both, ("a",)) == {"b": 2}
    assert set_at(both, ("a",), MISSING) == {"b": 2, "a": 3}
