"""What is measured. Each function measures once and gives plain numbers; repeating and comparing is the caller's."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from bed import LEDGER, TABLE, Bed
from load import STATEMENT, VIN, percentiles
from machine import Watch, cpu_seconds, memory_mb

from consumers.demo.children import run
from consumers.demo.committing import commit_all
from consumers.demo.data import Statements

__all__ = ["embedded", "latency", "memory", "over_http", "profile", "projection", "replay", "verify"]

_HERE = Path(__file__).parent
_STREAM_TIMEOUT_S = 3600.0


def over_http(bed: Bed, *, clients: int, seconds: float, documents: int, hot: bool) -> dict[str, object]:
    """UPDATEs over HTTP in a closed loop, while everything is published."""
    settings = {
        "port": bed.port,
        "ledger": LEDGER,
        "clients": clients,
        "seconds": seconds,
        "documents": documents,
        "hot": hot,
    }
    before = cpu_seconds(bed.coordinator.pid)
    found = _script("load.py", json.dumps(settings))
    assert found["refused"] == 0, found
    assert found["latencyMs"], "no transaction was answered"
    cpu = (cpu_seconds(bed.coordinator.pid) - before) / float(str(found["answered"])) * 1e6
    return found | {"lagBlocksAtTheEnd": bed.lag_blocks(), "coordinatorCpuMicroseconds": round(cpu, 1)}


def embedded(directory: Path, *, clients: int, seconds: float, documents: int, hot: bool) -> dict[str, object]:
    """UPDATEs in the process of the database, from threads, nothing published."""
    return _script("embedded.py", str(directory), str(clients), str(seconds), str(documents), str(hot))


def profile(directory: Path, *, seconds: float, documents: int) -> dict[str, object]:
    """Where the microseconds of a commit go."""
    return _script("profiling.py", str(directory), str(seconds), str(documents))


def queries(directory: Path, *, documents: int, large: int, rounds: int, seconds: float) -> dict[str, object]:
    """Queries beside SQLite and DuckDB, in a process of their own."""
    directory.mkdir()
    settings = {
        "directory": str(directory),
        "documents": documents,
        "large": large,
        "rounds": rounds,
        "seconds": seconds,
    }
    return _script("queries.py", json.dumps(settings))


def replay(bed: Bed, revisions: int) -> dict[str, object]:
    """The whole journal into new topics."""
    watch = Watch()
    _strandline(
        "publish",
        "--data",
        str(bed.data),
        "--ledger",
        LEDGER,
        "--kafka",
        bed.kafka,
        "--prefix",
        "replay",
        "--until-caught-up",
    )
    return _rate("revisions", revisions, watch)


def verify(bed: Bed, blocks: int) -> dict[str, object]:
    """Every frame, hash, link and view from byte 0."""
    watch = Watch()
    _strandline("verify", "--data", str(bed.data), "--ledger", LEDGER)
    return _rate("blocks", blocks, watch)


def projection(bed: Bed, revisions: int) -> dict[str, object]:
    """The whole stream, verified, into DuckDB: current state and history."""
    store = bed.directory / "analytics.duckdb"
    watch = Watch()
    _strandline(
        "project", "analytics", "--kafka", bed.kafka, "--ledger", LEDGER, "--store", str(store), "--until-caught-up"
    )
    return _rate("revisions", revisions, watch)


def latency(bed: Bed, *, rate: float, seconds: float, documents: int) -> dict[str, object]:
    """From a commit's acknowledgement, and from its request, to the record in a read_committed consumer, at a fixed rate."""
    seen_at, sent_at = bed.directory / "seen", bed.directory / "sent"
    topic = f"strandline.{LEDGER}.{TABLE}"
    command = [sys.executable, str(_HERE / "follow.py"), bed.kafka, topic, str(seen_at)]
    follower = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert follower.stdin is not None
    assert follower.stdout is not None
    try:
        assert follower.stdout.readline() == b"ready\n"
        settings = {
            "port": bed.port, "ledger": LEDGER, "clients": 64, "seconds": seconds, "documents": documents,
            "warm_up": 2.0, "rate": rate, "trace": str(sent_at),
        }  # fmt: skip
        found = _script("load.py", json.dumps(settings))
        bed.wait_until_published()
        threading.Event().wait(1.0)  # what is published reaches the consumer well within that, or counts as lost below
    finally:
        follower.stdin.close()
        follower.wait(30)
    seen = {int(number): int(at) for number, at in (line.split() for line in seen_at.read_text().splitlines())}
    sent = [tuple(map(int, line.split())) for line in sent_at.read_text().splitlines()]
    return found | {
        "rate": rate,
        "lost": sum(number not in seen for number, _, _ in sent),
        "acknowledgedToConsumerMs": percentiles([(seen[n] - ended) / 1e6 for n, _, ended in sent if n in seen]),
        "requestToConsumerMs": percentiles([(seen[n] - began) / 1e6 for n, began, _ in sent if n in seen]),
    }


def memory(bed: Bed, *, documents: int, until_revisions: int, steps: int) -> list[dict[str, object]]:
    """The coordinator's memory while the ledger grows by updates."""
    found: list[dict[str, object]] = [{"revisions": documents, **memory_mb(bed.coordinator.pid)}]
    for step in range(steps):
        count = (until_revisions - documents) // steps
        commit_all(bed.url, LEDGER, None, _updates(step * count, count, documents))
        found.append({"revisions": documents + (step + 1) * count, **memory_mb(bed.coordinator.pid)})
    return found


def _updates(first: int, count: int, documents: int) -> Iterator[Statements]:
    for begin in range(first, first + count, 40):
        numbers = range(begin, min(begin + 40, first + count))
        yield [(STATEMENT, [number, VIN.format(number * 7919 % documents)]) for number in numbers]


def _rate(what: str, count: int, watch: Watch) -> dict[str, object]:
    seconds = watch.seconds()
    return {what: count, "seconds": round(seconds, 2), "perSecond": count / seconds, "steal": watch.steal_percent()}


def _script(name: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, str(_HERE / name), *arguments], stdout=subprocess.PIPE, check=True)
    read = json.loads(done.stdout)
    assert isinstance(read, dict)
    return read


def _strandline(*arguments: str) -> None:
    done = run(*arguments, timeout_s=_STREAM_TIMEOUT_S)
    assert done.returncode == 0, f"strandline {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
