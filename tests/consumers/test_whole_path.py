"""From a statement to SQL: the real ledger, the real publisher, a real Kafka, the analytics projection."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from publishing import Stream

import ledger
from consumers.samples.analytics import analytics
from consumers.stores import open_store

pytestmark = pytest.mark.kafka


def publish(stream: Stream, data: Path) -> None:
    """Publish all of the ledger `cars`, in a process of its own."""
    command = [sys.executable, "-m", "strandline", "publish", "--data", str(data), "--ledger", "cars"]
    place = ["--kafka", stream.kafka, "--prefix", stream.names.prefix, "--until-caught-up"]
    subprocess.run([*command, *place], check=True, timeout=120)


def test_what_was_committed_is_what_sql_sees(stream: Stream, tmp_path: Path) -> None:
    with ledger.open(tmp_path / "data" / "cars") as db:
        db.execute("CREATE TABLE Vehicle")
        for number in range(30):
            db.execute(
                "INSERT INTO Vehicle ?", {"VIN": f"VIN{number:02}", "Year": 2000 + number, "Owner": {"Name": "Raul"}}
            )
        db.execute("UPDATE Vehicle AS v SET v.Owner.Name = ? WHERE v.Year >= 2020", "Brent")
        db.execute("DELETE FROM Vehicle AS v WHERE v.Year < 2005")
        rows = db.execute("SELECT v.VIN, v.Year, v.Owner.Name FROM Vehicle AS v").rows
        versions = len(db.execute("SELECT * FROM history(Vehicle)").rows)
        tip = db.tip
    stream.names = type(stream.names)(stream.names.ledger, "cars")
    publish(stream, tmp_path / "data")
    code, said = run("project", "analytics", stream, tmp_path / "analytics.duckdb", "--until-caught-up")
    assert code == 0, said
    with closing(open_store(analytics, tmp_path / "analytics.duckdb")) as store:
        assert str(store.position()) == str(tip)
        shown = "data->>'VIN', CAST(data->>'Year' AS INT), data->>'$.Owner.Name'"
        assert store.select(f"SELECT {shown} FROM current('Vehicle') ORDER BY 1") == sorted(
            (row["VIN"], row["Year"], row["Name"]) for row in rows
        )
        assert store.select("SELECT count(*) FROM versions('Vehicle')") == [(versions,)]
        tables = "SELECT data->>'name', data->>'status' FROM current('information_schema.user_tables')"
        assert store.select(tables) == [("Vehicle", "ACTIVE")]
    code, said = run("rebuild", "analytics", stream, tmp_path / "analytics.duckdb")
    assert (code, said.count(": equal")) == (0, 2), said
