"""Shows how far a projection is: a bar on a terminal, a line every few seconds elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consumers.project import Progress as Projected

__all__ = ["show_progress"]

_LINE_S = 5.0


@contextmanager
def show_progress(name: str) -> Iterator[Callable[[Projected], None]]:
    """Give the function to call after each batch."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(name, total=None, told="")
            yield lambda projected: _move(bar, task, projected)
    else:
        yield _Lines(name)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("blocks  {task.fields[told]}"),
        TimeElapsedColumn(), console=Console(stderr=True),
    )  # fmt: skip


def _move(bar: Progress, task: TaskID, projected: Projected) -> None:
    done = projected.position.sequence_no + 1
    bar.update(task, completed=done, total=done + projected.lag.blocks, told=_told(projected))


def _told(projected: Projected) -> str:
    lag = projected.lag
    behind = "caught up" if lag.blocks == 0 else f"at most {lag.blocks} blocks and {lag.seconds:.1f} s behind"
    again = f", {projected.duplicates} duplicates dropped" if projected.duplicates else ""
    return f"{projected.revisions} revisions{again}, {behind}"


class _Lines:
    """Lines for a log: at most one every few seconds, and one whenever the end of the stream is reached anew."""

    def __init__(self, name: str) -> None:
        self._name, self._last, self._shown = name, 0.0, ""

    def __call__(self, projected: Projected) -> None:
        line = f"{self._name}: at {projected.position}, {_told(projected)}"
        now = time.monotonic()
        if line != self._shown and (projected.lag.blocks == 0 or now - self._last >= _LINE_S):
            if now - self._last < 1.0 and self._shown:
                return
            print(line, file=sys.stderr, flush=True)
            self._last, self._shown = now, line
