"""The journal: the one truth of a ledger, and `append`, its one commit point.

    a crash before append's write     nothing is there
    a crash before its sync returns   the whole batch is there, or nothing: recovery decides, before anyone sees it
    a crash after its sync            the batch is there; the mark may be behind it, and recovery moves it on

Rules:
- One process owns the directory; one thread appends, any thread reads.
- Batch k+1 is written only after batch k is on disk: by this, recovery tells torn from damaged.
- A failed write or sync kills the handle. It is never retried: nobody knows what the first one did.
- Only the making of a segment can meet a full disk. It comes before anything of a batch is written, leaves the handle alive, and is tried
  again by the next append.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ledger.block import Block
from ledger.errors import JournalFailedError, LimitExceededError, ReadOnlyError
from ledger.journal.directory import has_ledger, journal_directory, take_lock
from ledger.journal.field_names import FieldNames
from ledger.journal.files import NO_ROOM, Files, Lock, RealFiles
from ledger.journal.frame import FRAME_HEADER_BYTES, new_tag, pack_batch
from ledger.journal.payload import BlockEncoder
from ledger.journal.preparation import SegmentMaker, make_ledger
from ledger.journal.recovery import Progress, Recovered, recover
from ledger.journal.segment import FrameLocation, Position, SegmentHeader, make_header, segment_name
from ledger.journal.wakeup import Bell
from ledger.limits import Limits

__all__ = ["Journal"]

_GROWTH_MAX = 2
"""A transaction is held to the limit before it is sealed (`Transaction.finish`), by the size of its documents on their own. Over the many
symbols of a segment each name may take a byte more: never twice the size. What is refused here would take the whole batch with it."""
_CLOSE_MARK = b""
"""The payload of the frame that a clean close appends; there is always room for it in the segment."""


class Journal:
    """An open journal that this process owns. Made by `open`."""

    def __init__(self, files: Files, directory: Path, limits: Limits, lock: Lock, recovered: Recovered) -> None:
        ending = recovered.ending
        self.tip: Block | None = ending.tip
        """The last durable block."""
        self.boot_id = files.boot_id()
        self._files, self._directory, self._limits = files, directory, limits
        self._process_lock = lock
        self._segments, self._mark = recovered.segments, recovered.mark
        self.strand_id = self._segments.strand_id
        self._header = self._segments.open(ending.position.segment).header
        self._position = ending.position
        self._was_closed = ending.closed
        path = journal_directory(directory)
        self._file = files.open(path / segment_name(self._header.number), writable=True)
        self._names = FieldNames(self._header.symbols, limits.segment_symbols_max)
        self._encoder = BlockEncoder(self._header.symbols, self._names)
        self._maker = SegmentMaker(files, path)
        self._bell = Bell(path)
        self._lock = threading.Lock()  # one append, or close, at a time
        self._dead: str | None = None

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        new_strand_id: Callable[[], str],
        files: Files | None = None,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        progress: Progress | None = None,
    ) -> Journal:
        """Open the journal of the ledger in `directory`, and recover it; make the ledger if there is none.

        Args:
            new_strand_id: gives the id of a new strand, 22 characters.

        Raises:
            LedgerLockedError: another process owns it.
            FormatVersionError: a newer Strandline wrote it.
            IntegrityError: it is damaged; nothing was changed.
            ReadOnlyError: the disk has no room for it.
            JournalFailedError: the disk failed.
        """
        files = files or RealFiles()
        lock: Lock | None = None
        try:
            files.make_directory(directory)
            lock = take_lock(files, directory)
            lock.sign()
            if not has_ledger(files, directory):
                make_ledger(files, directory, limits, new_strand_id)
            return cls(files, directory, limits, lock, recover(files, directory, progress))
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, OSError):
                raise _said_by_disk(error, f"{directory} cannot be opened") from error
            raise

    def append(self, blocks: Sequence[Block]) -> list[FrameLocation]:
        """Make blocks durable as one batch, all or none, and let readers see them. They follow the tip, in order.

        Raises:
            LimitExceededError, InvalidValueError: a block is too large, or cannot be encoded. Nothing was written.
            ReadOnlyError: no room for another segment. Nothing was written; reads go on, and the next append tries again.
            JournalFailedError: the disk failed, now or before: the handle is dead, and the next open decides what is durable.
        """
        if not blocks:
            return []
        assert blocks[0].sequence_no == self._position.sequence_no
        assert blocks[0].strand_id == self.strand_id
        with self._lock:
            self._check_alive()
            frames = self._frames(blocks, self._encoder, self._header.tag)
            if not self._fits(frames):
                frames = self._move_on(blocks)
            locations = self._write(frames, len(blocks))
            self.tip = blocks[-1]
            self._was_closed = False
            if self._position.offset > self._header.size // 2:
                self._maker.begin(self._header.number + 1, self._next_size())
        return locations

    def read(self, location: FrameLocation) -> Block:
        """Read one block; from any thread.

        Raises:
            IntegrityError: no block is there.
        """
        return self._segments.read(location)

    def blocks(self, from_sequence_no: int = 0) -> Iterator[tuple[Block, FrameLocation]]:
        """Give the durable blocks from a number on, ascending, up to the present tip.

        Raises:
            IntegrityError: the journal is damaged.
        """
        return self._segments.blocks(from_sequence_no, self._position)

    def close(self) -> None:
        """Say in the journal that nothing was being written, and let go of the directory. Closing twice does nothing.

        Raises:
            JournalFailedError: saying so failed; what was appended is durable all the same.
        """
        with self._lock:
            if self._dead == _CLOSED:
                return
            self._maker.abandon()
            try:
                if self._dead is None and self._process_lock.held and not self._was_closed:
                    header = self._header
                    self._write(pack_batch([_CLOSE_MARK], header.tag, *self._position[2:]), 0)
            finally:
                self._dead = _CLOSED
                self._let_go()

    def _let_go(self) -> None:
        if self._process_lock.held:
            self._bell.close()
        else:
            self._bell.forget()
        self._file.close()
        self._mark.close()
        self._segments.close()
        self._process_lock.release()

    def _check_alive(self) -> None:
        if self._dead is not None:
            raise JournalFailedError(self._dead)
        if not self._process_lock.held:
            raise JournalFailedError("the journal belongs to the process that this one was forked off from")

    def _frames(self, blocks: Sequence[Block], encoder: BlockEncoder, tag: bytes) -> list[bytes]:
        payloads = [encoder.encode(block) for block in blocks]
        largest, maximum = max(map(len, payloads)), _GROWTH_MAX * self._limits.block_bytes_max
        if largest > maximum:
            raise LimitExceededError("block_bytes_max", maximum, largest)
        return pack_batch(payloads, tag, *self._position[2:])

    def _fits(self, frames: list[bytes]) -> bool:
        return self._position.offset + sum(map(len, frames)) + FRAME_HEADER_BYTES <= self._header.size

    def _next_size(self) -> int:
        return min(self._limits.segment_bytes, 2 * self._header.size)

    def _write(self, frames: list[bytes], block_count: int) -> list[FrameLocation]:
        segment, offset, batch_no, sequence_no = self._position
        locations = []
        for frame in frames:
            locations.append(FrameLocation(segment, offset, len(frame)))
            offset += len(frame)
        try:
            self._file.write(self._position.offset, b"".join(frames))
            self._file.sync()  # the commit point
            self._position = Position(segment, offset, batch_no + 1, sequence_no + block_count)
            self._mark.advance(self._position)
        except OSError as error:
            raise self._die(error) from error
        self._bell.ring()
        return locations

    def _move_on(self, blocks: Sequence[Block]) -> list[bytes]:
        """Go on in a new segment; give the frames for it. It is larger than others if the batch is."""
        _, _, batch_no, sequence_no = self._position
        symbols = self._names.table()
        encoder, tag = BlockEncoder(symbols, self._names), new_tag(self._files.random_bytes)
        frames = self._frames(blocks, encoder, tag)
        header = make_header(
            SegmentHeader(
                self.strand_id, self._header.number + 1, batch_no, sequence_no, self._next_size(), tag, symbols
            ),
            room=sum(map(len, frames)) + FRAME_HEADER_BYTES,
        )
        try:
            file = self._maker.finish(header)
        except OSError as error:
            raise self._die(error) from error
        self._file.close()
        self._header, self._file, self._encoder = header, file, encoder
        self._position = header.start
        return frames

    def _die(self, error: OSError) -> JournalFailedError:
        self._dead = f"the journal failed, and what is durable is unknown until the ledger is opened again: {error}"
        return JournalFailedError(self._dead)


_CLOSED = "the journal is closed"


def _said_by_disk(error: OSError, what: str) -> ReadOnlyError | JournalFailedError:
    return (ReadOnlyError if error.errno in NO_ROOM else JournalFailedError)(f"{what}: {error}")
