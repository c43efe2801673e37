"""The catalogue: which tables and indexes there are. Immutable; built from the documents of the system table.

A table's document (its id is the tableId):

    {tableId: "...", name: "Vehicle", status: "ACTIVE" | "INACTIVE", indexes: [{indexId: "...", expr: "[VIN]"}]}

The state of an index (ONLINE, ...) is the view's own affair and never in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ledger.errors import IntegrityError
from ledger.values import Struct, Value

__all__ = ["Catalog", "Index", "Table", "table_document", "table_of_document"]


@dataclass(frozen=True, slots=True)
class Index:
    """An index over one top-level field. `expr` as QLDB shows it: `[VIN]`."""

    index_id: str
    expr: str
    status: str = "ONLINE"

    @property
    def field(self) -> str:
        return self.expr[1:-1]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. INACTIVE: it was dropped; its history stays."""

    table_id: str
    name: str
    status: str = "ACTIVE"
    indexes: tuple[Index, ...] = ()

    @property
    def active(self) -> bool:
        return self.status == "ACTIVE"

    def index_on(self, field_name: str) -> Index | None:
        return next((i for i in self.indexes if i.field == field_name and i.status == "ONLINE"), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables as of a block. `version` is the sequence number of the last block that changed the catalogue, -1 before any."""

    version: int = -1
    by_id: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))
    by_name: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of_tables(cls, version: int, tables: Iterable[Table]) -> Catalog:
        by_id = {table.table_id: table for table in tables}
        return cls(
            version,
            MappingProxyType(by_id),
            MappingProxyType({table.name: table for table in by_id.values() if table.active}),
        )

    def with_table(self, version: int, table: Table) -> Catalog:
        """Give the catalogue in which `table` is new or changed."""
        return Catalog.of_tables(version, (dict(self.by_id) | {table.table_id: table}).values())


def table_document(table: Table) -> dict[str, Value]:
    """Give the table's document in the system table."""
    indexes: list[Value] = [{"indexId": i.index_id, "expr": i.expr} for i in table.indexes]
    return {"tableId": table.table_id, "name": table.name, "status": table.status, "indexes": indexes}


def table_of_document(data: Struct) -> Table:
    """Read a table's document.

    Raises:
        IntegrityError: the document was not written by `table_document`.
    """
    try:
        assert isinstance(data, dict)
        indexes = data["indexes"]
        assert isinstance(indexes, list)
        return Table(
            _text(data, "tableId"),
            _text(data, "name"),
            _text(data, "status"),
            tuple(Index(_text(i, "indexId"), _text(i, "expr")) for i in indexes),
        )
    except (KeyError, AssertionError) as error:
        raise IntegrityError("a document of the system table is no table", actual=data) from error


def _text(struct: Value, name: str) -> str:
    assert isinstance(struct, dict)
    value = struct[name]
    assert isinstance(value, str)
    return value
