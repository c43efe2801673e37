"""What every store promises, checked on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from consumers.errors import StoreMismatchError, VersionChangedError
from consumers.position import BEGINNING, Position, TopicPosition
from consumers.projection import Projection, Row, Rows, StoreKind, Table
from consumers.stores import Store, open_store
from consumers.stores.lock import own

TABLE = Table(
    "t", {"k": "text", "n": "integer", "at": "timestamp", "yes": "boolean", "x": "real", "data": "json"}, key="k"
)
PAIRS = Table("pairs", {"a": "text", "b": "integer", "c": "text"}, key=("a", "b"))
LOG = Table("log", {"n": "integer", "what": "text"}, key="n", append_only=True)
NEXT = Position("s" * 22, 7, b"\1" * 32, 1_795_392_000_000, {"t": 3}, {"topic": TopicPosition("id", {0: 5, 2: 9})})


def projection_of(kind: str, *, name: str = "p", version: int = 1) -> Projection:
    store: StoreKind = "duckdb" if kind == "duckdb" else "sqlite"
    sql = ["CREATE VIEW positive AS SELECT k FROM t WHERE n > 0"]
    return Projection(name, version=version, store=store, tables=[TABLE, PAIRS, LOG], sql=sql)


@pytest.fixture(params=["duckdb", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_it(kind: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def open_it() -> Store:
        for store in opened:
            store.close()
        opened.append(open_store(projection_of(kind), tmp_path / "store"))
        return opened[-1]

    yield open_it
    opened[-1].close()


def put(*made: Row) -> Callable[[Rows], None]:
    def fold(rows: Rows) -> None:
        for row in made:
            rows.put("t", row)

    return fold


def test_rows_and_position_are_there_after_it_was_opened_again(open_it: Callable[[], Store]) -> None:
    store = open_it()
    assert store.position() == BEGINNING
    store.apply(BEGINNING, NEXT, put({"k": "a", "n": 1}, {"k": "b", "n": -1}))
    store = open_it()
    assert store.position() == NEXT
    assert store.get("t", "a") == {"k": "a", "n": 1, "at": None, "yes": None, "x": None, "data": None}
    assert store.select("SELECT k FROM positive") == [("a",)]


def test_a_fold_that_raises_leaves_neither_rows_nor_position(open_it: Callable[[], Store]) -> None:
    def fold(rows: Rows) -> None:
        rows.put("t", {"k": "a", "n": 1})
        assert rows.select("SELECT count(*) FROM t") == [(1,)]
        rows.put("t", {"k": "b", "n": 2})
        raise ZeroDivisionError

    store = open_it()
    with pytest.raises(ZeroDivisionError):
        store.apply(BEGINNING, NEXT, fold)
    assert store.position() == BEGINNING
    assert list(store.contents(TABLE)) == []
    store.apply(BEGINNING, NEXT, put({"k": "c"}))
    assert [row[0] for row in store.contents(TABLE)] == ["c"]


def test_the_newest_row_of_a_key_wins_within_a_batch_and_over_batches(open_it: Callable[[], Store]) -> None:
    store = open_it()
    store.apply(BEGINNING, NEXT, put({"k": "a", "n": 1}, {"k": "b", "n": 1}, {"k": "a", "n": 2}))
    store.apply(NEXT, NEXT, put({"k": "b", "n": 3}, {"k": "c", "n": 4}))
    assert [row[:2] for row in store.contents(TABLE)] == [("a", 2), ("b", 3), ("c", 4)]


def test_delete_and_put_take_effect_in_their_order(open_it: Callable[[], Store]) -> None:
    def fold(rows: Rows) -> None:
        rows.delete("t", "old")
        rows.put("t", {"k": "put again", "n": 1})
        rows.delete("t", "put again")
        rows.put("t", {"k": "put again", "n": 2})
        rows.put("t", {"k": "gone"})
        rows.delete("t", "gone")
        rows.delete("t", "never there")

    store = open_it()
    store.apply(BEGINNING, NEXT, put({"k": "old"}, {"k": "put again", "n": 0}))
    store.apply(NEXT, NEXT, fold)
    assert [row[:2] for row in store.contents(TABLE)] == [("put again", 2)]


def test_a_handler_reads_what_it_just_wrote_and_what_was_there(open_it: Callable[[], Store]) -> None:
    seen: list[object] = []

    def fold(rows: Rows) -> None:
        rows.put("pairs", {"a": "x", "b": 1, "c": "new"})
        seen.append(rows.get("pairs", "x", 1))
        seen.append(rows.get("pairs", "x", 2))
        seen.append(rows.get("pairs", "x", 3))
        rows.delete("pairs", "x", 2)
        seen.append(rows.get("pairs", "x", 2))
        seen.append(rows.select("SELECT b FROM pairs WHERE a = ? ORDER BY b", "x"))

    store = open_it()
    store.apply(BEGINNING, NEXT, lambda rows: rows.put("pairs", {"a": "x", "b": 2, "c": "old"}))
    store.apply(NEXT, NEXT, fold)
    assert seen == [{"a": "x", "b": 1, "c": "new"}, {"a": "x", "b": 2, "c": "old"}, None, None, [(1,)]]


def test_values_of_every_type_come_back(open_it: Callable[[], Store], kind: str) -> None:
    at = datetime(2026, 11, 22, 12, 0, 0, 123_000, timezone(timedelta(hours=2)))
    row = {"k": "ü'\"\0", "n": -(2**62), "at": at, "yes": True, "x": 0.1, "data": '{"a": [1, "b"]}'}
    store = open_it()
    store.apply(BEGINNING, NEXT, put(row))
    stored = store.get("t", "ü'\"\0")
    assert stored is not None
    moment = stored.pop("at")
    assert {**stored, "yes": bool(stored["yes"])} == {name: value for name, value in row.items() if name != "at"}
    told = datetime.fromisoformat(moment) if kind == "sqlite" else moment.replace(tzinfo=UTC)
    assert told == at


def test_contents_come_in_the_order_of_the_key_whatever_the_order_of_writing(open_it: Callable[[], Store]) -> None:
    def fold(rows: Rows) -> None:
        for a, b in [("y", 2), ("x", 10), ("y", 1), ("x", 9)]:
            rows.put("pairs", {"a": a, "b": b})

    store = open_it()
    store.apply(BEGINNING, NEXT, fold)
    assert [row[:2] for row in store.contents(PAIRS)] == [("x", 9), ("x", 10), ("y", 1), ("y", 2)]


def test_a_column_that_is_not_there_is_refused_by_name(open_it: Callable[[], Store]) -> None:
    with pytest.raises(KeyError, match="table t has no column m"):
        open_it().apply(BEGINNING, NEXT, put({"k": "a", "m": 1}))


def test_the_position_moves_only_from_where_its_reader_read_it(open_it: Callable[[], Store]) -> None:
    store = open_it()
    store.apply(BEGINNING, NEXT, put())
    with pytest.raises(StoreMismatchError, match="another process moved it"):
        store.apply(BEGINNING, NEXT, put({"k": "twice"}))
    assert list(store.contents(TABLE)) == []


def test_another_projection_or_version_is_refused(open_it: Callable[[], Store], kind: str, tmp_path: Path) -> None:
    open_it().close()
    with pytest.raises(VersionChangedError, match="expected 2, actual 1"):
        open_store(projection_of(kind, version=2), tmp_path / "store")
    with pytest.raises(StoreMismatchError, match="expected q, actual p"):
        open_store(projection_of(kind, name="q"), tmp_path / "store")


def test_what_is_skipped_leaves_its_trace(open_it: Callable[[], Store]) -> None:
    open_it().skip("d" * 22, 3, "cannot be parsed")
    assert open_it().skipped() == {("d" * 22, 3): "cannot be parsed"}


def test_a_closed_store_is_one_file(open_it: Callable[[], Store], tmp_path: Path) -> None:
    store = open_it()
    store.apply(BEGINNING, NEXT, put({"k": "a"}))
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_one_process_at_a_time_owns_a_store(tmp_path: Path) -> None:
    with own(tmp_path / "store"), pytest.raises(StoreMismatchError, match="in use by process"), own(tmp_path / "store"):
        pass
    with own(tmp_path / "store"):
        pass
