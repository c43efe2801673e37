"""The rows of one query as they are found, over one durable state.

Rules:
- The snapshot lives as long as the stream: until its last row, its close, its deadline (`read_s_max`), or the ledger's close. LMDB reuses
  no page meanwhile that the snapshot can see: a stream that nobody reads makes the view store grow under writes.
- Who reads on after an early end is told: a stream that was cut never looks complete.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from ledger.deadline import Deadline
from ledger.errors import StatementCancelledError
from ledger.partiql import Statistics
from ledger.partiql.executor import Execution
from ledger.values import Value, copied
from ledger.views.snapshot import Snapshot

__all__ = ["RowStream"]


class RowStream:
    """An iterator over rows, and a context manager that closes it. Rows are the caller's own.

    One thread reads; any thread may close.
    """

    def __init__(self, transaction_id: str, execution: Execution, snapshot: Snapshot, deadline: Deadline) -> None:
        self.transaction_id = transaction_id
        self._execution, self._snapshot, self.deadline = execution, snapshot, deadline
        self._rows: Iterator[Value] | None = iter(execution.rows)
        self._complete = False
        self._lock = threading.Lock()  # one row at a time; the snapshot is let go of between two of them

    @property
    def statistics(self) -> Statistics:
        """What it has cost so far."""
        return self._execution.statistics

    def __iter__(self) -> RowStream:
        return self

    def __next__(self) -> Value:
        """Give the next row.

        Raises:
            StatementCancelledError: the stream, or the ledger, was closed before the last row.
            LimitExceededError: `read_s_max`, or another limit.
            EvaluationError: the query failed on a value; the rows before stand.
        """
        with self._lock:
            if self._complete:
                raise StopIteration
            if self._rows is None:
                raise StatementCancelledError("the stream was closed before its last row")
            try:
                self.deadline.check()
                return copied(next(self._rows))
            except StopIteration:
                self._complete = True
                self._let_go()
                raise
            except BaseException:
                self._let_go()
                raise

    def close(self) -> None:
        """Let go of the snapshot. Closing twice, or after the last row, does nothing."""
        self.deadline.cancel("the stream was closed")
        with self._lock:
            self._let_go()

    def abandon(self) -> None:
        """Close without waiting: a thread that is in the middle of a row lets go of the snapshot itself, when it asks for the next one."""
        self.deadline.cancel("the stream was closed")
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()

    def _let_go(self) -> None:
        self._rows = None
        self._snapshot.close()

    def __enter__(self) -> RowStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._let_go()  # nobody else has it: nobody waits for the lock
