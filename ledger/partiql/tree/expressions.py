"""The nodes of expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ledger.query_values import QueryValue

if TYPE_CHECKING:
    from ledger.partiql.tree.queries import OrderKey, Query

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
    "ElementStep",
    "Expression",
    "FieldStep",
    "Frame",
    "FrameBound",
    "In",
    "IsType",
    "Like",
    "Literal",
    "Logical",
    "Name",
    "Parameter",
    "Path",
    "Step",
    "StructOf",
    "Subquery",
    "TypeName",
    "Unary",
    "Window",
]


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
class FrameBound:
    """`step`: -1 PRECEDING, 1 FOLLOWING, 0 CURRENT ROW; `distance` None: UNBOUNDED (not of CURRENT ROW)"""

    step: int
    distance: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Frame:
    """`unit`: rows, range"""

    unit: str
    start: FrameBound
    end: FrameBound
    at: int


@dataclass(frozen=True, slots=True)
class Window:
    """`function(arguments) OVER (PARTITION BY ... ORDER BY ... frame)`"""

    function: str
    arguments: tuple[Expression, ...]
    partition_by: tuple[Expression, ...]
    order_by: tuple[OrderKey, ...]
    frame: Frame | None
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
