"""What the benchmark measures: a real Kafka, a coordinator with its publisher, and a ledger full of documents."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from load import VIN

from consumers.demo.children import Child, event_of
from consumers.demo.committing import commit_all
from consumers.demo.data import Statements
from streams.local_kafka import LocalKafka

__all__ = ["LEDGER", "TABLE", "Bed", "documents_in_transactions", "open_bed"]

LEDGER, TABLE = "bench", "Vehicle"
_DOCUMENTS_A_TRANSACTION = 40


def documents_in_transactions(documents: int) -> Iterator[Statements]:
    """Give transactions that insert the documents: eight fields each, as PostgreSQL's are."""
    for first in range(0, documents, _DOCUMENTS_A_TRANSACTION):
        numbers = range(first, min(first + _DOCUMENTS_A_TRANSACTION, documents))
        yield [("INSERT INTO Vehicle ?", [_document(number)]) for number in numbers]


def _document(number: int) -> dict[str, object]:
    return {
        "VIN": VIN.format(number), "Type": "Sedan", "Year": 2011 + number % 15, "Make": "Audi", "Model": "A5",
        "Color": "Silver", "Owner": f"owner {number}", "Mileage": 0,
    }  # fmt: skip


@dataclass
class Bed:
    """A coordinator over one data directory; `kafka` is "off" or bootstrap servers."""

    directory: Path
    kafka: str
    port: int
    coordinator: Child

    @classmethod
    def make(cls, directory: Path, kafka: str) -> Bed:
        directory.mkdir(exist_ok=True)
        port = _free_port()
        command = ["serve", "--data", str(directory / "data"), "--port", str(port), "--kafka", kafka]
        return cls(directory, kafka, port, Child("coordinator", command, directory / "coordinator.log", detached=False))

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.coordinator.start()
        self.coordinator.wait_for("listening", lambda line: event_of(line).get("event") == "listening")

    def fill(self, documents: int) -> None:
        """Make the ledger, its table with an index, and the documents."""
        self._ask("PUT", f"/v1/ledgers/{LEDGER}")
        for text in (f"CREATE TABLE {TABLE}", f"CREATE INDEX ON {TABLE} (VIN)"):
            commit_all(self.url, LEDGER, None, [[(text, [])]])
        commit_all(self.url, LEDGER, None, documents_in_transactions(documents))

    def state(self) -> dict[str, object]:
        """Give the tip's sequence number, and what is known of the publisher."""
        return self._ask("GET", "/readyz?verbose")["ledgers"][LEDGER]  # type: ignore[no-any-return, index]  # as the server answers

    def lag_blocks(self) -> int:
        lag = self.state()["publisher"]["lagBlocks"]  # type: ignore[index]  # as the server answers
        return -1 if lag is None else int(lag)

    def wait_until_published(self, timeout_s: float = 600.0) -> None:
        deadline = time.monotonic() + timeout_s
        while self.kafka != "off" and self.lag_blocks() != 0:
            assert time.monotonic() < deadline, f"{self.lag_blocks()} blocks are not published after {timeout_s:.0f} s"
            time.sleep(0.2)

    def _ask(self, method: str, path: str) -> dict[str, object]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path)
            answer = json.loads(connection.getresponse().read())
        assert isinstance(answer, dict)
        return answer


@contextmanager
def open_bed(directory: Path, documents: int, *, publish: bool) -> Iterator[Bed]:
    """Give a coordinator with a full ledger, everything published; `publish`: with a Kafka of its own."""
    if publish:
        with LocalKafka.start(directory / "kafka") as broker:
            yield from _run(Bed.make(directory, broker.bootstrap_servers), documents)
    else:
        yield from _run(Bed.make(directory, "off"), documents)


def _run(bed: Bed, documents: int) -> Iterator[Bed]:
    bed.start()
    try:
        bed.fill(documents)
        bed.wait_until_published()
        yield bed
    finally:
        bed.coordinator.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
