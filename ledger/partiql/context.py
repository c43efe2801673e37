"""What a statement may do to the world: the one door between the query engine and the ledger.

`ledger.transaction.Transaction` is the real one; tests of the query engine use one over plain dicts.
Every read goes through here, so that the transaction's read set is complete by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from ledger.block import BlockAddress
from ledger.catalog import Catalog, Index, IndexKey, Table
from ledger.values import Struct, Timestamp, Value

__all__ = ["Bound", "Commit", "Document", "Fields", "IndexCounts", "StatementContext"]


@dataclass(frozen=True, slots=True)
class Commit:
    """What the block of a version says of it. `data_hash`: of redacted data, or of a deletion that had some."""

    block_address: BlockAddress
    tx_time: Timestamp
    tx_id: str
    hash: bytes
    data_hash: bytes | None = None


class Document:
    """One version of a document as a query sees it. Never changed.

    `data` None: this version deleted the document (seen only in `history`), or its data was redacted. Whoever asked for some
    fields only may have got no others.
    """

    __slots__ = ("_commit", "data", "document_id", "table_id", "version")

    def __init__(
        self,
        table_id: str,
        document_id: str,
        version: int,
        data: Struct | None,
        commit: Commit | Callable[[], Commit] | None = None,
    ) -> None:
        """Args: commit: None while the version is this transaction's own; a callable if it is read only when it is asked for."""
        self.table_id, self.document_id, self.version, self.data = table_id, document_id, version, data
        self._commit = commit

    @property
    def commit(self) -> Commit | None:
        """None while the version is this transaction's own and not yet committed."""
        found = self._commit
        if callable(found):
            found = self._commit = found()
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self._parts() == other._parts()

    def __repr__(self) -> str:
        return f"Document{self._parts()}"

    def _parts(self) -> tuple[object, ...]:
        return self.table_id, self.document_id, self.version, self.data, self.commit


Fields: TypeAlias = "frozenset[str]"
"""Names of fields of a document that somebody looks at."""


class Bound(NamedTuple):
    """One end of a range in an index."""

    value: Value
    inclusive: bool


class IndexCounts(NamedTuple):
    """How many entries an index holds, under how many keys."""

    entries: int
    keys: int


class StatementContext(Protocol):
    """One transaction, as the executor uses it. Reads see the transaction's own writes; all ids are 22 characters."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue with this transaction's own DDL in it."""
        ...

    @property
    def transaction_id(self) -> str: ...

    @property
    def now(self) -> Timestamp:
        """UTCNOW(): one value a transaction."""
        ...

    def document(self, table: Table, document_id: str) -> Document | None:
        """Look one document up by its id."""
        ...

    def look_up(self, table: Table, index: Index, values: Sequence[Value]) -> Iterator[Document]:
        """Give the documents whose indexed fields equal `values` (PartiQL's `=`), one for each key of the index, in order of document id.

        Of elements: the documents that have such an element. Null equals nothing.
        """
        ...

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
        """Give the documents whose first keys equal `equal` and whose next key lies between `low` and `high`.

        In order of the index: by key, then by document id; `descending`: keys descending, document ids ascending inside of equal
        keys. Of elements: each document once, the order is not promised.

        Args:
            nulls: also those whose next key is null or missing; they come last (descending: first).
            fields: of a document only these, and those of the index, need to be read; None: all.
        """
        ...

    def count(self, table: Table) -> int:
        """Give how many documents the table has, without reading them."""
        ...

    def index_counts(self, table: Table, index: Index) -> IndexCounts:
        """Give what is known of an index for choosing plans: as of the last commit, and not noted as read."""
        ...

    def conflicting(self, table: Table, data: Struct, document_id: str | None = None) -> Document | None:
        """Give a document that has one of the unique keys of `data`, other than document `document_id`."""
        ...

    def scan(self, table: Table, fields: Fields | None = None) -> Iterator[Document]:
        """Give every current document of the table, in order of document id; of each only `fields` need to be read (None: all)."""
        ...

    def history(self, table: Table, document_id: str | None) -> Iterator[Document]:
        """Give all committed versions, of one document or of all: by document id, then by version."""
        ...

    def as_of(self, table: Table, document_id: str | None, moment: int | Timestamp) -> Iterator[Document | None]:
        """Give the committed version that a document, or each, had at a moment, by document id: deletions too, None if it was not there.

        Args:
            moment: after the block of this number, or after the last block that is not later than this time.
        """
        ...

    def insert(self, table: Table, data: Struct) -> str:
        """Insert a document; give its new id. Raises UniqueViolationError."""
        ...

    def update(self, table: Table, document: Document, data: Struct) -> None:
        """Replace the data of a document that this transaction read. Raises UniqueViolationError."""
        ...

    def delete(self, table: Table, document: Document) -> None:
        """Delete a document that this transaction read."""
        ...

    def create_table(self, name: str, tags: tuple[tuple[str, str], ...] = ()) -> Table:
        """Raises AlreadyExistsError if an active table has that name."""
        ...

    def drop_table(self, table: Table) -> None:
        """Make an active table inactive: its name is free, its documents and history stay."""
        ...

    def undrop_table(self, table_id: str) -> Table:
        """Make an inactive table active again. Raises AlreadyExistsError if another one has its name now."""
        ...

    def drop_index(self, table: Table, index_id: str) -> None:
        """Take an index away that the table has."""
        ...

    def create_index(self, table: Table, keys: tuple[IndexKey, ...], *, unique: bool) -> Index:
        """Raises AlreadyExistsError if there is an index on these paths. The index serves look-ups after the commit."""
        ...
