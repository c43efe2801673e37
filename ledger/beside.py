"""What runs beside the committer, in the caller's thread: queries over one durable state, and what would hold the committer too long.

    a query                     read, stream     never waits for a commit, and no commit waits for it
    a one-shot that writes      write            optimistic, as an interactive transaction is: the committer validates it

Rules:
- Whatever runs here has a deadline, and ends at the ledger's close.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ledger import hashing
from ledger.clock import Clock
from ledger.committer import Committer
from ledger.deadline import Deadline
from ledger.errors import (
    JournalFailedError,
    LimitExceededError,
    PlanError,
    TransactionExpiredError,
    TransactionMismatchError,
)
from ledger.ids import IdSource
from ledger.limits import Limits
from ledger.partiql import PlanCache
from ledger.request import Commit, Outcome, StatementText, Waiter
from ledger.row_stream import RowStream
from ledger.transaction import Transaction, run_statement
from ledger.values import Timestamp, Value
from ledger.views import Views
from ledger.views.snapshot import Snapshot

__all__ = ["Beside"]


class Beside:
    """Of one ledger; safe from several threads."""

    def __init__(
        self, committer: Committer, views: Views, plans: PlanCache, clock: Clock, ids: IdSource, limits: Limits
    ) -> None:
        self._committer, self._views, self._plans = committer, views, plans
        self._clock, self._ids, self._limits = clock, ids, limits
        self._lock = threading.Lock()  # guards _streams, and the order of them against the close
        self._streams: weakref.WeakSet[RowStream] = weakref.WeakSet()
        self._running: set[Deadline] = set()
        self._closed = False  # asked after a deadline came into _running, set before it is read

    def read_deadline(self) -> Deadline:
        """Give the deadline of a query that begins now."""
        maximum = self._limits.read_s_max
        at_s = self._clock.monotonic_s() + maximum

        def expired() -> LimitExceededError:
            return LimitExceededError("read_s_max", maximum, maximum + self._clock.monotonic_s() - at_s)

        return Deadline(self._clock.monotonic_s, at_s, expired)

    def transaction_deadline(self, transaction_id: str) -> Deadline:
        """Give the deadline of a transaction that begins now and may write."""
        maximum = self._limits.transaction_age_s_max
        began_s = self._clock.monotonic_s()

        def expired() -> TransactionExpiredError:
            return TransactionExpiredError(transaction_id, self._clock.monotonic_s() - began_s, maximum)

        return Deadline(self._clock.monotonic_s, began_s + maximum, expired)

    @contextmanager
    def running(self, deadline: Deadline) -> Iterator[None]:
        """Have what runs inside cancelled when the ledger closes.

        Raises:
            JournalFailedError: it is closed already.
        """
        self._running.add(deadline)  # one step for Python, so without the lock
        try:
            self._check_open()
            yield
        finally:
            self._running.discard(deadline)

    def read(self, statements: Sequence[StatementText], transaction_id: str | None, deadline: Deadline) -> Outcome:
        """Execute queries over one durable state.

        Raises:
            TransactionMismatchError: the id is that of a transaction that wrote.
            InvalidValueError, StatementCancelledError, LimitExceededError
        """
        self._running.add(deadline)  # as `running`, by hand: a look-up is over in 20 us
        try:
            self._check_open()
            self._check_statements(statements)
            with self._views.snapshot() as snapshot:
                transaction, _ = self._transaction(snapshot, transaction_id, deadline)
                plans = (self._plans.plan(text, snapshot.catalog, snapshot) for text, _ in statements)
                results = [transaction.query(plan, values) for plan, (_, values) in zip(plans, statements, strict=True)]
        finally:
            self._running.discard(deadline)
        return Outcome(transaction.transaction_id, None, results)

    def stream(self, text: str, parameters: Sequence[Value], transaction_id: str | None = None) -> RowStream:
        """Begin to execute one query; its rows come as they are asked for.

        Raises:
            PlanError: the statement is no query.
            InvalidValueError: a text or a parameter is nothing that Ion can say.
            TransactionMismatchError: the id is that of a transaction that wrote.
        """
        self._check_statements([(text, parameters)])
        deadline = self.read_deadline()
        snapshot = self._views.snapshot()
        try:
            transaction, _ = self._transaction(snapshot, transaction_id, deadline)
            plan = self._plans.plan(text, snapshot.catalog, snapshot)
            if not plan.read_only:
                raise PlanError("only a query can be read as a stream; this statement writes")
            stream = RowStream(transaction.transaction_id, transaction.stream(plan, parameters), snapshot, deadline)
            with self._lock:
                self._check_open()
                self._streams.add(stream)
        except BaseException:
            snapshot.close()
            raise
        return stream

    def write(self, statements: Sequence[StatementText], transaction_id: str | None, deadline: Deadline) -> Outcome:
        """Execute a one-shot over one durable state, and have it validated and committed.

        Raises:
            OccConflictError: what it read was changed meanwhile; nothing of it is visible.
            TransactionExpiredError, StatementCancelledError
        """
        session, began_s = self._ids.new(), self._clock.monotonic_s()
        sessions = self._committer.sessions
        sessions.begin(session)  # under an id of its own: two may run with the id of one client
        try:
            with self.running(deadline), self._views.snapshot() as snapshot:
                transaction, now = self._transaction(snapshot, transaction_id, deadline, session)
                # Over what it did itself under this id it might fail: then the committer has its outcome, and only that counts.
                known = transaction_id is not None and snapshot.sequence_of_transaction(transaction_id) is not None
                todo = () if known else statements
                results = [run_statement(self._plans, transaction, text, values, now) for text, values in todo]
            waiter = Waiter()
            request = Commit(
                waiter.notify,
                statements=statements,
                transaction_id=transaction_id,
                transaction=transaction,
                began_s=began_s,
                results=results,
            )
            self._committer.submit(request)
            return waiter.wait(request)
        finally:
            sessions.end(session)

    def close(self) -> None:
        """Cancel what runs, and close what is streamed."""
        with self._lock:
            self._closed = True
            streams = list(self._streams)
        for deadline in list(self._running):
            deadline.cancel("the ledger is closing")
        for stream in streams:
            stream.close()

    def forget(self) -> None:
        """Touch nothing any more: in a process forked off from the one that has it open."""
        self._lock, self._closed = threading.Lock(), True
        self._running, self._streams = set(), weakref.WeakSet()

    def _transaction(
        self, snapshot: Snapshot, transaction_id: str | None, deadline: Deadline, new_id: str | None = None
    ) -> tuple[Transaction, Timestamp]:
        if new_id is None and transaction_id is not None:
            _refuse_writer(snapshot, transaction_id)
        now = Timestamp.of_milliseconds(self._clock.milliseconds())
        chosen = transaction_id or new_id or self._ids.new()
        number = snapshot.sequence_no
        return Transaction(chosen, snapshot, number, now, self._ids.new, self._limits, deadline), now

    def _check_statements(self, statements: Sequence[StatementText]) -> None:
        """Raises InvalidValueError: a text or a parameter is nothing that Ion can say; LimitExceededError: too many statements."""
        maximum = self._limits.statements_per_transaction_max
        if len(statements) > maximum:
            raise LimitExceededError("statements_per_transaction_max", maximum, len(statements))
        for text, parameters in statements:
            for value in parameters if text.isascii() else (text, *parameters):
                hashing.ion_hash(value)

    def _check_open(self) -> None:
        if self._closed:
            raise JournalFailedError("the ledger is closed")


def _refuse_writer(snapshot: Snapshot, transaction_id: str) -> None:
    if snapshot.sequence_of_transaction(transaction_id) is not None:
        raise TransactionMismatchError(f"transaction {transaction_id} was committed before, with other statements")
