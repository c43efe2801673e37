"""Which entries a document has in an index, and the text of an index."""

from __future__ import annotations

import hashlib

import pytest

from ledger.catalog import EACH, Index, expr_of, keys_of_expr
from ledger.index_entries import NULL_PART, entry_changes, entry_keys, joined_key, unique_keys, whole_keys
from ledger.index_key import EXACT_SIZE, order_key
from ledger.values import Annotated, MultiStruct, Struct, Value

NESTED = Index.over("i" * 22, "[a.b]")
EACH_PERSON = Index.over("i" * 22, "[owners[*].person]")
TWO = Index.over("i" * 22, "[state, year]")


def keys(*values: Value) -> frozenset[bytes]:
    return frozenset(joined_key((order_key(value),)) for value in values)


@pytest.mark.parametrize(
    "expr",
    ["[VIN]", "[a.b.c]", "[Owners.SecondaryOwners[*].PersonId]", "[State, Year]", '["odd name".b, "a""b"]', '[""]'],
)
def test_the_text_of_an_index_leads_back_to_its_paths(expr: str) -> None:
    assert expr_of(keys_of_expr(expr)) == expr


@pytest.mark.parametrize("expr", ["[a b]", "[a", "a", "[a. b]", "[a,b]", '["a]', "[1]"])
def test_what_is_no_text_of_an_index_is_refused(expr: str) -> None:
    with pytest.raises(ValueError, match="is no expression of an index"):
        keys_of_expr(expr)


def test_each_step_of_the_text_is_a_step_of_the_path() -> None:
    assert keys_of_expr("[Owners.List[*].Id, b]") == (("Owners", "List", EACH, "Id"), ("b",))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": {"b": 1}}, keys(1)),
        ({"a": Annotated(("x",), {"b": 1})}, keys(1)),
        ({"a": MultiStruct((("b", 1), ("b", 2)))}, keys(1)),
        ({"a": 5}, frozenset({NULL_PART})),
        ({}, frozenset({NULL_PART})),
    ],
)
def test_a_nested_path_gives_one_entry_whatever_is_there(data: Struct, expected: frozenset[bytes]) -> None:
    assert entry_keys(NESTED, data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"owners": [{"person": "p"}, {"person": "q"}, {"person": "p"}, {}, 5]}, keys("p", "q")),
        ({"owners": {"person": "p"}}, keys("p")),
        ({"owners": [{"person": None}]}, keys(None)),
        ({"owners": []}, frozenset()),
        ({}, frozenset()),
    ],
)
def test_a_path_through_a_list_gives_an_entry_for_each_element(data: Struct, expected: frozenset[bytes]) -> None:
    assert entry_keys(EACH_PERSON, data) == expected


def test_a_deleted_document_has_no_entry() -> None:
    assert entry_keys(TWO, None) == frozenset()


def test_entries_of_several_paths_are_in_order_of_the_first_then_of_the_second() -> None:
    rows: list[Struct] = [
        {"state": "CA", "year": 2},
        {"state": "CA", "year": 10},
        {"state": "CAB"},
        {"state": "WA", "year": 1},
        {},
    ]
    entries = [next(iter(entry_keys(TWO, row))) for row in rows]
    assert entries == sorted(entries)
    assert len(set(entries)) == len(rows)


def test_a_long_key_is_cut_and_a_hash_tells_the_rest() -> None:
    whole = [order_key("x" * 500) + order_key(year) for year in (1, 2)]
    long = [next(iter(entry_keys(TWO, {"state": "x" * 500, "year": year}))) for year in (1, 2)]
    assert long == [key[:EXACT_SIZE] + hashlib.sha256(key).digest() for key in whole]
    assert [whole_keys(TWO, {"state": "x" * 500, "year": year}, long[0]) for year in (1, 2)] == [[whole[0]], []]


@pytest.mark.parametrize(
    ("before", "after", "gone", "come"),
    [
        (None, {"n": 1}, keys(), keys(1)),
        ({"n": 1}, {"n": 1.0, "m": 2}, keys(), keys()),
        ({"n": 1}, {"n": True}, keys(1), keys(True)),
        ({"n": [1]}, {"n": [True]}, keys([1]), keys([True])),
        ({"n": 1}, {"n": 2}, keys(1), keys(2)),
        ({"n": 2}, {}, keys(2), frozenset({NULL_PART})),
        ({"n": "a"}, MultiStruct((("n", "a"),)), keys(), keys()),
        ({"n": 2}, None, keys(2), keys()),
    ],
)
def test_an_entry_moves_only_if_its_key_does(
    before: Struct | None, after: Struct | None, gone: frozenset[bytes], come: frozenset[bytes]
) -> None:
    assert entry_changes(Index.over("i" * 22, "[n]"), before, after) == (gone, come)


def test_a_changed_element_moves_its_entry_alone() -> None:
    before: Struct = {"owners": [{"person": "p"}, {"person": "q"}]}
    after: Struct = {"owners": [{"person": "q"}, {"person": "r"}]}
    assert entry_changes(EACH_PERSON, before, after) == (keys("p"), keys("r"))


def test_a_key_with_a_null_in_it_is_no_unique_key() -> None:
    assert unique_keys(TWO, {"state": "CA", "year": None}) == frozenset()
    assert unique_keys(TWO, {"state": "CA"}) == frozenset()
    assert unique_keys(TWO, {"state": "CA", "year": 1}) == entry_keys(TWO, {"state": "CA", "year": 1})
    assert unique_keys(EACH_PERSON, {"owners": [{"person": None}, {"person": "p"}]}) == keys("p")
