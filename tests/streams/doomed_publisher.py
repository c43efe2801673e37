"""A publisher in a process of its own that is hit by a signal at a chosen step of a chosen call.

    python doomed_publisher.py DATA LEDGER KAFKA [SIGNAL before|after METHOD NTH] [KEY=VALUE ...]

METHOD: open_producer, or begin, send, flush, commit of a kafka_tx. The first kafka_tx is that of OWNER, the second the first one of blocks.
SIGNAL: KILL, STOP, or LOSE: the method works, and then says that its outcome is unknown.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import wraps
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.journal import JournalReader
from streams.broker import Broker, KafkaTx
from streams.errors import KafkaUnavailableError, StreamError
from streams.publisher import Publisher
from streams.publisher_state import PublisherState
from streams.stream_writer import Options
from streams.topics import TopicNames


def doom(kind: str, when: str, method: str, nth: int) -> None:
    owner: Any = Broker if method == "open_producer" else KafkaTx
    right = getattr(owner, method)
    calls = 0

    @wraps(right)
    def wrong(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        hit = calls == nth
        if hit and when == "before":
            strike(kind)
        result = right(*args)
        if hit and when == "after":
            strike(kind)
        return result

    setattr(owner, method, wrong)


def strike(kind: str) -> None:
    if kind == "LOSE":
        raise KafkaUnavailableError("the answer was lost")
    os.kill(os.getpid(), signal.Signals[f"SIG{kind}"])


def main(data: Path, ledger: str, kafka: str, *rest: str) -> int:
    config = dict(pair.split("=") for pair in rest if "=" in pair)
    plan = [word for word in rest if "=" not in word]
    if plan:
        doom(plan[0], plan[1], plan[2], int(plan[3]))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    journal = JournalReader.open(data / ledger)
    state = PublisherState(data / ledger / "publisher.json", kafka)
    publisher = Publisher(Broker(kafka, config), journal, TopicNames("t", ledger), Options(partitions=3), state, stop)
    try:
        publisher.run()
    except (StreamError, LedgerError) as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
