"""The ways to a table's documents: by id, by an index, by several of these, or all of them.

A way may give more than the condition that chose it lets through, since that is checked again on each row; it gives no document
twice, and none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.catalog import Index, Table
from ledger.partiql.code import Env, Evaluate
from ledger.partiql.comparison import bare, is_absent, text_of
from ledger.partiql.conjuncts import Either, Hint
from ledger.partiql.context import Document
from ledger.partiql.history import Interval
from ledger.query_values import MISSING, Bag, QueryValue
from ledger.values import Sexp

__all__ = ["Documents", "Stored", "Way", "scan", "way_to"]

Documents = Callable[[Env], Iterator[Document]]
_Found = Callable[[Env, QueryValue], Iterator[Document]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A table as FROM sees it. `kind`: table, committed, history; `slot`: of the value, the next one is the document's."""

    table: Table
    kind: str
    slot: int
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A look-up. `rank`: lower is better; `reads`: the slots that must be set before it can be gone."""

    rank: int
    reads: frozenset[int]
    documents: Documents


def way_to(stored: Stored, hint: Hint) -> Way | None:
    """Find the way that a hint gives to a table."""
    if isinstance(hint, Either):
        return _way_by_branches(stored, hint)
    found = _found_by(stored, hint.path)
    if found is None:
        return None
    rank, one = found
    value = hint.value
    if hint.several:
        return Way(rank + 2, hint.reads, _each(one, value))
    return Way(rank, hint.reads, lambda env: one(env, value(env)))


def _found_by(stored: Stored, path: tuple[int, tuple[str, ...]]) -> tuple[int, _Found] | None:
    slot, fields = path
    if slot == stored.slot + 1 and not fields:
        return 0, _by_id(stored)
    if slot != stored.slot:
        return None
    if stored.kind != "table" and fields == ("metadata", "id"):
        return 0, _by_id(stored)
    if stored.kind == "committed" and fields[:1] == ("data",):
        fields = fields[1:]
    elif stored.kind != "table":
        return None
    index = stored.table.index_on(fields[0]) if len(fields) == 1 else None
    return None if index is None else (1, _by_index(stored.table, index))


def _way_by_branches(stored: Stored, hint: Either) -> Way | None:
    chosen: list[Way] = []
    for branch in hint.branches:
        ways = [way for inner in branch if (way := way_to(stored, inner)) is not None]
        if not ways:
            return None
        chosen.append(min(ways, key=lambda way: (way.rank, len(way.reads))))
    reads = frozenset(slot for way in chosen for slot in way.reads)
    return Way(4, reads, _any_of([way.documents for way in chosen]))


def _each(one: _Found, values: Evaluate) -> Documents:
    def documents(env: Env) -> Iterator[Document]:
        items = bare(values(env))
        for item in items if type(items) in (list, Bag, Sexp) else ():
            yield from one(env, item)

    return _once(documents)


def _any_of(ways: Sequence[Documents]) -> Documents:
    return _once(lambda env: (document for way in ways for document in way(env)))


def _once(below: Documents) -> Documents:
    """Give each document once, though several values lead to it."""

    def documents(env: Env) -> Iterator[Document]:
        seen: set[tuple[str, int]] = set()
        for document in below(env):
            key = (document.document_id, document.version)
            if key not in seen:
                seen.add(key)
                yield document

    return documents


def _by_id(stored: Stored) -> _Found:
    table, interval = stored.table, stored.interval

    def look_up(env: Env, value: QueryValue) -> Iterator[Document]:
        document_id = value if type(value) is str else text_of(value)
        if document_id is None:
            return iter(())
        run = env[0]
        run.look_ups += 1
        if interval is not None:
            return interval.select(env, run.context.history(table, document_id))
        document = run.context.document(table, document_id)
        return iter(()) if document is None else iter((document,))

    return look_up


def _by_index(table: Table, index: Index) -> _Found:
    def look_up(env: Env, value: QueryValue) -> Iterator[Document]:
        if value is MISSING or is_absent(value):
            return iter(())
        run = env[0]
        run.look_ups += 1
        return run.context.look_up(table, index, value)  # type: ignore[no-any-return]

    return look_up


def scan(stored: Stored) -> Documents:
    """Give all documents, and note the scan."""
    table, interval = stored.table, stored.interval

    def documents(env: Env) -> Iterator[Document]:
        run = env[0]
        run.scans.append(table.name)
        if interval is not None:
            return interval.select(env, run.context.history(table, None))
        return run.context.scan(table)  # type: ignore[no-any-return]

    return documents
