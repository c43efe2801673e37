"""EXPLAIN: the plan as a tree that is told, and with ANALYZE what each part of it gave and cost.

While a statement is compiled for EXPLAIN, whoever makes a generator of rows notes what it is and which ones it stands on. For all other
statements nothing is noted and nothing wrapped. A part's costs include those of the parts below it:

    {operator: "index range", table: "T", index: "[a]", condition: "t.a > ?", fields: ["a", "b"], estimatedRows: 333,
     rows: 12, loops: 1, lookUps: 1, documentsRead: 12, bytesRead: 1408, timeMicroseconds: 85, children: [...]}

Bytes are what the documents take in memory, as `ledger.sizes` estimates it; of documents that are read in part (`fields`) what that part
takes, unless they were at hand whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from ledger.partiql.code import Env
from ledger.partiql.context import Document
from ledger.query_values import MISSING
from ledger.sizes import estimated_size
from ledger.values import Value

__all__ = ["Detail", "Explainer", "Node"]

_T = TypeVar("_T")
_Rows = Callable[[Env], Iterator[_T]]
Detail: TypeAlias = "Value | Callable[[], Value]"
"""What is told of a part; a callable if it is known only when all is compiled, and gives null for nothing."""


@dataclass(slots=True, eq=False)
class Node:
    """A part of a plan. `slot`: where its counts stand in env while it runs."""

    operator: str
    details: Mapping[str, Detail]
    children: list[Node] = field(default_factory=list)
    slot: int = 0


class _Counts:
    """What a part gave and cost in one execution."""

    __slots__ = ("bytes_read", "documents_read", "look_ups", "loops", "nanoseconds", "rows")

    def __init__(self) -> None:
        self.loops = self.rows = self.look_ups = self.documents_read = self.bytes_read = self.nanoseconds = 0


class Explainer:
    """Takes notes of one statement.

    Args:
        new_slot: gives a slot of the statement.
        analyze: the generators are counted while they run.
        clock_ns: a monotonic clock in nanoseconds; None: no times.
    """

    def __init__(self, new_slot: Callable[[], int], *, analyze: bool, clock_ns: Callable[[], int] | None) -> None:
        self._new_slot, self._analyze, self._clock_ns = new_slot, analyze, clock_ns
        self._nodes: dict[Callable[..., Any], Node] = {}
        self._roots: dict[Node, None] = {}

    def note(
        self, rows: _Rows[_T], operator: str, below: Sequence[Callable[..., Any]], details: Mapping[str, Detail]
    ) -> _Rows[_T]:
        """Note what `rows` is and what it stands on; give what stands for it."""
        children = [self._nodes[inner] for inner in below if inner in self._nodes]
        node = Node(operator, details, children)
        for child in children:
            self._roots.pop(child, None)
        self._roots[node] = None
        if self._analyze:
            node.slot = self._new_slot()
            rows = self._counted(rows, node.slot)
        self._nodes[rows] = node
        return rows

    def same(self, rows: Callable[..., Any], below: Callable[..., Any]) -> None:
        """Note that `rows` is no part of its own."""
        if below in self._nodes:
            self._nodes[rows] = self._nodes[below]

    def weighed(self, documents: Callable[[Env], Iterator[Document]]) -> Callable[[Env], Iterator[Document]]:
        """Count the bytes of documents that are read."""
        if not self._analyze:
            return documents

        def counted(env: Env) -> Iterator[Document]:
            run = env[0]
            for document in documents(env):
                run.bytes_read += 0 if document.data is None else estimated_size(document.data)
                yield document

        return counted

    def set_apart(self, rows: Callable[..., Any]) -> None:
        """Note that `rows` are those of a subquery: they are part of an expression, so no other rows stand on them."""
        node = self._nodes.get(rows)
        if node in self._roots:
            del self._roots[node]
            self._roots[Node("subquery", {}, [node])] = None

    def _counted(self, rows: _Rows[_T], slot: int) -> _Rows[_T]:
        clock = self._clock_ns or (lambda: 0)

        def counted(env: Env) -> Iterator[_T]:
            run, counts = env[0], env[slot]
            if counts is MISSING:
                counts = env[slot] = _Counts()
            counts.loops += 1
            below = rows(env)
            while True:
                look_ups, documents, size, started = run.look_ups, run.documents_read, run.bytes_read, clock()
                try:
                    row = next(below)
                except StopIteration:
                    return
                finally:
                    counts.look_ups += run.look_ups - look_ups
                    counts.documents_read += run.documents_read - documents
                    counts.bytes_read += run.bytes_read - size
                    counts.nanoseconds += clock() - started
                counts.rows += 1
                yield row

        return counted

    # The tree.

    def tree(self, operator: str, details: Mapping[str, Detail], env: Env | None = None) -> dict[str, Value]:
        """Tell the whole statement: what no other part stands on stands below `operator`. `env` of an execution: with its counts."""
        return _told(
            Node(operator, details, sorted(self._roots, key=lambda node: node.operator == "subquery")),
            env,
            timed=self._clock_ns is not None,
        )


def _told(node: Node, env: Env | None, *, timed: bool) -> dict[str, Value]:
    details = {name: detail() if callable(detail) else detail for name, detail in node.details.items()}
    struct: dict[str, Value] = {"operator": node.operator}
    struct |= {name: value for name, value in details.items() if value is not None}
    if env is not None and node.slot:
        counts = _Counts() if env[node.slot] is MISSING else env[node.slot]
        struct |= {"rows": counts.rows, "loops": counts.loops}
        struct |= {"lookUps": counts.look_ups, "documentsRead": counts.documents_read, "bytesRead": counts.bytes_read}
        if timed:
            struct["timeMicroseconds"] = counts.nanoseconds // 1_000
    if node.children:
        struct["children"] = [_told(child, env, timed=timed) for child in node.children]
    return struct
