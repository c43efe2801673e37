"""Two flat files with a row per block: where its frame is, and the Merkle tree over all block hashes.

    blocks    segment 4 | offset 8 | size 4                      row n is block n
    merkle    hash 32                                            the nodes of complete subtrees, each after its two children:

        leaf        0  1     2  3        4 ...                   before leaf n stand 2n - popcount(n) nodes;
        level 1          2        5                              node i of level k covers leaves i * 2^k to (i+1) * 2^k - 1
        level 2                   6                              and stands k places after the last of them
        position    0  1  2  3  4  5  6  7 ...

Rules:
- Rows are appended and never changed: what was true of n blocks stays readable when there are more.
- An incomplete subtree (the right edge of the tree of n blocks) is never stored: it is computed from O(log n) stored nodes.
- Nothing is synced until `sync`. Rows beyond the store's position are what a crash between file and store left: the next ones go over them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from ledger.errors import IntegrityError
from ledger.hashing import HASH_SIZE, dot
from ledger.journal import FrameLocation, RealFiles
from ledger.journal.files import File
from ledger.views.trust import Doubt

__all__ = ["FLAT_FILES", "BlockFiles", "rows_on_disk"]

_ROW = struct.Struct(">IQI")
_BLOCKS, _MERKLE = "blocks", "merkle"
FLAT_FILES = (_BLOCKS, _MERKLE)


def rows_on_disk(directory: Path) -> int:
    """Give how many blocks the files in `directory` know of, without trusting them."""
    try:
        return (directory / _BLOCKS).stat().st_size // _ROW.size
    except FileNotFoundError:
        return 0


class BlockFiles:
    """The open files. One thread appends; any thread reads what was appended before."""

    def __init__(self, blocks: File, merkle: File, count: int) -> None:
        self._blocks, self._merkle, self._count = blocks, merkle, count
        self._edge: list[bytes] = []
        """The roots of the complete subtrees that stand for all blocks so far, largest first: one for each bit of the count."""

    @classmethod
    def create(cls, directory: Path) -> BlockFiles:
        """Make the files of a store that has applied nothing."""
        disk = RealFiles()
        return cls(disk.create(directory / _BLOCKS), disk.create(directory / _MERKLE), 0)

    @classmethod
    def open(cls, directory: Path, count: int) -> BlockFiles:
        """Open the files of a store that has applied `count` blocks.

        Raises:
            Doubt: there are not so many rows.
        """
        disk = RealFiles()
        try:
            files = cls(
                disk.open(directory / _BLOCKS, writable=True), disk.open(directory / _MERKLE, writable=True), count
            )
        except FileNotFoundError as error:
            raise Doubt(f"there is no file {error.filename}") from error
        if files._blocks.size() < count * _ROW.size or files._merkle.size() < _nodes_before(count) * HASH_SIZE:
            files.close()
            raise Doubt("its flat files are cut short")
        files._edge = files._read_edge()
        return files

    def _read_edge(self) -> list[bytes]:
        edge, leaf = [], 0
        for level in reversed(range(self._count.bit_length())):
            if self._count >> level & 1:
                edge.append(self._stored(level, leaf >> level))
                leaf += 1 << level
        return edge

    @property
    def count(self) -> int:
        return self._count

    def append(self, blocks: Iterable[tuple[bytes, FrameLocation]]) -> None:
        """Append (block hash, location) rows.

        Raises:
            OSError: the disk is full or failed; the files may now hold surplus rows.
        """
        rows, nodes, count = bytearray(), bytearray(), self._count
        for node, location in blocks:
            rows += _ROW.pack(location.segment, location.offset, location.size)
            nodes += node
            bits = count
            while bits & 1:  # as in adding one to a binary number: each carry completes a subtree
                node = dot(self._edge.pop(), node)
                nodes += node
                bits >>= 1
            self._edge.append(node)
            count += 1
        self._blocks.write(self._count * _ROW.size, bytes(rows))
        self._merkle.write(_nodes_before(self._count) * HASH_SIZE, bytes(nodes))
        self._count = count

    def location(self, sequence_no: int) -> FrameLocation:
        """Give where block `sequence_no` is.

        Raises:
            IntegrityError: the file has no such row.
        """
        return FrameLocation(*_ROW.unpack(_read(self._blocks, _ROW.size, sequence_no)))

    def block_hash(self, sequence_no: int) -> bytes:
        """Give the 32 bytes of block `sequence_no`'s hash."""
        return self._stored(0, sequence_no)

    def root(self, count: int) -> bytes:
        """Give the root over the first `count` blocks: the digest at tip `count - 1`; b"" for none."""
        return self._node((count - 1).bit_length(), 0, count) if count else b""

    def audit_path(self, index: int, count: int) -> list[bytes]:
        """Give the siblings on the way from block `index` to the root over the first `count` blocks (index < count)."""
        path, level, width = [], 0, count
        while width > 1:
            if index ^ 1 < width:
                path.append(self._node(level, index ^ 1, count))
            index, width, level = index >> 1, (width + 1) >> 1, level + 1
        return path

    def _node(self, level: int, index: int, count: int) -> bytes:
        """Give a node of the tree of `count` leaves; it is the right edge if it is not stored."""
        if (index + 1) << level <= count:
            return self._stored(level, index)
        left = self._node(level - 1, 2 * index, count)
        if (2 * index + 1) << (level - 1) >= count:
            return left  # no right sibling: moves up unchanged
        return dot(left, self._node(level - 1, 2 * index + 1, count))

    def _stored(self, level: int, index: int) -> bytes:
        position = _nodes_before(((index + 1) << level) - 1) + level
        return _read(self._merkle, HASH_SIZE, position)

    def rows(self) -> Iterator[tuple[str, int, bytes]]:
        """Give (file, number of the row, its bytes) of all rows of both files."""
        files = ((self._blocks, _ROW.size, self._count), (self._merkle, HASH_SIZE, _nodes_before(self._count)))
        for name, (file, size, count) in zip(FLAT_FILES, files, strict=True):
            for number in range(count):
                yield name, number, _read(file, size, number)

    def sync(self) -> None:
        self._blocks.sync()
        self._merkle.sync()

    def close(self) -> None:
        self._blocks.close()
        self._merkle.close()


def _nodes_before(leaf: int) -> int:
    return 2 * leaf - leaf.bit_count()


def _read(file: File, size: int, number: int) -> bytes:
    data = file.read(number * size, size)
    if len(data) != size:
        raise IntegrityError("a row is missing in a flat file of the views", address=f"row {number}")
    return data
