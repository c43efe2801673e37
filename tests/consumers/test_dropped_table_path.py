"""A table dropped, created again and taken back: from the real ledger over a real Kafka to SQL, a publisher of its own for each step."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import run
from publishing import Stream

import ledger
from consumers.samples.analytics import analytics
from consumers.stores import open_store
from ledger.journal import JournalReader
from streams.broker import Broker, Partition
from streams.check import check_stream
from streams.rebuild import rebuild_ledger
from streams.topic_reader import read_records

pytestmark = pytest.mark.kafka


def publish(stream: Stream, data: Path) -> None:
    """Publish all of the ledger `cars`, in a process of its own."""
    command = [sys.executable, "-m", "strandline", "publish", "--data", str(data), "--ledger", "cars"]
    place = ["--kafka", stream.kafka, "--prefix", stream.names.prefix, "--until-caught-up"]
    subprocess.run([*command, *place], check=True, timeout=120)


def rows(store: Path, sql: str) -> list[Any]:
    with closing(open_store(analytics, store)) as opened:
        return sorted(opened.select(sql))


def ids(db: ledger.Database) -> list[Any]:
    return list(db.execute("SELECT VALUE t.tableId FROM information_schema.user_tables AS t WHERE t.name = 'Car'").rows)


def test_what_sql_sees_follows_the_tables_and_every_rebuild_gives_the_same(stream: Stream, tmp_path: Path) -> None:
    stream.names = type(stream.names)(stream.names.ledger, "cars")
    store, data = tmp_path / "analytics.duckdb", tmp_path / "data"
    current = "SELECT data->>'VIN' FROM current('Car')"

    def project() -> None:
        publish(stream, data)
        code, said = run("project", "analytics", stream, store, "--until-caught-up")
        assert code == 0, said

    with ledger.open(data / "cars") as db:
        for text in ("CREATE TABLE Car", "CREATE INDEX ON Car (VIN)", "INSERT INTO Car <<{'VIN': 'a'}, {'VIN': 'b'}>>"):
            db.execute(text)
        project()
        assert rows(store, current) == [("a",), ("b",)]
        db.execute_transaction([("UPDATE Car SET n = 1", []), ("DROP TABLE Car", [])])
        project()
        assert rows(store, current) == []
        for text in ("CREATE TABLE Car", "INSERT INTO Car <<{'VIN': 'c'}, {'VIN': 'd'}>>"):
            db.execute(text)
        project()
        assert rows(store, current) == [("c",), ("d",)]
        first, second = ids(db)
        db.execute_transaction(
            [("DROP TABLE Car", []), (f'UNDROP TABLE "{first}"', []), ("INSERT INTO Car {'VIN': 'e'}", [])]
        )
        project()
        assert rows(store, current) == [("a",), ("b",), ("e",)]
        assert rows(store, "SELECT table_id, count(*) FROM versions('Car') GROUP BY ALL") == sorted(
            [(first, 5), (second, 2)]
        )
        tables = "SELECT document_id, data->>'status' FROM current('information_schema.user_tables')"
        assert rows(store, tables) == sorted([(first, "ACTIVE"), (second, "INACTIVE")])
        digest, blocks = db.digest(), (0 if db.tip is None else db.tip.sequence_no + 1)

    code, said = run("rebuild", "analytics", stream, store)
    assert (code, said.count(": equal")) == (0, 2), said
    assert rows(store, current) == [("a",), ("b",), ("e",)]

    broker = Broker(stream.kafka)
    reader = JournalReader.open(data / "cars")
    assert check_stream(broker, stream.names, reader).blocks == blocks
    reader.close()
    rebuilt = rebuild_ledger(broker, stream.names, tmp_path / "rebuilt")
    assert rebuilt.digest == digest.digest
    assert_both_tables_are_there(tmp_path / "rebuilt", first, second)


def assert_both_tables_are_there(directory: Path, first: str, second: str) -> None:
    """Check that a ledger knows both tables of one name, the first of them active with its index."""
    with ledger.open(directory) as db:
        assert ids(db) == [first, second]
        assert sorted(map(str, db.execute("SELECT VALUE c.VIN FROM Car AS c").rows)) == ["a", "b", "e"]
        assert db.execute("SELECT VALUE c.VIN FROM Car AS c WHERE c.VIN = 'e'").statistics.scans == ()
        db.execute_transaction([("DROP TABLE Car", []), (f'UNDROP TABLE "{second}"', [])])
        assert sorted(map(str, db.execute("SELECT VALUE c.VIN FROM Car AS c").rows)) == ["c", "d"]


def test_who_reads_a_tables_topic_alone_is_told(stream: Stream, tmp_path: Path) -> None:
    stream.names = type(stream.names)(stream.names.ledger, "cars")
    with ledger.open(tmp_path / "data" / "cars") as db:
        db.execute("CREATE TABLE Car")
        db.execute("INSERT INTO Car {'VIN': 'a'}")
        db.execute("DROP TABLE Car")
        (first,) = ids(db)
        db.execute(f'UNDROP TABLE "{first}"')
        db.execute("UPDATE Car SET n = 1")
    publish(stream, tmp_path / "data")
    broker = Broker(stream.kafka)
    topic = stream.names.of_table(first, "Car")
    heard = []
    for partition in range(broker.topics()[topic]):
        kinds = []
        for record in read_records(broker, {Partition(topic, partition): 0}):
            payload = json.loads(record.value or b"")["payload"]
            kinds.append(payload.get("controlRecordType") or f"version {payload['revision']['metadata']['version']}")
        heard.append(kinds)
    silent = ["TABLE_DROPPED", "TABLE_UNDROPPED"]
    assert heard.count(silent) == len(heard) - 1
    assert ["version 0", *silent, "version 1"] in heard
