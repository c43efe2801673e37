"""How far a projection has come: the block it stands on, and where to go on reading. Kept in the projection's own store.

Rules:
- The block (strand, number, hash) is the truth: everything up to it is applied, nothing after it. A stream that goes on from
  another hash is a fork.
- The offsets are only where to go on reading: the first record of each partition that is not applied yet. They are
  believed only while the topic has the id it had. Reading from the beginning instead costs time and applies nothing twice.
- Written in the same transaction of the store as the rows that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

__all__ = ["BEGINNING", "Position", "TopicPosition"]


@dataclass(frozen=True, slots=True)
class TopicPosition:
    """Where to go on in one topic: Kafka's id of the topic, and the next offset of each partition."""

    topic_id: str
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Position:
    """The last applied block. `sequence_no` is -1 before any; `table_sequences` is each tableId's next sequence number.

    `block_time_ms` is the time of that block in milliseconds since 1970.
    """

    strand_id: str | None = None
    sequence_no: int = -1
    block_hash: bytes = b""
    block_time_ms: int = 0
    table_sequences: Mapping[str, int] = field(default_factory=dict)
    topics: Mapping[str, TopicPosition] = field(default_factory=dict)

    def __str__(self) -> str:
        return "before the first block" if self.strand_id is None else f"{self.strand_id}/{self.sequence_no}"

    def same_block(self, other: Position) -> bool:
        return (self.strand_id, self.sequence_no, self.block_hash) == (
            other.strand_id,
            other.sequence_no,
            other.block_hash,
        )

    def to_json(self) -> bytes:
        return orjson.dumps(
            {
                "strandId": self.strand_id,
                "sequenceNo": self.sequence_no,
                "blockHash": self.block_hash.hex(),
                "blockTimeMs": self.block_time_ms,
                "tableSequences": dict(self.table_sequences),
                "topics": {
                    name: {"id": topic.topic_id, "offsets": {str(p): o for p, o in topic.offsets.items()}}
                    for name, topic in self.topics.items()
                },
            }
        )

    @classmethod
    def of_json(cls, text: bytes | str) -> Position:
        """Read what `to_json` wrote."""
        stored: dict[str, Any] = orjson.loads(text)
        return cls(
            stored["strandId"],
            stored["sequenceNo"],
            bytes.fromhex(stored["blockHash"]),
            stored["blockTimeMs"],
            stored["tableSequences"],
            {
                name: TopicPosition(topic["id"], {int(p): o for p, o in topic["offsets"].items()})
                for name, topic in stored["topics"].items()
            },
        )


BEGINNING = Position()
