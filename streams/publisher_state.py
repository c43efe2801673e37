"""`publisher.json` in the ledger's directory: what the publisher does, for `serve`, `/readyz` and people. Nothing is decided by it, and
a disk that does not take it (full, say) stops nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["PublisherState"]

_WRITE_EVERY_S = 0.4
_WAITING = "waiting for Kafka"
_TELL_AFTER_S, _TELL_EVERY_S = 2.0, 60.0


class PublisherState:
    """The file: replaced as a whole, at once when the state changes, at most a few times a second while only numbers move.

    `tell` is called with a line for people: when Kafka is waited for longer than a moment, now and then while that lasts, when it is over.
    """

    def __init__(self, path: Path, kafka: str, tell: Callable[[str], None] = lambda line: None) -> None:
        self._path, self._kafka, self._tell = path, kafka, tell
        self._tell_at: float | None = None
        self._told = False
        self._shown: tuple[str, int, str | None] = ("", -1, None)
        self._written_at = 0.0
        self._written: tuple[str, int, str | None] | None = None
        self.sequence_no = -1

    def set(self, state: str, error: str | None = None) -> None:
        """Say what the publisher does: starting, publishing, waiting for Kafka, stopped, failed."""
        self._shown = (state, self.sequence_no, error)
        if state == _WAITING:
            self._tell_now_and_then(f"{state}: {error}")
        self._write()

    def waiting(self, reason: str) -> None:
        """Say that Kafka is waited for."""
        self.set(_WAITING, reason)

    def published(self, sequence_no: int) -> None:
        """Note the last published block."""
        self.sequence_no = sequence_no
        self.tick()

    def tick(self) -> None:
        """All is well: write what changed, if the last writing was long enough ago."""
        if self._told:
            self._tell(f"Kafka has answered; published up to block {self.sequence_no}")
        self._tell_at, self._told = None, False
        self._shown = ("publishing", self.sequence_no, None)
        if self._shown != self._written and time.monotonic() - self._written_at >= _WRITE_EVERY_S:
            self._write()

    def _tell_now_and_then(self, line: str) -> None:
        now = time.monotonic()
        if self._tell_at is None:
            self._tell_at = now + _TELL_AFTER_S
        elif now >= self._tell_at:
            self._tell(line)
            self._tell_at, self._told = now + _TELL_EVERY_S, True

    def _write(self) -> None:
        state, sequence_no, error = self._shown
        content = {
            "pid": os.getpid(),
            "publishedSequenceNo": sequence_no,
            "state": state,
            "error": error,
            "kafka": self._kafka,
            "updatedAt": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        partial = self._path.with_name(self._path.name + ".part")
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps(content))
            os.replace(partial, self._path)
        self._written, self._written_at = self._shown, time.monotonic()
