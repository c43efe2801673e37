"""Which field names a new segment begins with."""

from __future__ import annotations

from ledger.ion import SYSTEM, SymbolTable
from ledger.journal.field_names import FieldNames
from ledger.values import Annotated, MultiStruct, Sexp


def test_name_is_taken_when_it_is_met_twice_at_any_depth() -> None:
    names = FieldNames(SYSTEM, 100)
    names.learn({"a": [{"b": Sexp(({"c": 1},))}], "once": 1})
    assert names.table().names == ()
    names.learn({"a": Annotated(("x",), MultiStruct((("b", 1), (None, {"c": 1}))))})
    assert names.table().names == ("a", "b", "c")


def test_known_names_keep_their_places() -> None:
    names = FieldNames(SymbolTable(("z", "a")), 100)
    for _ in range(2):
        names.learn({"m": 1, "a": 2})
    assert names.table().names == ("z", "a", "m")


def test_names_that_are_data_do_not_fill_the_table() -> None:
    names = FieldNames(SYSTEM, 100)
    for number in range(25_000):
        names.learn({f"key {number}": 1, "x" * 200: 2})
    assert names.table().names == ()


def test_full_table_takes_no_more() -> None:
    names = FieldNames(SYSTEM, 3)
    for number in range(10):
        for _ in range(2):
            names.learn({f"name {number}": 1})
    assert names.table().names == ("name 0", "name 1", "name 2")
