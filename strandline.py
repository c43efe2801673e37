"""The front door: one command, `strandline`, joined from each room's `cli.py`.

Only the room that a command belongs to is imported, so that `strandline publish` starts without the ledger's server and
`strandline serve` without DuckDB. Each room's `cli.py` has `app`, a Typer application, and keeps its own imports light.
What one room may not import from another is handed over here: the Kafka of `serve --kafka local`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import typer

__all__ = ["ROOMS", "main"]

ROOMS = {
    "ledger.cli": ("serve", "execute", "digest", "receipt", "check-receipt", "verify", "repair"),
    "streams.cli": ("publish", "check-stream", "rebuild-ledger", "kafka"),
    "consumers.cli": ("project", "rebuild", "demo"),
}

_HELP = "A ledger database that proves what it holds and streams itself to Apache Kafka."


def main() -> None:
    """Run the command that `sys.argv` names; without one, show what there is."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    rooms = [room for room, commands in ROOMS.items() if asked in commands] or list(ROOMS)
    app = typer.Typer(name="strandline", help=_HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
    app.callback()(lambda: None)  # even a room with one command keeps that command's name
    for room in rooms:
        app.add_typer(import_module(room).app)
    app(obj={"local_kafka": _local_kafka})


@contextmanager
def _local_kafka(data: Path) -> Iterator[str]:
    """Run a broker that keeps its data in the data directory; give its bootstrap servers."""
    from streams.local_kafka import LocalKafka

    with LocalKafka.start(data / ".kafka") as broker:
        yield broker.bootstrap_servers


if __name__ == "__main__":
    main()
