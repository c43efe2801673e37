"""What can go wrong in the ledger, split by what the caller can do about it.

    LedgerError
      StatementError            your PartiQL is wrong: carries line, column, snippet
        ParseError, PlanError, EvaluationError
        UniqueViolationError      another document has the value of a unique index
      InvalidValueError         a value or Ion bytes from outside are not what Ion or a ledger allows
      TransactionError          this transaction cannot commit
        OccConflictError          retriable: somebody else changed what it read
        TransactionExpiredError   retriable: it took too long
        TransactionClosedError    it has already been committed or aborted
        TransactionMismatchError  its id or idempotency key was used before, for other statements
      LimitExceededError        names the limit, its value, and what was asked
      NotFoundError             no such ledger, table, document, block
      AlreadyExistsError        there is one of that name
      StatementCancelledError   retriable: nobody waited for it any more, or the ledger closes
      LedgerBusyError           retriable: the queue is full
      ReadOnlyError             the disk is full: reads go on, nothing can be committed
      LedgerLockedError         another process owns the directory
      FormatVersionError        the directory was written by a newer Strandline
      IntegrityError            the bytes are not what we wrote: carries address, expected, actual; never caught inside
      JournalFailedError        an I/O call failed; this handle is dead; open the ledger again

`retriable` on the class says whether the same transaction may succeed when tried again. Every message carries both values.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AlreadyExistsError",
    "BesideError",
    "EvaluationError",
    "FormatVersionError",
    "IntegrityError",
    "InvalidValueError",
    "JournalFailedError",
    "LedgerBusyError",
    "LedgerError",
    "LedgerLockedError",
    "LimitExceededError",
    "NotFoundError",
    "OccConflictError",
    "ParseError",
    "PlanError",
    "ReadOnlyError",
    "StatementCancelledError",
    "StatementError",
    "TransactionClosedError",
    "TransactionError",
    "TransactionExpiredError",
    "TransactionMismatchError",
    "UniqueViolationError",
]


class LedgerError(Exception):
    """The root of all errors that the ledger raises on purpose."""

    retriable: ClassVar[bool] = False


class StatementError(LedgerError):
    """The statement is wrong. `line` and `column` count from 1; `snippet` is the line of the text with a caret below."""

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None, snippet: str = "") -> None:
        where = "" if line is None else f" at line {line}, column {column}"
        super().__init__(f"{message}{where}" + (f"\n{snippet}" if snippet else ""))
        self.reason, self.line, self.column, self.snippet = message, line, column, snippet


class ParseError(StatementError):
    """The text is not a statement of the dialect."""


class PlanError(StatementError):
    """The statement names what does not exist, or is of the wrong type by itself."""


class EvaluationError(StatementError):
    """The statement failed on the values that it met."""


class UniqueViolationError(StatementError):
    """Another document has what only one may have. `index` is its expression, `value` the value as Ion text."""

    def __init__(self, table: str, index: str, value: str, document_id: str) -> None:
        super().__init__(f"a document of table {table} has {index} = {value} already: {document_id}")
        self.table, self.index, self.value, self.document_id = table, index, value, document_id


class InvalidValueError(LedgerError):
    """A value or encoded bytes from outside are refused. `position` is a byte offset where one is known."""

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (at byte {position})")
        self.position = position


class TransactionError(LedgerError):
    """The transaction cannot commit; nothing of it is visible."""


class OccConflictError(TransactionError):
    """Something that the transaction read was changed after it read it."""

    retriable = True

    def __init__(self, transaction_id: str, key: object, read_at: int, changed_at: int) -> None:
        super().__init__(
            f"transaction {transaction_id} read {key} as of block {read_at}, and block {changed_at} changed it"
        )
        self.transaction_id, self.key, self.read_at, self.changed_at = transaction_id, key, read_at, changed_at


class TransactionExpiredError(TransactionError):
    """The transaction was open longer than the limit. (The message begins as QLDB's drivers expect it.)"""

    retriable = True

    def __init__(self, transaction_id: str, age_s: float, limit_s: float) -> None:
        super().__init__(
            f"Transaction {transaction_id} has expired: open for {age_s:.1f} s, the limit is {limit_s:.1f} s"
        )
        self.transaction_id, self.age_s, self.limit_s = transaction_id, age_s, limit_s


class TransactionClosedError(TransactionError):
    """The transaction has already been committed or aborted."""


class TransactionMismatchError(TransactionError):
    """The id or idempotency key belongs to a transaction with other statements or parameters."""


class LimitExceededError(LedgerError):
    """A limit of `ledger/limits.py` was exceeded. `operator`: what in the statement did it, where that is known."""

    def __init__(self, limit: str, maximum: float, asked: float, operator: str = "") -> None:
        by = f" by {operator}" if operator else ""
        super().__init__(f"limit {limit} is {_number(maximum)}, asked for {_number(asked)}{by}")
        self.limit, self.maximum, self.asked, self.operator = limit, maximum, asked, operator


class NotFoundError(LedgerError):
    """There is no such ledger, table, document or block."""


class AlreadyExistsError(LedgerError):
    """There is already something of that name."""


class StatementCancelledError(LedgerError):
    """The statement was ended while it ran: its client is gone, its stream was closed, or the ledger closes. Nothing happened."""

    retriable = True


class BesideError(LedgerError):
    """What the committer gives back as too much work for it; `ledger.beside` executes it. No caller outside of the ledger sees it."""

    retriable = True


class LedgerBusyError(LedgerError):
    """The commit queue is full; try again after `retry_after_s`."""

    retriable = True

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ReadOnlyError(LedgerError):
    """The disk is full: reads go on, nothing can be committed until there is room."""


class LedgerLockedError(LedgerError):
    """Another process owns the ledger's directory."""


class FormatVersionError(LedgerError):
    """The directory's format is newer than this Strandline."""


class IntegrityError(LedgerError):
    """The bytes are not what we wrote, or a hash does not match.

    `address` says where (a block, a file and byte, a topic and offset). Never caught inside the ledger.
    """

    def __init__(self, message: str, *, address: object = None, expected: object = None, actual: object = None) -> None:
        super().__init__(
            f"{f'{address}: ' if address is not None else ''}{message}"
            + (f": expected {_shown(expected)}, actual {_shown(actual)}" if (expected, actual) != (None, None) else "")
        )
        self.reason, self.address, self.expected, self.actual = message, address, expected, actual


class JournalFailedError(LedgerError):
    """A write or a sync failed. What is durable is unknown to this handle: it is dead, and recovery decides at the next open."""


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)
