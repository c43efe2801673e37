"""A rebuild from the stream: equal to the live projection, or a difference that is shown and not swapped."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import mortal_projection
import pytest
from commands import run, start, wait_for_block
from publishing import Stream
from stream_of_blocks import some_blocks

from consumers.errors import ConsumerError
from consumers.position import Position
from consumers.project import Progress
from consumers.rebuild import rebuild
from consumers.source import Source
from consumers.stores import open_store

pytestmark = pytest.mark.kafka

PROJECTIONS = {"duckdb": "mortal_projection:in_duckdb", "sqlite": "mortal_projection:in_sqlite"}


def change(kind: str, store: Path, sql: str) -> None:
    """Change a store behind the projection's back."""
    connect = duckdb.connect if kind == "duckdb" else sqlite3.connect
    with closing(connect(str(store))) as connection:
        connection.execute(sql)
        connection.commit()


@pytest.fixture(params=["duckdb", "sqlite"])
def live(request: pytest.FixtureRequest, stream: Stream, tmp_path: Path) -> tuple[str, Path]:
    """A live projection that has caught up with a stream of 30 blocks, and is not running now."""
    stream.publish(*some_blocks(7, 30))
    name, store = PROJECTIONS[request.param], tmp_path / "store"
    code, said = run("project", name, stream, store, "--until-caught-up")
    assert code == 0, said
    return request.param, store


def test_a_rebuild_equals_the_live_projection_and_takes_its_place(live: tuple[str, Path], stream: Stream) -> None:
    kind, store = live
    before = store.stat().st_ino
    stream.publish(*some_blocks(7, 40)[30:])  # the live one has not seen these: it is compared as of its own block
    code, said = run("rebuild", PROJECTIONS[kind], stream, store)
    assert code == 0, said
    assert said.count(": equal") == 2
    assert store.stat().st_ino != before
    assert {path.name for path in store.parent.iterdir()} == {"store", "store.lock"}
    code, said = run("project", PROJECTIONS[kind], stream, store, "--until-caught-up")
    assert code == 0, said
    with closing(open_store(getattr(mortal_projection, f"in_{kind}"), store)) as opened:
        assert opened.position().sequence_no == 39


@pytest.mark.parametrize(
    ("live", "sql", "table"),
    [
        ("duckdb", "UPDATE counted SET data = 'changed' WHERE id = (SELECT max(id) FROM counted)", "counted"),
        ("sqlite", "DELETE FROM seen WHERE id = (SELECT min(id) FROM seen)", "seen"),
        ("sqlite", "INSERT INTO seen VALUES ('of nobody', 0, 0)", "seen"),
    ],
    indirect=["live"],
)
def test_a_difference_is_shown_and_nothing_is_swapped_unless_forced(
    live: tuple[str, Path], stream: Stream, sql: str, table: str
) -> None:
    kind, store = live
    change(kind, store, sql)
    before = store.stat().st_ino
    code, said = run("rebuild", PROJECTIONS[kind], stream, store)
    assert code == 1
    assert f"table {table}: live has" in said
    assert "first difference: live" in said
    assert "Traceback" not in said
    assert store.stat().st_ino == before
    code, said = run("rebuild", PROJECTIONS[kind], stream, store, "--force")
    assert (code, "DIFFERENT, swapped by force" in said) == (0, True)
    code, said = run("rebuild", PROJECTIONS[kind], stream, store)
    assert (code, said.count(": equal")) == (0, 2), said


def test_another_version_is_rebuilt_to_the_end_without_comparing(stream: Stream, tmp_path: Path) -> None:
    stream.publish(*some_blocks(7, 20))
    store = tmp_path / "store"
    assert run("project", "mortal_projection:in_sqlite", stream, store, "--until-caught-up")[0] == 0
    stream.publish(*some_blocks(7, 30)[20:])
    code, said = run("project", "mortal_projection:in_sqlite_2", stream, store, "--until-caught-up")
    assert (code, "`strandline rebuild counting` makes it anew: expected 2, actual 1" in said) == (1, True), said
    code, said = run("rebuild", "mortal_projection:in_sqlite_2", stream, store)
    assert (code, "nothing to compare it with" in said) == (0, True), said
    with closing(open_store(mortal_projection.in_sqlite_2, store)) as opened:
        assert opened.position().sequence_no == 29


