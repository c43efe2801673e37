"""The flat files against the naive Merkle tree."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from ledger import merkle
from ledger.errors import IntegrityError
from ledger.journal import FrameLocation
from ledger.views.blocks import BlockFiles, rows_on_disk
from ledger.views.trust import Doubt

HASHES = [sha256(b"%d" % n).digest() for n in range(70)]
ROWS = [(block_hash, FrameLocation(n // 7, 2**33 + n, 2**32 - 1 - n)) for n, block_hash in enumerate(HASHES)]


def test_root_and_every_path_at_every_tip_agree_with_the_naive_tree(tmp_path: Path) -> None:
    files = BlockFiles.create(tmp_path)
    assert files.root(0) == b""
    for number, row in enumerate(ROWS):
        files.append([row])
        for tip in range(max(1, number - 3), number + 2):
            assert files.root(tip) == merkle.root(HASHES[:tip])
    for count in range(1, len(ROWS) + 1):
        for index in range(count):
            path = files.audit_path(index, count)
            assert path == merkle.audit_path(HASHES[:count], index)
            assert merkle.fold(HASHES[index], path) == files.root(count)


def test_rows_come_back_and_appending_in_parts_with_reopening_gives_the_same_files(tmp_path: Path) -> None:
    once, parts = tmp_path / "once", tmp_path / "parts"
    once.mkdir()
    parts.mkdir()
    BlockFiles.create(once).append(ROWS)
    start = 0
    for size in (1, 0, 2, 5, 30, 32):
        files = BlockFiles.open(parts, start) if start else BlockFiles.create(parts)
        files.append(ROWS[start : start + size])
        files.close()
        start += size
    for name in ("blocks", "merkle"):
        assert (once / name).read_bytes() == (parts / name).read_bytes()
    files = BlockFiles.open(parts, 70)
    assert [(files.block_hash(n), files.location(n)) for n in range(70)] == ROWS
    with pytest.raises(IntegrityError, match="a row is missing"):
        files.location(70)


@pytest.mark.parametrize("torn_bytes", [0, 1, 15])
def test_surplus_rows_of_a_crash_are_written_over(tmp_path: Path, torn_bytes: int) -> None:
    files = BlockFiles.create(tmp_path)
    files.append(ROWS[:9])
    files.close()
    with open(tmp_path / "blocks", "ab") as blocks, open(tmp_path / "merkle", "ab") as nodes:
        blocks.write(b"x" * torn_bytes)
        nodes.write(b"x" * torn_bytes)
    assert rows_on_disk(tmp_path) == 9
    files = BlockFiles.open(tmp_path, 5)
    files.append(ROWS[5:20])
    assert files.root(20) == merkle.root(HASHES[:20])
    assert files.location(19) == ROWS[19][1]
    assert rows_on_disk(tmp_path) == 20


@pytest.mark.parametrize("name", ["blocks", "merkle"])
def test_short_files_are_doubted(tmp_path: Path, name: str) -> None:
    files = BlockFiles.create(tmp_path)
    files.append(ROWS[:9])
    files.close()
    os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - 1)
    with pytest.raises(Doubt, match="cut short"):
        BlockFiles.open(tmp_path, 9)


def test_a_digest_of_a_large_tree_costs_few_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = BlockFiles.create(tmp_path)
    files.append([(sha256(b"%d" % n).digest(), ROWS[0][1]) for n in range(10_000)])
    reads: list[int] = []
    real = os.pread
    monkeypatch.setattr("os.pread", lambda fd, size, offset: reads.append(offset) or real(fd, size, offset))
    files.root(9_999)
    files.audit_path(9_998, 9_999)
    files.audit_path(4_321, 9_999)
    assert len(reads) < 3 * 2 * 14
