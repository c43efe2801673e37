"""The commands of this room: `strandline project NAME`, `strandline rebuild NAME`, `strandline demo`.

NAME is one of the samples (analytics, garage, actions) or `module:variable`, which is imported from the current directory.
Exit codes: 0 done; 1 stopped by what stands on stderr (nothing half is written); 2 the command line is wrong.
Imports stand inside of the commands, so that each starts quickly.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.demo.command import demo

if TYPE_CHECKING:
    from consumers.position import Position
    from consumers.project import Progress
    from consumers.projection import Projection
    from consumers.sender import Delivery
    from consumers.source import Source
    from consumers.stores import Store
    from consumers.waiting import OnWait
    from streams.broker import Broker

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
app.command()(demo)

_SAMPLES = {name: f"consumers.samples.{name}:{name}" for name in ("analytics", "garage", "actions")}

Name = Annotated[str, typer.Argument(help="analytics, garage, actions, or module:variable.")]
Kafka = Annotated[
    str, typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Bootstrap servers, HOST:PORT[,HOST:PORT].")
]
Ledger = Annotated[str, typer.Option("--ledger", help="Name of the ledger.")]
StorePath = Annotated[Path, typer.Option("--store", help="The projection's file: rows and position.")]
Prefix = Annotated[str, typer.Option("--prefix", help="What the names of the topics begin with.")]
Config = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        help="KEY=VALUE, any key of librdkafka; may be given many times. $KAFKA_CONFIG_FILE names a file of such lines, for secrets.",
    ),
]


@app.command("project")
def project_command(
    name: Name,
    *,
    kafka: Kafka,
    ledger: Ledger,
    store: StorePath,
    prefix: Prefix = "strandline",
    until_caught_up: Annotated[bool, typer.Option(help="End when the end of the stream is reached.")] = False,
    deliver: Annotated[
        str | None, typer.Option(help="Where an outbox is delivered to: a folder, or kafka:TOPIC.")
    ] = None,
    skip: Annotated[
        str | None,
        typer.Option(help="DOCUMENT_ID:VERSION of a revision never to hand to the handlers; --reason says why."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is skipped; kept in the store.")] = "not said",
    reread: Annotated[
        bool, typer.Option(help="Read the topics from their beginning: what was applied is not applied again.")
    ] = False,
    config: Config = None,
) -> None:
    """Project the ledger's stream into a store, until SIGTERM or Ctrl-C. Killed at any instant, it goes on where it was."""
    from dataclasses import replace

    from consumers.progress import show_progress, show_waiting
    from consumers.project import project
    from consumers.stores import open_store
    from consumers.stores.lock import own

    projection, stop = _find(name), _stopper()
    on_wait = _until(stop, show_waiting(name))
    with _errors(), own(store), ExitStack() as opened:
        broker = _broker(kafka, config)
        delivery = _delivery(deliver, projection, broker)
        rows = opened.enter_context(closing(open_store(projection, store)))
        if skip is not None:
            rows.skip(*_revision_key(skip), reason)
        start = replace(rows.position(), topics={}) if reread else rows.position()
        source = opened.enter_context(closing(_source_of(broker, prefix, ledger, name, on_wait)(start)))
        show = opened.enter_context(show_progress(name))
        after_batch = _with_sender(rows, delivery, show)
        project(projection, rows, source, stop=stop, until_caught_up=until_caught_up, on_applied=after_batch)


