"""One transaction while it executes: what it read, what it wrote, and what it was asked.

The executor's `StatementContext`. A one-shot and an interactive transaction differ only in the reader below them.
Every read is noted in the read set before it is answered, so that the set is complete by construction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ledger import hashing, index_reads, ion
from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME, StatementInfo
from ledger.catalog import EACH, Catalog, Index, IndexKey, Table, expr_of, table_document
from ledger.errors import AlreadyExistsError, EvaluationError, LimitExceededError, PlanError
from ledger.index_entries import entry_keys
from ledger.index_ranges import key_ranges
from ledger.limits import Limits
from ledger.occ import ReadSet
from ledger.overlay import Change, Overlay, Reader
from ledger.partiql import Plan, PlanCache, Result, execute, make_plan
from ledger.partiql.context import Bound, Document, Fields, IndexCounts
from ledger.partiql.executor import Execution
from ledger.partiql.run import Watch
from ledger.sizes import size_bound
from ledger.values import MultiStruct, Struct, Timestamp, Value

__all__ = ["Transaction", "Work", "run_statement"]

_SYSTEM_TABLE = Table(SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME)
_BLOCK_BYTES, _ENTRY_BYTES = 512, 128
"""More than a block needs beside texts and documents: once, and for each statement and each change."""


@dataclass(frozen=True, slots=True)
class Work:
    """A finished transaction, ready to be sealed. `data_hashes[i]` is the Ion hash of `changes[i]`'s new data (None: deleted)."""

    transaction_id: str
    statements: tuple[StatementInfo, ...]
    changes: tuple[Change, ...]
    data_hashes: tuple[bytes | None, ...]


def run_statement(
    plans: PlanCache, transaction: Transaction, text: str, parameters: Sequence[Value], started: Timestamp
) -> Result:
    """Plan and execute one statement in an open transaction.

    Raises:
        StatementError, LimitExceededError, AlreadyExistsError: nothing of this *transaction* may commit afterwards.
    """
    # A catalogue with own DDL in it has no version that a cache could go by.
    own = transaction.has_own_ddl
    catalog, counts = transaction.catalog, transaction.counts
    plan = make_plan(plans.parse(text), catalog, counts=counts) if own else plans.plan(text, catalog, counts)
    return transaction.execute(text, plan, parameters, started)


