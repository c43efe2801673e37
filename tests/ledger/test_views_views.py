"""Random histories: the views against a naive fold, applied in one go, one by one, and with reopening and rebuilding between."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from block_builder import BlockBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_journal import MemoryJournal
from naive_views import assert_same

from ledger.block import SYSTEM_TABLE_NAME, Block
from ledger.catalog import Index, Table, table_document
from ledger.errors import IntegrityError, JournalFailedError
from ledger.hashing import ion_hash
from ledger.ids import id_of_text
from ledger.limits import Limits
from ledger.values import Annotated, IonType, MultiStruct, Struct, Symbol, TypedNull, Value
from ledger.views import Views

TABLES = ("Cars", "Owners", "Orders")
FIELDS = ("VIN", "n")

values: st.SearchStrategy[Value] = st.one_of(
    st.sampled_from(
        [1, Decimal("1.0"), 1.0, 0, -7, "a", "ab", "a\x00b", Symbol("a"), "", True, "x" * 400, "x" * 399 + "y"]
    ),
    st.sampled_from(
        [None, TypedNull(IonType.INT), Annotated(("kg",), 1), [1, "a"], {"n": 1}, b"\x00", Decimal("1.00")]
    ),
)
documents: st.SearchStrategy[Struct] = st.one_of(
    st.dictionaries(st.sampled_from([*FIELDS, "colour", "é", *(f"once{i}" for i in range(9))]), values, max_size=5),
    st.just(MultiStruct((("n", 1), ("n", 2), (None, 3)))),
)
writes = st.tuples(st.sampled_from(TABLES), st.integers(0, 6), st.none() | documents)
table_changes = st.tuples(
    st.sampled_from(TABLES), st.sampled_from(["ACTIVE", "INACTIVE"]), st.sets(st.sampled_from(FIELDS))
)
transactions = st.tuples(st.lists(writes, max_size=4), st.lists(table_changes, max_size=1))


def build(histories: list[tuple[list[tuple[str, int, Struct | None]], list[tuple[str, str, set[str]]]]]) -> list[Block]:
    """Seal a block for each transaction; no write follows a document's deletion, and none stands twice in a block."""
    builder, blocks, ended = BlockBuilder(), [], set[str]()
    for number, (documents_written, tables_changed) in enumerate(histories):
        wanted = {f"{table} {number}": (table, data) for table, number, data in documents_written}
        accepted = [(table, name, data) for name, (table, data) in wanted.items() if name not in ended]
        ended |= {name for _, name, data in accepted if data is None}
        tables = []
        for name, status, fields in tables_changed:
            indexes = tuple(Index.over(id_of_text(f"{name} {f} {number // 3}"), f"[{f}]") for f in sorted(fields))
            tables.append((SYSTEM_TABLE_NAME, name, table_document(Table(id_of_text(name), name, status, indexes))))
        blocks.append(builder.add(*accepted, *tables))
    return blocks


def open_views(directory: Path, journal: MemoryJournal) -> Views:
    return Views.open(directory, journal, limits=Limits(cached_documents_max=8, view_map_bytes_max=2**28))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(transactions, max_size=14).map(build),
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["go on", "close", "killed", "other boot"])), max_size=6),
)
def test_views_are_the_naive_fold_however_the_blocks_are_applied(
    blocks: list[Block], parts: list[tuple[int, str]]
) -> None:
    with TemporaryDirectory() as directory:
        journal = MemoryJournal(BlockBuilder().strand_id)
        views = open_views(Path(directory), journal)
        start = 0
        for size, then in [*parts, (len(blocks), "go on")]:
            part = journal.append(blocks[start : start + size])
            start += size
            if then == "go on":
                views.apply(part)
                assert_same(views, journal.kept)
                continue
            views.close() if then == "close" else views._let_go()
            journal.boot_id += " and another" if then == "other boot" else ""
            views = open_views(Path(directory), journal)  # applies `part` itself
            assert_same(views, journal.kept)
        views.close()