@app.command("rebuild")
def rebuild_command(
    name: Name,
    *,
    kafka: Kafka,
    ledger: Ledger,
    store: StorePath,
    prefix: Prefix = "strandline",
    force: Annotated[bool, typer.Option(help="Swap even if the rebuilt one differs from the live one.")] = False,
    config: Config = None,
) -> None:
    """Fill a shadow from the stream, compare it with the live store, and swap. Exit code 1, and no swap, if they differ."""
    from consumers.progress import show_progress, show_waiting
    from consumers.rebuild import rebuild

    projection, stop = _find(name), _stopper()
    on_wait = _until(stop, show_waiting(f"rebuild {name}"))
    with _errors():
        open_source = _source_of(_broker(kafka, config), prefix, ledger, f"{name}-rebuild", on_wait)
        with show_progress(f"rebuild {name}") as show:
            compared = rebuild(projection, store, open_source, force=force, stop=stop, on_applied=show)
        for c in compared:
            verdict = "equal" if c.equal else "DIFFERENT, swapped by force"
            typer.echo(f"{c.table}: {c.rebuilt.rows} rows, SHA-256 {c.rebuilt.hash}: {verdict}")
        typer.echo(f"{store} is rebuilt" if compared else f"{store} is rebuilt; there was nothing to compare it with")


def _find(name: str) -> Projection:
    from consumers.projection import Projection

    module, _, variable = _SAMPLES.get(name, name).partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), variable)
    except (ImportError, AttributeError, ValueError) as error:
        raise typer.BadParameter(f"no projection {name!r}: {error}") from error
    if not isinstance(found, Projection):
        raise typer.BadParameter(f"{name!r} is a {type(found).__name__}, not a Projection")
    return found


def _broker(servers: str, options: list[str] | None) -> Broker:
    from streams.broker import Broker
    from streams.client_settings import client_settings

    return Broker(servers, client_settings(options or []))


def _source_of(broker: Broker, prefix: str, ledger: str, name: str, on_wait: OnWait) -> Callable[[Position], Source]:
    from consumers.source import Source
    from streams.topics import TopicNames

    group = f"{prefix}.{ledger}.{name.replace(':', '.')}"
    return lambda position: Source.open(broker, TopicNames(prefix, ledger), position, group=group, on_wait=on_wait)


def _delivery(where: str | None, projection: Projection, broker: Broker) -> Delivery | None:
    from consumers.action import OUTBOX
    from consumers.sender import Folder, KafkaTopic

    if where is None:
        return None
    if OUTBOX.name not in projection.tables or projection.store != "sqlite":
        raise typer.BadParameter(
            f"--deliver needs a projection with actions, kept in SQLite; {projection.name} is none"
        )
    if where in ("", "kafka:"):
        raise typer.BadParameter("--deliver takes a folder, or kafka:TOPIC")
    return KafkaTopic(broker, where.removeprefix("kafka:")) if where.startswith("kafka:") else Folder(Path(where))


def _with_sender(
    store: Store, delivery: Delivery | None, show: Callable[[Progress], None]
) -> Callable[[Progress], None]:
    """Deliver after each batch, when rows and position are durable."""
    from consumers.sender import send
    from consumers.stores.sqlite import SqliteStore

    if delivery is None:
        return show
    assert isinstance(store, SqliteStore)

    def deliver_and_show(progress: Progress) -> None:
        send(store, delivery)
        show(progress)

    return deliver_and_show


def _revision_key(text: str) -> tuple[str, int]:
    document_id, _, version = text.partition(":")
    if not version.isdigit():
        raise typer.BadParameter(f"--skip takes DOCUMENT_ID:VERSION, not {text!r}")
    return document_id, int(version)


def _stopper() -> Callable[[], bool]:
    """Give a function that tells whether SIGTERM or SIGINT has come: the running batch is finished first, unless a second one comes."""
    asked: list[int] = []

    def ask(received: int, _: object) -> None:
        asked.append(received)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # an end at any instant is safe
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return lambda: bool(asked)


def _until(stop: Callable[[], bool], on_wait: OnWait) -> OnWait:
    """Let a request to stop end the waiting, too."""

    def wait(reason: str, seconds: float) -> None:
        if stop():
            raise typer.Exit(0)
        on_wait(reason, seconds)

    return wait


@contextmanager
def _errors() -> Iterator[None]:
    from consumers.errors import ConsumerError
    from ledger.errors import LedgerError
    from streams.errors import StreamError

    try:
        yield
    except (ConsumerError, LedgerError, StreamError, OSError) as error:
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error
