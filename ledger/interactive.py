"""Interactive transactions: statements one by one, each over the newest durable state, checked once more at commit.

    open --commit--> committed
         --abort, a statement that fails, a conflict, too old--> aborted

No store transaction outlives a statement, so an idle session pins nothing but its own reads and writes in memory.
"""

from __future__ import annotations

import threading
from enum import Enum

from ledger import iontext
from ledger.beside import Beside
from ledger.clock import Clock
from ledger.committer import Committer
from ledger.errors import TransactionClosedError
from ledger.ids import IdSource
from ledger.limits import Limits
from ledger.partiql import PlanCache, Result
from ledger.request import Commit, Outcome, Waiter, own_copy
from ledger.transaction import Transaction, run_statement
from ledger.values import Timestamp
from ledger.views import Views

__all__ = ["InteractiveTransaction"]


class _State(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


class InteractiveTransaction:
    """An open transaction of `execute_lambda` or of a session. Safe from several threads, one statement at a time.

    Used as a context manager it commits at the end of the block, and aborts if the block raises.
    """

    def __init__(
        self,
        committer: Committer,
        beside: Beside,
        views: Views,
        plans: PlanCache,
        clock: Clock,
        ids: IdSource,
        limits: Limits,
    ) -> None:
        self.transaction_id = ids.new()
        self._committer, self._views, self._plans, self._clock = committer, views, plans, clock
        self._beside = beside
        self._lock = threading.Lock()
        self._state = _State.OPEN
        self._began_s = clock.monotonic_s()
        self._deadline = beside.transaction_deadline(self.transaction_id)
        self._results: list[Result] = []
        as_of = committer.sessions.begin(self.transaction_id)
        now = Timestamp.of_milliseconds(clock.milliseconds())
        with views.snapshot() as snapshot:
            self._transaction = Transaction(self.transaction_id, snapshot, as_of, now, ids.new, limits, self._deadline)

    def execute_statement(self, text: str, *parameters: object) -> Result:
        """Execute one statement.

        Raises:
            StatementError, LimitExceededError, OccConflictError, TransactionExpiredError, StatementCancelledError: the
                transaction is aborted, since the statement may have done half of its work.
            TransactionClosedError: it was over before.
        """
        values = [iontext.of_python(parameter) for parameter in parameters]
        with self._lock:
            self._check_open()
            self._committer.check_alive()
            try:
                with self._beside.running(self._deadline), self._views.snapshot() as snapshot:
                    self._committer.sessions.validate(self.transaction_id, self._transaction.reads, self._began_s)
                    self._transaction.rebase(snapshot, snapshot.sequence_no)
                    started = Timestamp.of_milliseconds(self._clock.milliseconds())
                    result = own_copy(run_statement(self._plans, self._transaction, text, values, started))
            except BaseException:
                self._abort()
                raise
            self._results.append(result)
            return result

    def commit(self) -> Outcome:
        """Commit.

        Raises:
            OccConflictError, TransactionExpiredError: nothing of it is visible.
            TransactionClosedError: it is not open.
        """
        with self._lock:
            self._check_open()
            waiter = Waiter()
            request = Commit(waiter.notify, transaction=self._transaction, began_s=self._began_s, results=self._results)
            try:  # it stays registered until settled, so that what it must be validated against is remembered
                self._committer.submit(request)
                outcome = waiter.wait(request)
            except BaseException:
                self._abort()
                raise
            self._state = _State.COMMITTED
            self._committer.sessions.end(self.transaction_id)
            return outcome

    def abort(self) -> None:
        """Give up; nothing of it is visible. Aborting what is over does nothing."""
        with self._lock:
            if self._state is _State.OPEN:
                self._abort()

    def __enter__(self) -> InteractiveTransaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abort()
        elif self._state is _State.OPEN:
            self.commit()

    def _check_open(self) -> None:
        if self._state is not _State.OPEN:
            raise TransactionClosedError(f"transaction {self.transaction_id} is {self._state.value}")

    def _abort(self) -> None:
        self._state = _State.ABORTED
        self._committer.sessions.end(self.transaction_id)
