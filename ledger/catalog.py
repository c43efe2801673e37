"""The catalogue: which tables and indexes there are. Immutable; built from the documents of the system table.

A table's document (its id is the tableId):

    {tableId: "...", name: "Vehicle", status: "ACTIVE" | "INACTIVE", indexes: [{indexId: "...", expr: "[VIN]"}]}

`unique: true` stands beside `expr` where an index is; `tags` beside `name` where CREATE TABLE gave any. Once a table was dropped,
`statusTxId` is the transaction that dropped it or took that back: a revision tells by itself whether it is a DROP, an UNDROP, or neither.
The state of an index (ONLINE, ...) is the view's own affair and never in the journal.

`expr` as QLDB shows it, and the same way for what QLDB had not:

    [VIN]                                      one field of the document
    [Owner.Address.City]                       a nested one
    [Owners.SecondaryOwners[*].PersonId]       of each element of a list
    [State, "odd name"]                        several; a name that is no identifier stands in double quotes
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from ledger.errors import IntegrityError
from ledger.values import Struct, Value

__all__ = [
    "EACH",
    "Catalog",
    "Index",
    "IndexKey",
    "Table",
    "expr_of",
    "keys_of_expr",
    "table_document",
    "table_of_document",
]

EACH: Final = None
"""A step of an index key: each element of a list."""
IndexKey: TypeAlias = "tuple[str | None, ...]"
"""A path into the document: names of fields, and EACH."""

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_TOKEN = re.compile(
    r'\s*(?:(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)|"(?P<quoted>(?:[^"]|"")*)"|(?P<each>\[\*\])|(?P<mark>[.,]))'
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index over one path of the document, or several.

    `status` as QLDB shows it: BUILDING, ONLINE (only then it serves), FAILED (`message` says why). FINALIZING and DELETING never come.
    """

    index_id: str
    keys: tuple[IndexKey, ...]
    unique: bool = False
    status: str = "ONLINE"
    message: str | None = None

    @classmethod
    def over(cls, index_id: str, expr: str, *, unique: bool = False) -> Index:
        """Make an index from its `expr`. Raises ValueError."""
        return cls(index_id, keys_of_expr(expr), unique)

    @property
    def expr(self) -> str:
        return expr_of(self.keys)

    @property
    def fields(self) -> frozenset[str]:
        """Give the document's own fields in which the paths begin."""
        return frozenset(key[0] for key in self.keys if key[0] is not EACH)

    @property
    def of_elements(self) -> bool:
        """Tell whether a document may have several entries, one for each element of a list, or none."""
        return any(EACH in key for key in self.keys)


def expr_of(keys: Iterable[IndexKey]) -> str:
    """Give the `expr` of an index over these paths."""
    return f"[{', '.join(map(_path_text, keys))}]"


def _path_text(key: IndexKey) -> str:
    text = ""
    for step in key:
        if step is EACH:
            text += "[*]"
        else:
            name = step if _IDENTIFIER.fullmatch(step) else '"' + step.replace('"', '""') + '"'
            text += f".{name}" if text else name
    return text


def keys_of_expr(expr: str) -> tuple[IndexKey, ...]:
    """Read what `expr_of` gave.

    Raises:
        ValueError: it gave something else.
    """
    keys: list[list[str | None]] = [[]]
    body, at = expr[1:-1], 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None:
            raise ValueError(f"{expr!r} is no expression of an index")
        at = token.end()
        if token["mark"] == ",":
            keys.append([])
        elif token["each"]:
            keys[-1].append(EACH)
        elif token["mark"] is None:
            keys[-1].append(token["name"] or token["quoted"].replace('""', '"'))
    found = tuple(map(tuple, keys))
    if expr_of(found) != expr:
        raise ValueError(f"{expr!r} is no expression of an index")
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """A table. INACTIVE: it was dropped; its history stays."""

    table_id: str
    name: str
    status: str = "ACTIVE"
    indexes: tuple[Index, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    status_tx_id: str | None = None
    """The transaction of the last DROP or UNDROP."""

    @property
    def active(self) -> bool:
        return self.status == "ACTIVE"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables as of a block. `version` is the sequence number of the last block that changed the catalogue, -1 before any.

    `state` counts what changed beside the blocks since the views were opened: an index that was built, or failed.
    Plans go by both.
    """

    version: int = -1
    by_id: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))
    by_name: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))
    state: int = field(default=0, compare=False)

    @classmethod
    def of_tables(cls, version: int, tables: Iterable[Table], state: int = 0) -> Catalog:
        by_id = {table.table_id: table for table in tables}
        return cls(
            version,
            MappingProxyType(by_id),
            MappingProxyType({table.name: table for table in by_id.values() if table.active}),
            state,
        )

    def with_table(self, version: int, table: Table) -> Catalog:
        """Give the catalogue in which `table` is new or changed."""
        return Catalog.of_tables(version, (dict(self.by_id) | {table.table_id: table}).values(), self.state)

    def with_index(self, table_id: str, index: Index) -> Catalog:
        """Give the catalogue in which an index of a table has another state."""
        table = self.by_id[table_id]
        indexes = tuple(index if old.index_id == index.index_id else old for old in table.indexes)
        tables = dict(self.by_id) | {table_id: replace(table, indexes=indexes)}
        return Catalog.of_tables(self.version, tables.values(), self.state + 1)


def table_document(table: Table) -> dict[str, Value]:
    """Give the table's document in the system table."""
    document: dict[str, Value] = {
        "tableId": table.table_id,
        "name": table.name,
        "status": table.status,
        "indexes": list(map(_index_struct, table.indexes)),
    }
    if table.tags:
        document["tags"] = dict(table.tags)
    if table.status_tx_id is not None:
        document["statusTxId"] = table.status_tx_id
    return document


def _index_struct(index: Index) -> Value:
    struct: dict[str, Value] = {"indexId": index.index_id, "expr": index.expr}
    return struct | {"unique": True} if index.unique else struct


def table_of_document(data: Struct) -> Table:
    """Read a table's document.

    Raises:
        IntegrityError: the document was not written by `table_document`.
    """
    try:
        assert isinstance(data, dict)
        indexes, tags = data["indexes"], data.get("tags", {})
        assert isinstance(indexes, list)
        assert isinstance(tags, dict)
        return Table(
            _text(data, "tableId"),
            _text(data, "name"),
            _text(data, "status"),
            tuple(map(_index_of, indexes)),
            tuple((name, _text(tags, name)) for name in tags),
            _text(data, "statusTxId") if "statusTxId" in data else None,
        )
    except (KeyError, AssertionError, ValueError) as error:
        raise IntegrityError("a document of the system table is no table", actual=data) from error


def _index_of(struct: Value) -> Index:
    assert isinstance(struct, dict)
    return Index.over(_text(struct, "indexId"), _text(struct, "expr"), unique=struct.get("unique") is True)


def _text(struct: Value, name: str) -> str:
    assert isinstance(struct, dict)
    value = struct[name]
    assert isinstance(value, str)
    return value
