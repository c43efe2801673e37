"""The commands of this room: publish, check-stream, rebuild-ledger, kafka.

Exit codes: 0 done; 1 the check says no, or a person must decide (the message says what); 2 the command line is wrong; 3 Kafka or the
ledger cannot be had. Imports stand inside of the commands, so that each starts quickly.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli_output import progress_bar
from ledger.errors import IntegrityError, LedgerError
from streams.errors import StreamError

if TYPE_CHECKING:
    from streams.broker import Broker
    from streams.topics import TopicNames

__all__ = ["app"]

_SAYS_NO, _NOT_TO_BE_HAD = 1, 3
_PATIENCE_S = 10.0

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
kafka = typer.Typer(no_args_is_help=True, help="A real Apache Kafka on this machine, without Docker.")
app.add_typer(kafka, name="kafka")

Data = Annotated[Path, typer.Option("--data", help="Data directory; each ledger is a directory in it.")]
Ledger = Annotated[str, typer.Option("--ledger", help="Name of the ledger.")]
Kafka = Annotated[str, typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Bootstrap servers, HOST:PORT.")]
Prefix = Annotated[str, typer.Option("--prefix", help="The topics are <prefix>.<ledger>.<table>.")]
Config = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        help="KEY=VALUE, any key of librdkafka; may be given many times. $KAFKA_CONFIG_FILE names a file of such lines, for secrets.",
    ),
]


@app.command()
def publish(
    data: Data,
    ledger: Ledger,
    kafka: Kafka,
    value_format: Annotated[str, typer.Option("--format", help="How values are written: json or ion.")] = "json",
    prefix: Prefix = "strandline",
    partitions: Annotated[int, typer.Option(help="Partitions of a table's topic when it is made.", min=1)] = 6,
    max_message_bytes: Annotated[
        int | None, typer.Option(help="Largest record, for a Kafka that does not take the default of 64 MiB.", min=1000)
    ] = None,
    config: Config = None,
    until_block: Annotated[
        int | None, typer.Option(help="End after this block, with a COMPLETED record.", min=0)
    ] = None,
    until_caught_up: Annotated[bool, typer.Option(help="End when everything is published.")] = False,
    watch_stdin: Annotated[bool, typer.Option(help="End, as on SIGTERM, when standard input ends.")] = False,
) -> None:
    """Bring every block of a ledger to Kafka, exactly once and in order, until SIGTERM."""
    from ledger.journal import JournalReader
    from streams.formats import FORMATS
    from streams.publisher import Publisher
    from streams.publisher_state import PublisherState
    from streams.stream_writer import Options
    from streams.topics import MESSAGE_BYTES_MAX

    if value_format not in FORMATS:
        raise typer.BadParameter(f"{value_format!r} is neither of {', '.join(FORMATS)}", param_hint="--format")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if watch_stdin:
        threading.Thread(target=_stop_at_end_of_stdin, args=(stop,), daemon=True).start()
    with _errors_told():
        broker, names = _stream(kafka, config, prefix, ledger)
        options = Options(value_format, partitions, max_message_bytes or MESSAGE_BYTES_MAX)
        with closing(JournalReader.open(data / ledger)) as journal:
            state = PublisherState(data / ledger / "publisher.json", kafka, _tell_of(ledger))
            try:
                Publisher(broker, journal, names, options, state, stop).run(
                    until_block, until_caught_up=until_caught_up
                )
            except (StreamError, LedgerError) as error:
                state.set("failed", str(error))
                raise


@app.command("check-stream")
def check_stream(
    ledger: Ledger,
    kafka: Kafka,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data directory with the ledger; without it the topics are checked alone."),
    ] = None,
    prefix: Prefix = "strandline",
    config: Config = None,
) -> None:
    """Check that the topics hold the ledger: every block once, in order, with every proof. Exit 1 names the first difference."""
    from ledger.journal import JournalReader
    from streams.check import check_stream as check
    from streams.check import wait_until_published

    with _errors_told(), progress_bar() as progress:
        broker, names = _stream(kafka, config, prefix, ledger)
        journal = JournalReader.open(data / ledger) if data else None
        tip = journal.tip_sequence_no() if journal else None  # the ledger may go on meanwhile
        if tip is not None:
            wait_until_published(broker, names, tip, _PATIENCE_S)
        report = check(broker, names, journal, progress, through=tip)
    typer.echo(f"{report.blocks} blocks, {report.revisions} revisions: each is there once, in order, and proved")
    if report.tip:
        typer.echo(f"last block {report.tip}, hash {report.block_hash.hex()}")


@app.command("rebuild-ledger")
def rebuild_ledger(
    kafka: Annotated[
        str, typer.Option("--from", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Bootstrap servers, HOST:PORT.")
    ],
    ledger: Ledger,
    data: Data,
    prefix: Prefix = "strandline",
    config: Config = None,
) -> None:
    """Make a ledger's directory from the topics alone, with the same digest. Exit 1 names the first block that is wrong."""
    from streams.rebuild import rebuild_ledger as rebuild

    with _errors_told(), progress_bar() as progress:
        broker, names = _stream(kafka, config, prefix, ledger)
        rebuilt = rebuild(broker, names, data / ledger, progress)
    typer.echo(f"{rebuilt.blocks} blocks, last block {rebuilt.tip}")
    typer.echo(f"digest {rebuilt.digest.hex()}")


