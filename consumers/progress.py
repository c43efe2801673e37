"""Shows how far a projection is: a bar on a terminal, a line of JSON elsewhere. On stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consumers.project import Progress as Projected

__all__ = ["show_progress"]

_LINE_S = 0.1


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
    """One JSON object a line, for a log: what is durable, ten times a second at most and whenever something has changed."""

    def __init__(self, name: str) -> None:
        self._name, self._last, self._shown = name, 0.0, (-2, False)

    def __call__(self, projected: Projected) -> None:
        now, state = time.monotonic(), (projected.position.sequence_no, projected.lag.blocks == 0)
        if state == self._shown or now - self._last < _LINE_S:
            return  # also called while nothing comes, so the last state is always told
        self._last, self._shown = now, state
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "info",
            "logger": "strandline.consumers",
            "event": "applied",
            "projection": self._name,
            "block": projected.position.sequence_no,
            "revisions": projected.revisions,
            "duplicates": projected.duplicates,
            "lagBlocks": projected.lag.blocks,
            "lagSeconds": round(projected.lag.seconds, 3),
        }
        print(json.dumps(line), file=sys.stderr, flush=True)
