"""Which part of an index the hints lead to: values for its first keys, a range of the next one, an order.

Rules:
- Equalities serve the first keys, as many as there are; on the key after them a range may stand. Further hints are left to the re-check.
- One low and one high end on the same path make one range. Not on paths through lists: there each may be met by another element.
- An index over elements has no entry of a document without them: it serves only if hints stand on all its keys that go through lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from ledger.catalog import EACH, Index, IndexKey, Table
from ledger.partiql.code import Env, Evaluate
from ledger.partiql.comparison import bare, is_absent
from ledger.partiql.context import Document, Fields
from ledger.partiql.estimates import FETCH, LOOK_UP, Estimates
from ledger.partiql.hints import Equality, FindBound, Range
from ledger.partiql.ranges import closed
from ledger.partiql.way import Direction, Documents, Way, once
from ledger.query_values import Bag, QueryValue
from ledger.values import Sexp

__all__ = ["OnKey", "index_way"]


@dataclass(slots=True)
class OnKey:
    """The hints on one path of the documents."""

    equalities: list[Equality] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ends:
    """A range on one key, made of what there is."""

    low: FindBound | None
    high: FindBound | None
    reads: frozenset[int]


_NO_ENDS = _Ends(None, None, frozenset())


def index_way(
    table: Table,
    index: Index,
    on: Mapping[IndexKey, OnKey],
    estimates: Estimates,
    fields: Callable[[], Fields | None],
    wanted: Sequence[Direction] = (),
    *,
    nulls: bool = True,
) -> Way | None:
    """Give the way by an index, None if it does not serve.

    Args:
        fields: tells, when it runs, which fields of the documents are looked at.
        wanted: only a way that gives the documents in that order, equal ones by their ids, is one.
        nulls: also the documents whose first key of the order is null or missing.
    """
    equal: list[Equality] = []
    for key in index.keys:
        found = on.get(key)
        chosen = None if found is None else _easiest(found.equalities, single=bool(wanted))
        if chosen is None:
            break
        equal.append(chosen)
    rest = index.keys[len(equal) :]
    ends = _ends(rest[0], on.get(rest[0])) if rest else _NO_ENDS
    ranged = ends.low is not None or ends.high is not None
    if any(EACH in key for key in rest[1 if ranged else 0 :]) or not (equal or ranged or wanted):
        return None
    if wanted and not _in_order(index, len(equal), wanted):
        return None
    descending = any(step.descending for step in wanted if step.path in rest)
    reads = ends.reads.union(*(hint.reads for hint in equal))
    several = sum(hint.several for hint in equal)
    look_ups = _SEVERAL**several
    rows = look_ups * estimates.matching(table, index, len(equal), (ends.low is not None) + (ends.high is not None))
    ranges = _range(table, index, ends, fields, descending=descending, nulls=nulls and not ranged)
    documents = _documents(table, index, equal, ranges)
    operator = "index range" if rest else "index look-up"
    return Way(operator, index, rows, look_ups * LOOK_UP + rows * FETCH, reads, documents)


def _in_order(index: Index, equal: int, wanted: Sequence[Direction]) -> bool:
    """Tell whether the keys after the first `equal` ones are the order that is wanted; what is equal in all documents has no say in it."""
    left = [step for step in wanted if step.path not in index.keys[:equal]]
    same_direction = len({step.descending for step in left}) <= 1
    return not index.of_elements and same_direction and tuple(step.path for step in left) == index.keys[equal:]


_SEVERAL = 3.0
"""How many values IN is thought to have."""


def _easiest(equalities: Sequence[Equality], *, single: bool) -> Equality | None:
    """Choose the equality that needs least: one value before several, and no other source's row."""
    usable = [hint for hint in equalities if not (single and hint.several)]
    return min(usable, key=lambda hint: (hint.several, len(hint.reads)), default=None)


def _ends(key: IndexKey, found: OnKey | None) -> _Ends:
    ranges = (
        [] if found is None else sorted(found.ranges, key=lambda r: (r.low is None or r.high is None, len(r.reads)))
    )
    if not ranges:
        return _NO_ENDS
    first = ranges[0]
    low, high, reads = first.low, first.high, first.reads
    for other in ranges[1:] if EACH not in key else ():
        if low is None and other.low is not None:
            low, reads = other.low, reads | other.reads
        if high is None and other.high is not None:
            high, reads = other.high, reads | other.reads
    return _Ends(low, high, reads)


# From values to documents.

_Found = Callable[[Env, Sequence[QueryValue]], Iterator[Document]]


def _documents(table: Table, index: Index, equal: Sequence[Equality], ranged: _Found) -> Documents:
    if len(index.keys) == 1 and equal and not equal[0].several:
        return _look_up_one(table, index, equal[0].value)
    values = [hint.value for hint in equal]
    one = _look_up(table, index) if len(equal) == len(index.keys) else ranged
    if not any(hint.several for hint in equal):

        def documents(env: Env) -> Iterator[Document]:
            return one(env, [value(env) for value in values])

        return documents
    several = [hint.several for hint in equal]

    def each(env: Env) -> Iterator[Document]:
        choices = [_items(value(env)) if many else (value(env),) for value, many in zip(values, several, strict=True)]
        for combination in product(*choices):
            yield from one(env, combination)

    return once(each)


def _items(value: QueryValue) -> Sequence[QueryValue]:
    items = bare(value)
    return items if type(items) in (list, Bag, Sexp) else ()


def _look_up_one(table: Table, index: Index, value_of: Evaluate) -> Documents:
    """The most frequent look-up of all, without a list in between."""

    def documents(env: Env) -> Iterator[Document]:
        value = value_of(env)
        if is_absent(value):
            return iter(())
        run = env[0]
        run.look_ups += 1
        return run.context.look_up(table, index, (value,))  # type: ignore[no-any-return]

    return documents


def _look_up(table: Table, index: Index) -> _Found:
    def look_up(env: Env, values: Sequence[QueryValue]) -> Iterator[Document]:
        if any(map(is_absent, values)):
            return iter(())
        run = env[0]
        run.look_ups += 1
        return run.context.look_up(table, index, values)  # type: ignore[no-any-return]

    return look_up


def _range(
    table: Table,
    index: Index,
    ends: _Ends,
    fields: Callable[[], Fields | None],
    *,
    descending: bool,
    nulls: bool,
) -> _Found:
    low_of, high_of = ends.low, ends.high
    open_ended = low_of is None and high_of is None

    def index_range(env: Env, values: Sequence[QueryValue]) -> Iterator[Document]:
        if any(map(is_absent, values)):
            return iter(())
        low, high = low_of and low_of(env), high_of and high_of(env)
        if (low_of and low is None) or (high_of and high is None):
            return iter(())
        if not open_ended:
            both = closed(low, high)
            if both is None:
                return iter(())
            low, high = both
        run = env[0]
        run.look_ups += 1
        return run.context.index_range(  # type: ignore[no-any-return]
            table, index, values, low, high, descending=descending, nulls=nulls, fields=fields()
        )

    return index_range
