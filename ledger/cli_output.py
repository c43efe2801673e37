"""How the command line shows values and progress: a table for people, JSON or Ion text for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from ledger import iontext
from ledger.json_values import dump_json
from ledger.values import Symbol, Timestamp, Value

__all__ = ["Output", "progress_bar", "show_plan", "show_rows", "warn"]


_WIDE = 1_000
"""Columns where there is no terminal: nothing is folded."""


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    ION = "ion"


def show_rows(rows: Iterable[Value], output: Output | None) -> None:
    """Write rows to stdout; None: a table on a terminal, else JSON. JSON and Ion: one value a line."""
    if output is None:
        output = Output.TABLE if sys.stdout.isatty() else Output.JSON
    if output is Output.TABLE:
        Console().print(_table(list(rows)))
        return
    for row in rows:
        print(dump_json(row).decode() if output is Output.JSON else iontext.dump(row))


def show_plan(rows: Iterable[Value], output: Output | None) -> None:
    """Write what EXPLAIN gave to stdout: as a tree where `show_rows` writes a table, else as it does."""
    if output in (Output.JSON, Output.ION) or (output is None and not sys.stdout.isatty()):
        show_rows(rows, output)
        return
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    for plan in rows:
        console.print(_plan_tree(plan))


def _plan_tree(part: Value) -> Tree:
    assert isinstance(part, dict)
    words = (_cell(value) for value in part.values() if isinstance(value, str))
    costs = [f"{name} {value}" for name, value in part.items() if isinstance(value, int)]
    tree = Tree(Text("  ".join(words) + (f"  ({', '.join(costs)})" if costs else "")))
    children = part.get("children")
    for child in children if isinstance(children, list) else ():
        tree.add(_plan_tree(child))
    return tree


def _table(rows: Sequence[Value]) -> Table:
    """One column for each name that any row has; a row that is no struct has one column."""
    names = dict.fromkeys(name for row in rows for name in (row if isinstance(row, dict) else ("value",)))
    table = Table(*(Column(Text(name)) for name in names))
    for row in rows:
        fields: dict[str, Value] = row if isinstance(row, dict) else {"value": row}
        table.add_row(*(Text(_cell(fields[name]) if name in fields else "") for name in names))
    return table


def _cell(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Symbol) and value.text is not None:
        return value.text
    if isinstance(value, Decimal | Timestamp):
        return str(value)
    return iontext.dump(value)


def warn(text: str) -> None:
    """Write to stderr, where no program that reads the rows sees it."""
    Console(stderr=True, highlight=False).print(Text(text), style="yellow", soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that is told (what, done, total) and shows it on stderr if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield told
