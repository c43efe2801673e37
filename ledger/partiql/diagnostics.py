"""What to tell a person whose statement had to read a whole table: which index would have served, which field nobody has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ledger.catalog import EACH, IndexKey, Table, expr_of
from ledger.partiql.code import Env, Rows
from ledger.partiql.comparison import bare
from ledger.partiql.hints import Either, Equality, Hint
from ledger.partiql.lexer import RESERVED
from ledger.partiql.navigation import elements_of, is_struct
from ledger.partiql.run import Run
from ledger.partiql.scope import did_you_mean
from ledger.partiql.ways import Stored
from ledger.query_values import QueryValue
from ledger.values import fields_of

__all__ = ["index_advice", "paths_of", "telling_unknown_fields"]

_SAMPLED = 100
"""So many documents show what fields there are."""


def index_advice(stored: Stored, hints: Sequence[Hint]) -> Iterator[str]:
    """Give the CREATE INDEX statements that would make a scan needless: over what is compared with `=`, then one range."""
    equal, ranged = _split(stored, hints)
    keys = [*equal, *(path for path in ranged[:1] if path not in equal)]
    through_lists = [path for path in keys if EACH in path]
    keys = [path for path in keys if path not in through_lists[1:]]  # an index goes through one list at most
    if keys:
        paths = ", ".join(map(_typed, keys))
        yield f"CREATE INDEX ON {_typed((stored.table.name,))} ({paths})"
        return
    for branch in next((hint.branches for hint in hints if isinstance(hint, Either)), ()):
        yield from index_advice(stored, branch)


def _typed(path: IndexKey) -> str:
    """Give a path as a statement takes it: reserved words, too, stand in double quotes there."""
    steps = (
        f'"{step}"' if step is not EACH and step.lower() in RESERVED else expr_of(((step,),))[1:-1] for step in path
    )
    return ".".join(steps).replace(".[*]", "[*]")


def _split(stored: Stored, hints: Sequence[Hint]) -> tuple[list[IndexKey], list[IndexKey]]:
    equal: dict[IndexKey, None] = {}
    ranged: dict[IndexKey, None] = {}
    for hint in hints:
        path = None if isinstance(hint, Either) else stored.of_document(hint.path)
        if path:
            (equal if isinstance(hint, Equality) else ranged)[path] = None
    return list(equal), list(ranged)


def paths_of(stored: Stored, hints: Iterable[Hint]) -> tuple[IndexKey, ...]:
    """Give the paths of documents that conditions are about."""
    found: dict[IndexKey, None] = {}
    for hint in hints:
        if isinstance(hint, Either):
            inner = (path for branch in hint.branches for path in paths_of(stored, branch))
            found.update(dict.fromkeys(inner))
        elif path := stored.of_document(hint.path):
            found[path] = None
    return tuple(found)


def telling_unknown_fields(below: Rows, scanned: Sequence[tuple[Table, tuple[IndexKey, ...]]]) -> Rows:
    """Give the rows of FROM; if there are none, look whether the documents of the scanned tables have the fields that were asked for."""

    def rows(env: Env) -> Iterator[None]:
        found = False
        for _ in below(env):
            found = True
            yield
        run: Run = env[0]
        for table, paths in () if found else scanned:
            if table.name not in run.sampled:
                run.sampled |= {table.name}
                run.hints += tuple(_unknown_fields(run, table, paths))

    return rows


def _unknown_fields(run: Run, table: Table, paths: Sequence[IndexKey]) -> Iterator[str]:
    documents: list[QueryValue] = [document.data for document in islice(run.context.scan(table), _SAMPLED)]
    where = f"the first {_SAMPLED} documents" if len(documents) == _SAMPLED else "the documents"
    for path in paths if documents else ():
        values = documents
        for at, step in enumerate(path):
            if step is EACH:
                values = [element for value in values for element in elements_of(value)]
                continue
            structs = [bare(value) for value in values if is_struct(value)]
            if not any(name == step for struct in structs for name, _ in fields_of(struct)):
                known = {name for struct in structs for name, _ in fields_of(struct) if name is not None}
                shown = expr_of((path[: at + 1],))[1:-1]
                yield f"no field {shown} in {where} of {table.name}" + did_you_mean(step, known)
                break
            values = [inner for struct in structs for name, inner in fields_of(struct) if name == step]
