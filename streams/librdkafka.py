"""What has to be known of librdkafka: how its clients are made, where its complaints are heard, and which error means what.

Every failure leaves as an error of `streams.errors`: the outside is away (`KafkaUnavailableError`), refused (`BrokerError`), or another
producer has our transactional id (`ProducerFencedError`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.errors import BrokerError, ClientSettingsError, KafkaUnavailableError, ProducerFencedError, StreamError

__all__ = ["LOOK_S", "Heard", "cause_of", "kafka_errors", "log", "made_client", "translated"]

LOOK_S = 1.0
"""How long librdkafka is waited for before it is looked whether there is still a broker."""
_UNAVAILABLE = frozenset(
    {
        KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT, KafkaError._RESOLVE, KafkaError._WAIT_COORD, KafkaError._DESTROY, KafkaError._AUTHENTICATION,
        KafkaError._PURGE_INFLIGHT, KafkaError._PURGE_QUEUE, KafkaError.REQUEST_TIMED_OUT, KafkaError.NETWORK_EXCEPTION,
        KafkaError.BROKER_NOT_AVAILABLE, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REPLICA_NOT_AVAILABLE, KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.CONCURRENT_TRANSACTIONS, KafkaError.NOT_CONTROLLER, KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError._NOENT, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION,
    }
)  # fmt: skip
_FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})

log = logging.getLogger("strandline.kafka")
"""librdkafka's own messages; heard only where logging is configured."""
log.addHandler(logging.NullHandler())

Client = TypeVar("Client")


class Heard:
    """What librdkafka says besides its answers, since `forget`: that it was not let in, that it has lost every broker."""

    def __init__(self) -> None:
        self.last: str | None = None
        self.down = False

    def __call__(self, error: KafkaError) -> None:
        lost_all = error.code() == KafkaError._ALL_BROKERS_DOWN
        self.down = self.down or lost_all
        if self.last is None or not lost_all:  # "1/1 brokers are down" follows everything, and explains nothing
            self.last = error.str()

    def forget(self) -> None:
        self.last, self.down = None, False


@contextmanager
def kafka_errors(doing: str, producer: Producer | None = None) -> Iterator[None]:
    """Turn what librdkafka raises inside of the block into errors of this room; `doing` begins the message.

    Args:
        producer: the transactional one that works in the block.
    """
    try:
        yield
    except (KafkaException, SystemError) as error:
        raise translated(doing, cause_of(error, producer)) from error


def made_client(kind: Callable[[dict[str, Any]], Client], config: dict[str, Any]) -> Client:
    """Make a client of librdkafka. Nothing is asked of Kafka yet, so what fails here is a setting.

    Raises:
        ClientSettingsError
    """
    try:
        return kind(config)
    except KafkaException as error:
        raise ClientSettingsError(f"librdkafka does not take its settings: {error.args[0].str().strip()}") from error


def cause_of(error: KafkaException | SystemError, producer: Producer | None = None) -> KafkaError:
    """Find librdkafka's error.

    A fatal one (fenced) is raised out of whatever callback runs. It then stands behind a SystemError, or is lost if another callback ran
    after it; but the producer still answers everything with it. To begin a kafka_tx inside of one does nothing otherwise.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KafkaException):
        cause = cause.__cause__
    if cause is None and producer is not None:
        try:
            producer.begin_transaction()
        except KafkaException as told:
            cause = told if told.args[0].fatal() else None
    if cause is None:
        raise error
    found: KafkaError = cause.args[0]
    return found


def translated(doing: str, error: KafkaError, heard: Heard | None = None) -> StreamError:
    said = f"{doing}: {(heard and heard.last) or error.str()}"
    if error.code() in _FENCED:
        return ProducerFencedError(said)
    if error.code() in _UNAVAILABLE or error.retriable():
        return KafkaUnavailableError(said)
    return BrokerError(said, error.name())
