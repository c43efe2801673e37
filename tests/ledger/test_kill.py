"""SIGKILL under load: each acknowledged transaction is there afterwards, none is half there, and the checker is content."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import ledger
from ledger.check import check_ledger

WRITER = """
import sys, threading
import ledger

db = ledger.open(sys.argv[1])
if db.tip is None:
    db.execute("CREATE TABLE Pair")
lock = threading.Lock()

def write(worker, run):
    number = 0
    while True:
        name = f"{run}-{worker}-{number}"
        values = [{"name": name, "half": 1}, {"name": name, "half": 2}]
        if number % 2:
            db.execute("INSERT INTO Pair ?", values)
        else:
            with db.start_transaction() as txn:
                for value in values:
                    txn.execute_statement("INSERT INTO Pair ?", value)
        with lock:
            print(name, flush=True)  # the acknowledgement
        number += 1

for worker in range(4):
    threading.Thread(target=write, args=(worker, sys.argv[2]), daemon=True).start()
threading.Event().wait()
"""


INDEXER = """
import sys
import ledger
from ledger.limits import Limits

db = ledger.open(sys.argv[1], limits=Limits(index_build_at_once_max=10))
run = int(sys.argv[2])
if db.tip is None:
    db.execute("CREATE TABLE Car")
    for start in range(0, 1200, 40):
        db.execute("INSERT INTO Car ?", [{"VIN": f"{number}", "n": number} for number in range(start, start + 40)])
db.execute(["CREATE UNIQUE INDEX ON Car (VIN)", "CREATE INDEX ON Car (n)", "CREATE INDEX ON Car (n, VIN)"][run])
print("made", flush=True)
number = 0
while True:
    db.execute("UPDATE Car AS c SET c.n = c.n + 10000 WHERE c.n = ?", number)
    db.execute("INSERT INTO Car VALUE {'n': ?}", number)
    print(number, flush=True)
    number += 1
"""


def acknowledged_until_killed(directory: Path, run: int, count: int, program: str = WRITER) -> list[str]:
    """Let a process commit, kill it after `count` acknowledgements, give all that it acknowledged."""
    command = [sys.executable, "-c", program, str(directory), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        names = [process.stdout.readline().strip() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    assert process.returncode == -signal.SIGKILL, "the writer ended by itself"
    return names + [line for line in rest.split("\n")[:-1] if line]


def test_kill_9_while_indexes_are_built_leaves_them_to_be_finished(tmp_path: Path) -> None:
    directory = tmp_path / "cars"
    for run, count in enumerate((1, 4, 2)):
        acknowledged_until_killed(directory, run, count, INDEXER)
        check_ledger(directory)  # finishes what was being built, and compares all of it
    with ledger.open(directory) as db:
        [indexes] = db.execute("SELECT VALUE t.indexes FROM information_schema.user_tables AS t").rows
        assert isinstance(indexes, list)
        assert [index["status"] for index in indexes if isinstance(index, dict)] == ["ONLINE"] * 3
        assert db.execute("SELECT VALUE c.VIN FROM Car AS c WHERE c.VIN = '1199'").rows == ["1199"]


@pytest.mark.parametrize("sabotage", [False, True], ids=["views kept", "views lost"])
def test_kill_9_under_load_loses_nothing_acknowledged_and_halves_nothing(tmp_path: Path, sabotage: bool) -> None:
    directory = tmp_path / "pairs"
    acknowledged: list[str] = []
    for run, count in enumerate((5, 120, 300)):
        acknowledged += acknowledged_until_killed(directory, run, count)
        if sabotage:
            for file in (directory / "views").rglob("*"):
                if file.is_file():
                    file.write_bytes(b"")
        with ledger.open(directory) as db:
            rows = db.execute("SELECT p.name FROM Pair AS p").rows
        halves = Counter(str(row["name"]) for row in rows if isinstance(row, dict))
        assert set(halves.values()) == {2}, "half a transaction is visible"
        assert set(acknowledged) <= set(halves), "an acknowledged transaction is gone"
        check_ledger(directory)
