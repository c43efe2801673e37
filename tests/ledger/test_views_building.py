"""Indexes over documents that are there already: at once, in parts beside writes, and after every possible crash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from block_builder import BlockBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_journal import MemoryJournal
from naive_views import assert_same

from ledger.block import SYSTEM_TABLE_NAME
from ledger.catalog import Index, Table, table_document
from ledger.errors import JournalFailedError
from ledger.ids import id_of_text
from ledger.index_entries import entry_keys
from ledger.limits import Limits
from ledger.values import Struct
from ledger.views import Views
from ledger.views.check import check_views

TABLE = Table(id_of_text("Cars"), "Cars")
PLAIN = Index.over(id_of_text("plain"), "[n]")
UNIQUE = Index.over(id_of_text("unique"), "[n]", unique=True)
LIMITS = Limits(index_build_at_once_max=10, view_map_bytes_max=2**28)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.views.views._BUILT_AT_ONCE", 4)
    monkeypatch.setattr("ledger.views.building._GARBAGE_AT_ONCE", 3)


class World:
    """Views over a journal in memory, and how they are written to and killed."""

    def __init__(self, directory: Path, limits: Limits = LIMITS) -> None:
        self.builder = BlockBuilder()
        self.journal = MemoryJournal(self.builder.strand_id)
        self.directory, self.limits = directory, limits
        self.documents: dict[str, Struct] = {}
        self.views = self.opened()
        self.index()

    def opened(self) -> Views:
        return Views.open(self.directory, self.journal, limits=self.limits)

    def index(self, *indexes: Index, status: str = "ACTIVE") -> None:
        document = table_document(Table(TABLE.table_id, "Cars", status, indexes))
        self.views.apply(self.journal.append([self.builder.add((SYSTEM_TABLE_NAME, "Cars", document))]))

    def write(self, documents: dict[str, Struct | None]) -> None:
        for name, data in documents.items():
            if data is None:
                del self.documents[name]
            else:
                self.documents[name] = data
        blocks = [self.builder.add(*(("Cars", name, data) for name, data in documents.items()))]
        self.views.apply(self.journal.append(blocks))

    def kill_and_reopen(self) -> None:
        self.views._let_go()
        self.views = self.opened()

    def status(self) -> list[tuple[str, str | None]]:
        with self.views.snapshot() as snapshot:
            return [(index.status, index.message) for index in snapshot.catalog.by_name["Cars"].indexes]

    def assert_entries(self, index: Index) -> None:
        expected = sorted((key, id_of_text(name)) for name, d in self.documents.items() for key in entry_keys(index, d))
        with self.views.snapshot() as snapshot:
            assert list(snapshot.index_range(index.index_id, b"", b"\xff")) == expected
            assert snapshot.index_counts(index.index_id) == (len(expected), len({key for key, _ in expected}))

    def check(self) -> None:
        with TemporaryDirectory() as scratch:
            check_views(self.views, self.journal, Path(scratch))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.check()
    world.views.close()


def cars(count: int, *, first: int = 0) -> dict[str, Struct | None]:
    return {f"car {i}": {"n": i} for i in range(first, first + count)}


def test_the_index_of_a_small_table_is_there_with_its_block(world: World) -> None:
    world.write({f"car {i}": {"n": i % 3} for i in range(10)})
    with world.views.snapshot() as before:
        world.index(PLAIN)
        assert before.catalog.by_name["Cars"].indexes == ()
    assert world.status() == [("ONLINE", None)]
    world.assert_entries(PLAIN)
    assert_same(world.views, world.journal.kept)


def test_a_dropped_index_leaves_nothing_behind(world: World) -> None:
    world.write(cars(10))
    world.index(PLAIN)
    world.index()
    assert_same(world.views, world.journal.kept)
    world.views.finish_building()
    with world.views.snapshot() as snapshot:
        assert [*snapshot.rows(b"i"), *snapshot.rows(b"g"), *snapshot.rows(b"x")] == []


def test_an_index_that_comes_back_before_it_is_cleared_away_is_whole(world: World) -> None:
    world.write(cars(10))
    world.index(PLAIN)
    world.index()
    assert world.views.build_some()
    world.write({"car 0": None, "car 1": {"n": 77}})
    world.index(PLAIN)
    world.views.finish_building()
    world.assert_entries(PLAIN)


def test_a_large_table_is_indexed_in_parts_beside_writes(world: World) -> None:
    world.write(cars(30))
    world.index(PLAIN)
    assert world.status() == [("BUILDING", None)]
    with world.views.snapshot() as snapshot:
        state = snapshot.catalog.state
    number = 0
    while world.views.build_some():
        world.write({f"car {number}": None, f"car {number + 1}": {"n": -1}, f"new {number}": {"n": number}})
        world.check()
        number += 2
    assert number > 8, "so many parts that it means something"
    assert world.status() == [("ONLINE", None)]
    with world.views.snapshot() as snapshot:
        assert snapshot.catalog.state > state, "whoever keeps plans has noticed"
    world.assert_entries(PLAIN)
    assert_same(world.views, world.journal.kept)


@pytest.mark.parametrize("parts", range(10))
def test_building_goes_on_where_a_crash_left_it(world: World, parts: int) -> None:
    world.write(cars(30))
    world.index(PLAIN, UNIQUE)
    for _ in range(parts):
        world.views.build_some()
    world.write({"car 3": {"n": 100}, "car 29": None, "x": {"n": 3}})
    before = world.status()
    world.journal.asked.clear()
    world.kill_and_reopen()
    assert world.status() == before
    assert 0 not in world.journal.asked, "not made anew"
    world.views.finish_building()
    assert world.status() == [("ONLINE", None)] * 2
    world.assert_entries(PLAIN)
    world.assert_entries(UNIQUE)


def test_a_rebuilt_store_opens_with_every_index_built(world: World) -> None:
    world.write(cars(30))
    world.index(PLAIN, UNIQUE)
    world.write({"car 3": {"n": 100}})
    world.views.close()
    (world.directory / "STATE").unlink()
    world.views = world.opened()
    assert world.status() == [("ONLINE", None)] * 2
    world.assert_entries(UNIQUE)


@pytest.mark.parametrize("count", [8, 30])
def test_a_unique_index_over_duplicates_fails_and_names_the_value_and_both_documents(world: World, count: int) -> None:
    world.write(cars(count))
    world.write({"a": {"n": "twice"}, "b": {"n": "twice"}})
    world.write({"c": {"n": None}, "d": {}})
    world.index(UNIQUE)
    world.views.finish_building()
    [(status, message)] = world.status()
    assert status == "FAILED"
    assert message is not None
    first, second = sorted([id_of_text("a"), id_of_text("b")])
    assert message == f'"twice" is in two documents: {first} and {second}'
    world.write({"e": {"n": "twice"}, "a": {"n": 1_000}})
    world.kill_and_reopen()
    assert world.status() == [("FAILED", message)]
    with world.views.snapshot() as snapshot:
        assert list(snapshot.rows(b"i")) == [], "it has no entries"
    world.index()
    assert world.status() == []


def test_a_duplicate_written_while_a_unique_index_is_built_makes_it_fail(world: World) -> None:
    world.write(cars(30))
    world.index(UNIQUE)
    world.views.build_some()
    world.write({"new": {"n": 5}, "newer": {"n": 5}})
    world.views.finish_building()
    [(status, message)] = world.status()
    assert status == "FAILED"
    assert message is not None
    assert message.startswith("5 is in two documents: ")


def test_a_key_may_pass_from_one_document_to_another_within_a_batch(world: World) -> None:
    world.index(UNIQUE)
    world.write(cars(2))
    world.write({"car 0": {"n": 1}, "car 1": {"n": 0}})
    world.write({"car 0": None, "car 2": {"n": 1}})
    world.assert_entries(UNIQUE)


numbers = st.dictionaries(st.integers(0, 19), st.none() | st.integers(0, 5), max_size=5)
steps = st.lists(
    st.sampled_from(["part", "kill", "index", "drop", "drop the table", "take it back"]) | numbers, max_size=25
)


@settings(max_examples=40)
@given(steps)
def test_entries_and_counts_are_right_whatever_happens_in_whatever_order(
    steps: list[str | dict[int, int | None]],
) -> None:
    with TemporaryDirectory() as directory:
        world = World(Path(directory), Limits(index_build_at_once_max=1, view_map_bytes_max=2**28))
        made: tuple[Index, ...] = ()
        names: dict[int, str] = {}
        for at, step in enumerate(steps):
            if step == "part":
                world.views.build_some()
            elif step == "kill":
                world.kill_and_reopen()
            elif step == "index":
                made = (Index.over(id_of_text(f"index {at}"), "[n]"),)
                world.index(*made)
            elif step == "drop":
                made = ()
                world.index()
            elif step == "drop the table":
                world.index(*made, status="INACTIVE")
            elif step == "take it back":
                world.index(*made)
            else:
                assert isinstance(step, dict)
                writes: dict[str, Struct | None] = {}
                for number, value in step.items():
                    if value is not None:
                        writes[names.setdefault(number, f"{number} from {at}")] = {"n": value}
                    elif number in names:
                        writes[names.pop(number)] = None
                if writes:
                    world.write(writes)
        world.check()
        world.views.finish_building()
        for index in made:
            world.assert_entries(index)
        world.check()
        assert_same(world.views, world.journal.kept)
        world.views.close()


def test_a_store_that_is_full_while_an_index_is_built_is_dead_and_goes_on_with_more_room(tmp_path: Path) -> None:
    world = World(tmp_path, Limits(index_build_at_once_max=10, view_map_bytes_max=512 * 1024))
    world.write({f"car {i}": {"n": "x" * 200 + str(i)} for i in range(300)})
    world.index(*(Index.over(id_of_text(f"index {i}"), f"[n, m{i}]") for i in range(4)))
    with pytest.raises(JournalFailedError, match="view_map_bytes_max of 524288 bytes"):
        world.views.finish_building()
    with pytest.raises(JournalFailedError, match="are closed, or an apply failed"):
        world.views.build_some()
    world.limits = LIMITS
    world.kill_and_reopen()
    world.views.finish_building()
    assert world.status() == [("ONLINE", None)] * 4
    world.check()
    world.views.close()
