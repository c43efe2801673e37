"""Where the microseconds of a commit go, a process of its own: batches of 64 updates through the embedded database, each step timed.

    python profiling.py DIRECTORY SECONDS DOCUMENTS        prints one JSON object: CPU and wall microseconds per transaction and step

Whole steps of a batch are timed, so that timing costs nothing; what a step is made of is timed alone, on the same document.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load import STATEMENT, VIN

import ledger
from ledger import hashing, ion, sealing
from ledger.committer import Committer
from ledger.database import Database
from ledger.journal.journal import Journal
from ledger.json_values import dump_json, parse_json
from ledger.request import OneShot
from ledger.views import Views

BATCH = 64

STEPS: tuple[tuple[str, Any, str], ...] = (
    ("decide: execute statements, hash documents", Committer, "_decide"),
    ("seal: revision, block and chain hashes", sealing, "seal_batch"),
    ("append: encode blocks into frames", Journal, "_frames"),
    ("append: write and fdatasync", Journal, "_write"),
    ("apply: views in LMDB and flat files", Views, "apply"),
    ("acknowledge", Committer, "_acknowledge"),
    ("the whole batch", Committer, "_commit_batch"),
)


class Timer:
    """Adds up what a function costs, in the thread that calls it."""

    def __init__(self, owner: Any, name: str) -> None:
        self.cpu_s = self.wall_s = 0.0
        timed: Callable[..., Any] = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return timed(*args, **kwargs)
            finally:
                self.cpu_s += time.thread_time() - cpu
                self.wall_s += time.perf_counter() - wall

        setattr(owner, name, call)


def commit_batches(db: Database, seconds: float, documents: int) -> int:
    """Commit batches one after the other; give the number of transactions."""
    chance, count = random.Random(1), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        left, done = [BATCH], threading.Event()

        def settled(batch: list[Any], left: list[int] = left, done: threading.Event = done) -> None:
            left[0] -= len(batch)
            if left[0] == 0:
                done.set()

        for _ in range(BATCH):
            parameters = [chance.randrange(1_000_000), VIN.format(chance.randrange(documents))]
            db.submit(OneShot(settled, statements=[(STATEMENT, parameters)]))
        done.wait()
        count += BATCH
    return count


def unit_costs(document: dict[str, Any]) -> dict[str, float]:
    """Time the building blocks on one document, in microseconds."""
    encoded = ion.encode(document)
    request = dump_json({"statements": [{"statement": STATEMENT, "parameters": [1, document["VIN"]]}]})
    return {
        "Ion hash of the document": _cost(lambda: hashing.ion_hash(document)),
        "Ion hash of its metadata": _cost(lambda: hashing.ion_hash({"id": "0" * 22, "version": 1, "txId": "0" * 22})),
        "statement digest": _cost(lambda: hashing.statement_digest(STATEMENT, [1, document["VIN"]])),
        "Ion binary: encode the document": _cost(lambda: ion.encode(document)),
        "Ion binary: decode the document": _cost(lambda: ion.decode(encoded)),
        "JSON: read the request": _cost(lambda: parse_json(request)),
    }


def _cost(call: Callable[[], object]) -> float:
    times = []
    for _ in range(7):
        began = time.thread_time()
        for _ in range(300):
            call()
        times.append((time.thread_time() - began) / 300)
    return round(min(times) * 1e6, 1)


def main(directory: Path, seconds: float, documents: int) -> dict[str, Any]:
    with ledger.open(directory) as db:
        commit_batches(db, 1.0, documents)
        timers = {name: Timer(owner, attribute) for name, owner, attribute in STEPS}
        process = time.process_time()
        count = commit_batches(db, seconds, documents)
        process = time.process_time() - process
        document = db.execute("SELECT * FROM Vehicle AS v WHERE v.VIN = ?", VIN.format(0)).rows[0]
    assert isinstance(document, dict)
    steps = {
        name: {"cpu": round(t.cpu_s / count * 1e6, 1), "wall": round(t.wall_s / count * 1e6, 1)}
        for name, t in timers.items()
    }
    return {
        "transactions": count,
        "processCpu": round(process / count * 1e6, 1),
        "steps": steps,
        "units": unit_costs(document),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
