"""Everything that runs while the demo runs: Kafka, the coordinator with its publisher, and two projections.

DIR/data/recall-day/    the ledger                 DIR/kafka/          the broker, unless KAFKA_BOOTSTRAP_SERVERS names another
DIR/analytics.duckdb    a projection               DIR/logs/           what each process said
DIR/actions.sqlite      another one, with outbox   DIR/letters/        invoices, dispatch notes, notices: the outbox, delivered
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from consumers.demo.children import Child, ChildFailedError, event_of
from ledger.server.client import Client

__all__ = ["Stage", "open_stage"]

_PREFIX = "strandline"


@dataclass
class Stage:
    """What runs, and where it is."""

    directory: Path
    ledger: str
    kafka: str
    is_own_kafka: bool
    keep: bool
    url: str = ""
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def letters(self) -> Path:
        return self.directory / "letters"

    @property
    def analytics_store(self) -> Path:
        return self.directory / "analytics.duckdb"

    # The coordinator.

    def start_coordinator(self) -> None:
        """Start it, on the port that it had before if it ran already, and wait until it listens."""
        child = self.children.get("coordinator")
        if child is None:
            arguments = ["serve", "--data", str(self.data), "--port", str(_free_port()), "--kafka", self.kafka]
            child = self.children["coordinator"] = self._child("coordinator", arguments)
        child.start()
        child.wait_for("listening", lambda line: event_of(line).get("event") == "listening")
        listening = next(event for event in map(event_of, child.lines()) if event.get("event") == "listening")
        self.url = str(listening["address"])

    def create_ledger(self) -> None:
        self.ask("PUT", f"/v1/ledgers/{self.ledger}")

    def ask(self, method: str, path: str) -> dict[str, object]:
        """Ask the coordinator something in JSON."""
        parts = urlsplit(self.url)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status >= 300:
            raise ChildFailedError(f"{method} {path}: {answer.status} {body.decode(errors='replace')}")
        read = json.loads(body)
        assert isinstance(read, dict)
        return read

    def client(self) -> Client:
        """Give a connection about the ledger, that speaks Ion."""
        return Client(self.url, self.ledger)

    def publisher(self) -> dict[str, object]:
        """Give what the coordinator knows of its publisher: pid, restarts, lagBlocks, state."""
        ledgers = self.ask("GET", "/readyz?verbose")["ledgers"]
        assert isinstance(ledgers, dict)
        publisher = ledgers[self.ledger]["publisher"]
        assert isinstance(publisher, dict)
        return publisher

    def wait_until_published(self) -> None:
        """Wait until everything is in Kafka, and so its topics are there.

        Raises:
            ChildFailedError: not within a minute.
        """
        for _ in self.children["coordinator"].moments(60.0):
            if self.publisher()["lagBlocks"] == 0:
                return
        raise ChildFailedError(f"the publisher does not publish: {self.publisher()}")

    # Projections.

    def start_projection(self, name: str) -> None:
        child = self.children.get(name)
        if child is None:
            child = self.children[name] = self._child(name, self.projection_arguments(name))
        child.start()

    def projection_arguments(self, name: str) -> list[str]:
        """Give the command line of a projection."""
        store = {"analytics": self.analytics_store, "actions": self.directory / "actions.sqlite"}[name]
        arguments = ["project", name, "--ledger", self.ledger, "--kafka", self.kafka, "--store", str(store)]
        return [*arguments, "--deliver", str(self.letters)] if name == "actions" else arguments

    def wait_until_projected(self, name: str, block: int) -> None:
        """Wait until a projection has applied a block."""
        self.children[name].wait_for(f"block {block}", lambda line: _applied(line) >= block)

    def _child(self, name: str, arguments: list[str]) -> Child:
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        return Child(name, arguments, logs / f"{name}.log", detached=self.keep)

    # The end.

    def write_stop_script(self) -> Path:
        """Write down how everything is ended when the demo itself is gone."""
        from streams.local_kafka import status

        pids = [child.pid for child in reversed(self.children.values())]
        broker = status(self.directory / "kafka") if self.is_own_kafka else None
        script = self.directory / "stop.sh"
        lines = [
            f"kill {' '.join(map(str, pids))}",
            *([f"kill {broker.pid}"] if broker else []),
            f"echo {self.directory} can be removed now",
        ]
        script.write_text("\n".join(lines) + "\n")
        return script

    def stop_children(self) -> None:
        for child in reversed(self.children.values()):
            child.stop()


def _applied(line: str) -> int:
    event = event_of(line)
    block = event.get("block")
    return block if event.get("event") == "applied" and isinstance(block, int) else -1


@contextmanager
def open_stage(directory: Path, *, keep: bool) -> Iterator[Stage]:
    """Start Kafka; at the end stop everything, unless `keep` and nothing went wrong."""
    foreign = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    with _signals_as_interrupts(), ExitStack() as ending:
        if foreign:
            # Somebody's Kafka may hold the topics of an earlier demo: this one has names of its own, and takes them away again.
            stage = Stage(directory, f"recall-day-{os.urandom(4).hex()}", foreign, False, keep)
            undo_kafka = ending.enter_context(ExitStack())
            undo_kafka.callback(_delete_topics, stage)
            undo_kafka.callback(_ignore_signals)
        else:
            undo_kafka = ending.enter_context(ExitStack())
            stage = Stage(directory, "recall-day", _start_kafka(directory / "kafka", undo_kafka, keep=keep), True, keep)
        undo_children = ending.enter_context(ExitStack())
        undo_children.callback(stage.stop_children)
        undo_children.callback(_ignore_signals)
        yield stage
        if keep:
            undo_children.pop_all()
            undo_kafka.pop_all()


def _start_kafka(directory: Path, undo: ExitStack, *, keep: bool) -> str:
    from streams.local_kafka import LocalKafka, start_detached, stop_detached

    if keep:
        undo.callback(stop_detached, directory)
        undo.callback(_ignore_signals)
        return start_detached(directory, _free_port())
    return undo.enter_context(LocalKafka.start(directory)).bootstrap_servers


def _delete_topics(stage: Stage) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": stage.kafka})
    start = f"{_PREFIX}.{stage.ledger}."
    topics = [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(start)]
    if topics:
        for deleted in admin.delete_topics(topics).values():
            deleted.result(10)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demo as Ctrl-C does: in order."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    kept = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    kept[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """What was started is stopped to the end, however impatient somebody is. It takes at most `Child.stop` a child."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
