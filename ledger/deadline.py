"""When a statement must end: after so much work in the committer, after so much time elsewhere, or because nobody wants it any more.

Both are watches of `ledger.partiql.run`. Pure: the clock is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.errors import BesideError, LedgerError, StatementCancelledError

__all__ = ["Budget", "Deadline"]

_VISITS_BETWEEN_LOOKS = 1_000
"""Some 1 to 20 ms: documents that nobody has decoded yet take the longest."""


class Budget:
    """So many visits for all statements of a transaction that the committer executes; counted, not timed."""

    __slots__ = ("_left", "_maximum")

    def __init__(self, maximum: int) -> None:
        self._left = self._maximum = maximum

    def look(self, visited: int) -> int:
        """Raises BesideError: it is too much for the committer."""
        if visited > self._left or self._left <= 0:
            raise BesideError(f"this transaction looks at more than {self._maximum} documents or elements")
        return self._left

    def ended(self, visited: int) -> None:
        self._left -= visited


class Deadline:
    """A time at which everything of one transaction ends; `cancel` from any thread ends it before.

    Args:
        now_s: a monotonic clock, in seconds.
        at_s: the end, by that clock.
        expired: gives the error then.
    """

    __slots__ = ("_at_s", "_cancelled", "_expired", "_now_s")

    def __init__(self, now_s: Callable[[], float], at_s: float, expired: Callable[[], LedgerError]) -> None:
        self._now_s, self._at_s, self._expired = now_s, at_s, expired
        self._cancelled: str | None = None

    def left_s(self) -> float:
        """Give the seconds until the end; negative after it."""
        return self._at_s - self._now_s()

    def cancel(self, why: str) -> None:
        """End it at its next look."""
        self._cancelled = self._cancelled or why

    def check(self) -> None:
        """Raises StatementCancelledError, or what `expired` gives."""
        if self._cancelled is not None:
            raise StatementCancelledError(f"the statement was cancelled: {self._cancelled}")
        if self._now_s() > self._at_s:
            raise self._expired()

    def look(self, visited: int) -> int:
        self.check()
        return visited + _VISITS_BETWEEN_LOOKS

    def ended(self, visited: int) -> None:
        """Time is no work: nothing to note."""