def test_redacted_revisions_are_rebuilt_as_history_and_as_live_documents(tmp_path: Path) -> None:
    builder = BlockBuilder()
    blocks = [
        builder.add(("Cars", "a", {"n": 1}), ("Cars", "b", {"n": 2})),
        builder.add(("Cars", "a", None), ("Cars", "b", {"n": 3})),
    ]
    [table] = blocks[0].tables
    redacted = tuple(replace(r, data=None, data_hash=ion_hash(r.data)) for r in table.revisions)
    blocks[0] = replace(blocks[0], tables=(replace(table, revisions=redacted),))
    journal = MemoryJournal(builder.strand_id, kept=blocks)
    with open_views(tmp_path, journal).snapshot() as snapshot:
        assert [d.data for d in snapshot.scan(table.table_id)] == [{"n": 3}]
        assert snapshot.count(table.table_id) == 1
        hashes = {d.commit and d.commit.data_hash for d in snapshot.history(table.table_id, None) if d.version == 0}
        assert hashes == {r.data_hash for r in redacted}


def test_a_block_that_does_not_follow_is_refused_and_kills_the_handle(tmp_path: Path) -> None:
    builder = BlockBuilder()
    first, second, third = builder.add_many(3)
    journal = MemoryJournal(builder.strand_id)
    for wrong in ([second], [first, third], [first, replace(second, previous_block_hash=bytes(32))]):
        views = open_views(tmp_path / f"{wrong[-1].sequence_no} {len(wrong)}", journal)
        with pytest.raises(IntegrityError, match="does not follow"):
            views.apply(MemoryJournal(builder.strand_id).append(wrong))
        with pytest.raises(JournalFailedError, match="open the ledger again"):
            views.apply(MemoryJournal(builder.strand_id).append([first]))
        with pytest.raises(JournalFailedError):
            views.snapshot()
        views.close()


def test_a_gap_in_a_tables_sequence_is_refused(tmp_path: Path) -> None:
    builder = BlockBuilder()
    first = builder.add(("Cars", "a", {"n": 1}))
    builder.sequence_nos[id_of_text("Cars")] = 7
    second = builder.add(("Cars", "b", {"n": 1}))
    together, apart = (open_views(tmp_path / name, MemoryJournal(builder.strand_id)) for name in ("together", "apart"))
    with pytest.raises(IntegrityError, match=r"gap or stand twice.*expected 1, actual 7"):
        together.apply(MemoryJournal(builder.strand_id).append([first, second]))
    apart.apply(MemoryJournal(builder.strand_id).append([first]))
    with pytest.raises(IntegrityError, match=r"gap or stand twice.*expected 1, actual 7"):
        apart.apply(MemoryJournal(builder.strand_id, kept=[first]).append([second]))


def test_a_full_map_kills_the_handle_by_the_limits_name_and_a_larger_one_carries_on(tmp_path: Path) -> None:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    views = Views.open(tmp_path, journal, limits=Limits(view_map_bytes_max=256 * 1024))
    large = [builder.add(*(("Cars", f"{n} {i}", {"x": "x" * 400}) for i in range(20))) for n in range(100)]
    with pytest.raises(JournalFailedError, match="view_map_bytes_max of 262144 bytes"):
        deque(views.apply(journal.append([block])) for block in large)
    with pytest.raises(JournalFailedError, match="open the ledger again"):
        views.snapshot()
    views.close()
    views = open_views(tmp_path, journal)
    assert_same(views, journal.kept)
    assert 0 not in journal.asked, "it carried on, and did not begin again"


def test_a_failed_write_to_a_flat_file_kills_the_handle(tmp_path: Path) -> None:
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    views = open_views(tmp_path, journal)
    views.apply(journal.append(builder.add_many(5)))
    (tmp_path / "merkle").unlink()
    views.block_files.close()  # as if the descriptors had failed
    with pytest.raises(JournalFailedError, match="could not be opened or written"):
        views.apply(journal.append(builder.add_many(5)))
    with pytest.raises(JournalFailedError):
        views.snapshot()


def test_a_process_that_ends_without_closing_loses_nothing_in_the_same_boot(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_views_views import *
builder = BlockBuilder()
journal = MemoryJournal(builder.strand_id)
views = open_views(Path(sys.argv[2]), journal)
views.apply(journal.append(builder.add_many(300)))
views.snapshot()
os._exit(9)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path)], check=False)
    assert ended.returncode == 9
    builder = BlockBuilder()
    journal = MemoryJournal(builder.strand_id)
    journal.append(builder.add_many(310))
    views = open_views(tmp_path, journal)
    assert journal.asked == [299, 300], "the last one is compared, and those after it are applied"
    assert_same(views, journal.kept)


def test_closing_twice_and_using_afterwards_is_said_clearly(tmp_path: Path) -> None:
    views = open_views(tmp_path, MemoryJournal(BlockBuilder().strand_id))
    views.close()
    views.close()
    with pytest.raises(JournalFailedError, match="closed"):
        views.snapshot()
