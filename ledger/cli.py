"""The ledger's commands: serve, execute, digest, receipt, check-receipt, verify, repair.

Exit codes: 0 done; 1 the check says no (damage, a receipt that does not prove what it says); 2 the command line is wrong;
3 the ledger or the server says no (a wrong statement, nothing of that name, locked, not reachable).
Results go to stdout, everything said to people to stderr. Imports stand inside of the commands, so that each starts quickly.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from ledger.cli_output import Output, progress_bar, show_plan, show_rows, warn
from ledger.errors import IntegrityError, LedgerError
from ledger.limits import Limits

if TYPE_CHECKING:
    from ledger.partiql import Statement
    from ledger.server.client import Client
    from ledger.server.local import Local
    from ledger.values import Value

__all__ = ["app"]

_CHECK_SAYS_NO, _REFUSED = 1, 3
_READER_GONE = 141
"""As a shell tells of SIGPIPE."""
_FILE_DEPTH_MAX = 80
"""A document as deep as documents may be, inside of a receipt."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory; each ledger is a directory in it.")]
Url = Annotated[str | None, typer.Option("--url", help="Ask a running server, such as http://127.0.0.1:8420.")]
LedgerName = Annotated[str, typer.Option("--ledger", help="Name of the ledger.")]


@app.command()
def serve(
    ctx: typer.Context,
    data: Annotated[Path, typer.Option("--data", help="Data directory; each ledger is a directory in it.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.", min=0, max=65535)] = 8420,
    kafka: Annotated[
        str,
        typer.Option(
            envvar="KAFKA_BOOTSTRAP_SERVERS",
            help="Publish every ledger to HOST:PORT; 'local': to a Kafka that is started for it; 'off': to none. "
            "$KAFKA_CONFIG_FILE names a file of librdkafka's KEY=VALUE lines: TLS, SASL, ...",
        ),
    ] = "off",
    limit: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, a limit of ledger/limits.py; may be given many times.")
    ] = None,
) -> None:
    """Run the coordinator: the ledgers under --data over HTTP, and one publisher process for each.

    SIGTERM or Ctrl-C ends it in order: what is in flight is finished and answered, then the exit code is 0.
    """
    limits = _limits(limit or [])
    from ledger.server.logs import start_logging
    from ledger.server.serve import Coordinator, Settings

    start_logging()
    with _errors(), _kafka(kafka, data, ctx.obj) as servers:
        command = (sys.executable, "-m", "strandline", "publish", "--kafka", servers) if servers else ()
        coordinator = Coordinator(Settings(data.absolute(), host, port, limits, command, servers or "off"))
        with progress_bar() as progress:
            coordinator.open(progress)
        coordinator.run()


@app.command()
def execute(
    statement: Annotated[str, typer.Argument(help="One PartiQL statement; ? stands for a parameter.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(help="Parameters as Ion text: 2012, '\"a string\"', '{VIN: \"1N4\"}', 12.50")
    ] = None,
    *,
    ledger: LedgerName,
    data: Data = None,
    url: Url = None,
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Default: a table on a terminal, else JSON, one row a line.")
    ] = None,
) -> None:
    """Execute one statement as a transaction of its own, against a directory (--data) or a server (--url).

    The rows of a query are written as they come, however many they are (a table needs all of them first). What it cost is told on stderr,
    with a warning if it read a whole table. Exit code 3: the ledger or the server says no, perhaps after some rows.
    """
    from ledger import iontext
    from ledger.partiql.tree.statements import Explain

    with _errors(), _target(data, url, ledger) as target:
        values = [iontext.parse(text) for text in parameters or []]
        parsed = _parsed(statement)
        show = show_plan if parsed is not None and isinstance(parsed.body, Explain) else show_rows
        if parsed is not None and parsed.kind == "query":
            rows = target.rows(statement, values)
            show(rows, output)
            _show_statistics(rows.count, rows.statistics(), None)
        else:
            answer = target.execute(statement, values)
            show(answer["results"][0], output)
            _show_statistics(len(answer["results"][0]), answer["statistics"][0], answer["blockAddress"])


@app.command()
def digest(*, ledger: LedgerName, data: Data = None, url: Url = None) -> None:
    """Write the ledger's digest as Ion text: keep it, and whatever it covers can never change unnoticed."""
    from ledger import iontext

    with _errors(), _target(data, url, ledger) as target:
        print(iontext.dump(target.digest(), pretty=True))


@app.command()
def receipt(
    document_id: Annotated[str, typer.Argument(help="The document's id, 22 characters.")],
    version: Annotated[int, typer.Argument(help="Which version of it, from 0.", min=0)],
    *,
    ledger: LedgerName,
    data: Data = None,
    url: Url = None,
    tip: Annotated[
        int | None, typer.Option(help="The last block of the digest to prove against; default: of the present one.")
    ] = None,
) -> None:
    """Write the receipt of one revision as Ion text: all that check-receipt needs to prove it without the ledger."""
    from ledger import iontext

    with _errors(), _target(data, url, ledger) as target:
        print(iontext.dump(target.receipt(document_id, version, tip), pretty=True))


@app.command("check-receipt")
def check_receipt_command(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="The receipt: Ion text, Ion binary or JSON; - is stdin.")
    ],
    digest_file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option("--digest", help="A digest that you kept, or got from somebody else than who gave the receipt."),
    ] = None,
) -> None:
    """Check a receipt offline: that a digest covers exactly this revision. Asks nobody.

    Without --digest it is only shown that the receipt agrees with itself. Exit code 1: it does not prove what it says.
    """
    from ledger.errors import InvalidValueError
    from ledger.receipt import check_receipt

    try:
        shown = _value_in(file)
        digest = None if digest_file is None else _digest_in(digest_file)
        print(check_receipt(shown, digest))
    except (IntegrityError, InvalidValueError) as error:
        warn(f"NOT PROVEN: {error}")
        raise typer.Exit(_CHECK_SAYS_NO) from None


