"""What the committer is asked, and what it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.block import BlockAddress
from ledger.errors import LedgerError
from ledger.partiql import Result
from ledger.transaction import Transaction
from ledger.values import Value, copied

__all__ = ["Commit", "OneShot", "Outcome", "Request", "StatementText", "Waiter", "notify_all", "own_copy"]

StatementText = tuple[str, Sequence[Value]]
"""A statement's text and its parameters."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A transaction that committed.

    `block_address` is None if it wrote nothing. `replayed`: its id had been used before, and this is the first outcome; a
    result is then None where the rows of a query are no longer known.
    """

    transaction_id: str
    block_address: BlockAddress | None
    results: Sequence[Result | None]
    replayed: bool = False


@dataclass(eq=False, slots=True)
class Request:
    """Something for the committer to settle. Afterwards exactly one of `outcome` and `error` is set.

    `notify` is called from the committer's thread with all requests of a batch that have the same `notify`; it must not block.
    `transaction_id`: the client's own, 22 characters; with it the statements are known, for whoever asks again. `size`: of the request in
    bytes, where it came from outside: what the queue holds is bounded by it.
    """

    notify: Callable[[list[Request]], None]
    statements: Sequence[StatementText] = ()
    transaction_id: str | None = None
    size: int = 0
    outcome: Outcome | None = field(default=None, init=False)
    error: LedgerError | None = field(default=None, init=False)

    def result(self) -> Outcome:
        """Give the outcome, or raise the error."""
        if self.error is not None:
            raise self.error
        assert self.outcome is not None, "asked before it was settled"
        return self.outcome


@dataclass(eq=False, slots=True)
class OneShot(Request):
    """A whole transaction, executed by the committer in batch order."""


@dataclass(eq=False, slots=True)
class Commit(Request):
    """The end of a transaction that was executed beside the committer: an interactive one, or a one-shot with much to look at."""

    transaction: Transaction = field(kw_only=True)
    began_s: float = field(kw_only=True)
    results: Sequence[Result] = field(kw_only=True, default=())


def own_copy(result: Result) -> Result:
    """Give a result whose rows the caller may change: those of the executor are the documents that the ledger keeps."""
    return Result([copied(row) for row in result.rows], result.statistics, result.size)


def notify_all(requests: Sequence[Request]) -> None:
    """Tell each waiting side once, with all of its requests."""
    by_notify: dict[object, list[Request]] = {}
    for request in requests:
        by_notify.setdefault(request.notify, []).append(request)
    for settled in by_notify.values():
        settled[0].notify(settled)


class Waiter:
    """Waits for one request; its `notify` is the request's."""

    def __init__(self) -> None:
        self._settled = threading.Event()

    def notify(self, _requests: list[Request]) -> None:
        self._settled.set()

    def wait(self, request: Request) -> Outcome:
        self._settled.wait()
        return request.result()
