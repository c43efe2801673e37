"""The decision what blocks change, with values only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from block_builder import BlockBuilder

from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME
from ledger.catalog import Catalog, Index, Table, table_document
from ledger.errors import IntegrityError
from ledger.ids import id_of_text
from ledger.views import apply

TABLE = id_of_text("Cars")
INDEX = Index.over(id_of_text("index"), "[n]")
CARS = table_document(Table(TABLE, "Cars", "ACTIVE", (INDEX,)))


def key(name: str) -> bytes:
    return f"d{TABLE}{id_of_text(name)}".encode()


def test_a_document_changed_many_times_is_one_document_with_all_of_its_history() -> None:
    builder = BlockBuilder()
    blocks = [builder.add(("Cars", "hot", {"n": n})) for n in range(64)]
    run = apply.fold(blocks)
    [document] = run.tables[TABLE].documents.values()
    assert document is not None
    assert document.commit is not None
    assert (document.version, document.data, document.commit.block_address) == (63, {"n": 63}, blocks[63].address)
    assert (run.tables[TABLE].next_sequence_no, run.tables[TABLE].live_added) == (64, 1)
    assert len(run.entries) == 128, "a version and a transaction for each"


def test_live_documents_are_counted_by_their_first_and_last_revision() -> None:
    builder = BlockBuilder()
    run = apply.fold([builder.add(("Cars", "a", {}), ("Cars", "b", {}), ("Cars", "never", None))])
    assert (run.tables[TABLE].live_added, run.tables[TABLE].documents[key("never")]) == (2, None)
    run = apply.fold([builder.add(("Cars", "a", {}), ("Cars", "b", None))])
    assert (run.tables[TABLE].live_added, run.tables[TABLE].first_sequence_no) == (-1, 3)


def test_a_run_ends_with_a_change_of_the_catalogue() -> None:
    builder = BlockBuilder()
    plain = [builder.add(("Cars", "a", {})) for _ in range(2)]
    change = builder.add((SYSTEM_TABLE_NAME, "Cars", CARS), ("Cars", "b", {}))
    after = builder.add(("Cars", "a", {}))
    assert list(apply.runs([*plain, change, after])) == [[*plain, change], [after]]
    assert list(apply.runs([change])) == [[change]]
    assert list(apply.runs([])) == []


def test_the_catalogue_changes_only_with_the_system_table() -> None:
    builder = BlockBuilder()
    before = Catalog()
    assert apply.catalog_after(apply.fold([builder.add(("Cars", "a", {}))]), before) is before
    after = apply.catalog_after(apply.fold([builder.add((SYSTEM_TABLE_NAME, "Cars", CARS))]), before)
    assert (after.version, after.by_name["Cars"].indexes) == (1, (replace(INDEX, status="BUILDING"),))
    gone = apply.fold([builder.add((SYSTEM_TABLE_NAME, "Cars", None))])
    with pytest.raises(IntegrityError, match="a table's document was deleted"):
        apply.catalog_after(gone, after)


def test_a_new_index_is_building_and_a_known_one_keeps_its_state() -> None:
    builder = BlockBuilder()
    other = Index.over(id_of_text("other"), "[m]", unique=True)
    first = apply.catalog_after(apply.fold([builder.add((SYSTEM_TABLE_NAME, "Cars", CARS))]), Catalog())
    failed = first.with_index(TABLE, replace(INDEX, status="FAILED", message="twice"))
    both = table_document(Table(TABLE, "Cars", "ACTIVE", (INDEX, other)))
    after = apply.catalog_after(apply.fold([builder.add((SYSTEM_TABLE_NAME, "Cars", both))]), failed)
    states = [(index.status, index.message) for index in after.by_name["Cars"].indexes]
    assert states == [("FAILED", "twice"), ("BUILDING", None)]
    assert (after.version, after.state) == (1, 1)


def test_ids_that_are_none_are_refused() -> None:
    block = BlockBuilder().add(("Cars", "a", {}))
    [table] = block.tables
    [revision] = table.revisions
    for wrong in ("", "short", "x" * 23, "é" * 22):
        with pytest.raises(IntegrityError, match="22 ASCII characters"):
            apply.fold([replace(block, transaction_id=wrong)])
        with pytest.raises(IntegrityError, match="22 ASCII characters"):
            apply.fold([replace(block, tables=(replace(table, revisions=(replace(revision, id=wrong),)),))])


def test_the_system_table_is_a_table_like_any() -> None:
    run = apply.fold([BlockBuilder().add((SYSTEM_TABLE_NAME, "Cars", CARS))])
    [document] = run.tables[SYSTEM_TABLE_ID].documents.values()
    assert document is not None
    assert (document.document_id, document.data) == (TABLE, CARS)
