"""From measurements to a table, ratios and a verdict on each goal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from queries_report import queries_goals, queries_table
from rich.console import Console
from rich.table import Table

__all__ = ["Results", "show"]

STEAL_MAX = 10.0
"""Runs during which the hypervisor took more than this many per cent are left out, unless there are no others."""


@dataclass
class Results:
    """All that was measured, as it goes into the JSON file."""

    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    throughput: list[dict[str, Any]] = field(default_factory=list)
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    latency: list[dict[str, Any]] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)
    queries: dict[str, Any] = field(default_factory=dict)

    def runs(self, system: str, keys: str, clients: int) -> list[dict[str, Any]]:
        """Give the runs of one case, the disturbed ones left out."""
        case = [r for r in self.throughput if (r["system"], r["keys"], r["clients"]) == (system, keys, clients)]
        return [r for r in case if r["steal"] <= STEAL_MAX] or case

    def tps(self, system: str, keys: str, clients: int) -> float | None:
        """Give the median; None if it was not measured."""
        runs = self.runs(system, keys, clients)
        return median(r["tps"] for r in runs) if runs else None


def show(results: Results, console: Console) -> None:
    if results.throughput:
        console.print(_throughput(results))
    if results.streams or results.latency or results.memory:
        console.print(_rest(results))
    if results.queries:
        console.print(queries_table(results.queries))
    if results.profile:
        console.print(_profile(results))
    console.print(_goals(results))


def _throughput(results: Results) -> Table:
    table = Table(
        title="Durable UPDATEs per second (median of the rounds), one document per transaction", title_justify="left"
    )
    for column in (
        "keys",
        "clients",
        "Strandline",
        "p50 / p99 ms",
        "embedded",
        "PG audit",
        "ratio",
        "PG chain",
        "ratio",
        "steal %",
    ):
        table.add_column(column, justify="left" if column == "keys" else "right")
    for keys, clients in dict.fromkeys((r["keys"], r["clients"]) for r in results.throughput):
        ours, audit, chain, inside = (
            results.tps(system, keys, clients)
            for system in ("strandline", "postgres audit", "postgres chain", "embedded")
        )
        table.add_row(
            keys, str(clients), _number(ours), _latencies(results.runs("strandline", keys, clients)), _number(inside),
            _number(audit), _ratio(ours, audit), _number(chain), _ratio(ours, chain), _steal(results, keys, clients),
        )  # fmt: skip
    return table


def _rest(results: Results) -> Table:
    table = Table(title="Streams, verification, latency, memory", title_justify="left", show_header=False)
    for name, found in results.streams.items():
        what = "revisions" if "revisions" in found else "blocks"
        table.add_row(
            name,
            f"{found['perSecond']:,.0f} {what}/s",
            f"{found[what]:,} in {found['seconds']} s, steal {found['steal']} %",
        )
    for found in results.latency:
        name = f"acknowledgement to consumer, {found['rate']:.0f} tx/s"
        shown, since = found["acknowledgedToConsumerMs"], found["requestToConsumerMs"]
        rest = f"request to consumer {_pair(since)}; lost {found['lost']}; steal {found['steal']} %"
        table.add_row(name, f"p50 / p99 {_pair(shown)} ms", rest)
    for found in results.memory:
        table.add_row(
            f"coordinator at {found['revisions']:,} revisions",
            f"{found['anonymous']} MB",
            f"resident {found['resident']} MB",
        )
    return table


def _profile(results: Results) -> Table:
    table = Table(title="Where the microseconds of a commit go (batches of 64)", title_justify="left")
    for column in ("step", "CPU us/tx", "wall us/tx"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for step, cost in results.profile["steps"].items():
        table.add_row(step, f"{cost['cpu']:.0f}", f"{cost['wall']:.0f}")
    served = [r["coordinatorCpuMicroseconds"] for r in results.runs("strandline", "uniform", 64)]
    if served:
        table.add_row("over HTTP at 64 clients: the whole coordinator", f"{median(served):.0f}", "")
    for unit, cost in results.profile["units"].items():
        table.add_row(f"[dim]alone: {unit}[/]", f"[dim]{cost:.1f}[/]", "")
    return table


def _goals(results: Results) -> Table:
    table = Table(title="Goals", title_justify="left")
    for column in ("goal", "at least / at most", "measured", ""):
        table.add_column(column)
    for goal, bound, measured, more_is_better in _measured_goals(results):
        met = measured >= bound if more_is_better else measured <= bound
        table.add_row(goal, f"{bound:,g}", f"{measured:,.2f}", "[green]met[/]" if met else "[red]missed[/]")
    return table


def _measured_goals(results: Results) -> Iterable[tuple[str, float, float, bool]]:
    ours, chain = results.tps("strandline", "uniform", 64), results.tps("postgres chain", "uniform", 64)
    hot = results.tps("strandline", "hot", 64)
    if ours and chain:
        yield "64 clients against PostgreSQL with a global chain (ratio)", 1.5, ours / chain, True
    if ours and hot:
        yield "the hot document against uniform keys (ratio)", 0.5, hot / ours, True
    for found in results.latency:
        if found["rate"] == 100 and found["acknowledgedToConsumerMs"]:
            yield "commit to consumer at 100 tx/s, p50 ms", 10, found["acknowledgedToConsumerMs"]["p50"], False
            yield "commit to consumer at 100 tx/s, p99 ms", 50, found["acknowledgedToConsumerMs"]["p99"], False
    for name, bound in (("replay", 5_000.0), ("verify", 2_500.0)):
        if name in results.streams:
            yield (
                f"{name}, {'revisions' if name == 'replay' else 'blocks'}/s",
                bound,
                results.streams[name]["perSecond"],
                True,
            )
    if results.queries:
        yield from queries_goals(results.queries)
    if len(results.memory) > 1:
        growth = results.memory[-1]["anonymous"] / results.memory[0]["anonymous"]
        yield "coordinator's memory, last against first (ratio)", 1.25, growth, False


def _number(value: float | None) -> str:
    return f"{value:,.0f}" if value else ""


def _ratio(ours: float | None, other: float | None) -> str:
    return f"{ours / other:.2f}x" if ours and other else ""


def _pair(latencies: Mapping[str, float]) -> str:
    return f"{latencies['p50']:.1f} / {latencies['p99']:.1f}" if latencies else "-"


def _latencies(runs: Sequence[Mapping[str, Any]]) -> str:
    return _pair({name: median(r["latencyMs"][name] for r in runs) for name in ("p50", "p99")}) if runs else ""


def _steal(results: Results, keys: str, clients: int) -> str:
    of_case = [r["steal"] for r in results.throughput if (r["keys"], r["clients"]) == (keys, clients)]
    return f"{min(of_case):.0f}-{max(of_case):.0f}"
