"""The nodes of statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ledger.catalog import IndexKey
from ledger.partiql.tree.expressions import Expression
from ledger.partiql.tree.queries import From, Item, Query, Source, StarOf
from ledger.query_values import QueryValue

__all__ = [
    "Body",
    "CreateIndex",
    "CreateTable",
    "Delete",
    "DropIndex",
    "DropTable",
    "Exec",
    "Explain",
    "Insert",
    "InsertInto",
    "OnConflict",
    "Operation",
    "Remove",
    "Returned",
    "SetPath",
    "Statement",
    "UndropTable",
    "Update",
]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """`tags`: of WITH (aws_tags = ...), None if there was none"""

    name: str
    tags: QueryValue
    at: int


@dataclass(frozen=True, slots=True)
class DropTable:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class UndropTable:
    table_id: str
    at: int


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """`keys`: paths into the document"""

    table: str
    keys: tuple[IndexKey, ...]
    unique: bool
    at: int


@dataclass(frozen=True, slots=True)
class DropIndex:
    index_id: str
    table: str
    at: int


@dataclass(frozen=True, slots=True)
class Returned:
    """One item of RETURNING; `item` None: `*`; `old` None: neither OLD nor NEW was said"""

    item: Item | StarOf | None
    old: bool | None
    modified: bool
    at: int


@dataclass(frozen=True, slots=True)
class OnConflict:
    """`action`: nothing, update, replace. `keys`: those of one unique index, None: of any.

    `sets` of DO UPDATE SET, `value` of DO REPLACE VALUE; neither: EXCLUDED. `keys_needed`: of UPSERT and REPLACE INTO, whose documents
    must have unique keys.
    """

    action: str
    keys: tuple[IndexKey, ...] | None
    sets: tuple[SetPath, ...]
    value: Expression | None
    where: Expression | None
    keys_needed: bool
    at: int


@dataclass(frozen=True, slots=True)
class Insert:
    """`values` gives one document, or with `each` a collection of documents, or also one"""

    target: Source
    values: Expression
    each: bool
    conflict: OnConflict | None
    returning: tuple[Returned, ...] | None
    at: int


@dataclass(frozen=True, slots=True)
class SetPath:
    target: Expression
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class InsertInto:
    """`INSERT INTO target VALUE value [AT key]`, in an UPDATE or FROM statement"""

    target: Expression
    value: Expression
    key: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Remove:
    target: Expression
    at: int


Operation: TypeAlias = "SetPath | InsertInto | Remove"


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE, and FROM ... SET"""

    source: From
    operations: tuple[Operation, ...]
    where: Expression | None
    returning: tuple[Returned, ...] | None
    at: int


@dataclass(frozen=True, slots=True)
class Delete:
    source: From
    where: Expression | None
    returning: tuple[Returned, ...] | None
    at: int


@dataclass(frozen=True, slots=True)
class Exec:
    procedure: str
    arguments: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN [ANALYZE]: tells the plan of a statement; with ANALYZE it is executed."""

    body: Body
    analyze: bool
    at: int


Body: TypeAlias = (
    "Explain | CreateTable | DropTable | UndropTable | CreateIndex | DropIndex | Insert | Update | Delete | Exec"
    " | Query | Expression"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement. `kind`: query, dml, ddl; `text` as it was sent."""

    text: str
    body: Body
    kind: str
    parameter_count: int
