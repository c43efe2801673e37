"""The simplest ledger that can be right: dicts, no index to look up in, no concurrency. The model of the serial-replay tests."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ledger.catalog import Catalog, Index, IndexKey, Table
from ledger.errors import AlreadyExistsError, UniqueViolationError
from ledger.index_entries import unique_keys
from ledger.limits import Limits
from ledger.partiql import execute, make_plan, parse
from ledger.partiql.context import Bound, Document, Fields, IndexCounts
from ledger.values import Struct, Timestamp, Value


class NaiveLedger:
    """A StatementContext over dicts. Ids come from what the real ledger answered: `expected_ids`."""

    transaction_id = "0" * 22
    now = Timestamp(2026)

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.documents: dict[str, dict[str, tuple[int, Struct]]] = {}
        self.unique: dict[str, list[Index]] = {}
        self.expected_ids: deque[str] = deque()

    def run(self, text: str, parameters: Sequence[Value], document_ids: Sequence[str]) -> list[Value]:
        """Execute one statement without any index; new ids are taken from `document_ids` in turn."""
        self.expected_ids = deque(document_ids)
        return list(execute(make_plan(parse(text), self.catalog), parameters, self, Limits()).rows)

    def copy(self) -> NaiveLedger:
        return copy.deepcopy(self)

    @property
    def catalog(self) -> Catalog:
        without_indexes = [Table(t.table_id, t.name, t.status) for t in self.tables.values()]
        return Catalog.of_tables(0, without_indexes)

    def document(self, table: Table, document_id: str) -> Document | None:
        found = self.documents[table.table_id].get(document_id)
        return None if found is None else Document(table.table_id, document_id, found[0], found[1])

    def scan(self, table: Table, fields: Fields | None = None) -> Iterator[Document]:
        for document_id, (version, data) in sorted(self.documents[table.table_id].items()):
            yield Document(table.table_id, document_id, version, data)

    def look_up(self, table: Table, index: Index, values: Sequence[Value]) -> Iterator[Document]:
        raise NotImplementedError("its catalogue has no index")

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
        raise NotImplementedError("its catalogue has no index")

    def index_counts(self, table: Table, index: Index) -> IndexCounts:
        raise NotImplementedError("its catalogue has no index")

    def count(self, table: Table) -> int:
        return len(self.documents[table.table_id])

    def conflicting(self, table: Table, data: Struct, document_id: str | None = None) -> Document | None:
        for index in self.unique.get(table.table_id, ()):
            for other in self.scan(table):
                if other.document_id != document_id and unique_keys(index, data) & unique_keys(index, other.data):
                    return other
        return None

    def _refuse_conflicting(self, table: Table, data: Struct, document_id: str) -> None:
        other = self.conflicting(table, data, document_id)
        if other is not None:
            raise UniqueViolationError(table.name, "?", "?", other.document_id)

    def history(self, table: Table, document_id: str | None) -> Iterator[Document]:
        raise NotImplementedError("the serial-replay workload asks for no history")

    def as_of(self, table: Table, document_id: str | None, moment: int | Timestamp) -> Iterator[Document | None]:
        raise NotImplementedError("the serial-replay workload asks for no history")

    def insert(self, table: Table, data: Struct) -> str:
        document_id = self.expected_ids.popleft() if self.expected_ids else "refused"
        self._refuse_conflicting(table, data, document_id)
        self.documents[table.table_id][document_id] = (0, data)
        return document_id

    def update(self, table: Table, document: Document, data: Struct) -> None:
        self._refuse_conflicting(table, data, document.document_id)
        self.documents[table.table_id][document.document_id] = (document.version + 1, data)

    def delete(self, table: Table, document: Document) -> None:
        del self.documents[table.table_id][document.document_id]

    def create_table(self, name: str, tags: tuple[tuple[str, str], ...] = ()) -> Table:
        self._check_free(name)
        table = Table(self.expected_ids.popleft(), name, tags=tags)
        self.tables[table.table_id] = table
        self.documents[table.table_id] = {}
        return table

    def create_index(self, table: Table, keys: tuple[IndexKey, ...], *, unique: bool) -> Index:
        index = Index("0" * 22, keys, unique)
        if unique:
            self.unique.setdefault(table.table_id, []).append(index)
        return index

    def drop_table(self, table: Table) -> None:
        self.tables[table.table_id] = replace(table, status="INACTIVE")

    def _check_free(self, name: str) -> None:
        if any(table.name == name and table.active for table in self.tables.values()):
            raise AlreadyExistsError(name)

    def undrop_table(self, table_id: str) -> Table:
        self._check_free(self.tables[table_id].name)
        table = self.tables[table_id] = replace(self.tables[table_id], status="ACTIVE")
        return table

    def drop_index(self, table: Table, index_id: str) -> None:
        """It has none."""