def _stream(kafka: str, config: list[str] | None, prefix: str, ledger: str) -> tuple[Broker, TopicNames]:
    from streams.broker import Broker
    from streams.client_settings import client_settings
    from streams.topics import TopicNames

    return Broker(kafka, client_settings(config or [])), TopicNames(prefix, ledger)


def _tell_of(ledger: str) -> Callable[[str], None]:
    """Many publishers may write to one standard error: that of `serve`."""
    return lambda line: typer.echo(f"{ledger}: {line}", err=True)


def _stop_at_end_of_stdin(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()


@contextmanager
def _errors_told() -> Iterator[None]:
    """Show an error as one message, and as the exit code that fits."""
    try:
        yield
    except (StreamError, LedgerError) as error:
        typer.echo(f"error: {error}", err=True)
        no = isinstance(error, IntegrityError) or (isinstance(error, StreamError) and not error.retriable)
        raise typer.Exit(_SAYS_NO if no else _NOT_TO_BE_HAD) from error
    except OSError as error:  # a directory that cannot be written, and the like
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_NOT_TO_BE_HAD) from error


KafkaDirectory = Annotated[Path, typer.Option("--directory", help="Where the broker keeps its data.")]
KafkaPort = Annotated[int, typer.Option("--port", help="Its port on 127.0.0.1.")]
_DIRECTORY = Path(".strandline/kafka")


@kafka.command("start")
def kafka_start(directory: KafkaDirectory = _DIRECTORY, port: KafkaPort = 9092) -> None:
    """Start a broker that stays until `strandline kafka stop`."""
    from streams.local_kafka import start_detached

    with _errors_told():
        typer.echo(f"Kafka is running at {start_detached(directory, port)}")


@kafka.command("stop")
def kafka_stop(directory: KafkaDirectory = _DIRECTORY) -> None:
    """Stop the broker; its data stay."""
    from streams.local_kafka import stop_detached

    with _errors_told():
        typer.echo("Kafka has stopped" if stop_detached(directory) else f"no broker of {directory} is running")


@kafka.command("status")
def kafka_status(directory: KafkaDirectory = _DIRECTORY) -> None:
    """Tell whether the broker runs; exit code 1 if not."""
    from streams.local_kafka import status

    found = status(directory)
    if found is None or not found.answers:
        typer.echo(f"no broker of {directory} is running")
        raise typer.Exit(_SAYS_NO)
    typer.echo(f"Kafka is running at {found.bootstrap_servers} (process id {found.pid})")


@kafka.command("run")
def kafka_run(directory: KafkaDirectory = _DIRECTORY, port: KafkaPort = 9092) -> None:
    """Run a broker until this command ends (Ctrl-C or SIGTERM)."""
    from streams.local_kafka import LocalKafka

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    with _errors_told():
        try:
            with LocalKafka.start(directory, port=port) as broker:
                typer.echo(f"Kafka is running at {broker.bootstrap_servers}")
                broker.wait()
        except KeyboardInterrupt:
            typer.echo("Kafka has stopped")
