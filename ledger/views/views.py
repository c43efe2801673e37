"""What the blocks add up to: the derived state of one ledger, in one directory.

    data.mdb, lock.mdb   LMDB: current documents, history, indexes, transactions, tables    (`rows`)
    blocks, merkle       flat files: where each block is, the tree over their hashes         (`blocks`)
    STATE                whether the above can be believed                                   (`trust`)

Whoever removes the directory has it rebuilt from the journal at the next open.

    apply   flat files <- rows     a crash leaves surplus rows: the next open applies those blocks again
            LMDB       <- rows     one write transaction; a crash leaves the state before it: the next open applies the rest
            head       <- new      new snapshots see the blocks

Rules:
- One thread applies, and builds indexes (`building`). Any thread opens snapshots, and never waits for an apply.
- Nothing is synced while in use. A store that was in use when the machine stopped is thrown away (`trust`).
- After a failed apply nobody knows how far files and store agree: the handle is dead, and the next open decides.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

import lmdb

from ledger.block import Block
from ledger.catalog import Catalog
from ledger.errors import IntegrityError, JournalFailedError
from ledger.journal import FrameLocation
from ledger.limits import Limits
from ledger.views import apply, building, rows, trust
from ledger.views.blocks import FLAT_FILES, BlockFiles, rows_on_disk
from ledger.views.snapshot import Head, Snapshot
from ledger.views.store import LMDB_FILES, Store, failure
from ledger.views.trust import Doubt

__all__ = ["BlockLog", "Progress", "Views"]

_log = logging.getLogger("strandline.ledger")

_BLOCKS_AT_ONCE = 256
_BYTES_AT_ONCE = 8 * 1024 * 1024
"""What is applied at once while catching up: bounds memory, and what a crash has repeated."""
_BUILT_AT_ONCE, _REBUILT_AT_ONCE = 128, 4_096
"""Documents entered in an index at once: beside commits (about 3 ms), and while nobody waits for a commit."""

_Then: TypeAlias = "Callable[[lmdb.Transaction[bytes], Catalog], Catalog]"

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) during long work."""


class BlockLog(Protocol):
    """What the views need of a journal."""

    @property
    def strand_id(self) -> str: ...

    @property
    def boot_id(self) -> str: ...

    @property
    def tip(self) -> Block | None: ...

    def read(self, location: FrameLocation) -> Block: ...

    def blocks(self, from_sequence_no: int = 0) -> Iterator[tuple[Block, FrameLocation]]: ...


