"""The benchmark: `make bench`, or `.venv/bin/python tests/bench`. Not a test: it measures, interleaved with PostgreSQL on the same machine.

Writes a table to the terminal and everything to bench-results.json. About 30 minutes; `--quick` runs every part once for a moment, to
see that it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp

import machine
import scenarios
from bed import LEDGER, Bed, open_bed
from postgres import VARIANTS, NoPostgresError, Postgres, find_postgres
from report import Results, show
from rich.console import Console

CLIENTS = (1, 16, 64)
PARTS = ("throughput", "latency", "verify", "projection", "replay", "embedded", "profile", "memory", "queries")


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    documents: int = 100_000
    rounds: int = 3
    seconds: int = 8
    latency_seconds: float = 30.0
    memory_revisions: int = 500_000
    memory_steps: int = 4
    query_rounds: int = 7
    query_seconds: float = 1.0
    large_table: int = 1_000_000


QUICK = Plan(
    documents=2_000,
    rounds=1,
    seconds=2,
    latency_seconds=4.0,
    memory_revisions=6_000,
    memory_steps=2,
    query_rounds=1,
    query_seconds=0.05,
    large_table=4_000,
)


class Benchmark:
    def __init__(self, plan: Plan, parts: list[str], directory: Path, console: Console) -> None:
        self._plan, self._parts, self._directory, self._console = plan, parts, directory, console
        self.results = Results(asdict(plan) | {"parts": parts}, machine.describe())

    def run(self) -> None:
        postgres = self._start_postgres() if "throughput" in self._parts else None
        try:
            if set(self._parts) - {"memory", "queries"}:
                self._with_stream(postgres)
        finally:
            if postgres:
                self._say(f"PostgreSQL recorded {postgres.heights()} changes")
                postgres.stop()
        if "queries" in self._parts:
            self._queries()
        if "memory" in self._parts:
            self._say("memory: filling a ledger")
            with open_bed(self._directory / "memory", self._plan.documents, publish=False) as bed:
                plan = self._plan
                self.results.memory = scenarios.memory(
                    bed, documents=plan.documents, until_revisions=plan.memory_revisions, steps=plan.memory_steps
                )

    def _queries(self) -> None:
        plan = self._plan
        self._say(f"queries: filling three databases, and a table of {plan.large_table:,} documents")
        self.results.queries = scenarios.queries(
            self._directory / "queries", documents=plan.documents, large=plan.large_table, rounds=plan.query_rounds,
            seconds=plan.query_seconds,
        )  # fmt: skip
        self._say(f"the large table was filled in {self.results.queries['sizes']['fillSeconds']:.0f} s")

    def _start_postgres(self) -> Postgres | None:
        try:
            postgres = Postgres(find_postgres(), self._directory / "postgres", self._plan.documents)
        except NoPostgresError as error:
            self._say(f"[red]without PostgreSQL:[/] {error}")
            return None
        self._say(postgres.version)
        return postgres

    def _with_stream(self, postgres: Postgres | None) -> None:
        plan = self._plan
        self._say(f"filling a ledger with {plan.documents:,} documents")
        with open_bed(self._directory / "server", plan.documents, publish=True) as bed:
            if "throughput" in self._parts:
                self._throughput(bed, postgres)
            if "latency" in self._parts:
                for rate in (100.0, 1000.0):
                    watch = machine.Watch()
                    found = scenarios.latency(bed, rate=rate, seconds=plan.latency_seconds, documents=plan.documents)
                    self.results.latency.append(found | {"steal": watch.steal_percent()})
                    self._say(f"latency at {rate:.0f} tx/s: {found['acknowledgedToConsumerMs']} ms")
            bed.wait_until_published()
            blocks = int(str(bed.state()["tipSequenceNo"])) + 1
            bed.coordinator.stop()
            self._streams(bed, blocks)
            if "embedded" in self._parts:
                self._embedded(bed.data / LEDGER)
            if "profile" in self._parts:
                seconds = float(plan.seconds)
                self.results.profile = scenarios.profile(bed.data / LEDGER, seconds=seconds, documents=plan.documents)

    def _throughput(self, bed: Bed, postgres: Postgres | None) -> None:
        plan = self._plan
        for round_ in range(plan.rounds):
            for hot in (False, True):
                for clients in CLIENTS:
                    with_ = {"clients": clients, "seconds": plan.seconds, "hot": hot}
                    watch = machine.Watch()
                    found = scenarios.over_http(bed, documents=plan.documents, **with_)  # type: ignore[arg-type]  # one set of arguments for all
                    self._note("strandline", round_, with_, found, watch)
                    bed.wait_until_published()
                    for variant in VARIANTS if postgres else ():
                        assert postgres is not None
                        watch = machine.Watch()
                        self._note(f"postgres {variant}", round_, with_, postgres.measure(variant, **with_), watch)  # type: ignore[arg-type]  # as above

    def _embedded(self, directory: Path) -> None:
        plan = self._plan
        for round_ in range(plan.rounds):
            for hot in (False, True):
                for clients in CLIENTS:
                    with_ = {"clients": clients, "seconds": plan.seconds, "hot": hot}
                    watch = machine.Watch()
                    found = scenarios.embedded(directory, documents=plan.documents, **with_)  # type: ignore[arg-type]  # as above
                    self._note("embedded", round_, with_, found, watch)

    def _streams(self, bed: Bed, blocks: int) -> None:
        revisions = (
            blocks - 2 + self._plan.documents - self._plan.documents // 40
        )  # each block one, but those that filled the ledger
        for name, measure, count in (
            ("verify", scenarios.verify, blocks),
            ("projection", scenarios.projection, revisions),
            ("replay", scenarios.replay, revisions),
        ):
            if name in self._parts:
                self.results.streams[name] = measure(bed, count)
                self._say(f"{name}: {self.results.streams[name]}")

    def _note(
        self, system: str, round_: int, with_: dict[str, object], found: dict[str, object], watch: machine.Watch
    ) -> None:
        keys = "hot" if with_["hot"] else "uniform"
        run = {
            "system": system,
            "keys": keys,
            "clients": with_["clients"],
            "round": round_,
            "steal": watch.steal_percent(),
        }
        self.results.throughput.append(run | found)
        self._say(
            f"round {round_ + 1}  {system:15} {keys:8} {with_['clients']:3} clients  {found['tps']:8,.0f}/s  steal {run['steal']} %"
        )

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{text}[/]")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="run everything for a moment, to see that it works")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be given many times")
    parser.add_argument(
        "--directory", type=Path, help="where to work: its disk is measured (default: a temporary directory)"
    )
    parser.add_argument("--output", type=Path, default=Path("bench-results.json"))
    asked = parser.parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=150)
    directory = Path(mkdtemp(prefix="strandline-bench-", dir=asked.directory))
    os.chmod(directory, 0o755)  # PostgreSQL runs as another user
    if machine.file_system_of(directory) == "tmpfs":
        console.print(f"[red]{directory} is in memory: nothing there is durable; name a disk with --directory[/]")
    benchmark = Benchmark(QUICK if asked.quick else Plan(), asked.only or list(PARTS), directory, console)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what runs behind it with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        benchmark.run()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        asked.output.write_text(json.dumps(asdict(benchmark.results), indent=1))
    show(benchmark.results, console)
    console.print(f"everything is in {asked.output}")


if __name__ == "__main__":
    main()
