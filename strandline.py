"""The front door: one command, `strandline`, joined from each room's `cli.py`.

Only the room that a command belongs to is imported, so that `strandline publish` starts without the ledger's server and
`strandline serve` without Kafka or DuckDB. Each room's `cli.py` has `app`, a Typer application, and keeps its own imports light.
"""

from __future__ import annotations

import sys
from importlib import import_module

import typer

__all__ = ["ROOMS", "main"]

ROOMS = {
    "ledger.cli": ("serve", "execute", "digest", "verify", "repair", "check-receipt"),
    "streams.cli": ("publish", "check-stream", "rebuild-ledger", "kafka"),
    "consumers.cli": ("project", "rebuild", "demo"),
}


def main() -> None:
    """Run the command that `sys.argv` names; without one, show what there is."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    rooms = [room for room, commands in ROOMS.items() if asked in commands] or list(ROOMS)
    app = typer.Typer(name="strandline", help=_HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
    app.callback()(lambda: None)  # even a room with one command keeps that command's name
    for room in rooms:
        app.add_typer(import_module(room).app)
    app()


_HELP = "A ledger database that proves what it holds and streams itself to Apache Kafka."

if __name__ == "__main__":
    main()
