"""The topics of a stream: their names, and the settings without which they would lose history or refuse a block. Pure.

    <prefix>.<ledger>.<table>            key document id    REVISION_DETAILS, every version
    <prefix>.<ledger>.block-summary      key strand id      one partition: BLOCK_SUMMARY in total order, and CONTROL records
    <prefix>.<ledger>.catalog-changes    key tableId        one partition: REVISION_DETAILS of the system table

A table's name has no hyphen and no dot, so no table can have the topic of another or of the system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ledger.block import SYSTEM_TABLE_ID
from streams.errors import StreamError, TopicSettingsError

__all__ = ["MESSAGE_BYTES_MAX", "TopicNames", "check_partitions", "check_settings", "topic_settings"]

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""The largest record that a block of 8 MiB can become: as JSON a byte may need six, and the proof holds it once more."""
_KAFKA_NAME_MAX = 249
_FOREVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The topics of one ledger under one prefix.

    Raises:
        StreamError: Kafka would not take the prefix.
    """

    prefix: str
    ledger: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,80}", self.prefix):
            raise StreamError(f"a prefix has 1 to 80 of A-Z a-z 0-9 . _ -, which {self.prefix!r} has not")

    @property
    def block_summary(self) -> str:
        return f"{self.prefix}.{self.ledger}.block-summary"

    @property
    def catalog_changes(self) -> str:
        return f"{self.prefix}.{self.ledger}.catalog-changes"

    def of_table(self, table_id: str, table_name: str) -> str:
        """Give the topic of a table. Two tables of one name (one was dropped) share it.

        Raises:
            StreamError: the name is none that Kafka takes.
        """
        if table_id == SYSTEM_TABLE_ID:
            return self.catalog_changes
        return _checked_topic(self.prefix, self.ledger, table_name)

    def is_ours(self, topic: str) -> bool:
        """Tell whether a topic belongs to this ledger's stream (`<table>-state`, groups' and others' topics do not)."""
        start = f"{self.prefix}.{self.ledger}."
        rest = topic.removeprefix(start)
        return topic.startswith(start) and (rest in ("block-summary", "catalog-changes") or not set(rest) & {"-", "."})


@lru_cache(10_000)
def _checked_topic(prefix: str, ledger: str, table_name: str) -> str:
    topic = f"{prefix}.{ledger}.{table_name}"
    if len(topic) > _KAFKA_NAME_MAX or not re.fullmatch(r"[A-Za-z0-9._-]+", topic):
        raise StreamError(f"{topic!r} is no name for a Kafka topic: at most {_KAFKA_NAME_MAX} of A-Z a-z 0-9 . _ -")
    return topic


def topic_settings(message_bytes_max: int) -> dict[str, str]:
    """Give the settings with which a topic is created."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(message_bytes_max),
        # A record's time is its block's: old in a replay, ahead of the broker's clock if that is late.
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str(_FOREVER),
        "message.timestamp.after.max.ms": str(_FOREVER),
    }


def check_settings(topic: str, actual: Mapping[str, str], message_bytes_max: int, bootstrap_servers: str) -> None:
    """Refuse settings of a topic that would lose history or a block.

    Raises:
        TopicSettingsError: with the command that mends it.
    """
    for setting, expected in topic_settings(message_bytes_max).items():
        if setting != "max.message.bytes" and actual.get(setting, expected) != expected:
            raise _wrong(topic, setting, expected, actual[setting], bootstrap_servers)
    size = int(actual.get("max.message.bytes", message_bytes_max))
    if size < message_bytes_max:
        raise _wrong(topic, "max.message.bytes", str(message_bytes_max), str(size), bootstrap_servers)


def check_partitions(topic: str, expected: int, actual: int, bootstrap_servers: str) -> None:
    """Refuse a topic that was given another number of partitions: its keys would lie in two places, in no order.

    Raises:
        TopicSettingsError: with the command after which the topic is made, and filled, again.
    """
    if actual != expected:
        command = f"kafka-topics.sh --bootstrap-server {bootstrap_servers} --delete --topic {topic}"
        raise TopicSettingsError(topic, "the number of partitions", str(expected), str(actual), command)


def _wrong(topic: str, setting: str, expected: str, actual: str, bootstrap_servers: str) -> TopicSettingsError:
    command = (
        f"kafka-configs.sh --bootstrap-server {bootstrap_servers} --alter --entity-type topics --entity-name {topic} "
        f"--add-config {setting}={expected}"
    )
    return TopicSettingsError(topic, setting, expected, actual, command)
