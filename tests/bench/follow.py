"""A consumer, a process of its own: notes when each record of a table's topic reached it.

python follow.py HOST:PORT TOPIC FILE        says "ready", follows until its standard input ends, writes "sequence_no ns" lines
"""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

_SEQUENCE = re.compile(rb'"sequenceNo": *(\d+)')


def follow(servers: str, topic: str, target: Path) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number))[1] for number in partitions}
    consumer.assign([TopicPartition(topic, number, end) for number, end in ends.items()])
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print("ready", flush=True)
    seen: list[tuple[bytes, int]] = []
    while not over.is_set():
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            seen.append((message.value(), time.monotonic_ns()))
    consumer.close()
    target.write_text("".join(f"{int(_SEQUENCE.search(value)[1])} {at}\n" for value, at in seen))  # type: ignore[index]  # each has one


if __name__ == "__main__":
    follow(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