@app.command()
def verify(
    data: Annotated[Path, typer.Option("--data", help="Data directory; each ledger is a directory in it.")],
    ledger: LedgerName,
) -> None:
    """Check a ledger from byte 0: every frame, hash and link of the journal, then the views. Changes nothing in the journal.

    Exit code 1 names the first damage: block, byte, expected, actual. A ledger that is being served is checked up to its durable end.
    """
    from ledger.check import check_ledger

    with _errors():
        with progress_bar() as progress:
            report = check_ledger(data / ledger, progress=progress)
        print(report)


@app.command()
def repair(
    data: Annotated[Path, typer.Option("--data", help="Data directory; each ledger is a directory in it.")],
    ledger: LedgerName,
    from_block: Annotated[
        int, typer.Option("--from-block", min=0, help="Cut this block and all after it; the number that verify named.")
    ],
) -> None:
    """Cut a damaged journal. What is cut is kept in a directory of its own, and is no longer part of the ledger.

    Blocks that were acknowledged are lost by this: a backup, or 'strandline rebuild-ledger' from Kafka, loses none.
    """
    from ledger.repair import repair as cut

    with _errors():
        done = cut(data / ledger, from_block)
        print(f"the ledger has {done.blocks} blocks; the journal as it was is in {done.kept}")


def _digest_in(file: BinaryIO) -> bytes:
    """Take the digest out of what the digest command or the server's route wrote."""
    told = _value_in(file)
    digest = told.get("digest") if isinstance(told, dict) else None
    if not isinstance(digest, bytes):
        raise typer.BadParameter(f"{file.name} is no digest: it has no field 'digest' with bytes")
    return digest


def _value_in(file: BinaryIO) -> Value:
    """Read a value, however it was saved.

    Raises:
        InvalidValueError: it is neither Ion nor JSON.
    """
    from ledger.errors import InvalidValueError
    from ledger.server.http import Format

    data = file.read()
    try:
        return Format.JSON.read(data, _FILE_DEPTH_MAX)
    except InvalidValueError:
        return Format.ION.read(data, _FILE_DEPTH_MAX)


def _parsed(text: str) -> Statement | None:
    from ledger.errors import ParseError
    from ledger.partiql import parse

    try:
        return parse(text)
    except ParseError:  # whoever executes it says what is wrong: a server may know more of the language
        return None


def _show_statistics(count: int, statistics: dict[str, Any], address: dict[str, Any] | None) -> None:
    where = f"block {address['sequenceNo']}" if address else "no block: nothing was written"
    costs = f"documents read: {statistics['documentsRead']}; look-ups: {statistics['lookUps']}"
    print(f"rows: {count}; {costs}; {where}", file=sys.stderr)
    if statistics["scans"]:
        warn(f"read the whole of {', '.join(statistics['scans'])}")
    for hint in statistics["hints"]:
        warn(f"hint: {hint}")
    if statistics["typeErrors"]:
        warn(f"{statistics['typeErrors']} comparisons met values of other types and were MISSING")


@contextmanager
def _target(data: Path | None, url: str | None, ledger: str) -> Iterator[Client | Local]:
    """Give the ledger to ask, wherever it is; both kinds answer with the same structs."""
    if (data is None) == (url is None):
        raise typer.BadParameter("say where the ledger is: either --data DIR or --url URL")
    if url is not None:
        from ledger.server.client import Client

        with closing(Client(url, ledger)) as client:
            yield client
    else:
        from ledger.server.local import Local

        assert data is not None
        with progress_bar() as progress:
            local = Local.open(data / ledger, progress)
        with closing(local):
            yield local


def _limits(settings: list[str]) -> Limits:
    default = Limits()
    kinds = {field.name: type(getattr(default, field.name)) for field in dataclasses.fields(default)}
    changed: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in kinds:
            raise typer.BadParameter(f"there is no limit {name!r}; there are: {', '.join(kinds)}")
        try:
            changed[name] = kinds[name](value)
        except ValueError:
            raise typer.BadParameter(
                f"limit {name} is a number of type {kinds[name].__name__}, not {value!r}"
            ) from None
        if not changed[name] > 0:  # so that NaN, of which no time ever comes, is refused too
            raise typer.BadParameter(f"limit {name} is above 0, not {value}")
    return dataclasses.replace(default, **changed)


LocalKafka = Callable[[Path], AbstractContextManager[str]]


def _kafka(kafka: str, data: Path, rooms: object) -> AbstractContextManager[str | None]:
    """Give the bootstrap servers while the server runs. Only the front door, which knows all rooms, can start a Kafka."""
    if kafka == "off":
        return nullcontext(None)
    if kafka != "local":
        return nullcontext(kafka)
    start: LocalKafka | None = rooms.get("local_kafka") if isinstance(rooms, dict) else None
    if start is None:
        raise typer.BadParameter("--kafka local: this command was not started through 'strandline'")
    return start(data)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what went wrong into a line on stderr and an exit code; traces are for mistakes of ours."""
    try:
        yield
    except IntegrityError as error:
        warn(f"damage: {error}")
        raise typer.Exit(_CHECK_SAYS_NO) from None
    except BrokenPipeError:  # whoever read our rows has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at the end
        raise typer.Exit(_READER_GONE) from None
    except (LedgerError, OSError) as error:
        warn(f"{type(error).__name__}: {error}")
        raise typer.Exit(_REFUSED) from None