class Views:
    """The open views of one ledger. `block_files` answers for offsets, digests and audit paths."""

    def __init__(self, directory: Path, journal: BlockLog, store: Store, head: Head, block_files: BlockFiles) -> None:
        self._directory, self._journal, self._store, self.block_files = directory, journal, store, block_files
        self._limits = store.limits
        self._head = head
        with store.env.begin() as transaction:
            self._heads = {transaction.id(): head}
        self._alive, self._closed = True, False
        self._snapshots = 0
        self._readers = threading.Condition()  # guards _snapshots, and the order of them against close
        self._unfinished = True
        """Whether an index may be to be built, or one that is gone to be cleared away."""

    @classmethod
    def open(cls, directory: Path, journal: BlockLog, *, limits: Limits, progress: Progress | None = None) -> Views:
        """Open the views of `journal` in `directory`, and apply what they lack; rebuild what cannot be believed.

        Raises:
            IntegrityError: they know blocks that the journal has not.
            JournalFailedError: the store could not be written.
        """
        try:
            return cls._open(directory, journal, limits, progress)
        except (lmdb.Error, OSError) as error:
            raise failure(directory, limits, error) from error

    @classmethod
    def _open(cls, directory: Path, journal: BlockLog, limits: Limits, progress: Progress | None) -> Views:
        directory.mkdir(parents=True, exist_ok=True)
        state = trust.read_state(directory)
        if state is not None and state.strand_id == journal.strand_id:
            _refuse_ahead(directory, rows_on_disk(directory) - 1, journal)
        try:
            views = cls._reopen(directory, journal, limits, state)
        except (Doubt, lmdb.Error) as doubt:
            if any((directory / name).exists() for name in LMDB_FILES + FLAT_FILES):
                _log.warning("the views in %s are rebuilt: %s", directory, doubt)
            trust.erase(directory, LMDB_FILES + FLAT_FILES)
            views = cls._create(directory, journal, limits)
        try:
            trust.write_state(directory, journal.strand_id, journal.boot_id, None)  # from here on it is in use
            views._catch_up(progress)
        except BaseException:
            views._let_go()
            raise
        return views

    @classmethod
    def _reopen(cls, directory: Path, journal: BlockLog, limits: Limits, state: trust.State | None) -> Views:
        """Raises Doubt or lmdb.Error: what is there cannot be believed."""
        state = trust.believed(directory, state, journal.strand_id, journal.boot_id)
        store = Store(directory, journal.strand_id, limits)
        try:
            head = store.head()
            if state.clean is not None and state.clean != (head.sequence_no, head.block_hash):
                raise Doubt(f"it was closed at block {state.clean[0]} and is at {head.sequence_no}")
            _refuse_ahead(directory, head.sequence_no, journal)
            views = cls(directory, journal, store, head, BlockFiles.open(directory, head.sequence_no + 1))
        except BaseException:
            store.env.close()
            raise
        try:
            views._compare_with_journal()
        except BaseException:
            views._let_go()
            raise
        return views

    @classmethod
    def _create(cls, directory: Path, journal: BlockLog, limits: Limits) -> Views:
        store = Store(directory, journal.strand_id, limits)
        return cls(directory, journal, store, store.create(), BlockFiles.create(directory))

    def _compare_with_journal(self) -> None:
        head = self._head
        if head.sequence_no < 0:
            return
        block, location = next(self._journal.blocks(head.sequence_no))
        if block.block_hash != head.block_hash:
            raise Doubt(
                f"its block {head.sequence_no} is {head.block_hash.hex()}, the journal's is {block.block_hash.hex()}"
            )
        if self.block_files.location(head.sequence_no) != location:
            raise Doubt(f"block {head.sequence_no} is not where it says")

    def _catch_up(self, progress: Progress | None) -> None:
        total = _tip_sequence_no(self._journal) + 1
        part: list[tuple[Block, FrameLocation]] = []
        size = 0
        for block, location in self._journal.blocks(self.sequence_no + 1) if self.sequence_no + 1 < total else ():
            part.append((block, location))
            size += location.size
            if len(part) == _BLOCKS_AT_ONCE or size > _BYTES_AT_ONCE or block.sequence_no + 1 == total:
                self._guarded(partial(self._apply, part, lambda _, catalog: catalog))
                part, size = [], 0
                if progress is not None:
                    progress("views", block.sequence_no + 1, total)
        self._guarded(self._finish_rebuilding)

    def _finish_rebuilding(self) -> None:
        while True:
            with self._store.env.begin() as transaction:
                if not building.is_rebuilding(transaction, self._head.catalog):
                    return
            self._build_part(_REBUILT_AT_ONCE)

    @property
    def strand_id(self) -> str:
        return self._store.strand_id

    @property
    def sequence_no(self) -> int:
        """The last block applied, -1 before any."""
        return self._head.sequence_no

    def block_location(self, sequence_no: int) -> FrameLocation:
        """Give where block `sequence_no`, which is applied, is in the journal."""
        return self.block_files.location(sequence_no)

    def block(self, sequence_no: int) -> Block:
        """Read a block that is applied.

        Raises:
            IntegrityError: the journal has another one where the views say it is.
        """
        block = self._journal.read(self.block_files.location(sequence_no))
        if block.sequence_no != sequence_no:
            raise IntegrityError(
                "the views say that another block is here",
                address=block.address,
                expected=sequence_no,
                actual=block.sequence_no,
            )
        return block

    def snapshot(self) -> Snapshot:
        """Open a consistent view as of the last block applied, for a short time: `with views.snapshot() as snapshot`.

        Raises:
            LimitExceededError: too many are open.
            JournalFailedError: an apply failed, or the views are closed.
        """
        with self._readers:
            self._check_alive()
            self._snapshots += 1
        try:
            while True:
                transaction = self._store.begin_read()
                head = self._heads.get(transaction.id())
                if head is not None:
                    return Snapshot(head, transaction, self._store, self.block, self._snapshot_ended)
                transaction.abort()  # this thread was paused here while two batches were applied
        except BaseException:
            self._snapshot_ended()
            raise

    def _snapshot_ended(self) -> None:
        with self._readers:
            self._snapshots -= 1
            if not self._snapshots:
                self._readers.notify_all()

    def apply(self, blocks: Sequence[tuple[Block, FrameLocation]]) -> None:
        """Fold blocks into the views. They are durable in the journal, and follow the last one applied.

        Raises:
            IntegrityError: they do not follow, or are no blocks that we wrote.
            JournalFailedError: the store could not be written.
            Whatever is raised, the handle is dead afterwards.
        """
        if blocks:
            self._guarded(partial(self._apply, blocks, self._store.begin_building))

    def build_some(self) -> bool:
        """Build a part of an index, or clear away a part of one that is gone: a few milliseconds. False: there is nothing to do.

        Called by the thread that applies. Raises as `apply`.
        """
        if self._unfinished:
            self._guarded(partial(self._build_part, _BUILT_AT_ONCE))
        return self._unfinished

    def finish_building(self) -> None:
        """Build, and clear away, whatever is to be. Called by the thread that applies. Raises as `apply`."""
        while self._unfinished:
            self._guarded(partial(self._build_part, _REBUILT_AT_ONCE))

    def _guarded(self, change: Callable[[], None]) -> None:
        """Change the store; after a failure nobody knows what it says, and it is dead."""
        self._check_alive()
        try:
            change()
        except BaseException as error:
            self._alive = False
            if isinstance(error, lmdb.Error | OSError):
                raise failure(self._directory, self._limits, error) from error
            raise

    def _apply(self, blocks: Sequence[tuple[Block, FrameLocation]], then: _Then) -> None:
        self._check_chain([block for block, _ in blocks])
        self.block_files.append([(block.block_hash, location) for block, location in blocks])
        last = blocks[-1][0]

        def write(transaction: lmdb.Transaction[bytes], catalog: Catalog) -> Catalog:
            before = catalog
            for run in apply.runs(block for block, _ in blocks):
                catalog = self._store.write(transaction, apply.fold(run), catalog)
            transaction.put(rows.POSITION, rows.pack_position(last.sequence_no, last.block_hash))
            if catalog is before:
                return catalog
            self._unfinished = True
            return then(transaction, catalog)

        self._write(last.sequence_no, last.block_hash, write)

    def _build_part(self, documents_max: int) -> None:
        def write(transaction: lmdb.Transaction[bytes], catalog: Catalog) -> Catalog:
            catalog = self._store.build_part(transaction, catalog, documents_max)
            self._unfinished = building.is_unfinished(transaction, catalog)
            return catalog

        self._write(self._head.sequence_no, self._head.block_hash, write)

    def _write(self, sequence_no: int, block_hash: bytes, write: _Then) -> None:
        """Write in one transaction of the store, and swap the head."""
        transaction = self._store.env.begin(write=True)
        try:
            catalog = write(transaction, self._head.catalog)
            head = Head(sequence_no, block_hash, catalog)
            # Whether a snapshot begins before or after the commit, it finds its head here by LMDB's transaction number.
            newest = next(reversed(self._heads.items()))
            self._heads = dict([newest, (transaction.id(), head)])
            transaction.commit()
        except BaseException:
            transaction.abort()
            raise
        self._head = head

    def _check_chain(self, blocks: Sequence[Block]) -> None:
        expected = (self._head.sequence_no + 1, self._head.block_hash)
        for block in blocks:
            actual = (block.sequence_no, block.previous_block_hash)
            if actual != expected:
                raise IntegrityError(
                    "a block does not follow the one that was applied before it",
                    address=block.address,
                    expected=expected,
                    actual=actual,
                )
            expected = (block.sequence_no + 1, block.block_hash)

    def _check_alive(self) -> None:
        if not self._alive:
            raise JournalFailedError("the views are closed, or an apply failed: open the ledger again")

    def close(self) -> None:
        """Sync everything, say so, and let go, when the open snapshots have ended: LMDB must not be closed under a reader.

        Closing twice does nothing; after a failed apply it only lets go.

        Raises:
            JournalFailedError: it could not be synced; in another boot it will be rebuilt.
        """
        try:
            was_alive = self._alive
            with self._readers:
                self._alive = False
                self._readers.wait_for(lambda: not self._snapshots)
            if was_alive:
                self.block_files.sync()
                self._store.env.sync(True)
                position = (self._head.sequence_no, self._head.block_hash)
                trust.write_state(self._directory, self.strand_id, self._journal.boot_id, position)
        except (lmdb.Error, OSError) as error:
            raise failure(self._directory, self._limits, error) from error
        finally:
            self._let_go()

    def forget(self) -> None:
        """Be closed, and touch nothing: in a process forked off from the one that has them open."""
        self._alive, self._closed = False, True
        self._snapshots, self._readers = 0, threading.Condition()

    def _let_go(self) -> None:
        self._alive = False
        if not self._closed:
            self._closed = True
            self._store.env.close()
            self.block_files.close()


def _tip_sequence_no(journal: BlockLog) -> int:
    return -1 if journal.tip is None else journal.tip.sequence_no


def _refuse_ahead(directory: Path, sequence_no: int, journal: BlockLog) -> None:
    tip = _tip_sequence_no(journal)
    if sequence_no > tip:
        raise IntegrityError(
            "the views know blocks that the journal has not: blocks were lost, or an older journal was put back",
            address=directory,
            expected=f"a journal up to block {sequence_no}",
            actual=f"one up to block {tip}",
        )
