"""The topics of a stream as its writer knows them: how many partitions, where each ends, and what of that is recorded for the next start.

|r|r|c|r|x|x|a|      r record, c marker of a commit, x record of a kafka_tx that came to nothing, a marker of its abort
         ^     ^
         |     log end: where the next record must come to lie
         visible end: behind the last committed record; recorded in `strandline-ends`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from streams.broker import Broker, Partition, Written
from streams.errors import BrokerError
from streams.position import ENDS_HEADER, LOST
from streams.topics import TopicNames, check_settings, topic_settings

__all__ = ["StreamEnds"]


class StreamEnds:
    """Starts out knowing nothing; topics that are made here are empty, others are told by `found`.

    `counts`: each topic's number of partitions.
    """

    def __init__(self, broker: Broker, names: TopicNames, message_bytes_max: int) -> None:
        self._broker, self._names, self._message_bytes_max = broker, names, message_bytes_max
        self.counts: dict[str, int] = {}
        self._log: dict[str, list[int]] = {}
        self._visible: dict[str, list[int]] = {}

    def make_topics(self, topics: Mapping[str, int]) -> None:
        """Make the topics that are not there, each with its number of partitions.

        Raises:
            TopicSettingsError: somebody else (a consumer that came first, say) made one, and it would lose history.
        """
        there = self._broker.topics()
        for topic in topics.keys() - there.keys():
            self._broker.create_topic(topic, topics[topic], topic_settings(self._message_bytes_max))
        new = topics.keys() - self.counts.keys()
        for topic, settings in self._broker.settings(new).items():
            check_settings(topic, settings, self._message_bytes_max, self._broker.bootstrap_servers)
        if topics.keys() - there.keys():
            there = self._broker.topics()  # how many partitions they have, whoever was faster
        for topic in topics:
            self.counts.setdefault(topic, there[topic])
            self._log.setdefault(topic, [0] * there[topic])
            if topic != self._names.block_summary:
                self._visible.setdefault(topic, [0] * there[topic])

    def found(self, log_ends: Mapping[Partition, int], visible_ends: Mapping[Partition, int]) -> None:
        """Note what an inspection of all partitions found."""
        self._log, self._visible = _by_topic(log_ends), _by_topic(visible_ends)
        self.counts = {topic: len(ends) for topic, ends in self._log.items()}

    def __contains__(self, topic: str) -> bool:
        return topic in self._log

    def log_end(self, partition: Partition) -> int:
        return self._log[partition.topic][partition.number]

    def check(self, written: Mapping[Partition, Written]) -> None:
        """See that each partition's records came to lie right at its end.

        Raises:
            BrokerError: one did not: Kafka lost something, or somebody else wrote.
        """
        for partition, (first_offset, _) in written.items():
            if first_offset != self.log_end(partition):
                raise BrokerError(
                    f"{partition} ended at offset {self.log_end(partition)}, and now a record came to lie at {first_offset}: "
                    "Kafka lost records, or somebody else wrote some",
                    "UNEXPECTED_OFFSET",
                )

    def committed(self, written: Mapping[Partition, Written]) -> None:
        """Move the ends behind what a kafka_tx wrote."""
        for (topic, number), (_, last_offset) in written.items():
            self._log[topic][number] = last_offset + 2  # behind the record comes the marker of the commit
            if topic in self._visible:
                self._visible[topic][number] = last_offset + 1

    def header(self, unknown: Iterable[Partition]) -> tuple[str, bytes]:
        """Give the header `strandline-ends`; of the `unknown` partitions the end says nothing."""
        ends = self._visible
        for topic, number in unknown:
            ends = ends | {topic: [LOST if p == number else end for p, end in enumerate(ends[topic])]}
        return ENDS_HEADER, orjson.dumps(ends)


def _by_topic(ends: Mapping[Partition, int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for (topic, _), end in sorted(ends.items()):
        found.setdefault(topic, []).append(end)
    return found
