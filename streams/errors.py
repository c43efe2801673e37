"""What can go wrong with a stream, split by what the caller can do about it.

    StreamError
      KafkaUnavailableError   Kafka, or what is needed to start one, cannot be had: carries what was tried; try again later
      BrokerError             Kafka refused a request: carries its code; `retriable` says whether the same may succeed
      TopicSettingsError      a topic would lose history or refuse a block: carries the command that mends it
      ForkError               the stream holds another history than the journal: a fork, or a restored backup
      ForeignStreamError      the topics belong to another strand, or another writer put records into them
      FencedError             another publisher owns this stream: carries what it says of itself
      BlockTooLargeError      a block does not fit the topics' message size

A record whose bytes or hashes are wrong is `ledger.errors.IntegrityError`, with topic, partition and offset as its address.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BlockTooLargeError",
    "BrokerError",
    "FencedError",
    "ForeignStreamError",
    "ForkError",
    "KafkaUnavailableError",
    "StreamError",
    "TopicSettingsError",
]


class StreamError(Exception):
    """The root of all errors that this room raises on purpose."""

    retriable: ClassVar[bool] = False


class KafkaUnavailableError(StreamError):
    """Kafka does not answer, or the parts of a local one cannot be fetched."""

    retriable = True


class BrokerError(StreamError):
    """Kafka refused a request. `code` is Kafka's name of the error."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(f"{message}: {code}")
        self.code = code


class TopicSettingsError(StreamError):
    """A topic's setting would lose history or refuse a block. `command` mends it."""

    def __init__(self, topic: str, setting: str, expected: str, actual: str, command: str) -> None:
        super().__init__(f"topic {topic}: {setting} is {actual}, must be {expected}. To mend it:\n{command}")
        self.topic, self.setting, self.expected, self.actual, self.command = topic, setting, expected, actual, command


class ForkError(StreamError):
    """Stream and journal tell different histories; publishing stops before anything is added to either."""

    def __init__(self, message: str, *, published: object, journal: object) -> None:
        super().__init__(f"{message}: the stream has {published}, the journal has {journal}")
        self.published, self.journal = published, journal


class ForeignStreamError(StreamError):
    """The topics hold what this ledger's publisher did not write."""


class FencedError(StreamError):
    """Another publisher took the stream over. `owner` is its OWNER control record, if it wrote one."""

    def __init__(self, message: str, owner: object = None) -> None:
        super().__init__(message)
        self.owner = owner


class BlockTooLargeError(StreamError):
    """A record of a block is larger than its topic takes."""
