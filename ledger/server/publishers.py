"""One publisher process per ledger, started by the server and started again when it ends.

    serve ──stdin (a pipe)──> strandline publish --watch-stdin ──> Kafka
      └──── reads ──── DIR/NAME/publisher.json <──── writes ────┘

Rules:
- The publisher dies with the server, however the server dies: the kernel closes the pipe, and end-of-file on stdin means "finish".
- It is its own process group, so that Ctrl-C reaches the server alone, which then ends it in order.
- Commits never wait for it and never notice that it is gone; /readyz?verbose does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ledger.values import Value

__all__ = ["Publishers"]

_log = logging.getLogger("strandline.server")

_RESTART_S_MIN = 0.5
_RESTART_S_MAX = 30.0
_SETTLED_S = 60.0
"""Who ran for so long starts again without delay."""
_STOP_S_MAX = 15.0
"""Time to finish the running kafka_tx; what is not published now is published at the next start."""


class _Publisher:
    """Keeps one process running, from a thread of its own."""

    def __init__(self, ledger: str, command: Sequence[str]) -> None:
        self._ledger, self._command = ledger, list(command)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # no process is started after it was told to stop
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._thread = threading.Thread(target=self._run, name=f"publisher of {ledger}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def restarts(self) -> int:
        return max(0, self._starts - 1)

    def _run(self) -> None:
        wait_s = _RESTART_S_MIN
        while (process := self._start()) is not None:
            began = time.monotonic()
            code = process.wait()
            _close_pipe(process)
            if self._stopping.is_set():
                return
            if time.monotonic() - began > _SETTLED_S:
                wait_s = _RESTART_S_MIN
            _log.warning("the publisher of %s ended with %d; again in %.1f s", self._ledger, code, wait_s)
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, _RESTART_S_MAX)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0)
            self._starts += 1
            return self._process

    def begin_stop(self) -> None:
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                _close_pipe(self._process)

    def finish_stop(self, deadline: float) -> None:
        """Wait until it has ended, up to the deadline on the monotonic clock; then kill it."""
        if self._process is not None:
            try:
                self._process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("the publisher of %s does not end; killed", self._ledger)
                self.kill()
        self._thread.join()

    def kill(self) -> None:
        self._stopping.set()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


class Publishers:
    """The publishers of all ledgers; none if `command` is empty (`--kafka off`).

    `command` is what starts one, to which `--data DIR --ledger NAME --watch-stdin` is added.
    """

    def __init__(self, directory: Path, command: Sequence[str]) -> None:
        self._directory, self._command = directory, list(command)
        self._publishers: dict[str, _Publisher] = {}

    def start(self, ledger: str) -> None:
        """Start the publisher of a ledger that has just been opened."""
        if self._command:
            rest = ["--data", str(self._directory), "--ledger", ledger, "--watch-stdin"]
            self._publishers[ledger] = _Publisher(ledger, [*self._command, *rest])

    def state(self, ledger: str, tip_sequence_no: int) -> dict[str, Value]:
        """Give what is known of a ledger's publisher: its own last word, and whether it runs."""
        publisher = self._publishers.get(ledger)
        if publisher is None:
            return {"state": "off"}
        told = _last_word(self._directory / ledger / "publisher.json")
        published = told.get("publishedSequenceNo")
        lag: Value = tip_sequence_no - published if isinstance(published, int) else None
        return told | {"pid": publisher.pid, "restarts": publisher.restarts, "lagBlocks": lag}

    def stop(self) -> None:
        """Tell all of them to finish, and wait for it."""
        deadline = time.monotonic() + _STOP_S_MAX
        for publisher in self._publishers.values():
            publisher.begin_stop()
        for publisher in self._publishers.values():
            publisher.finish_stop(deadline)

    def kill(self) -> None:
        for publisher in self._publishers.values():
            publisher.kill()


def _last_word(path: Path) -> dict[str, Value]:
    """Read the publisher's file, which it replaces as a whole. Nothing yet: it is starting."""
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {"state": "starting"}
    if not isinstance(told, dict):
        return {"state": "starting"}
    known = ("state", "publishedSequenceNo", "error", "kafka", "updatedAt")
    return {name: told[name] for name in known if isinstance(told.get(name), str | int | None)}
