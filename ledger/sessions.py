"""Which transactions are open beside the committer, and whether what they read still holds.

Rules:
- What was committed since the oldest open one began is remembered, for as long as a transaction may be open.
- No transaction begins between the views' swap and the note of what it changed: whoever swaps holds `lock`.
- A session that nobody ended does not take a place for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ledger.clock import Clock
from ledger.errors import LedgerBusyError, OccConflictError, TransactionExpiredError
from ledger.limits import Limits
from ledger.occ import Key, ReadSet, RecentWrites
from ledger.views import Views

__all__ = ["Sessions"]


class Sessions:
    """The open transactions of one ledger. Any thread may call it; `note` only who holds `lock`."""

    def __init__(self, views: Views, clock: Clock, limits: Limits) -> None:
        self._views, self._clock, self._limits = views, clock, limits
        self.lock = threading.Lock()  # guards _open and _recent
        self._open: dict[str, tuple[int, float]] = {}  # transaction id -> (as of, began at monotonic seconds)
        self._recent = RecentWrites(views.sequence_no)

    def begin(self, transaction_id: str) -> int:
        """Register a transaction; give the block that its reads are valid as of.

        Raises:
            LedgerBusyError: too many are open.
        """
        with self.lock:
            if len(self._open) >= self._limits.open_transactions_max:
                self._let_go_of_expired(self._clock.monotonic_s())
            if len(self._open) >= self._limits.open_transactions_max:
                raise LedgerBusyError(f"{self._limits.open_transactions_max} transactions are open")
            as_of = self._views.sequence_no
            self._open[transaction_id] = (as_of, self._clock.monotonic_s())
            return as_of

    def end(self, transaction_id: str) -> None:
        with self.lock:
            self._open.pop(transaction_id, None)

    def has(self, transaction_id: str) -> bool:
        with self.lock:
            return transaction_id in self._open

    def check_age(self, transaction_id: str, began_s: float) -> None:
        """Raises TransactionExpiredError: it began too long ago."""
        age = self._clock.monotonic_s() - began_s
        if age > self._limits.transaction_age_s_max:
            raise TransactionExpiredError(transaction_id, age, self._limits.transaction_age_s_max)

    def validate(self, transaction_id: str, reads: ReadSet, began_s: float) -> None:
        """Check that nothing durable has changed what was read.

        Raises:
            OccConflictError, TransactionExpiredError
        """
        with self.lock:
            if not self._recent.remembers(reads.as_of):
                age = self._clock.monotonic_s() - began_s
                raise TransactionExpiredError(transaction_id, age, self._limits.transaction_age_s_max)
            conflict = self._recent.conflict(reads)
        if conflict is not None:
            raise OccConflictError(transaction_id, conflict[0], reads.as_of, conflict[1])

    def note(self, written: Iterable[tuple[int, set[Key]]]) -> None:
        """Note what new blocks wrote, as (sequence number, keys), and forget what nobody asks for any more. The caller holds the lock."""
        now_s = self._clock.monotonic_s()
        if self._open:
            self._let_go_of_expired(now_s)
        if self._open:
            for sequence_no, keys in written:
                self._recent.record(sequence_no, now_s, keys)
        tip = self._views.sequence_no
        oldest = min((as_of for as_of, _ in self._open.values()), default=tip)
        self._recent.forget_up_to(oldest, now_s - self._limits.transaction_age_s_max)

    def forget(self) -> None:
        """Be usable in a process forked off: what was locked then is never unlocked here."""
        self.lock = threading.Lock()

    def _let_go_of_expired(self, now_s: float) -> None:
        oldest_s = now_s - self._limits.transaction_age_s_max
        self._open = {i: (as_of, began_s) for i, (as_of, began_s) in self._open.items() if began_s >= oldest_s}
