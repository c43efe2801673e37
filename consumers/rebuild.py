"""Rebuilding: the stream from block 0 into a shadow, compared with the live projection, then swapped.

    1. the live store is owned (nobody projects into it meanwhile), its block is L
    2. shadow `<store>.rebuild` is filled from the stream, exactly up to block L (to the end, if there is nothing to compare with)
    3. each table: number of rows, SHA-256 over all rows in the order of the key
    4. equal: shadow replaces live, by one rename; different: RebuildDiffersError, nothing is swapped

Rules:
- The rename is the only step that changes the live store. A crash before it leaves a shadow, which the next rebuild deletes.
- What the sender delivered stays delivered. What was skipped stays skipped, unless the version changed.
- Another version of the projection is expected to give other rows: then nothing is compared, and the shadow goes to the end of the stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

import orjson

from consumers.errors import ConsumerError, RebuildDiffersError, VersionChangedError
from consumers.position import Position
from consumers.project import Progress, project
from consumers.projection import Projection
from consumers.source import Source
from consumers.stores import Store, open_store
from consumers.stores.lock import own
from consumers.stores.sqlite import SqliteStore
from consumers.table import Scalar, Table

__all__ = ["Comparison", "TableContent", "compare", "content_of", "rebuild"]


@dataclass(frozen=True, slots=True)
class TableContent:
    """What a table holds: the number of its rows and a SHA-256 over them in the order of their key."""

    rows: int
    hash: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table on both sides; `first_difference` shows the first row that is not the same, None if all are."""

    table: str
    live: TableContent
    rebuilt: TableContent
    first_difference: tuple[object, object] | None

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


def content_of(store: Store, table: Table) -> TableContent:
    """Read a whole table and hash it."""
    digest, count = sha256(), 0
    for line in _lines(store, table):
        digest.update(line)
        count += 1
    return TableContent(count, digest.hexdigest())


def compare(projection: Projection, live: Store, rebuilt: Store) -> list[Comparison]:
    """Compare every table of the projection on both sides, row by row."""
    found = []
    for table in projection.tables.values():
        contents = content_of(live, table), content_of(rebuilt, table)
        difference = None
        if contents[0] != contents[1]:
            pairs = zip_longest(_lines(live, table), _lines(rebuilt, table))
            difference = next((a and a.decode(), b and b.decode()) for a, b in pairs if a != b)
        found.append(Comparison(table.name, *contents, difference))
    return found


def rebuild(
    projection: Projection,
    path: Path,
    open_source: Callable[[Position], Source],
    *,
    force: bool = False,
    stop: Callable[[], bool] = lambda: False,
    on_applied: Callable[[Progress], None] = lambda progress: None,
) -> list[Comparison]:
    """Fill a shadow from the stream, compare, swap; give the comparison, table by table (empty: there was nothing to compare with).

    `force` swaps also what differs. `open_source` opens the stream at a position.

    Raises:
        RebuildDiffersError: they differ; nothing was swapped, the shadow is left for inspection.
        StoreMismatchError: the live store is in use, or somebody looks into it while it shall be swapped.
        ConsumerError: the stream does not lead to the live block, or it was stopped before it was complete.
    """
    shadow_path = path.with_name(path.name + ".rebuild")
    with own(path), ExitStack() as opened:
        _remove(shadow_path)
        live = _open_live(projection, path)
        if live is not None:
            opened.callback(live.close)
        shadow = open_store(projection, shadow_path)
        opened.callback(shadow.close)
        _fill(projection, live, shadow, open_source, stop, on_applied)
        comparisons = compare(projection, live, shadow) if live is not None else []
        if not all(c.equal for c in comparisons) and not force:
            raise RebuildDiffersError(_shown(comparisons))
        if isinstance(shadow, SqliteStore) and path.exists():
            shadow.take_delivered_of(path)
        opened.close()
        if isinstance(shadow, SqliteStore) and path.exists():
            SqliteStore.make_one_file(path)
        _swap(shadow_path, path)
    return comparisons


def _open_live(projection: Projection, path: Path) -> Store | None:
    """Open what the rebuild shall be compared with: nothing, if there is none or it is of another version."""
    if not path.exists():
        return None
    try:
        return open_store(projection, path)
    except VersionChangedError:
        return None


def _fill(
    projection: Projection,
    live: Store | None,
    shadow: Store,
    open_source: Callable[[Position], Source],
    stop: Callable[[], bool],
    on_applied: Callable[[Progress], None],
) -> None:
    """Project the stream into the shadow, up to the block of the live store, or to the end."""
    target = live.position() if live is not None else None
    for (document_id, version), reason in (live.skipped() if live is not None else {}).items():
        shadow.skip(document_id, version, reason)
    with closing(open_source(shadow.position())) as source:
        until = target.sequence_no if target is not None else None
        done = project(
            projection, shadow, source, stop=stop, until_caught_up=True, until_block=until, on_applied=on_applied
        )
        complete = source.caught_up if until is None else done.position.sequence_no >= until
    if stop() and not complete:
        end = "the end of the stream" if until is None else f"block {until}"
        raise ConsumerError(f"stopped at {done.position}, before {end}; nothing was swapped")
    if target is not None and not done.position.same_block(target):
        raise ConsumerError("the stream does not lead to the live block", expected=target, actual=done.position)


def _lines(store: Store, table: Table) -> Iterator[bytes]:
    return map(_line, store.contents(table))


def _line(row: tuple[Scalar, ...]) -> bytes:
    return orjson.dumps(row) + b"\n"


def _shown(comparisons: list[Comparison]) -> str:
    lines = [
        f"table {c.table}: live has {c.live.rows} rows, hash {c.live.hash[:16]}; rebuilt has {c.rebuilt.rows} rows, "
        f"hash {c.rebuilt.hash[:16]}; first difference: live {_text(c.first_difference, 0)}, rebuilt {_text(c.first_difference, 1)}"
        for c in comparisons
        if not c.equal
    ]
    return "the rebuilt projection differs from the live one; nothing was swapped\n" + "\n".join(lines)


def _text(difference: tuple[object, object] | None, side: int) -> str:
    shown = difference[side] if difference is not None else None
    return "has no such row" if shown is None else str(shown).strip()


def _swap(shadow: Path, live: Path) -> None:
    """Replace the live store. Both are closed, so neither has a write-ahead log that belongs to the other's file."""
    for log in _logs(live):
        log.unlink(missing_ok=True)
    os.replace(shadow, live)  # before it the old projection, after it the new one


def _remove(path: Path) -> None:
    for file in (path, *_logs(path)):
        file.unlink(missing_ok=True)


def _logs(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in (".wal", "-wal", "-shm")]
