"""The demo's child processes: other strandline commands, each with a log file, none of which outlives the demo unless it shall.

- Each is a session of its own: Ctrl-C reaches the demo alone, which then ends them in order.
- On Linux the kernel ends them when the demo itself is killed. With `detached` they stay.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["Child", "ChildFailedError", "run"]

_STOP_S = 30.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildFailedError(Exception):
    """A child process ended, or did not do what was waited for; with the end of its log."""


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "strandline", *arguments]


def run(*arguments: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run one strandline command to its end; its exit code is for the caller to judge."""
    return subprocess.run(
        _command(arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
    )


class Child:
    """One `strandline ...` process, that can be started again after its end."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, *, detached: bool) -> None:
        self.name, self.log, self._detached = name, log, detached
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            self._process = subprocess.Popen(
                _command(self._arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if self._detached or _LIBC is None else _die_with_parent,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_for(self, what: str, found: Callable[[str], object], timeout_s: float = 60.0) -> None:
        """Wait until a line of its log, since it was started, is what `found` looks for.

        Raises:
            ChildFailedError: it ended before, or did not say it in time.
        """
        for _ in self.moments(timeout_s):
            if any(map(found, self.lines())):
                return
        raise ChildFailedError(f"{self.name}: {what}: not within {timeout_s:.0f} s\n{self._end_of_log()}")

    def moments(self, timeout_s: float) -> Iterator[None]:
        """Give a moment again and again while the child runs, until the time is over.

        Raises:
            ChildFailedError: it ended.
        """
        assert self._process is not None, "not started"
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            yield
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.02)
                raise ChildFailedError(f"{self.name} ended with {code}\n{self._end_of_log()}")

    def lines(self) -> list[str]:
        """Give what it has said since it was started, as whole lines."""
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            text = log.read().decode(errors="replace")
        return text.split("\n")[:-1]

    def _end_of_log(self) -> str:
        return "\n".join(self.lines()[-15:])

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to finish, and wait."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def event_of(line: str) -> dict[str, object]:
    """Read one line of a JSON log; what is none gives nothing."""
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _die_with_parent() -> None:
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
