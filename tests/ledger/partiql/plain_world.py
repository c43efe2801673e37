"""A `StatementContext` over plain dicts: the world as statements see it, without a ledger below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from ledger import partiql
from ledger.block import BlockAddress
from ledger.catalog import EACH, Catalog, Index, IndexKey, Table, keys_of_expr
from ledger.errors import AlreadyExistsError, UniqueViolationError
from ledger.index_entries import unique_keys
from ledger.index_key import order_key
from ledger.limits import Limits
from ledger.partiql.context import Bound, Commit, Document, Fields, IndexCounts
from ledger.partiql.navigation import is_struct, struct_of
from ledger.values import Annotated, MultiStruct, Sexp, Struct, Timestamp, Value, fields_of

NULL_PART = order_key(None)
NOW = Timestamp(2026, 11, 22, 12, 0, 0, offset=0)
STRAND = "S" * 22


def moment(minute: int) -> Timestamp:
    """Give the time of transaction `minute`."""
    return Timestamp(2026, 11, 22, 10, minute, 0, offset=0)


class PlainWorld:
    """Tables as dicts of documents. Every write is its own committed revision, one transaction a minute from 10:00 on.

    `naive`: plans scan always. `indexes`: their expressions, without brackets. `counted`: plans go by the indexes' counts.
    """

    def __init__(
        self,
        tables: Mapping[str, Iterable[Struct]] | None = None,
        indexes: Mapping[str, Sequence[str]] | None = None,
        *,
        naive: bool = False,
        counted: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.catalog = Catalog()
        self.transaction_id = "X" * 22
        self.now = NOW
        self.limits = limits or Limits()
        self.revisions: dict[str, dict[str, list[Document]]] = {}
        self._naive = naive
        self.counts = PlainCounts(self) if counted else None
        self._count = self._blocks = 0
        self.calls: list[str] = []
        self.fields: list[Fields | None] = []  # that were asked for, one a scan or range
        for name, documents in (tables or {}).items():
            table = self.create_table(name)
            for field in (indexes or {}).get(name, ()):
                self.create_index(table, keys_of_expr(f"[{field}]"), unique=False)
            for data in documents:
                self.insert(self.catalog.by_name[name], data)
        self.calls.clear()

    def execute(self, text: str, *parameters: Value) -> partiql.Result:
        return self.execute_plan(
            partiql.make_plan(partiql.parse(text), self.catalog, counts=self.counts, naive=self._naive), *parameters
        )

    def execute_plan(self, plan: partiql.Plan, *parameters: Value) -> partiql.Result:
        return partiql.execute(plan, parameters, self, self.limits)

    def rows(self, text: str, *parameters: Value) -> list[Value]:
        return self.execute(text, *parameters).rows

    def documents(self, name: str) -> list[Struct]:
        return [d.data for d in self._current(self.catalog.by_name[name]) if d.data is not None]

    # StatementContext.

    def document(self, table: Table, document_id: str) -> Document | None:
        self.calls.append("document")
        revisions = self.revisions[table.table_id].get(document_id)
        return revisions[-1] if revisions and revisions[-1].data is not None else None

    def look_up(self, table: Table, index: Index, values: Sequence[Value]) -> Iterator[Document]:
        self.calls.append("look_up")
        return self._by_entries(table, index, lambda parts: _equal(parts, values))

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
        self.calls.append("index_range")

        def wanted(parts: tuple[bytes, ...]) -> bool:
            part = parts[len(equal)]
            inside = nulls if part == NULL_PART else _above(low, part) and _below(part, high)
            return _equal(parts[: len(equal)], equal) and inside

        found = list(self._by_entries(table, index, wanted))
        if not index.of_elements:
            found.sort(key=lambda document: min(_entries(index, document)), reverse=descending)
        self.fields.append(fields)
        return _with_fields(iter(found), None if fields is None else fields | index.fields)

    def _by_entries(
        self, table: Table, index: Index, wanted: Callable[[tuple[bytes, ...]], bool]
    ) -> Iterator[Document]:
        assert index.status == "ONLINE"
        return (document for document in self._current(table) if any(map(wanted, _entries(index, document))))

    def count(self, table: Table) -> int:
        self.calls.append("count")
        return sum(1 for _ in self._current(table))

    def index_counts(self, table: Table, index: Index) -> IndexCounts:
        entries = [parts for document in self._current(table) for parts in _entries(index, document)]
        return IndexCounts(len(entries), len(set(entries)))

    def scan(self, table: Table, fields: Fields | None = None) -> Iterator[Document]:
        self.calls.append("scan")
        self.fields.append(fields)
        return _with_fields(self._current(table), fields)

    def _current(self, table: Table) -> Iterator[Document]:
        for _, revisions in sorted(self.revisions[table.table_id].items()):
            if revisions[-1].data is not None:
                yield revisions[-1]

    def history(self, table: Table, document_id: str | None) -> Iterator[Document]:
        self.calls.append("history")
        for found, revisions in sorted(self.revisions[table.table_id].items()):
            if document_id is None or found == document_id:
                yield from revisions

    def as_of(self, table: Table, document_id: str | None, moment: int | Timestamp) -> Iterator[Document | None]:
        self.calls.append("as_of")

        def was_there(commit: Commit) -> bool:
            if isinstance(moment, Timestamp):
                return commit.tx_time.instant() <= moment.instant()
            return commit.block_address.sequence_no <= moment

        for found, revisions in sorted(self.revisions[table.table_id].items()):
            there = [r for r in revisions if r.commit is not None and was_there(r.commit)]
            if document_id in (None, found):
                yield there[-1] if there else None

    def conflicting(self, table: Table, data: Struct, document_id: str | None = None) -> Document | None:
        for index in self.catalog.by_id[table.table_id].indexes:
            keys = unique_keys(index, data) if index.unique else ()
            for document in self._current(table):
                if document.document_id != document_id and not unique_keys(index, document.data).isdisjoint(keys):
                    return document
        return None

    def _check_unique(self, table: Table, data: Struct, document_id: str) -> None:
        found = self.conflicting(table, data, document_id)
        if found is not None:
            raise UniqueViolationError(table.name, "a unique index", "its value", found.document_id)

    def insert(self, table: Table, data: Struct) -> str:
        document_id = self._new_id("D")
        self._check_unique(table, data, document_id)
        self.revisions[table.table_id][document_id] = [self._revision(table, document_id, 0, data)]
        return document_id

    def update(self, table: Table, document: Document, data: Struct) -> None:
        self.calls.append("update")
        self._check_unique(table, data, document.document_id)
        revisions = self.revisions[table.table_id][document.document_id]
        revisions.append(self._revision(table, document.document_id, document.version + 1, data))

    def delete(self, table: Table, document: Document) -> None:
        self.calls.append("delete")
        revisions = self.revisions[table.table_id][document.document_id]
        revisions.append(self._revision(table, document.document_id, document.version + 1, None))

    def create_table(self, name: str, tags: tuple[tuple[str, str], ...] = ()) -> Table:
        self._check_free(name)
        table = Table(self._new_id("T"), name, tags=tags)
        self.revisions[table.table_id] = {}
        self._put(table)
        return table

    def create_index(self, table: Table, keys: tuple[IndexKey, ...], *, unique: bool) -> Index:
        table = self.catalog.by_id[table.table_id]
        index = Index(self._new_id("I"), keys, unique)
        self._put(replace(table, indexes=(*table.indexes, index)))
        return index

    def drop_table(self, table: Table) -> None:
        self._put(replace(self.catalog.by_id[table.table_id], status="INACTIVE"))

    def undrop_table(self, table_id: str) -> Table:
        table = replace(self.catalog.by_id[table_id], status="ACTIVE")
        self._check_free(table.name)
        self._put(table)
        return table

    def drop_index(self, table: Table, index_id: str) -> None:
        table = self.catalog.by_id[table.table_id]
        self._put(replace(table, indexes=tuple(i for i in table.indexes if i.index_id != index_id)))

    def _check_free(self, name: str) -> None:
        if name in self.catalog.by_name:
            raise AlreadyExistsError(f"Table with name: USER.{name} already exists")

    def _put(self, table: Table) -> None:
        self.catalog = self.catalog.with_table(self.catalog.version + 1, table)

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count:021d}"

    def _revision(self, table: Table, document_id: str, version: int, data: Struct | None) -> Document:
        self._blocks += 1
        block, time = BlockAddress(STRAND, self._blocks), moment(self._blocks % 60)
        block_hash = bytes([self._blocks % 256]) * 32
        return Document(table.table_id, document_id, version, data, Commit(block, time, "X" * 22, block_hash))


class PlainCounts:
    """What a world keeps of sizes, for choosing plans."""

    def __init__(self, world: PlainWorld) -> None:
        self._world = world

    def count(self, table_id: str) -> int:
        return len(self._world.documents(self._world.catalog.by_id[table_id].name))

    def index_counts(self, index_id: str) -> IndexCounts:
        tables = self._world.catalog.by_id.values()
        table, index = next((t, i) for t in tables for i in t.indexes if i.index_id == index_id)
        return self._world.index_counts(table, index)


def _with_fields(documents: Iterator[Document], fields: Fields | None) -> Iterator[Document]:
    """Give documents that have these fields and nothing else: whoever looks at more than he asked for is found out."""
    for found in documents:
        data = found.data
        if fields is None or not isinstance(data, dict | MultiStruct):
            yield found
            continue
        kept = struct_of((name, value) for name, value in fields_of(data) if name in fields)
        yield Document(found.table_id, found.document_id, found.version, kept, found.commit)


def _entries(index: Index, document: Document) -> Iterator[tuple[bytes, ...]]:
    """Give the entries of a document in an index, each as the keys of its values."""
    return product(*({order_key(value) for value in _at(document.data, key, EACH in key)} for key in index.keys))


def _at(value: Value, path: IndexKey, of_elements: bool) -> Iterator[Value]:
    plain = value.value if isinstance(value, Annotated) else value
    if not path:
        yield plain
    elif path[0] is EACH:
        for element in plain if isinstance(plain, list | Sexp) else [plain]:
            yield from _at(element, path[1:], of_elements)
    else:
        named = [found for name, found in fields_of(plain) if name == path[0]] if is_struct(plain) else []
        if named:
            yield from _at(named[0], path[1:], of_elements)
        elif not of_elements:
            yield None


def _equal(parts: tuple[bytes, ...], values: Sequence[Value]) -> bool:
    return parts == tuple(map(order_key, values)) and NULL_PART not in parts


def _above(low: Bound | None, part: bytes) -> bool:
    return low is None or order_key(low.value) < part or (low.inclusive and order_key(low.value) == part)


def _below(part: bytes, high: Bound | None) -> bool:
    return high is None or part < order_key(high.value) or (high.inclusive and order_key(high.value) == part)