class Transaction:
    """An open transaction over `reader`; of one thread at a time.

    Args:
        transaction_id: 22 characters.
        reader: the state below its own writes; `rebase` exchanges it.
        as_of: the block that `reader` shows.
        now: UTCNOW() of the whole transaction.
        new_id: gives ids of documents, tables and indexes.
        watch: may end its statements while they run.
    """

    def __init__(
        self,
        transaction_id: str,
        reader: Reader,
        as_of: int,
        now: Timestamp,
        new_id: Callable[[], str],
        limits: Limits,
        watch: Watch | None = None,
    ) -> None:
        self.transaction_id = transaction_id
        self.now = now
        self.reads = ReadSet(as_of)
        self._new_id, self._limits, self._watch = new_id, limits, watch
        self._changes: dict[tuple[str, str], Change] = {}
        self._statements: list[StatementInfo] = []
        self._bytes, self._result_bytes = _BLOCK_BYTES, 0
        self._view = Overlay(reader)

    @property
    def has_own_ddl(self) -> bool:
        """Tell whether its catalogue differs from the one of its version, so that no plan for it may be kept."""
        return any(table_id == SYSTEM_TABLE_ID for table_id, _ in self._changes)

    @property
    def size(self) -> int:
        """About how many bytes it writes and answers."""
        return self._bytes + self._result_bytes

    @property
    def statements(self) -> Sequence[StatementInfo]:
        return self._statements

    # What the committer and the session ask of it.

    def rebase(self, reader: Reader, as_of: int) -> None:
        """Lay the own writes over a newer state. The caller has validated all reads up to `as_of`.

        Raises:
            UniqueViolationError: an index was built meanwhile, and they do not fit it.
        """
        view = Overlay(reader)
        for change in self._changes.values():
            view.put(change.table, change.document_id, change.before, change.after)
            if change.table.table_id == SYSTEM_TABLE_ID:
                view.catalog = view.catalog.with_table(view.catalog.version, self._own_table(change, reader.catalog))
        other_state = reader.catalog.state != self._view.catalog.state
        self._view = view
        self.reads.as_of = as_of
        if other_state:  # a unique index may have come to be enforced since the writes were checked
            self._check_unique_again()

    def execute(self, text: str, plan: Plan, parameters: Sequence[Value], started: Timestamp) -> Result:
        """Execute one planned statement and note it.

        Raises:
            StatementError, LimitExceededError, AlreadyExistsError: nothing of this *transaction* may commit afterwards.
            Whatever the watch raises: likewise.
        """
        self._note(text, plan, parameters, started)
        return self.query(plan, parameters)

    def query(self, plan: Plan, parameters: Sequence[Value]) -> Result:
        """Execute a planned query of a transaction that nobody will commit: there is nothing to note. Raises as `execute`."""
        result = execute(plan, parameters, self, self._limits, self._watch, self._result_bytes)
        self._result_bytes += result.size
        return result

    def stream(self, plan: Plan, parameters: Sequence[Value]) -> Execution:
        """Begin what `query` does; its rows are asked for one by one. Raises as `execute`, then and with each row."""
        return Execution(plan, parameters, self, self._limits, self._watch)

    def _note(self, text: str, plan: Plan, parameters: Sequence[Value], started: Timestamp) -> None:
        if len(self._statements) == self._limits.statements_per_transaction_max:
            raise LimitExceededError(
                "statements_per_transaction_max",
                self._limits.statements_per_transaction_max,
                len(self._statements) + 1,
            )
        for name in plan.tables:
            self.reads.keys.add(("table", SYSTEM_TABLE_ID) if name == SYSTEM_TABLE_NAME else ("catalog", name))
        info = StatementInfo(text, started, hashing.statement_digest(text, parameters))
        self._statements.append(info)
        self._bytes += 4 * len(text) + _ENTRY_BYTES

    def finish(self) -> Work:
        """Hash what was written; after this the work can be sealed without failing.

        Raises:
            InvalidValueError: a document holds what Ion cannot say.
            LimitExceededError: the block would be too large.
        """
        if self._bytes > self._limits.block_bytes_max:
            raise LimitExceededError("block_bytes_max", self._limits.block_bytes_max, self._bytes)
        changes = tuple(self._changes.values())
        return Work(
            self.transaction_id,
            tuple(self._statements),
            changes,
            tuple(None if c.after is None or c.after.data is None else hashing.ion_hash(c.after.data) for c in changes),
        )

    # StatementContext: reads.

    @property
    def catalog(self) -> Catalog:
        return self._view.catalog

    @property
    def counts(self) -> Reader:
        """For choosing plans: what is asked of it is not noted as read."""
        return self._view

    def document(self, table: Table, document_id: str) -> Document | None:
        return index_reads.noted_document(self._view, self.reads, table, document_id)

    def look_up(self, table: Table, index: Index, values: Sequence[Value]) -> Iterator[Document]:
        return index_reads.documents_with_key(self._view, self.reads, table, index, values)

    def index_range(
        self,
        table: Table,
        index: Index,
        equal: Sequence[Value],
        low: Bound | None,
        high: Bound | None,
        *,
        descending: bool = False,
        nulls: bool = False,
        fields: Fields | None = None,
    ) -> Iterator[Document]:
        ranges = key_ranges(index, equal, low, high, nulls=nulls)
        return index_reads.documents_in_ranges(
            self._view, self.reads, table, index, ranges, descending=descending, fields=fields
        )

    def count(self, table: Table) -> int:
        self.reads.keys.add(("count", table.table_id))
        return self._view.count(table.table_id)

    def index_counts(self, table: Table, index: Index) -> IndexCounts:
        return self._view.index_counts(index.index_id)

    def conflicting(self, table: Table, data: Struct, document_id: str | None = None) -> Document | None:
        return index_reads.conflicting(self._view, self.reads, table, data, document_id)

    def scan(self, table: Table, fields: Fields | None = None) -> Iterator[Document]:
        self.reads.keys.add(("table", table.table_id))
        return self._view.scan(table.table_id, fields)

    def history(self, table: Table, document_id: str | None) -> Iterator[Document]:
        self._note_history(table, document_id)
        return self._view.history(table.table_id, document_id)

    def _note_history(self, table: Table, document_id: str | None) -> None:
        self.reads.keys.add(
            ("table", table.table_id) if document_id is None else ("document", table.table_id, document_id)
        )

    def as_of(self, table: Table, document_id: str | None, moment: int | Timestamp) -> Iterator[Document | None]:
        number = self._last_block(table, document_id, moment) if isinstance(moment, Timestamp) else moment
        if number > self.reads.as_of:  # what has happened no commit changes
            self._note_history(table, document_id)
        return self._view.as_of(table.table_id, document_id, number)

    def _last_block(self, table: Table, document_id: str | None, time: Timestamp) -> int:
        """Give the last block that is not later than `time`, or of a document the last one that changed it; beyond the tip if a next block
        might not be later either. A block's time is never before that of the block before it, so that few of them are read."""
        view, tip, instant = self._view, self.reads.as_of, time.instant()
        if tip < 0 or view.block_time(tip).instant() <= instant:
            return tip + 1
        numbers = range(tip) if document_id is None else view.blocks_of_document(table.table_id, document_id)
        after = bisect_right(numbers, instant, key=lambda number: view.block_time(number).instant())
        return numbers[after - 1] if after else -1

    # StatementContext: writes.

    def insert(self, table: Table, data: Struct) -> str:
        document_id = self._new_id()
        self._put(table, document_id, None, data)
        return document_id

    def update(self, table: Table, document: Document, data: Struct) -> None:
        self._put(table, document.document_id, document, data)

    def delete(self, table: Table, document: Document) -> None:
        self._put(table, document.document_id, document, None)

    def create_table(self, name: str, tags: tuple[tuple[str, str], ...] = ()) -> Table:
        catalog = self._view.catalog
        self._check_free(name)
        if len(catalog.by_id) >= self._limits.tables_max:
            raise LimitExceededError("tables_max", self._limits.tables_max, len(catalog.by_id) + 1)
        return self._put_table(None, Table(self._new_id(), name, tags=tags))

    def drop_table(self, table: Table) -> None:
        table = self._view.catalog.by_id[table.table_id]
        self._put_table(table, replace(table, status="INACTIVE", status_tx_id=self.transaction_id))

    def undrop_table(self, table_id: str) -> Table:
        table = self._view.catalog.by_id[table_id]
        self._check_free(table.name)
        return self._put_table(table, replace(table, status="ACTIVE", status_tx_id=self.transaction_id))

    def drop_index(self, table: Table, index_id: str) -> None:
        table = self._view.catalog.by_id[table.table_id]
        self._put_table(table, replace(table, indexes=tuple(i for i in table.indexes if i.index_id != index_id)))

    def _check_free(self, name: str) -> None:
        if name in self._view.catalog.by_name:
            raise AlreadyExistsError(f"Table with name: USER.{name} already exists")

    def create_index(self, table: Table, keys: tuple[IndexKey, ...], *, unique: bool) -> Index:
        table = self._view.catalog.by_id[table.table_id]
        if sum(EACH in key for key in keys) > 1:  # a document would have an entry for each pair of elements
            raise PlanError("an index goes through one list at most: only one of its paths may have [*]")
        if any(index.keys == keys for index in table.indexes):
            raise AlreadyExistsError(f"Table {table.name} already has an index on {expr_of(keys)}")
        if len(table.indexes) >= self._limits.indexes_per_table_max:
            raise LimitExceededError(
                "indexes_per_table_max", self._limits.indexes_per_table_max, len(table.indexes) + 1
            )
        index = Index(self._new_id(), keys, unique, "BUILDING")
        self._put_table(table, replace(table, indexes=(*table.indexes, index)))
        return index

    def _put_table(self, before: Table | None, after: Table) -> Table:
        key = (SYSTEM_TABLE_ID, after.table_id)
        own = self._changes.get(key)
        found = own.after if own else self._view.document(*key) if before else None
        self._put(_SYSTEM_TABLE, after.table_id, found, table_document(after))
        self._view.catalog = self._view.catalog.with_table(self._view.catalog.version, after)
        return after

    def _own_table(self, change: Change, newer: Catalog) -> Table:
        """Give the table as this transaction changed it, its indexes in the states that they have by now."""
        table = self._view.catalog.by_id[change.document_id]
        below = newer.by_id.get(table.table_id, table)
        known = {index.index_id: index for index in below.indexes}
        return replace(table, indexes=tuple(known.get(index.index_id, index) for index in table.indexes))

    def _put(self, table: Table, document_id: str, shown: Document | None, data: Struct | None) -> None:
        """Note one change; `shown` is the document as this transaction saw it."""
        key = (table.table_id, document_id)
        change = self._changes.get(key)
        if change is None:
            self._room_for_one_more()
            change = self._changes[key] = Change(table, document_id, shown, None, [])
        if data is not None:
            size = self._check_document(data)
            if size > self._limits.index_entries_per_document_max:  # an entry takes a byte at least
                self._check_entries(table, data)
            before = None if shown is None else shown.data
            index_reads.check_unique(self._view, self.reads, table, document_id, before, data)
            change.after = Document(table.table_id, document_id, change.version, data)
        else:
            change.after = None
        self._bytes += _ENTRY_BYTES
        statement = len(self._statements) - 1
        if statement not in change.statements:
            change.statements.append(statement)
        self._view.put(table, document_id, shown, change.after)
        if change.before is None and change.after is None:
            del self._changes[key]  # inserted and deleted by one transaction: no revision, as in QLDB

    def _check_unique_again(self) -> None:
        for change in self._changes.values():
            table = self.catalog.by_id.get(change.table.table_id)
            if table is not None and change.after is not None and change.after.data is not None:
                index_reads.check_unique(self._view, self.reads, table, change.document_id, None, change.after.data)

    def _room_for_one_more(self) -> None:
        maximum = self._limits.documents_per_transaction_max
        if len(self._changes) >= maximum:
            raise LimitExceededError("documents_per_transaction_max", maximum, len(self._changes) + 1)

    def _check_entries(self, table: Table, data: Struct) -> None:
        maximum = self._limits.index_entries_per_document_max
        for index in table.indexes:
            count = len(entry_keys(index, data)) if index.of_elements else 1
            if count > maximum:
                raise LimitExceededError("index_entries_per_document_max", maximum, count)

    def _check_document(self, data: Struct) -> int:
        """Give about how many bytes it has, not less."""
        if not isinstance(data, dict | MultiStruct):
            raise EvaluationError(f"a document is a struct, not {type(data).__name__}")
        size = size_bound(data, self._limits.value_depth_max)
        if size > self._limits.document_bytes_max:
            size = len(ion.encode(data))  # the bound was not good enough to say
        if size > self._limits.document_bytes_max:
            raise LimitExceededError("document_bytes_max", self._limits.document_bytes_max, size)
        self._bytes += size
        return size
