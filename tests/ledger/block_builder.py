"""Builds hash-correct, chained blocks for tests, without a transaction behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ledger import hashing
from ledger.block import (
    SYSTEM_TABLE_ID,
    SYSTEM_TABLE_NAME,
    Block,
    Revision,
    StatementInfo,
    TableRevisions,
    metadata_struct,
)
from ledger.catalog import Table, table_document
from ledger.ids import id_of_text
from ledger.seal_hashes import block_hash_of, compute_entries
from ledger.values import Struct, Timestamp, Value

STRAND_ID = id_of_text("a strand for tests")
START_MS = 1_795_392_000_000


@dataclass
class BlockBuilder:
    """A strand in the making: `add` seals the next block after the last one.

    Table "Cars" has the id `id_of_text("Cars")`, document "a" the id `id_of_text("a")`; versions and sequences count themselves.
    "Cars#2" is another table of the name Cars.
    """

    strand_id: str = STRAND_ID
    tip: Block | None = None
    versions: dict[str, int] = field(default_factory=dict)
    sequence_nos: dict[str, int] = field(default_factory=dict)

    @property
    def next_transaction_id(self) -> str:
        """The transaction of the next block."""
        return id_of_text(f"transaction {0 if self.tip is None else self.tip.sequence_no + 1} of {self.strand_id}")

    def add(
        self,
        *writes: tuple[str, str, Struct | None],
        statement: str = "UPDATE T SET n = ?",
        parameters: Sequence[Value] = (1,),
    ) -> Block:
        """Seal one block of (table name, document name, data or None for a deletion)."""
        number = 0 if self.tip is None else self.tip.sequence_no + 1
        now = Timestamp.of_milliseconds(START_MS + number)
        transaction_id = self.next_transaction_id
        info = StatementInfo(statement, now, hashing.statement_digest(statement, parameters))
        tables = tuple(
            self._table(name, [w for w in writes if w[0] == name], now, transaction_id)
            for name in dict.fromkeys(w[0] for w in writes)
        )
        previous = b"" if self.tip is None else self.tip.block_hash
        self.tip = sealed(
            Block(self.strand_id, number, transaction_id, now, previous, b"", b"", (), (info,), tables)
        )  # fmt: skip
        return self.tip

    def add_many(self, count: int, *, documents: int = 10, padding: str = "") -> list[Block]:
        """Seal `count` blocks of one revision each, going round over a few documents of one table."""
        return [
            self.add(("Cars", f"car {i % documents}", {"VIN": f"1HGBH{i:012}", "n": i, "note": padding}))
            for i in range(count)
        ]

    def change_table(self, table: str, status: str, *writes: tuple[str, str, Struct | None]) -> Block:
        """Seal a block that drops a table (INACTIVE), or takes that back (ACTIVE), after other writes."""
        found = Table(id_of_text(table), _table_name(table), status, status_tx_id=self.next_transaction_id)
        return self.add(*writes, (SYSTEM_TABLE_NAME, table, table_document(found)))

    def _table(
        self, name: str, writes: Sequence[tuple[str, str, Struct | None]], now: Timestamp, transaction_id: str
    ) -> TableRevisions:
        table_id = SYSTEM_TABLE_ID if name == SYSTEM_TABLE_NAME else id_of_text(name)
        first = self.sequence_nos.get(table_id, 0)
        self.sequence_nos[table_id] = first + len(writes)
        revisions = []
        for _, document, data in writes:
            document_id = id_of_text(document)
            version = self.versions[document_id] = self.versions.get(document_id, -1) + 1
            unhashed = Revision(document_id, version, b"", data, None, (0,))
            metadata = metadata_struct(now, transaction_id, unhashed)
            revisions.append(replace(unhashed, hash=hashing.revision_hash(metadata, data)))
        return TableRevisions(table_id, _table_name(name), first, tuple(revisions))


def _table_name(name: str) -> str:
    return name.partition("#")[0]


def sealed(block: Block) -> Block:
    """Fill in the hashes that cover the whole block."""
    entries = compute_entries(block)
    entries_hash, block_hash = block_hash_of(entries, block.previous_block_hash)
    return replace(block, entries_hash_list=entries, entries_hash=entries_hash, block_hash=block_hash)
