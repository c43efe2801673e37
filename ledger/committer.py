"""The committer: one thread that makes transactions true, a batch at a time.

The story is `_commit_batch`: decide (pure), append (the commit point), apply, acknowledge. While one batch is synced the
next gathers in the queue.

    a crash before append    nothing happened: nobody was told anything
    a crash inside append    recovery decides: the whole batch is there, or nothing of it
    a crash after append     the batch is there; views catch up from the journal; a client that asks again by its id gets the outcome

Rules:
- A request that fails before append fails alone; nothing of it is visible.
- After a failed append or apply nobody knows what is durable: the handle is dead, and recovery decides at the next open.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from ledger import sealing
from ledger.block import Block
from ledger.clock import Clock
from ledger.deadline import Budget
from ledger.errors import (
    IntegrityError,
    JournalFailedError,
    LedgerBusyError,
    LedgerError,
    NotFoundError,
    OccConflictError,
    ReadOnlyError,
    TransactionMismatchError,
)
from ledger.ids import IdSource, check_id
from ledger.journal import FrameLocation, Journal
from ledger.limits import Limits
from ledger.occ import Key, key_in_common, keys_touched
from ledger.outcomes import Outcomes, check_same
from ledger.overlay import Overlay
from ledger.partiql import PlanCache, Result
from ledger.request import Commit, OneShot, Outcome, Request, notify_all
from ledger.sessions import Sessions
from ledger.transaction import Transaction, Work, run_statement
from ledger.values import Timestamp
from ledger.views import Views

__all__ = ["Committer"]

_log = logging.getLogger("strandline.ledger")


@dataclass(slots=True)
class _Winner:
    request: Request
    work: Work
    results: Sequence[Result]
    keys: set[Key]


@dataclass(slots=True)
class _Batch:
    """What was decided for one batch, in order, before anything is written."""

    now: Timestamp
    head: Overlay
    settled: list[Request] = field(default_factory=list)
    winners: list[_Winner] = field(default_factory=list)
    repeats: list[tuple[Request, _Winner]] = field(default_factory=list)
    settled_before_winners: int = 0
    bytes: int = 0
    has_ddl: bool = False


class Committer:
    """Owns the tip. `submit` may be called from any thread."""

    def __init__(
        self, journal: Journal, views: Views, plans: PlanCache, clock: Clock, ids: IdSource, limits: Limits
    ) -> None:
        self._journal, self._views, self._plans = journal, views, plans
        self._clock, self._ids, self._limits = clock, ids, limits
        self._tip = journal.tip
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._queued_bytes = 0
        self._left_over: list[Request] = []
        self._outcomes = Outcomes(limits.recent_outcomes_max, limits.recent_outcomes_bytes_max, self)
        self._submit_lock = threading.Lock()  # guards _failure, _closing, _queued_bytes; their order against the queue
        self.sessions = Sessions(views, clock, limits)
        self._failure: JournalFailedError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    @property
    def tip(self) -> Block | None:
        return self._tip

    @property
    def sequence_no(self) -> int:
        return -1 if self._tip is None else self._tip.sequence_no

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Settle everything that was submitted, then end the thread. False: it was stopped before."""
        with self._submit_lock:
            if self._closing:
                return False
            self._closing = True
            self._queue.put(None)
        self._thread.join()
        return True

    def forget(self, why: JournalFailedError) -> None:
        """Be dead: in a process forked off from the one that has the thread. Nothing that was locked then is ever unlocked here."""
        self._submit_lock = threading.Lock()
        self.sessions.forget()
        self._failure = why

    def check_alive(self) -> None:
        """Raises JournalFailedError: the handle is dead, or closed."""
        if self._failure is not None:
            raise self._failure
        if self._closing:
            raise JournalFailedError("the ledger is closed")

    def submit(self, request: Request) -> None:
        """Queue a request.

        Raises:
            LedgerBusyError: the queue is full.
            JournalFailedError: the handle is dead or closed.
        """
        with self._submit_lock:
            self.check_alive()
            if self._queue.qsize() >= self._limits.queue_transactions_max:
                raise LedgerBusyError(f"{self._limits.queue_transactions_max} transactions are waiting to be committed")
            # What is larger than all that may wait comes in when nothing does: it would be told to come back for ever.
            if self._queued_bytes and request.size > self._limits.queue_bytes_max - self._queued_bytes:
                maximum = self._limits.queue_bytes_max
                raise LedgerBusyError(f"{self._queued_bytes} bytes are waiting to be committed, the limit is {maximum}")
            self._queued_bytes += request.size
            self._queue.put(request)

    def block_of_transaction(self, transaction_id: str) -> Block | None:
        with self._views.snapshot() as snapshot:
            number = snapshot.sequence_of_transaction(transaction_id)
        return None if number is None else self.block(number)

    def block(self, sequence_no: int) -> Block:
        """Raises NotFoundError: there is no such block yet."""
        if not 0 <= sequence_no <= self.sequence_no:
            raise NotFoundError(f"there is no block {sequence_no}: the tip is {self.sequence_no}")
        return self._journal.read(self._views.block_location(sequence_no))

    # The thread.

    def _run(self) -> None:
        while self._failure is None:
            batch: list[Request] = []
            try:
                self._build_while_idle()
                batch = self._next_batch()
                if not batch:
                    return
                self._commit_batch(batch)
            except BaseException as error:  # noqa: BLE001  # outermost loop: whatever it was, durability is now unknown
                self._die(batch, error)

    def _build_while_idle(self) -> None:
        """Build a part of an index after each batch, and more as long as nobody waits."""
        while self._views.build_some() and self._queue.empty() and not self._left_over:
            pass

    def _next_batch(self) -> list[Request]:
        """Wait for work; take what is there, up to the limit. Empty: it is time to end."""
        batch, self._left_over = self._left_over, []
        size = 0
        while len(batch) < self._limits.batch_transactions_max:
            if batch and self._queue.empty():
                break
            request = self._queue.get()
            if request is None:
                self._queue.put(None)  # for the next round, after this batch
                break
            batch.append(request)
            size += request.size
        if size:
            with self._submit_lock:
                self._queued_bytes -= size
        return batch

    def _commit_batch(self, requests: list[Request]) -> None:
        """Make one batch of transactions durable, in order, with a single fdatasync."""
        with self._views.snapshot() as snapshot:
            batch = self._decide(requests, Overlay(snapshot))
            sequence_nos = {
                change.table.table_id: snapshot.next_sequence_no(change.table.table_id)
                for winner in batch.winners
                for change in winner.work.changes
            }
        works = [winner.work for winner in batch.winners]
        blocks = sealing.seal_batch(self._journal.strand_id, self._tip, works, batch.now, sequence_nos)
        if blocks:
            try:
                locations = self._journal.append(blocks)  # the commit point
            except ReadOnlyError as error:  # no room; nothing was written
                return self._refuse(batch, error)
            self._make_visible(batch, blocks, locations)
        self._acknowledge(batch, blocks)
        return None

    # Decide.

    def _decide(self, requests: list[Request], head: Overlay) -> _Batch:
        batch = _Batch(self._now(), head)
        for position, request in enumerate(requests):
            # Plans and indexes after DDL need the applied catalogue; who shows revisions needs those of the winners, sealed.
            full = batch.has_ddl or batch.bytes >= self._limits.batch_bytes_max
            if full or (batch.winners and _may_show_revisions(request)):
                self._left_over = requests[position:]
                break
            try:
                self._decide_one(batch, request)
            except IntegrityError:
                raise  # what is stored is not what we wrote: nothing may be built on it
            except LedgerError as error:
                request.error = error
                batch.settled.append(request)
            except Exception as error:  # noqa: BLE001  # one statement's bug must not take the ledger down: nothing of it is visible
                _log.exception("a statement failed in a way that it should not")
                request.error = LedgerError(f"internal error while executing a statement: {error!r}")
                batch.settled.append(request)
        return batch

    def _decide_one(self, batch: _Batch, request: Request) -> None:
        results: Sequence[Result]
        if request.transaction_id is not None and self._is_repeat(batch, request):
            return
        if isinstance(request, OneShot):
            transaction, results = self._execute(batch, request)
        else:
            assert isinstance(request, Commit)
            transaction, results = request.transaction, request.results
            self._validate_in_batch(batch, request)
        work = transaction.finish()
        batch.bytes += transaction.size
        if not work.changes:
            request.outcome = Outcome(work.transaction_id, None, results)
            batch.settled.append(request)
            return
        if not batch.winners:
            batch.settled_before_winners = len(batch.settled)
        batch.winners.append(_Winner(request, work, results, keys_touched(work.changes)))
        for change in work.changes:
            batch.head.put(change.table, change.document_id, change.before, change.after)
        batch.has_ddl = transaction.has_own_ddl

    def _execute(self, batch: _Batch, request: OneShot) -> tuple[Transaction, list[Result]]:
        transaction = Transaction(
            request.transaction_id or self._ids.new(),
            batch.head,
            self.sequence_no,
            batch.now,
            self._ids.new,
            self._limits,
            Budget(self._limits.visits_in_committer_max),
        )
        results = [
            run_statement(self._plans, transaction, text, parameters, batch.now)
            for text, parameters in request.statements
        ]
        return transaction, results

    def _is_repeat(self, batch: _Batch, request: Request) -> bool:
        """Answer a transaction whose id was used before with its first outcome.

        Raises:
            InvalidValueError: what the client brought is no id; a block with it could never be read.
            TransactionMismatchError: it belongs to another transaction; one that is open would make a second block of that id.
        """
        assert request.transaction_id is not None
        check_id(request.transaction_id)
        for winner in batch.winners:
            if winner.work.transaction_id == request.transaction_id:
                check_same(request, winner.work.statements)
                batch.repeats.append((request, winner))
                return True
        outcome = self._outcomes.find(request)
        if outcome is None:
            if self.sessions.has(request.transaction_id):
                raise TransactionMismatchError(f"transaction {request.transaction_id} is open: its id is not free")
            return False
        request.outcome = outcome
        batch.settled.append(request)
        return True

    def _validate_in_batch(self, batch: _Batch, request: Commit) -> None:
        transaction = request.transaction
        self.sessions.check_age(transaction.transaction_id, request.began_s)
        self.sessions.validate(transaction.transaction_id, transaction.reads, request.began_s)
        for offset, winner in enumerate(batch.winners):
            stale = key_in_common(transaction.reads, winner.keys)
            if stale is not None:
                number = self.sequence_no + 1 + offset
                raise OccConflictError(transaction.transaction_id, stale, transaction.reads.as_of, number)
        if transaction.catalog.state != batch.head.catalog.state:
            transaction.rebase(batch.head, self.sequence_no)

    def _now(self) -> Timestamp:
        now = self._clock.milliseconds()
        if self._tip is not None:
            tip_ms = self._tip.block_timestamp.to_milliseconds()
            if tip_ms > now + 1000:
                _log.warning("the clock is %.1f s behind the last block's time", (tip_ms - now) / 1000)
            now = max(now, tip_ms)
        return Timestamp.of_milliseconds(now)

    # After the commit point.

    def _make_visible(self, batch: _Batch, blocks: list[Block], locations: Iterable[FrameLocation]) -> None:
        with self.sessions.lock:  # no transaction begins between the views' swap and the note of what it changed
            self._views.apply(list(zip(blocks, locations, strict=True)))
            self._tip = blocks[-1]
            self.sessions.note(
                (block.sequence_no, winner.keys) for winner, block in zip(batch.winners, blocks, strict=True)
            )

    def _acknowledge(self, batch: _Batch, blocks: list[Block]) -> None:
        for winner, block in zip(batch.winners, blocks, strict=True):
            winner.request.outcome = Outcome(block.transaction_id, block.address, winner.results)
            if winner.request.transaction_id is not None:
                self._outcomes.remember(winner.request.outcome, block.statements)
            batch.settled.append(winner.request)
        for request, winner in batch.repeats:
            first = winner.request.result()
            request.outcome = Outcome(first.transaction_id, first.block_address, first.results, replayed=True)
            batch.settled.append(request)
        notify_all(batch.settled)

    def _refuse(self, batch: _Batch, error: LedgerError) -> None:
        """Fail those who wanted to write. Whoever was decided after the first of them has seen what did not happen: again."""
        again = batch.settled[batch.settled_before_winners :]
        del batch.settled[batch.settled_before_winners :]
        for request in again:
            request.outcome = request.error = None
        self._left_over = again + self._left_over
        for request in [winner.request for winner in batch.winners] + [request for request, _ in batch.repeats]:
            request.error = error
            batch.settled.append(request)
        notify_all(batch.settled)

    def _die(self, batch: list[Request], error: BaseException) -> None:
        """Fail everything that waits, and everything that will come."""
        _log.critical("the ledger stops: %r", error)
        failure = (
            error if isinstance(error, JournalFailedError) else JournalFailedError(f"the ledger stopped: {error!r}")
        )
        if failure is not error:
            failure.__cause__ = error
        with self._submit_lock:
            self._failure = failure
        queued = []
        while not self._queue.empty():
            queued.append(self._queue.get())
        waiting = {id(request): request for request in batch + self._left_over + queued if request is not None}
        for request in waiting.values():
            request.outcome, request.error = None, failure
        notify_all(list(waiting.values()))


def _may_show_revisions(request: Request) -> bool:
    """Tell whether a request may read history(), the committed view or AS OF; by its text alone, so now and then without need."""
    return isinstance(request, OneShot) and any(_SHOWS_REVISIONS.search(text) for text, _ in request.statements)


_SHOWS_REVISIONS = re.compile(r"history|_ql_committed_|\bof\b", re.IGNORECASE)
