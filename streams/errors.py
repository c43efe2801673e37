"""What can go wrong with a stream, split by what the caller can do about it.

    StreamError
      KafkaUnavailableError   Kafka, or what is needed to start one, cannot be had now: try again later
      BrokerError             Kafka refused a request: carries Kafka's name of the error
      ClientSettingsError     librdkafka does not take a key or value that it was given
      RecordTooLargeError     a record is larger than records may be
      ProducerFencedError     another producer with our transactional id came after us; the publisher finds out whose it is
      OwnedElsewhereError     another publisher owns this stream: carries what it says of itself
      TopicSettingsError      a topic would lose history or refuse a block: carries the command that mends it
      HistoryLostError        the oldest records of a topic are gone: carries the command after which they are published again
      ForkError               the stream holds another history than the journal: a fork, or a restored backup
      ForeignStreamError      the topics hold what this ledger's publisher did not write

A record whose bytes or hashes are wrong is `ledger.errors.IntegrityError`, with topic, partition and offset as its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

__all__ = [
    "BrokerError",
    "ClientSettingsError",
    "ForeignStreamError",
    "ForkError",
    "HistoryLostError",
    "KafkaUnavailableError",
    "OwnedElsewhereError",
    "ProducerFencedError",
    "RecordTooLargeError",
    "StreamError",
    "TopicSettingsError",
]


class StreamError(Exception):
    """The root of all errors that this room raises on purpose."""

    retriable: ClassVar[bool] = False


class KafkaUnavailableError(StreamError):
    """Kafka does not answer, or the parts of a local one cannot be fetched. What was asked may have been done all the same."""

    retriable = True


class BrokerError(StreamError):
    """Kafka refused a request. `code` is Kafka's name of the error."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class ClientSettingsError(StreamError):
    """librdkafka does not know a key, or does not take its value, or cannot read a file that it names."""


class RecordTooLargeError(StreamError):
    """A record is larger than the topics take by this publisher's own settings. Sizes in bytes."""

    def __init__(self, topic: str, size: int, size_max: int) -> None:
        super().__init__(
            f"a record for topic {topic} has {size} bytes, and --max-message-bytes is {size_max}. Raise it, and the topics' "
            "max.message.bytes with it (the next start says how)"
        )
        self.topic, self.size, self.size_max = topic, size, size_max


class ProducerFencedError(StreamError):
    """Kafka takes nothing more from this producer: a newer one has its transactional id, or its own time-out passed."""

    retriable = True


class OwnedElsewhereError(StreamError):
    """Another publisher took the stream over; `owner` is the payload of its OWNER record."""

    def __init__(self, owner: Mapping[str, object]) -> None:
        who = f"publisher {owner.get('publisherId')} on {owner.get('host')}, process {owner.get('pid')}"
        super().__init__(f"{who}, has owned this stream since {owner.get('startTime')}")
        self.owner = owner


class TopicSettingsError(StreamError):
    """A topic's setting would lose history or refuse a block. `command` mends it."""

    def __init__(self, topic: str, setting: str, expected: str, actual: str, command: str) -> None:
        super().__init__(f"topic {topic}: {setting} is {actual}, must be {expected}. To mend it:\n{command}")
        self.topic, self.setting, self.expected, self.actual, self.command = topic, setting, expected, actual, command


class HistoryLostError(StreamError):
    """A partition's oldest records are gone. `command` deletes its rest; the next start then publishes all of it again, in order."""

    def __init__(self, partition: object, start_offset: int, command: str) -> None:
        super().__init__(
            f"{partition} begins at offset {start_offset}: its oldest records were deleted from Kafka. They are still in the journal. "
            f"To have the whole partition published again, delete what is left of it and start the publisher again:\n{command}"
        )
        self.partition, self.start_offset, self.command = partition, start_offset, command


class ForkError(StreamError):
    """Stream and journal tell different histories; publishing stops before anything is added to either."""

    def __init__(self, message: str, *, published: object, journal: object) -> None:
        super().__init__(f"{message}: the stream has {published}, the journal has {journal}")
        self.published, self.journal = published, journal


class ForeignStreamError(StreamError):
    """The topics hold what this ledger's publisher did not write."""
