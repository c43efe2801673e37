"""What is found through indexes, over any layers: what a sorted list of all documents says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from block_builder import BlockBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_journal import MemoryJournal

from ledger import index_reads
from ledger.block import SYSTEM_TABLE_NAME
from ledger.catalog import Index, Table, table_document
from ledger.errors import UniqueViolationError
from ledger.ids import id_of_text
from ledger.index_key import order_key
from ledger.limits import Limits
from ledger.overlay import Overlay
from ledger.partiql.context import Bound, Document
from ledger.transaction import Transaction
from ledger.values import Struct, Timestamp, Value
from ledger.views import Snapshot, Views

EXPRESSIONS = ("[n]", "[a.b]", "[n, m]", "[m, n, a.b]", "[l[*]]", "[n, l[*]]")
INDEXES = tuple(Index.over(id_of_text(expr), expr) for expr in EXPRESSIONS)
TABLE = Table(id_of_text("Cars"), "Cars", "ACTIVE", INDEXES)
UNIQUE = Index.over(id_of_text("unique"), "[n, l[*]]", unique=True)
UNIQUE_TABLE = Table(id_of_text("Cars"), "Cars", "ACTIVE", (UNIQUE,))
NOT_YET_UNIQUE = Table(id_of_text("Cars"), "Cars", "ACTIVE", (Index.over(UNIQUE.index_id, UNIQUE.expr),))
LONG = "x" * 300

scalars: st.SearchStrategy[Value] = st.sampled_from(
    [0, 1, Decimal("1.0"), 2, -3, "", "a", "a\x00b", "b", None, True, LONG, LONG + "y", "x" * 251, "x" * 252, "x" * 253]
)
pools = st.lists(scalars, min_size=2, max_size=5)
"""A few values for one example, so that documents have some in common."""

Layers: TypeAlias = "list[dict[int, Struct | None]]"


def documents_of(pool: list[Value]) -> st.SearchStrategy[Struct]:
    values = st.sampled_from(pool)
    inner = st.fixed_dictionaries({}, optional={"b": values})
    return st.fixed_dictionaries({}, optional={"n": values, "m": values, "a": inner, "l": st.lists(values, max_size=3)})


def layers_of(pool: list[Value]) -> st.SearchStrategy[Layers]:
    return st.lists(
        st.dictionaries(st.integers(0, 9), st.none() | documents_of(pool), max_size=6), min_size=1, max_size=4
    )


def questions_of(pool: list[Value]) -> st.SearchStrategy[tuple[Layers, list[Value], Bound | None, Bound | None]]:
    bounds = st.none() | st.builds(
        Bound, st.sampled_from([value for value in pool if value is not None] or [1]), st.booleans()
    )
    return st.tuples(layers_of(pool), st.lists(st.sampled_from(pool), max_size=3), bounds, bounds)


@contextmanager
def transaction_over(written: Layers, table: Table) -> Iterator[Transaction]:
    """Commit the first layer, lay the others over it, and write the last by a transaction."""
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    with TemporaryDirectory() as directory:
        views = Views.open(Path(directory), journal, limits=Limits(view_map_bytes_max=2**28))
        views.apply(journal.append([builder.add((SYSTEM_TABLE_NAME, "Cars", table_document(table)))]))
        first = [("Cars", str(number), data) for number, data in written[0].items() if data is not None]
        if first:
            views.apply(journal.append([builder.add(*first)]))
        with views.snapshot() as snapshot:
            yield _layered(snapshot, written[1:], table)
        views.close()


def _layered(snapshot: Snapshot, written: Layers, table: Table) -> Transaction:
    top = Overlay(snapshot)
    for layer in written[:-1]:
        top = Overlay(top)
        for number, data in layer.items():
            before = top.document(table.table_id, id_of_text(str(number)))
            after = None if data is None else Document(table.table_id, id_of_text(str(number)), 1, data)
            top.put(table, id_of_text(str(number)), before, after)
    ids: list[str] = []
    transaction = Transaction("t" * 22, top, 0, Timestamp(2026), lambda: ids.pop(), Limits())
    for number, data in written[-1].items() if written else ():
        shown = transaction.document(table, id_of_text(str(number)))
        if data is None and shown is not None:
            transaction.delete(table, shown)
        elif data is not None and shown is not None:
            transaction.update(table, shown, data)
        elif data is not None:
            ids.append(id_of_text(str(number)))
            transaction.insert(table, data)
    return transaction


def outcome_of(written: Layers) -> dict[str, Struct]:
    outcome: dict[str, Struct] = {}
    for layer in written:
        for number, data in layer.items():
            outcome.pop(id_of_text(str(number)), None)
            if data is not None:
                outcome[id_of_text(str(number))] = data
    return outcome


def entries(index: Index, data: Struct) -> set[tuple[bytes, ...]]:
    """Give the whole parts of each entry, worked out anew."""
    assert isinstance(data, dict)
    parts: list[list[Value]] = []
    for key in index.keys:
        if key[0] == "l":
            found = data.get("l", [])
            assert isinstance(found, list)
            parts.append(found)
        elif key[0] == "a":
            inner = data.get("a", {})
            assert isinstance(inner, dict)
            parts.append([inner.get("b")])
        else:
            parts.append([data.get(str(key[0]))])
    return {tuple(map(order_key, values)) for values in product(*parts)}


@settings(max_examples=300)
@given(pools.flatmap(questions_of), st.sampled_from(INDEXES), st.booleans(), st.booleans())
def test_a_range_gives_the_documents_that_a_sorted_list_has(
    question: tuple[Layers, list[Value], Bound | None, Bound | None], index: Index, descending: bool, nulls: bool
) -> None:
    written, equal, low, high = question
    equal = equal[: len(index.keys)]
    if len(equal) == len(index.keys):
        low = high = None
    first = tuple(map(order_key, equal))
    null = order_key(None)

    def asked(parts: tuple[bytes, ...]) -> bool:
        if null in first or parts[: len(first)] != first:
            return False
        if len(first) == len(parts):
            return True
        part = parts[len(first)]
        if part == null:
            return nulls
        above = low is None or order_key(low.value) < part or (low.inclusive and order_key(low.value) == part)
        below = high is None or part < order_key(high.value) or (high.inclusive and order_key(high.value) == part)
        return above and below

    outcome = outcome_of(written)
    found = [(parts, i) for i, data in outcome.items() for parts in entries(index, data) if asked(parts)]
    found.sort(key=lambda pair: pair[1])
    found.sort(key=lambda pair: pair[0], reverse=descending)
    with transaction_over(written, TABLE) as transaction:
        answer = list(transaction.index_range(TABLE, index, equal, low, high, descending=descending, nulls=nulls))
        if index.of_elements:
            assert sorted(d.document_id for d in answer) == sorted({i for _, i in found})
        else:
            assert [d.document_id for d in answer] == [i for _, i in found]
        assert all(d.data == outcome[d.document_id] for d in answer)
        assert transaction.count(TABLE) == len(outcome)
        if len(equal) == len(index.keys):
            looked_up = [d.document_id for d in transaction.look_up(TABLE, index, equal)]
            assert looked_up == sorted({i for _, i in found})


@settings(max_examples=60)
@given(pools.flatmap(lambda pool: st.tuples(layers_of(pool), documents_of(pool))), st.none() | st.integers(0, 9))
def test_a_conflicting_document_is_found_exactly_where_one_shares_a_key_without_null(
    world: tuple[Layers, Struct], own: int | None
) -> None:
    written, data = world
    document_id = None if own is None else id_of_text(str(own))
    null = order_key(None)

    def unique(data: Struct) -> set[tuple[bytes, ...]]:
        return {parts for parts in entries(UNIQUE, data) if null not in parts}

    holders = {i for i, other in outcome_of(written).items() if i != document_id and unique(data) & unique(other)}
    with transaction_over(written, NOT_YET_UNIQUE) as transaction:
        found = transaction.conflicting(UNIQUE_TABLE, data, document_id)
        assert (found is None) == (not holders)
        assert found is None or found.document_id in holders


@pytest.mark.parametrize("update", [False, True])
def test_a_unique_key_that_another_document_has_is_refused_with_both_named(tmp_path: Path, update: bool) -> None:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    with Views.open(tmp_path, journal, limits=Limits()).snapshot() as snapshot:
        view = Overlay(snapshot)
        view.put(UNIQUE_TABLE, "d" * 22, None, Document(UNIQUE_TABLE.table_id, "d" * 22, 0, {"n": 1, "l": ["a", "a"]}))
        transaction = Transaction("t" * 22, view, 0, Timestamp(2026), lambda: "e" * 22, Limits())
        write: Callable[[Struct], object]
        if update:
            transaction.insert(UNIQUE_TABLE, {"n": 1, "l": ["b", None, None]})
            shown = transaction.document(UNIQUE_TABLE, "e" * 22)
            assert shown is not None
            transaction.update(UNIQUE_TABLE, shown, {"n": 1, "l": ["b", None]})
            write = partial(transaction.update, UNIQUE_TABLE, shown)
        else:
            write = partial(transaction.insert, UNIQUE_TABLE)
        said = r"Cars has \[n, l\[\*\]\] = \(1, \"a\"\) already: d{22}"
        with pytest.raises(UniqueViolationError, match=said) as raised:
            write({"n": 1, "l": ["b", "a"]})
        assert raised.value.document_id == "d" * 22
        assert not raised.value.retriable


@pytest.mark.parametrize("descending", [False, True])
def test_keys_that_were_cut_are_in_order_too(descending: bool) -> None:
    values = [LONG + letter for letter in "ebdacb"]
    first: dict[int, Struct | None] = {number: {"n": value} for number, value in enumerate(values[:3])}
    second: dict[int, Struct | None] = {number: {"n": value} for number, value in enumerate(values[3:], start=3)}
    with transaction_over([first, second], TABLE) as transaction:
        low, high = Bound(LONG + "b", True), Bound(LONG + "e", False)
        found = transaction.index_range(TABLE, INDEXES[0], (), low, high, descending=descending)
        expected = sorted([values[1], values[2], values[4], values[5]], reverse=descending)
        assert [d.data and d.data["n"] for d in found] == expected  # type: ignore[index]


@pytest.mark.parametrize(("descending", "start", "end"), [(False, 0, 2), (True, 7, 9)])
def test_a_range_that_was_left_early_is_read_up_to_where_it_was_left(descending: bool, start: int, end: int) -> None:
    written: dict[int, Struct | None] = {number: {"n": number} for number in range(10)}
    with transaction_over([written], TABLE) as transaction:
        found = transaction.index_range(TABLE, INDEXES[0], (), Bound(0, True), Bound(9, True), descending=descending)
        for _ in range(3):
            next(found)
        [read] = transaction.reads.ranges
        for number in range(10):
            assert (read.start <= order_key(number) < read.end) == (start <= number <= end)
        list(found)
        assert all(read.start <= order_key(number) < read.end for number in range(10))


@pytest.mark.parametrize(("limit", "asked"), [("_DOCUMENTS_NOTED_MAX", 1), ("_RANGES_NOTED_MAX", 6)])
def test_who_reads_very_much_through_an_index_has_read_the_table(
    monkeypatch: pytest.MonkeyPatch, limit: str, asked: int
) -> None:
    monkeypatch.setattr(index_reads, limit, 5)
    written: dict[int, Struct | None] = {number: {"n": number} for number in range(6)}
    with transaction_over([written], TABLE) as transaction:
        for number in range(asked):
            assert ("table", TABLE.table_id) not in transaction.reads.keys  # a set
            low = Bound(0 if asked == 1 else number, True)
            list(transaction.index_range(TABLE, INDEXES[0], (), low, Bound(number if asked > 1 else 5, True)))
        assert ("table", TABLE.table_id) in transaction.reads.keys
