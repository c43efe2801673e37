"""The embedded database: open a ledger's directory, execute, prove, close.

`open` recovers and wires; after it, all I/O is behind the journal and the views.
"""

from __future__ import annotations

import os
import random
import re
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ledger import iontext, proofs
from ledger.beside import Beside
from ledger.block import Block, BlockAddress
from ledger.clock import Clock, SystemClock
from ledger.committer import Committer
from ledger.deadline import Deadline
from ledger.errors import (
    BesideError,
    InvalidValueError,
    JournalFailedError,
    LimitExceededError,
    OccConflictError,
    TransactionError,
)
from ledger.ids import IdSource
from ledger.interactive import InteractiveTransaction
from ledger.journal import Files, Journal, RealFiles
from ledger.limits import Limits
from ledger.partiql import PlanCache, Result
from ledger.proofs import Digest
from ledger.request import OneShot, Outcome, StatementText, Waiter, own_copy
from ledger.row_stream import RowStream
from ledger.values import Value
from ledger.views import Views

__all__ = ["Database", "check_ledger_name", "open_ledger"]

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Told (what, done, total) during long work."""


def check_ledger_name(name: str) -> str:
    """Return the name if a ledger may have it: 1-32 letters, digits and hyphens, none first or last, not all digits (QLDB's rule).

    Raises:
        InvalidValueError
    """
    if not re.fullmatch(r"(?!\d+$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?", name) or "--" in name:
        raise InvalidValueError(
            f"a ledger's name has 1 to 32 letters, digits and single hyphens, starts and ends with no hyphen,"
            f" and is not all digits: {name!r} is not one"
        )
    return name


def open_ledger(
    path: str | os.PathLike[str],
    *,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    clock: Clock | None = None,
    files: Files | None = None,
    random_bytes: Callable[[int], bytes] = os.urandom,
    progress: Progress | None = None,
) -> Database:
    """Open the ledger in directory `path`, whose last part is its name; make it if it is not there.

    Raises:
        LedgerLockedError: another process has it open.
        FormatVersionError: it was written by a newer Strandline.
        IntegrityError: it is damaged; nothing was changed.
        InvalidValueError: the name is not one.
    """
    directory = Path(path)
    check_ledger_name(directory.name)
    clock = clock or SystemClock()
    ids = IdSource(lambda: clock.milliseconds() / 1000, random_bytes)
    journal = Journal.open(
        directory, files=files or RealFiles(), limits=limits, new_strand_id=ids.new, progress=progress
    )
    try:
        views = Views.open(directory / "views", journal, limits=limits, progress=progress)
    except BaseException:
        journal.close()
        raise
    return Database(directory.name, journal, views, clock, ids, limits)


class Database:
    """An open ledger. Safe from several threads; one process at a time."""

    def __init__(self, name: str, journal: Journal, views: Views, clock: Clock, ids: IdSource, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self._journal, self._views, self._clock, self._ids = journal, views, clock, ids
        self._plans = PlanCache(limits, time.perf_counter_ns)
        self._committer = Committer(journal, views, self._plans, clock, ids, limits)
        self._beside = Beside(self._committer, views, self._plans, clock, ids, limits)
        self._committer.start()
        _open_here.add(self)

    @property
    def strand_id(self) -> str:
        return self._journal.strand_id

    @property
    def tip(self) -> BlockAddress | None:
        """The last block's address; None while there is none."""
        tip = self._committer.tip
        return None if tip is None else tip.address

    def check_alive(self) -> None:
        """Raises JournalFailedError: the ledger is closed, or stopped after a failure."""
        self._committer.check_alive()

    # Transactions.

    def execute(self, text: str, *parameters: object) -> Result:
        """Execute one statement as a transaction of its own.

        Raises:
            StatementError, LimitExceededError, LedgerBusyError, ReadOnlyError: nothing happened.
            JournalFailedError: the ledger is dead; whether the statement is durable, the next open tells.
        """
        result = self.execute_transaction([(text, parameters)]).results[0]
        assert result is not None
        return result

    def execute_transaction(
        self, statements: Sequence[tuple[str, Sequence[object]]], transaction_id: str | None = None
    ) -> Outcome:
        """Execute statements, each with its parameters, as one ACID transaction. With an id that was used before: the first outcome.

        Parameters and rows are copies: what the caller does with his own changes nothing here.

        Raises:
            As `execute`; TransactionMismatchError: the id was used for other statements.
        """
        values = [(text, [iontext.of_python(p) for p in parameters]) for text, parameters in statements]
        if self.is_read_only(values):
            outcome = self.read(values, transaction_id)
        else:
            waiter = Waiter()
            request = OneShot(waiter.notify, statements=values, transaction_id=transaction_id)
            self.submit(request)
            try:
                outcome = waiter.wait(request)
            except BesideError:
                outcome = self.execute_beside(values, transaction_id)
        results = [result and own_copy(result) for result in outcome.results]
        return Outcome(outcome.transaction_id, outcome.block_address, results, outcome.replayed)

    def submit(self, request: OneShot) -> None:
        """Queue a one-shot transaction; its `notify` tells when it is settled: with BesideError if it is for `execute_beside`.

        Raises:
            LedgerBusyError, JournalFailedError: it was not queued.
        """
        self._committer.submit(request)

    def deadline(self, statements: Sequence[StatementText]) -> Deadline:
        """Give the deadline of what begins now beside the committer; whoever has it can cancel that, from any thread.

        Raises:
            ParseError, LimitExceededError
        """
        if self.is_read_only(statements):
            return self._beside.read_deadline()
        return self._beside.transaction_deadline("of one request")

    def read(
        self,
        statements: Sequence[StatementText],
        transaction_id: str | None = None,
        deadline: Deadline | None = None,
    ) -> Outcome:
        """Execute queries over one durable state, in the caller's thread: the committer never waits for a long scan.

        Raises:
            TransactionMismatchError: the id is that of a transaction that wrote.
            LimitExceededError, StatementCancelledError: at the deadline.
        """
        self._committer.check_alive()
        return self._beside.read(statements, transaction_id, deadline or self._beside.read_deadline())

    def stream(self, text: str, *parameters: object) -> RowStream:
        """Read the rows of one query as they are found, over one durable state; memory stays flat however many they are.

            with db.stream("SELECT * FROM Vehicle") as rows:
                for row in rows: ...

        Raises:
            StatementError: it is no query, or a wrong one. Each row may raise what `RowStream` says.
        """
        return self.stream_values(text, [iontext.of_python(parameter) for parameter in parameters])

    def stream_values(self, text: str, parameters: Sequence[Value], transaction_id: str | None = None) -> RowStream:
        """As `stream`, of Ion values. Raises TransactionMismatchError: the id is that of a transaction that wrote."""
        self._committer.check_alive()
        return self._beside.stream(text, parameters, transaction_id)

    def execute_beside(
        self,
        statements: Sequence[StatementText],
        transaction_id: str | None = None,
        deadline: Deadline | None = None,
    ) -> Outcome:
        """Execute, in the caller's thread, a one-shot that looks at too much for the committer (`visits_in_committer_max`).

        Raises:
            OccConflictError: what it read was changed meanwhile, at each of `occ_retries_max` further tries too.
            As `read`.
        """
        if self.is_read_only(statements):
            return self.read(statements, transaction_id, deadline)
        until = deadline or self.deadline(statements)
        return _retried(
            lambda: self._beside.write(statements, transaction_id, until), retries=self.limits.occ_retries_max
        )

    def is_read_only(self, statements: Sequence[StatementText]) -> bool:
        """Tell whether the statements are all queries.

        Raises:
            ParseError: one is not a statement.
            LimitExceededError: they are too many.
        """
        maximum = self.limits.statements_per_transaction_max
        if len(statements) > maximum:  # before any of them costs anything
            raise LimitExceededError("statements_per_transaction_max", maximum, len(statements))
        return all(self._plans.parse(text).kind == "query" for text, _ in statements)

    def needs_scan(self, statements: Sequence[StatementText]) -> bool:
        """Tell whether the statements are all queries, and one may read a whole table.

        Raises:
            StatementError: one cannot be planned.
        """
        if not self.is_read_only(statements):
            return False
        with self._views.snapshot() as snapshot:
            return any(self._plans.plan(text, snapshot.catalog, snapshot).scans for text, _ in statements)

    def start_transaction(self) -> InteractiveTransaction:
        """Begin an interactive transaction.

        Raises:
            LedgerBusyError: too many are open.
        """
        self._committer.check_alive()
        return InteractiveTransaction(
            self._committer, self._beside, self._views, self._plans, self._clock, self._ids, self.limits
        )

    def execute_lambda(self, work: Callable[[InteractiveTransaction], T], *, retry_limit: int | None = None) -> T:
        """Run `work` with an interactive transaction, commit, and give what `work` returned.

        On a retriable error the whole of it is run again, up to `retry_limit` times, so it must be safe to repeat.

        Raises:
            The error of the last try; whatever `work` raises (the transaction is then aborted).
        """

        def once() -> T:
            with self.start_transaction() as transaction:
                return work(transaction)

        return _retried(once, retries=self.limits.occ_retries_max if retry_limit is None else retry_limit)

    # Proofs.

    def digest(self) -> Digest:
        """Give the hash of everything up to the tip."""
        with self._views.snapshot():
            return proofs.digest(self._views)

    def block(self, sequence_no: int) -> Block:
        """Raises NotFoundError: there is no such block."""
        with self._views.snapshot():
            return self._committer.block(sequence_no)

    def receipt(self, document_id: str, version: int, tip: int | None = None) -> dict[str, Value]:
        """Give all that an offline check of one revision needs, as an Ion struct.

        Args:
            tip: the sequence number of the digest's last block; default the present tip.

        Raises:
            NotFoundError: there is no such revision, or no such tip.
        """
        with self._views.snapshot():
            return proofs.receipt(self.name, self._views, document_id, version, tip)

    def stop_reading(self) -> None:
        """End the reads and streams of all threads; nothing new can be read afterwards. The ledger is about to be closed."""
        self._beside.close()

    def close(self, *, finish_indexes: bool = False) -> None:
        """Cancel what other threads read, settle what was submitted, then close. Closing twice does nothing.

        Args:
            finish_indexes: first build to the end what CREATE INDEX began; else that goes on at the next open.
        """
        self._beside.close()
        if not self._committer.stop():
            return
        if finish_indexes:
            self._views.finish_building()
        self._views.close()
        self._journal.close()

    def _forget(self) -> None:
        self._committer.forget(
            JournalFailedError("the ledger belongs to the process that this one was forked off from")
        )
        self._beside.forget()
        self._views.forget()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# A forked child has no committer: without this it would wait for an answer for ever, and by closing say that the parent had closed.
_open_here: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_in_child() -> None:
    for database in list(_open_here):
        database._forget()


os.register_at_fork(after_in_child=_forget_in_child)


def _retried(work: Callable[[], T], *, retries: int) -> T:
    for attempt in range(retries + 1):
        try:
            return work()
        except TransactionError as error:
            if not error.retriable or attempt == retries:
                raise
            if isinstance(error, OccConflictError):
                time.sleep(_backoff_s(attempt))
    raise AssertionError("unreachable")


def _backoff_s(attempt: int) -> float:
    """QLDB's drivers: half of min(10 ms * 2^attempt, 5 s), and up to as much again at random."""
    full: float = min(0.010 * 2**attempt, 5.0)
    return full / 2 + random.random() * full / 2
