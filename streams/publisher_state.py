"""`publisher.json` in the ledger's directory: what the publisher does, for `serve`, `/readyz` and people. Nothing is decided by it."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["PublisherState"]

_WRITE_EVERY_S = 0.4


class PublisherState:
    """The file: replaced as a whole, at once when the state changes, at most a few times a second while only numbers move."""

    def __init__(self, path: Path, kafka: str) -> None:
        self._path, self._kafka = path, kafka
        self._shown: tuple[str, int, str | None] = ("", -1, None)
        self._written_at = 0.0
        self._written: tuple[str, int, str | None] | None = None
        self.sequence_no = -1

    def set(self, state: str, error: str | None = None) -> None:
        """Say what the publisher does: starting, publishing, waiting for Kafka, stopped, failed."""
        self._shown = (state, self.sequence_no, error)
        self._write()

    def published(self, sequence_no: int) -> None:
        """Note the last published block."""
        self.sequence_no = sequence_no
        state, _, error = self._shown
        self._shown = (state, sequence_no, error)
        self.tick()

    def tick(self) -> None:
        """Write what changed, if the last writing was long enough ago."""
        if self._shown != self._written and time.monotonic() - self._written_at >= _WRITE_EVERY_S:
            self._write()

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
        partial.write_text(json.dumps(content))
        os.replace(partial, self._path)
        self._written, self._written_at = self._shown, time.monotonic()
