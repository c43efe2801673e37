"""The one module of the ledger that reads a clock."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the ledger knows of time."""

    def milliseconds(self) -> int:
        """Give wall-clock milliseconds since 1970-01-01T00:00Z; may jump."""
        ...

    def monotonic_s(self) -> float:
        """Give seconds that never go back, for ages and time-outs."""
        ...


class SystemClock:
    """The machine's clocks."""

    def milliseconds(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()
