"""Asks Kafka for the topics of a stream, waits a little for what is not there, and says for what.

A topic may be made just now, and a broker hears of it a little late; a broker may be starting. A wrong name or address looks the same: so
whoever waits is told early what is awaited, and soon that it did not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from consumers.errors import ConsumerError
from streams.broker import Broker, Patience
from streams.topics import TopicNames

__all__ = ["OnWait", "describe_topic", "patience"]

OnWait: TypeAlias = Callable[[str, float], None]
"""Called with what is awaited, and since how many seconds, again and again; may raise to end the waiting."""

_ASK_S = 5.0
_ASK_AGAIN_S = 0.1
_SHOWN = 8


def patience(limit_s: float, on_wait: OnWait) -> Patience:
    """Give the patience of one who waits for so long from now, and then raises ConsumerError."""
    began = time.monotonic()

    def wait(reason: str) -> None:
        waited = time.monotonic() - began
        if waited > limit_s:
            raise ConsumerError(f"{reason} (waited {waited:.0f} s)")
        on_wait(reason, waited)

    return wait


def describe_topic(broker: Broker, names: TopicNames, topic: str, wait: Patience) -> tuple[str, list[int]]:
    """Ask Kafka for the id and the partitions of a topic of the stream.

    Raises:
        ConsumerError: it is not there, or Kafka refuses to tell; and what `wait` raises.
    """
    streams: str | None = None
    while True:
        answer = broker.admin.describe_topics(TopicCollection([topic]), request_timeout=_ASK_S)
        try:
            found = answer[topic].result()
        except KafkaException as error:
            reason = error.args[0]
            if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                streams = _streams_there(broker, names, topic) if streams is None else streams
                wait(f"there is no topic {topic} at {broker.bootstrap_servers}{streams}")
            elif reason.retriable() or reason.code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT):
                wait(f"{broker.bootstrap_servers} does not tell of topic {topic}: {reason.str()}")
            else:
                raise ConsumerError(f"topic {topic}: {reason.str()}") from error
            broker.admin.poll(_ASK_AGAIN_S)
        else:
            return str(found.topic_id), [partition.id for partition in found.partitions]


def _streams_there(broker: Broker, names: TopicNames, topic: str) -> str:
    """Say what else there is, to somebody whose stream is not there at all."""
    if topic != names.block_summary:
        return ""
    suffix = names.block_summary.removeprefix(f"{names.prefix}.{names.ledger}")
    there = sorted(name.removesuffix(suffix) for name in broker.topics() if name.endswith(suffix))
    known = (
        f"the streams there are {', '.join(there[:_SHOWN])}{', ...' * (len(there) > _SHOWN)}"
        if there
        else "no stream is there"
    )
    return f": has ledger {names.ledger} been published with prefix {names.prefix}? ({known})"
