"""The tree of a statement: what the parser gives and the planner reads. Nothing here knows how to run.

Rules:
- Every node is immutable and knows where it stands (`at`, an offset of the text), so that a later error can point at it.
- Chains are flat where a text can make them long: AND and OR have any number of operands, a path any number of steps.
- What has two spellings has one tree: UPDATE ... WHERE and FROM ... WHERE ... SET, SUBSTRING(s, 1) and SUBSTRING(s FROM 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ledger.query_values import QueryValue

__all__ = [
    "Aggregate",
    "AllElements",
    "AllFields",
    "Between",
    "Binary",
    "Call",
    "Case",
    "Cast",
    "Container",
    "CreateIndex",
    "CreateTable",
    "Delete",
    "DropIndex",
    "DropTable",
    "ElementStep",
    "Exec",
    "Expression",
    "FieldStep",
    "From",
    "GroupBy",
    "In",
    "Insert",
    "InsertInto",
    "IsType",
    "Item",
    "Join",
    "Like",
    "Literal",
    "Logical",
    "Name",
    "Operation",
    "OrderKey",
    "Parameter",
    "Path",
    "Pivot",
    "Projection",
    "Query",
    "Remove",
    "Select",
    "SelectList",
    "SelectStar",
    "SelectValue",
    "SetOperation",
    "SetPath",
    "Source",
    "StarOf",
    "Statement",
    "Step",
    "StructOf",
    "Subquery",
    "TypeName",
    "Unary",
    "UndropTable",
    "Update",
    "Window",
    "With",
]


# Expressions.


@dataclass(frozen=True, slots=True)
class Literal:
    value: QueryValue
    at: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """The `index`-th question mark, from 0."""

    index: int
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or a field of what FROM ranges over. `local`: written with `@`, so never a table."""

    text: str
    local: bool
    at: int


@dataclass(frozen=True, slots=True)
class FieldStep:
    """`.name`, and `['name']`."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class ElementStep:
    """`[key]`: an element of a list, or a computed field of a struct."""

    key: Expression
    at: int


@dataclass(frozen=True, slots=True)
class AllElements:
    """`[*]`"""

    at: int


@dataclass(frozen=True, slots=True)
class AllFields:
    """`.*` inside of a path"""

    at: int


Step: TypeAlias = "FieldStep | ElementStep | AllElements | AllFields"


@dataclass(frozen=True, slots=True)
class Path:
    root: Expression
    steps: tuple[Step, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`operator`: - + not"""

    operator: str
    operand: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`operator`: + - * / % || = <> < <= > >="""

    operator: str
    left: Expression
    right: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Logical:
    """`operator`: and, or; two operands or more."""

    operator: str
    operands: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Between:
    operand: Expression
    low: Expression
    high: Expression
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class In:
    operand: Expression
    collection: Expression
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class Like:
    operand: Expression
    pattern: Expression
    escape: Expression | None
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type of CAST and IS, by its first SQL or Ion name in `types.TYPES`; `arguments` as in DECIMAL(10, 2)."""

    name: str
    arguments: tuple[int, ...]
    at: int


@dataclass(frozen=True, slots=True)
class IsType:
    operand: Expression
    type: TypeName
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class Cast:
    """`function`: cast, can_cast"""

    function: str
    operand: Expression
    type: TypeName
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    """`operand` None: CASE WHEN condition THEN ...; `otherwise` None: no ELSE."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of values. Keywords among its arguments (YEAR, LEADING) are literals of their lower case."""

    function: str
    arguments: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`function`: count sum min max avg every any some; `argument` None: COUNT(*)."""

    function: str
    distinct: bool
    argument: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Window:
    """`function(arguments) OVER (PARTITION BY ... ORDER BY ...)`"""

    function: str
    arguments: tuple[Expression, ...]
    partition_by: tuple[Expression, ...]
    order_by: tuple[OrderKey, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Container:
    """`kind`: list, bag, sexp"""

    kind: str
    items: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class StructOf:
    fields: tuple[tuple[Expression, Expression], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Subquery:
    query: Query
    at: int


Expression: TypeAlias = (
    "Literal | Parameter | Name | Path | Unary | Binary | Logical | Between | In | Like | IsType | Cast | Case | Call"
    " | Aggregate | Window | Container | StructOf | Subquery"
)


# Queries.


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that FROM ranges over."""

    expression: Expression
    alias: str | None
    at_alias: str | None
    by_alias: str | None
    unpivot: bool
    at: int


@dataclass(frozen=True, slots=True)
class Join:
    """`kind`: inner (also the comma and CROSS JOIN: `on` is None), left, right, full"""

    kind: str
    left: From
    right: From
    on: Expression | None
    at: int


From: TypeAlias = "Source | Join"


@dataclass(frozen=True, slots=True)
class Item:
    """An expression of a SELECT list; `alias` None: named by its path, or by its position."""

    expression: Expression
    alias: str | None
    at: int


@dataclass(frozen=True, slots=True)
class StarOf:
    """`path.*` as an item of a SELECT list"""

    expression: Expression
    at: int


@dataclass(frozen=True, slots=True)
class SelectList:
    items: tuple[Item | StarOf, ...]


@dataclass(frozen=True, slots=True)
class SelectStar:
    at: int


@dataclass(frozen=True, slots=True)
class SelectValue:
    expression: Expression


@dataclass(frozen=True, slots=True)
class Pivot:
    """`PIVOT value AT name`: one struct of the whole result"""

    value: Expression
    name: Expression


Projection: TypeAlias = "SelectList | SelectStar | SelectValue | Pivot"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """`keys`: (expression, alias); `group_as`: the name of the bag of the group's rows"""

    keys: tuple[tuple[Expression, str | None], ...]
    group_as: str | None
    at: int


@dataclass(frozen=True, slots=True)
class OrderKey:
    """`nulls_first` None: as PartiQL has it, after the rest when ascending, before it when descending"""

    expression: Expression
    descending: bool
    nulls_first: bool | None
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    distinct: bool
    projection: Projection
    source: From | None
    where: Expression | None
    group_by: GroupBy | None
    having: Expression | None
    order_by: tuple[OrderKey, ...]
    limit: Expression | None
    offset: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class SetOperation:
    """`operator`: union, intersect, except; `all`: keeps duplicates; `outer`: takes any values"""

    operator: str
    all: bool
    outer: bool
    left: Query | Expression
    right: Query | Expression
    order_by: tuple[OrderKey, ...]
    limit: Expression | None
    offset: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class With:
    """`WITH name AS (query), ... query`"""

    bindings: tuple[tuple[str, Query], ...]
    query: Query
    at: int


Query: TypeAlias = "Select | SetOperation | With"


# Statements.


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
    table: str
    field: str
    at: int


@dataclass(frozen=True, slots=True)
class DropIndex:
    index_id: str
    table: str
    at: int


@dataclass(frozen=True, slots=True)
class Insert:
    """`values` gives one document, or with `each` a collection of documents, or also one"""

    table: str
    values: Expression
    each: bool
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
    at: int


@dataclass(frozen=True, slots=True)
class Delete:
    source: From
    where: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Exec:
    procedure: str
    arguments: tuple[Expression, ...]
    at: int


Body: TypeAlias = "CreateTable | DropTable | UndropTable | CreateIndex | DropIndex | Insert | Update | Delete | Exec | Query | Expression"


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement. `kind`: query, dml, ddl; `text` as it was sent."""

    text: str
    body: Body
    kind: str
    parameter_count: int
