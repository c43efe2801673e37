"""Shows how far a projection is: a bar on a terminal, a line of JSON elsewhere. On stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consumers.project import Progress as Projected
from consumers.waiting import OnWait

__all__ = ["show_progress", "show_waiting"]

_LINE_S = 0.1
_WAIT_S, _WAIT_AGAIN_S = 2.0, 30.0


@contextmanager
def show_progress(name: str) -> Iterator[Callable[[Projected], None]]:
    """Give the function to call after each batch."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(name, total=None, told="")
            yield lambda projected: _move(bar, task, projected)
    else:
        lines = _Lines(name)
        yield lines
        lines.end()


def show_waiting(name: str) -> OnWait:
    """Give the function that tells what is awaited: soon, and then now and then."""
    told: dict[str, float] = {}  # reason -> when it was told last, by how long it had been awaited

    def show(reason: str, seconds: float) -> None:
        last = told.get(reason, seconds)
        if seconds < _WAIT_S or (reason in told and 0 <= seconds - last < _WAIT_AGAIN_S):
            return
        told.clear()
        told[reason] = seconds
        if sys.stderr.isatty():
            print(f"waiting for {seconds:.0f} s: {reason}", file=sys.stderr, flush=True)
        else:
            _log("warning", "waiting", name, {"seconds": round(seconds, 1), "reason": reason})

    return show


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
        self._projected: Projected | None = None

    def __call__(self, projected: Projected) -> None:
        self._projected = projected
        if (
            time.monotonic() - self._last >= _LINE_S
        ):  # also called while nothing comes: the last state is told a moment later
            self._tell(projected)

    def end(self) -> None:
        """Tell the last state, if it was not told."""
        if self._projected is not None:
            self._tell(self._projected)

    def _tell(self, projected: Projected) -> None:
        state = projected.position.sequence_no, projected.lag.blocks == 0
        if state == self._shown:
            return
        self._last, self._shown = time.monotonic(), state
        more = {
            "block": projected.position.sequence_no,
            "revisions": projected.revisions,
            "duplicates": projected.duplicates,
            "lagBlocks": projected.lag.blocks,
            "lagSeconds": round(projected.lag.seconds, 3),
        }
        _log("info", "applied", self._name, more)


def _log(level: str, event: str, projection: str, more: Mapping[str, object]) -> None:
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": "strandline.consumers",
        "event": event,
        "projection": projection,
        **more,
    }
    print(json.dumps(line), file=sys.stderr, flush=True)
