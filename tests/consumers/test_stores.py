"""What every store promises, checked on each of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from block_builder import BlockBuilder
from stream_of_blocks import stream_of

from consumers.blocks import Assembler
from consumers.errors import HandlerError, StoreFailedError, StoreMismatchError, VersionChangedError
from consumers.position import BEGINNING, Position, TopicPosition
from consumers.projection import Projection, Rows, StoreKind
from consumers.revision import Revision
from consumers.stores import Store, open_store
from consumers.stores.lock import own
from consumers.stores.sqlite import SqliteStore
from consumers.table import Row, Table

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
    assert store.get("t", "ü'\"\0") == row


def test_a_handler_gets_the_same_values_whether_a_row_is_of_this_batch_or_of_an_earlier_one(
    open_it: Callable[[], Store],
) -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
    given: list[str] = []

    def fold(rows: Rows) -> None:
        given.append(repr(rows.get("t", "a")))

    def put_and_get(rows: Rows) -> None:
        rows.put("t", {"k": "a", "n": 1, "at": at, "yes": True, "x": 1})
        fold(rows)

    store = open_it()
    store.apply(BEGINNING, NEXT, put_and_get)
    store.apply(NEXT, NEXT, fold)
    assert given[0] == given[1]
    assert repr(at.astimezone(UTC)) in given[0]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"n": 1}, "k is part of the key, and missing"),
        ({"k": None}, "k is part of the key, and missing"),
        ({"k": 5}, "k is text: not 5"),
        ({"k": "\ud800"}, "k is text: 'utf-8' codec"),
        ({"k": "a", "n": "7"}, "n is integer: not '7'"),
        ({"k": "a", "n": True}, "n is integer: not True"),
        ({"k": "a", "n": 2**63}, "n is integer: 9223372036854775808 has more than 64 bits"),
        ({"k": "a", "x": Decimal("1.5")}, "x is real: not Decimal"),
        ({"k": "a", "yes": 1}, "yes is boolean: not 1"),
        ({"k": "a", "at": "2026-11-22"}, "at is timestamp: not '2026-11-22'"),
        ({"k": "a", "at": datetime(2026, 11, 22)}, "at is timestamp: 2026-11-22 00:00:00 has no time zone"),
        ({"k": "a", "data": "{"}, "data is json"),
        ({"k": "a", "data": {}}, "data is json: not {}"),
    ],
)
def test_a_value_that_is_not_of_its_column_s_type_is_refused_when_it_is_put(
    open_it: Callable[[], Store], row: dict[str, Any], complaint: str
) -> None:
    store = open_it()
    with pytest.raises((TypeError, ValueError), match=f"^table t: {complaint}"):
        store.apply(BEGINNING, NEXT, put(row))
    assert (list(store.contents(TABLE)), store.position()) == ([], BEGINNING)


def test_a_key_that_is_none_of_the_table_is_refused(open_it: Callable[[], Store]) -> None:
    store = open_it()
    for wrong in (("x",), ("x", 1, 2), ("x", "1")):
        with pytest.raises((TypeError, ValueError), match="table pairs"):
            store.apply(BEGINNING, NEXT, lambda rows, key=wrong: rows.delete("pairs", *key))
    assert store.get("pairs", None, None) is None


def test_names_that_sql_knows_are_names_like_others(kind: str, tmp_path: Path) -> None:
    table = Table("select", {"group": "text", "order by": "integer", "batch": "text"}, key="group")
    other = Table("batch", {"table": "text"}, key="table")
    projection = projection_of(kind)
    projection.tables = {"select": table, "batch": other}
    projection.sql = ()
    with closing(open_store(projection, tmp_path / "named")) as store:
        for n in range(2):
            store.apply(store.position(), NEXT, lambda rows, n=n: rows.put("select", {"group": "a", "order by": n}))
            store.apply(store.position(), NEXT, lambda rows: rows.put("batch", {"table": "b"}))
        store.apply(store.position(), NEXT, lambda rows: rows.delete("batch", "b"))
        assert (list(store.contents(table)), list(store.contents(other))) == ([("a", 1, None)], [])


@pytest.mark.parametrize(
    ("name", "columns", "key"),
    [
        ('a"b', {"k": "text"}, "k"),
        ("t", {'k"': "text"}, 'k"'),
        ("strandline_projection", {"k": "text"}, "k"),
        ("t", {"k": "text", "K": "text"}, "k"),
        ("t", {"k": "text"}, "n"),
        ("t", {"k": "text"}, ()),
        ("t", {"k": "json"}, "k"),
    ],
)
def test_a_table_that_no_store_could_hold_is_refused_when_it_is_declared(name: str, columns: Any, key: Any) -> None:
    with pytest.raises(ValueError, match="table"):
        Table(name, columns, key)


def test_other_columns_under_the_same_version_are_refused(
    open_it: Callable[[], Store], kind: str, tmp_path: Path
) -> None:
    open_it().close()
    changed = projection_of(kind)
    changed.tables["pairs"] = Table("pairs", {"a": "text", "b": "integer", "d": "text"}, key=("a", "b"))
    with pytest.raises(StoreMismatchError, match="table pairs of p version 1 has changed, the version has not"):
        open_store(changed, tmp_path / "store")


def connect(kind: str, path: Path) -> Any:
    return duckdb.connect(str(path)) if kind == "duckdb" else sqlite3.connect(path, isolation_level=None)


def test_a_database_of_somebody_else_is_left_alone(kind: str, tmp_path: Path) -> None:
    with closing(connect(kind, tmp_path / "mine")) as mine:
        mine.execute("CREATE TABLE precious (n INTEGER)")
    before = (tmp_path / "mine").read_bytes()
    with pytest.raises(StoreMismatchError, match=r"is no projection's store.*precious"):
        open_store(projection_of(kind), tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == before


def test_what_is_no_database_or_a_damaged_one_is_said_with_its_path(
    open_it: Callable[[], Store], kind: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("a shopping list\n" * 1_000)
    (tmp_path / "directory").mkdir()
    open_it().close()
    whole = (tmp_path / "store").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "directory", "cut"):
        with pytest.raises(StoreFailedError, match=str(tmp_path / name)):
            open_store(projection_of(kind), tmp_path / name)


def test_a_database_that_is_locked_is_not_the_handler_s_fault(tmp_path: Path) -> None:
    projection = projection_of("sqlite")
    with closing(SqliteStore.open(projection, tmp_path / "store")) as store:
        store.connection.execute("PRAGMA busy_timeout=0")
        with closing(connect("sqlite", tmp_path / "store")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFailedError, match="store: database is locked"):
                store.apply(BEGINNING, NEXT, put({"k": "a"}))
            other.execute("COMMIT")
        store.apply(BEGINNING, NEXT, put({"k": "a"}))


def test_a_full_disk_is_not_the_handler_s_fault_and_leaves_nothing(tmp_path: Path) -> None:
    projection = projection_of("sqlite")
    path = tmp_path / "store"

    @projection.on("Cars")
    def fill(rows: Rows, revision: Revision) -> None:
        for number in range(100):
            rows.put("t", {"k": f"{number}", "data": json.dumps("x" * 100_000)})

    with closing(SqliteStore.open(projection, path)) as store:
        store.connection.execute("PRAGMA max_page_count=100")
        with pytest.raises(StoreFailedError, match="database or disk is full"):
            store.apply(BEGINNING, NEXT, lambda rows: projection.fold(rows, some_revision()))
        assert (list(store.contents(TABLE)), store.position()) == ([], BEGINNING)


def test_a_query_that_is_wrong_is_the_handler_s_fault(open_it: Callable[[], Store], kind: str) -> None:
    projection = projection_of(kind)

    @projection.on()
    def ask(rows: Rows, revision: Revision) -> None:
        rows.select("SELECT * FROM nowhere")

    with pytest.raises(HandlerError, match=r"p: ask failed on Cars .*nowhere"):
        open_it().apply(BEGINNING, NEXT, lambda rows: projection.fold(rows, some_revision()))


def some_revision() -> Revision:
    assembler = Assembler(BEGINNING)
    for record in stream_of([BlockBuilder().add(("Cars", "a", {}))]):
        assembler.add(record)
    return next(assembler.blocks()).revisions[0]


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
