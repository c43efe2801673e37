"""Which entries a document has in an index, and the text of an index."""

import pytest

from ledger.catalog import EACH, Index, expr_of, keys_of_expr
from ledger.index_entries import NULL_PART, entry_keys, joined_key
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


def test_a_long_key_is_cut_and_stays_exact() -> None:
    long = [next(iter(entry_keys(TWO, {"state": "x" * 500, "year": year}))) for year in (1, 2)]
    assert [len(key) for key in long] == [EXACT_SIZE + 32] * 2
    assert long[0] != long[1]
