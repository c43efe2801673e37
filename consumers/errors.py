"""What can go wrong in a consumer, split by what the operator can do about it.

    ConsumerError
      GapError             something that the stream must hold is not there: carries what was expected and what came instead
      ForkError            the stream goes on from another block than the one that this position stands on
      PositionLostError    Kafka no longer has the offset, or the topic is another one of the same name
      HandlerError         your handler raised on one record; nothing of its batch was written
      StoreMismatchError   the store belongs to another projection, is in use, or was moved by another process
        VersionChangedError  it holds another version of this projection: rebuild it
      StoreFailedError     the store's database cannot do its work: locked, full, read-only, damaged
      RebuildDiffersError  the rebuilt projection is not equal to the live one; nothing was swapped
      OutboxConflictError  one idempotency key, two different effects: the action is not a pure function of the stream
    ledger.errors.IntegrityError   a record is not what the ledger committed (a hash does not match); never caught inside

All of them stop the projection. What was written before is whole: rows and position were committed together.
"""

from __future__ import annotations

__all__ = [
    "ConsumerError",
    "ForkError",
    "GapError",
    "HandlerError",
    "OutboxConflictError",
    "PositionLostError",
    "RebuildDiffersError",
    "StoreFailedError",
    "StoreMismatchError",
    "VersionChangedError",
]


class ConsumerError(Exception):
    """The root of all errors that a consumer raises on purpose. `expected` and `actual` are both sides of the disagreement."""

    def __init__(self, message: str, *, expected: object = None, actual: object = None) -> None:
        sides = "" if (expected, actual) == (None, None) else f": expected {_shown(expected)}, actual {_shown(actual)}"
        super().__init__(message + sides)
        self.expected, self.actual = expected, actual


class GapError(ConsumerError):
    """A block, a revision or a table's sequence number is missing."""


class ForkError(ConsumerError):
    """Two histories: the hash or the strand of the stream is not the one that the position was built on."""


class PositionLostError(ConsumerError):
    """The stored offset or topic does not exist any more. `--reread` reads again from the beginning, and applies nothing twice."""


class HandlerError(ConsumerError):
    """A handler raised; `__cause__` is what it raised, `record` says where the record stands in Kafka."""

    def __init__(self, message: str, *, record: str) -> None:
        super().__init__(message)
        self.record = record


class StoreMismatchError(ConsumerError):
    """The store is not the one to write this projection into."""


class VersionChangedError(StoreMismatchError):
    """The store was filled by another version of the projection's handlers."""


class StoreFailedError(ConsumerError):
    """The store's database cannot do its work. Nothing of the batch was written; mend what it says, and start again."""


class RebuildDiffersError(ConsumerError):
    """A rebuild does not equal the live projection: one of them was not a pure function of the stream."""


class OutboxConflictError(ConsumerError):
    """An effect of this idempotency key is already in the outbox, with another content."""


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