def test_a_rebuild_of_nothing_makes_the_projection(stream: Stream, tmp_path: Path) -> None:
    stream.publish(*some_blocks(7, 10))
    code, said = run("rebuild", "mortal_projection:in_duckdb", stream, tmp_path / "new" / "store")
    assert (code, "nothing to compare it with" in said) == (0, True), said


def test_a_projection_that_runs_is_not_rebuilt_under_its_feet(stream: Stream, tmp_path: Path) -> None:
    stream.publish(*some_blocks(7, 10))
    running = start("project", "mortal_projection:in_sqlite", stream, tmp_path / "store")
    wait_for_block(running, 9)
    code, said = run("rebuild", "mortal_projection:in_sqlite", stream, tmp_path / "store")
    assert (code, f"in use by process {running.pid}" in said) == (1, True)
    running.terminate()
    running.communicate(timeout=30)


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_nothing_is_swapped_under_somebody_who_has_the_store_open(live: tuple[str, Path], stream: Stream) -> None:
    """SQLite's readers find its write-ahead log by the file's name: they would meet, and remove, the log of another file."""
    kind, store = live
    stream.publish(*some_blocks(7, 40)[30:])
    with closing(sqlite3.connect(store, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        ((rows,),) = reader.execute("SELECT count(*) FROM seen").fetchall()
        code, said = run("project", PROJECTIONS[kind], stream, store, "--until-caught-up")
        assert code == 0, said
        code, said = run("rebuild", PROJECTIONS[kind], stream, store)
        assert (code, f"{store} is open elsewhere" in said) == (1, True), said
        assert reader.execute("SELECT count(*) FROM seen").fetchall() == [(rows,)]
        reader.execute("COMMIT")
        with closing(open_store(mortal_projection.in_sqlite, store)) as opened:
            assert opened.position().sequence_no == 39
    code, said = run("rebuild", PROJECTIONS[kind], stream, store)
    assert (code, said.count(": equal")) == (0, 2), said


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_rebuild_that_is_stopped_says_so_and_swaps_nothing(live: tuple[str, Path], stream: Stream) -> None:
    kind, store = live
    projection = getattr(mortal_projection, f"in_{kind}")
    before = store.stat().st_ino
    asked: list[Progress] = []

    def open_source(position: Position) -> Source:
        return Source.open(stream.broker, stream.names, position, group="test")

    with pytest.raises(ConsumerError, match=r"stopped at .*, before block 29; nothing was swapped"):
        rebuild(projection, store, open_source, stop=lambda: bool(asked), on_applied=asked.append)
    assert store.stat().st_ino == before


def test_killed_in_the_middle_a_rebuild_leaves_the_live_store_and_the_next_one_starts_clean(
    live: tuple[str, Path], stream: Stream
) -> None:
    kind, store = live
    before = store.read_bytes()
    code, _ = run("rebuild", PROJECTIONS[kind], stream, store, DIE_AT=20)
    assert code == -9
    assert store.read_bytes() == before
    assert (store.parent / "store.rebuild").exists()
    code, said = run("rebuild", PROJECTIONS[kind], stream, store)
    assert (code, said.count(": equal")) == (0, 2), said


def test_a_stream_that_does_not_lead_to_the_live_block_swaps_nothing(live: tuple[str, Path], stream: Stream) -> None:
    kind, store = live
    before = store.stat().st_ino
    shorter = Stream(stream.kafka)
    shorter.publish(*some_blocks(7, 10))
    code, said = run("rebuild", PROJECTIONS[kind], shorter, store)
    assert (code, "does not lead to the live block" in said) == (1, True), said
    assert store.stat().st_ino == before
