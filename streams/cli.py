"""The commands of this room: `strandline kafka ...`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from streams.errors import StreamError
from streams.local_kafka import LocalKafka, start_detached, status, stop_detached

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
kafka = typer.Typer(no_args_is_help=True, help="A real Apache Kafka on this machine, without Docker.")
app.add_typer(kafka, name="kafka")

KafkaDirectory = Annotated[Path, typer.Option("--directory", help="Where the broker keeps its data.")]
KafkaPort = Annotated[int, typer.Option("--port", help="Its port on 127.0.0.1.")]
_DIRECTORY = Path(".strandline/kafka")


@kafka.command("start")
def kafka_start(directory: KafkaDirectory = _DIRECTORY, port: KafkaPort = 9092) -> None:
    """Start a broker that stays until `strandline kafka stop`."""
    try:
        typer.echo(f"Kafka is running at {start_detached(directory, port)}")
    except StreamError as error:
        raise _failed(error) from error


@kafka.command("stop")
def kafka_stop(directory: KafkaDirectory = _DIRECTORY) -> None:
    """Stop the broker; its data stay."""
    try:
        typer.echo("Kafka has stopped" if stop_detached(directory) else f"no broker of {directory} is running")
    except StreamError as error:
        raise _failed(error) from error


@kafka.command("status")
def kafka_status(directory: KafkaDirectory = _DIRECTORY) -> None:
    """Tell whether the broker runs; exit code 1 if not."""
    found = status(directory)
    if found is None or not found.answers:
        typer.echo(f"no broker of {directory} is running")
        raise typer.Exit(1)
    typer.echo(f"Kafka is running at {found.bootstrap_servers} (process id {found.pid})")


@kafka.command("run")
def kafka_run(directory: KafkaDirectory = _DIRECTORY, port: KafkaPort = 9092) -> None:
    """Run a broker until this command ends (Ctrl-C or SIGTERM)."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        with LocalKafka.start(directory, port=port) as broker:
            typer.echo(f"Kafka is running at {broker.bootstrap_servers}")
            broker.wait()
    except KeyboardInterrupt:
        typer.echo("Kafka has stopped")
    except StreamError as error:
        raise _failed(error) from error


def _failed(error: StreamError) -> typer.Exit:
    typer.echo(f"error: {error}", err=True)
    return typer.Exit(1)
