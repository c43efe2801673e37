"""What the views must be, in the simplest way: dicts, folded block by block, nothing remembered twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger import merkle
from ledger.block import SYSTEM_TABLE_ID, Block
from ledger.catalog import Catalog, table_of_document
from ledger.index_entries import joined_key
from ledger.index_key import order_key
from ledger.partiql.context import Commit, Document
from ledger.values import fields_of, identical
from ledger.views import Snapshot, Views

ABSENT = "z" * 22


@dataclass
class NaiveViews:
    current: dict[str, dict[str, Document]] = field(default_factory=dict)
    history: dict[str, list[Document]] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)
    hashes: list[bytes] = field(default_factory=list)
    catalog: Catalog = field(default_factory=Catalog)

    def apply(self, block: Block) -> None:
        self.transactions[block.transaction_id] = block.sequence_no
        self.hashes.append(block.block_hash)
        for table, number, revision in block.revisions():
            current = self.current.setdefault(table.table_id, {})
            history = self.history.setdefault(table.table_id, [])
            assert number == len(history)
            document = Document(
                table.table_id, revision.id, revision.version, revision.data,
                Commit(block.address, block.block_timestamp, block.transaction_id, revision.hash, revision.data_hash),
            )  # fmt: skip
            history.append(document)
            current[revision.id] = document
            if revision.data is None and revision.data_hash is None:
                del current[revision.id]
            if table.table_id == SYSTEM_TABLE_ID:
                assert revision.data is not None
                self.catalog = self.catalog.with_table(block.sequence_no, table_of_document(revision.data))

    def index(self, table_id: str, field_name: str) -> dict[bytes, list[str]]:
        entries: dict[bytes, list[str]] = {}
        for document_id, document in sorted(self.current.get(table_id, {}).items()):
            assert document.data is not None
            value = next((v for name, v in fields_of(document.data) if name == field_name), None)
            entries.setdefault(joined_key((order_key(value),)), []).append(document_id)
        return entries


def naive(blocks: list[Block]) -> NaiveViews:
    model = NaiveViews()
    for block in blocks:
        model.apply(block)
    return model


def assert_same(views: Views, blocks: list[Block]) -> None:
    """Compare everything that can be asked of the views with the naive fold of `blocks`."""
    model = naive(blocks)
    assert views.sequence_no == len(blocks) - 1
    with views.snapshot() as snapshot:
        assert snapshot.sequence_no == len(blocks) - 1
        assert snapshot.catalog == model.catalog
        _assert_same_documents(snapshot, model)
        _assert_same_indexes(snapshot, model)
        for transaction_id, number in model.transactions.items():
            assert snapshot.sequence_of_transaction(transaction_id) == number
        assert snapshot.sequence_of_transaction(ABSENT) is None
    for count in range(1, len(blocks) + 1):
        assert views.block_files.root(count) == merkle.root(model.hashes[:count])
        assert views.block_files.audit_path(count - 1, len(blocks)) == merkle.audit_path(model.hashes, count - 1)
        assert views.block(count - 1) == blocks[count - 1]


def _assert_same_documents(snapshot: Snapshot, model: NaiveViews) -> None:
    for table_id in {*model.history, ABSENT}:
        current, history = model.current.get(table_id, {}), model.history.get(table_id, [])
        assert snapshot.count(table_id) == len(current)
        assert snapshot.next_sequence_no(table_id) == len(history)
        assert_documents(list(snapshot.scan(table_id)), [current[i] for i in sorted(current)])
        in_order = sorted(history, key=lambda d: (d.document_id, d.version))
        assert_documents(list(snapshot.history(table_id, None)), in_order)
        for document_id in {d.document_id for d in history} | {ABSENT}:
            expected = [current[document_id]] if document_id in current else []
            found = snapshot.document(table_id, document_id)
            assert_documents([] if found is None else [found], expected)
            versions = [d for d in in_order if d.document_id == document_id]
            assert_documents(list(snapshot.history(table_id, document_id)), versions)
            for version in versions:
                assert version.commit is not None
                where = (version.commit.block_address.sequence_no, table_id)
                assert snapshot.revision_location(document_id, version.version) == where
            assert snapshot.revision_location(document_id, len(versions)) is None


def _assert_same_indexes(snapshot: Snapshot, model: NaiveViews) -> None:
    for table in model.catalog.by_id.values():
        for index in table.indexes:
            entries = model.index(table.table_id, str(index.keys[0][0]))
            all_keys = {key for entry in entries for key in (entry, entry[:-1], entry + b"\x00")}
            for key in all_keys | {b"\x20\x03"}:
                assert list(snapshot.index_look_up(index.index_id, key)) == entries.get(key, [])
    assert list(snapshot.index_look_up(ABSENT, b"")) == []


def assert_documents(actual: list[Document], expected: list[Document]) -> None:
    """Compare with the full fidelity of Ion; Python's == is too kind."""
    assert actual == expected
    for a, b in zip(actual, expected, strict=True):
        assert identical(a.data, b.data), (a.data, b.data)
        assert a.commit is not None
        assert b.commit is not None
        assert str(a.commit.tx_time) == str(b.commit.tx_time)
