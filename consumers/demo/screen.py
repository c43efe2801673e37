"""What the demo shows: acts, progress bars, tables, and checks, on a terminal as in a file.

A check is a claim and whether it held. Nothing is claimed that was not computed; the summary shows all of them, and one that did not
hold makes the demo fail.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

__all__ = ["Bar", "Check", "Screen"]

_WIDTH_OF_A_FILE = 110


@dataclass(frozen=True, slots=True)
class Check:
    """What was claimed, what was found, and whether the one is the other."""

    claim: str
    found: str
    held: bool


class _Rate(ProgressColumn):
    """Transactions per second since the bar began."""

    def render(self, task: Task) -> Text:
        seconds = task.finished_time if task.finished else task.elapsed
        return Text(f"{task.completed / seconds:>7,.0f}/s" if seconds else "")


@dataclass
class Screen:
    """Where everything is written to; `checks` are all checks so far."""

    console: Console = field(default_factory=lambda: _console())
    checks: list[Check] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def act(self, title: str, what: str) -> None:
        """Begin a part of the story."""
        self.console.print()
        self.console.rule(f"[bold]{title}[/]  [dim]{time.monotonic() - self.began:.0f} s[/]", align="left", style="dim")
        self.console.print(Padding(Text(what, style="dim"), (0, 2), expand=False))

    def say(self, text: str) -> None:
        self.console.print(f"  {text}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns:
            shown.add_column(column, overflow="fold")
        for row in rows:
            shown.add_row(*(Text(str(cell)) for cell in row))
        self.console.print(Padding(shown, (0, 0, 0, 2), expand=False))

    def check(self, claim: str, expected: object, actual: object, found: str | None = None) -> None:
        """Compare, show and remember. `found` is shown instead of what was compared, if it held."""
        held = expected == actual
        found = (found or str(actual)) if held else f"expected {expected}, found {actual}"
        self.checks.append(Check(claim, found, held))
        self.console.print(
            "  ", self._mark(held), " ", Text(claim), "  ", Text(found, style="dim" if held else "red"), sep=""
        )

    def _mark(self, held: bool) -> Text:
        fancy = self.console.encoding.startswith("utf")
        return Text("✓" if fancy else "ok", "green") if held else Text("✗" if fancy else "FAILED", "bold red")

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Show how far something is; where there is no terminal, only its end."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(30),
            MofNCompleteColumn(),
            _Rate(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            yield Bar(progress, progress.add_task(what.ljust(28), total=total, note=""))

    def summary(self) -> bool:
        """Show every check again; True if all held."""
        self.console.print()
        self.console.rule(f"[bold]Summary[/]  [dim]{time.monotonic() - self.began:.0f} s[/]", align="left", style="dim")
        shown = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for check in self.checks:
            shown.add_row(
                self._mark(check.held), Text(check.claim), Text(check.found, style="dim" if check.held else "red")
            )
        self.console.print(Padding(shown, (0, 0, 0, 2), expand=False))
        failed = sum(not check.held for check in self.checks)
        self.console.print()
        if failed:
            self.console.print(f"  [bold red]{failed} of {len(self.checks)} checks failed[/]")
        else:
            self.console.print(f"  [bold green]all {len(self.checks)} checks held[/]")
        return failed == 0


@dataclass
class Bar:
    """One progress bar."""

    _progress: Progress
    _task: TaskID

    def at(self, done: int) -> None:
        self._progress.update(self._task, completed=done)

    def note(self, text: str) -> None:
        self._progress.update(self._task, note=f"[dim]{text}[/]")


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE)
