"""Tables and queries of the SQL that Strandline and DuckDB both speak, at random: for comparing their answers.

Where the two spell a thing differently, the text holds one of the `SPELLINGS`. What else differs is not written at all, or evened out by
the comparison: the table is in test_against_duckdb.py.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ledger.values import Struct, Value

__all__ = ["COLUMNS", "Sql", "SqlAtRandom", "tables_at_random"]

COLUMNS = {"id": "int", "a": "int", "b": "int", "s": "text", "x": "decimal", "f": "bool"}
"""The columns of each table; `id` is unique and never null."""
SPELLINGS = {
    "«/»": ("/", "//"),
    "«every»": ("EVERY", "bool_and"),
    "«any»": ("ANY", "bool_or"),
    "«nulls»": ("", " NULLS FIRST"),
}
"""What the text holds, as Strandline has it, and as DuckDB has it. «nulls»: behind DESC, where neither NULLS FIRST nor LAST stands."""

_TYPES = ("int", "text", "decimal", "bool")
_CONSTANTS = {
    "int": ["0", "1", "2", "3", "-1"],
    "text": ["''", "'a'", "'b'", "'ab'", "'B'", "'é'", "'%'"],
    "decimal": ["0.25", "1.00", "-1.50", "2.00"],
    "bool": ["true", "false"],
}
_PATTERNS = ["'a%'", "'%b'", "'_'", "'%'", "''", "'_b%'", "'!%' ESCAPE '!'", "'A%'", "'%é%'"]

Atoms = dict[str, list[str]]
"""Type -> expressions that stand for a column: columns, and, above a grouping, its keys and aggregates."""


@dataclass(frozen=True)
class Sql:
    """A query with columns c0, c1, ... `order`: those by which it is sorted, the first one first."""

    text: str
    columns: int
    order: tuple[int, ...] = ()

    def strandline(self) -> str:
        return self._spelled(0)

    def duckdb(self) -> str:
        return self._spelled(1)

    def _spelled(self, which: int) -> str:
        text = self.text
        for mark, spellings in SPELLINGS.items():
            text = text.replace(mark, spellings[which])
        return text


def tables_at_random(chance: random.Random, *, absent: bool) -> dict[str, list[Struct]]:
    """Give T, U and V: few different values, so that they meet. `absent`: some of the nulls are fields that are not there."""
    return {name: [_row(chance, number, absent) for number in range(chance.randrange(9))] for name in "TUV"}


def _row(chance: random.Random, number: int, absent: bool) -> Struct:
    row: dict[str, Value] = {
        "id": number,
        "a": chance.choice([0, 1, 2, 3, None]),
        "b": chance.choice([-7, -1, 1, 2, 5, None]),
        "s": chance.choice(["", "a", "b", "ab", "B", "é", " a ", None]),
        "x": chance.choice([Decimal("0.25"), Decimal("1.00"), Decimal("-1.50"), Decimal("3.75"), None]),
        "f": chance.choice([True, False, None]),
    }
    return {name: value for name, value in row.items() if value is not None or not absent or chance.random() < 0.5}


@dataclass
class _Source:
    text: str
    atoms: Atoms = field(default_factory=lambda: {kind: [] for kind in _TYPES})


class SqlAtRandom:
    """Writes queries. `absent`: rows may lack fields, so nothing that compares whole rows is written."""

    def __init__(self, chance: random.Random, *, absent: bool) -> None:
        self._chance, self._absent = chance, absent
        self._aliases = 0
        self._named: list[tuple[str, list[str]]] = []

    def query(self) -> Sql:
        self._aliases, self._named = 0, []
        types = [self._one(_TYPES) for _ in range(self._chance.randint(1, 3))]
        before = self._with() if self._may(0.15) else ""
        text = self._set_operation(types) if self._may(0.2) and not self._absent else self._select(types, 0)
        return self._ordered(before + text, len(types))

    # SELECT and what is around it.

    def _with(self) -> str:
        name, types = f"w{self._fresh()}", [self._one(_TYPES) for _ in range(self._chance.randint(1, 3))]
        text = f"WITH {name} AS ({self._select(types, 1)}) "
        self._named.append((name, types))
        return text

    def _set_operation(self, types: Sequence[str]) -> str:
        operator = self._one(["UNION", "INTERSECT", "EXCEPT"]) + self._one(["", " ALL"])
        left, right = self._select(types, 1), self._select(types, 1)
        if self._may(0.2):
            right = f"({right}) {operator} ({self._select(types, 1)})"
        return f"({left}) {operator} ({right})"

    def _ordered(self, text: str, count: int) -> Sql:
        if not self._may(0.5):
            return Sql(text, count)
        total = self._may(0.6)
        order = self._chance.sample(range(count), count if total else self._chance.randint(1, count))
        keys = [f"c{column}{self._direction()}" for column in order]
        text += " ORDER BY " + ", ".join(keys)
        if total and self._may(0.7):
            text += f" LIMIT {self._chance.randrange(6)}"
            if self._may(0.4):
                text += f" OFFSET {self._chance.randrange(4)}"
        return Sql(text, count, tuple(order))

    def _direction(self) -> str:
        return (
            self._one(["", " ASC", " DESC«nulls»"])
            if self._may(0.6)
            else self._one([" ASC", " DESC"]) + self._one([" NULLS FIRST", " NULLS LAST"])
        )

    def _select(self, types: Sequence[str], depth: int, outer: Atoms | None = None) -> str:
        """Write a SELECT with columns c0, c1, ... of these types."""
        source = self._from(depth)
        where = f" WHERE {self._condition(self._with_outer(source.atoms, outer), 3, depth)}" if self._may(0.6) else ""
        forms = ["plain", "plain", "grouped"] if outer else ["plain", "plain", "grouped", "windows"]
        form = self._one(forms) if depth < 2 else "plain"
        if form == "grouped":
            return self._grouped(types, source, where)
        atoms, depth = (self._windows(source.atoms), 9) if form == "windows" else (source.atoms, depth)
        items = [self._expression(kind, atoms, 2, 9 if outer else depth) for kind in types]
        distinct = "DISTINCT " if self._may(0.2) and not self._absent else ""
        return f"SELECT {distinct}{_columns(items)} FROM {source.text}{where}"

    def _grouped(self, types: Sequence[str], source: _Source, where: str) -> str:
        atoms: Atoms = {kind: [] for kind in _TYPES}
        keys: list[str] = []
        for _ in range(self._chance.randrange(3)):
            kind = self._one([kind for kind in _TYPES if source.atoms[kind]])
            key = self._one(source.atoms[kind])
            if kind == "int" and self._may(0.3):
                key = f"({key} % 2)"
            keys.append(key)
            atoms[kind].append(key)
        for kind in _TYPES:
            atoms[kind] += [self._aggregate(kind, source.atoms) for _ in range(2)]
        text = f"SELECT {_columns([self._expression(kind, atoms, 1, 9) for kind in types])} FROM {source.text}{where}"
        if keys:
            text += " GROUP BY " + ", ".join(dict.fromkeys(keys))
        return text + (f" HAVING {self._condition(atoms, 2, 9)}" if self._may(0.3) else "")

    def _aggregate(self, kind: str, atoms: Atoms) -> str:
        distinct = self._one(["", "", "DISTINCT "])
        if kind == "bool":
            return f"{self._one(['«every»', '«any»'])}({self._condition(atoms, 1, 9)})"
        if kind == "int" and self._may(0.5):
            return self._one(["COUNT(*)", f"COUNT({distinct}{self._expression(self._one(_TYPES), atoms, 1, 9)})"])
        functions = ["MIN", "MAX"] if kind == "text" else ["MIN", "MAX", "SUM", "SUM"]
        return f"{self._one(functions)}({distinct}{self._expression(kind, atoms, 1, 9)})"

    def _windows(self, columns: Atoms) -> Atoms:
        """Give the columns, and window functions of them."""
        atoms = {kind: list(columns[kind]) for kind in _TYPES}
        every = [column for kind in _TYPES for column in columns[kind]]
        total = ", ".join(f"{column}{self._direction()}" for column in self._chance.sample(every, len(every)))
        some = f"{self._one(every)}{self._direction()}"
        partition = f"PARTITION BY {self._one(every)} " if self._may(0.5) else ""
        for kind in _TYPES:
            value = self._one(columns[kind] or _CONSTANTS[kind])
            shift = (
                f"{self._one(['LAG', 'LEAD'])}({value}{self._one(['', ', 2', f', 1, {self._one(_CONSTANTS[kind])}'])})"
            )
            atoms[kind] += [f"{shift} OVER ({partition}ORDER BY {total})"] * 2
            aggregate = self._one(["MIN", "MAX"]) if kind != "bool" else "«every»"
            atoms[kind].append(f"{aggregate}({value}) OVER ({partition}{self._one(['', f'ORDER BY {some}'])})")
        rank = self._one(["RANK", "DENSE_RANK"])
        number = self._one(columns["int"] or ["1"])
        running = self._one(["", f"ORDER BY {some}"])
        atoms["int"] += [
            f"ROW_NUMBER() OVER ({partition}ORDER BY {total})", f"{rank}() OVER ({partition}ORDER BY {some})",
            f"COUNT(*) OVER ({partition}{running})", f"SUM({number}) OVER ({partition}{running})",
        ]  # fmt: skip
        return atoms

    # FROM.

    def _from(self, depth: int) -> _Source:
        source = self._source(depth)
        joins = [", "] if self._may(0.2) else [" CROSS JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "]
        for _ in range(self._chance.choice([0, 0, 1, 1, 2])):
            other = self._source(depth)
            atoms = {kind: source.atoms[kind] + other.atoms[kind] for kind in _TYPES}
            join = self._one(joins)
            text = f"{source.text}{join}{other.text}"
            if join not in (", ", " CROSS JOIN "):
                text += f" ON {self._on(source.atoms, other.atoms, atoms, join, depth)}"
            source = _Source(text, atoms)
        return source

    def _on(self, left: Atoms, right: Atoms, both: Atoms, join: str, depth: int) -> str:
        kinds = [kind for kind in _TYPES if left[kind] and right[kind]]
        if not kinds:
            return "true"
        kind = self._one(kinds)
        operator = "=" if "FULL" in join or self._may(0.7) else self._one(["<", "<>", ">="])
        joined = f"{self._one(left[kind])} {operator} {self._one(right[kind])}"
        outer = "LEFT" in join or "RIGHT" in join
        if "FULL" in join or (outer and depth) or self._may(0.5):
            return joined
        other = self._condition(both, 1, 9)
        return f"{joined} AND {other}" if outer else other

    def _source(self, depth: int) -> _Source:
        alias = f"t{self._fresh()}"
        if self._named and self._may(0.5):
            text, types = self._one(self._named)
        elif depth < 2 and self._may(0.15):
            types = [self._one(_TYPES) for _ in range(self._chance.randint(1, 3))]
            text = f"({self._select(types, depth + 1)})"
        else:
            source = _Source(f"{self._one('TUV')} AS {alias}")
            for name, kind in COLUMNS.items():
                source.atoms[kind].append(f"{alias}.{name}")
            return source
        source = _Source(f"{text} AS {alias}")
        for number, kind in enumerate(types):
            source.atoms[kind].append(f"{alias}.c{number}")
        return source

    # Expressions. `depth` counts queries: from 2 on none is written inside.

    def _expression(self, kind: str, atoms: Atoms, size: int, depth: int) -> str:
        if size <= 0 or self._may(0.4):
            return self._one(atoms[kind]) if atoms[kind] and self._may(0.8) else self._one(_CONSTANTS[kind])
        chosen = self._chance.random()
        if chosen < 0.2:
            return self._case(kind, atoms, size - 1)
        if chosen < 0.3:
            first, second = (self._expression(kind, atoms, size - 1, depth) for _ in range(2))
            return self._one([f"COALESCE({first}, {second})", f"NULLIF({first}, {second})"])
        if chosen < 0.4 and depth < 2:
            return self._scalar(kind, atoms, depth)
        return getattr(self, f"_{kind}")(atoms, size - 1, depth)  # type: ignore[no-any-return]

    def _case(self, kind: str, atoms: Atoms, size: int) -> str:
        value = lambda: "NULL" if self._may(0.1) else self._expression(kind, atoms, size, 9)  # noqa: E731
        last = f" ELSE {self._expression(kind, atoms, size, 9)}" if self._may(0.7) else ""
        if self._may(0.5) and atoms["int"]:
            number = self._one(atoms["int"])
            return f"CASE {number} WHEN {self._one(_CONSTANTS['int'])} THEN {value()} WHEN 1 THEN {value()}{last} END"
        return f"CASE WHEN {self._condition(atoms, 1, 9)} THEN {value()}{last} END"

    def _scalar(self, kind: str, atoms: Atoms, depth: int) -> str:
        """A subquery of one row at most: an aggregate, or a row by its id."""
        alias, table = f"t{self._fresh()}", self._one("TUV")
        inner: Atoms = {each: [] for each in _TYPES}
        for name, each in COLUMNS.items():
            inner[each].append(f"{alias}.{name}")
        condition = self._condition(self._with_outer(inner, atoms), 1, depth + 1)
        if self._may(0.5):
            return f"(SELECT {self._aggregate(kind, inner)} AS c0 FROM {table} AS {alias} WHERE {condition})"
        by_id = f"{alias}.id = {self._one(atoms['int'] or ['1'])}"
        return f"(SELECT {self._one(inner[kind])} AS c0 FROM {table} AS {alias} WHERE {by_id} AND {condition})"

    def _int(self, atoms: Atoms, size: int, depth: int) -> str:
        first, second = (self._expression("int", atoms, size, depth) for _ in range(2))
        text = self._expression("text", atoms, size, depth)
        return self._one([
            f"({first} + {second})", f"({first} - {second})", f"({first} * {second})", f"ABS({first})", f"(- {first})",
            f"({first} «/» {self._one(['2', '-3'])})", f"({first} % {self._one(['2', '-3'])})", f"({first} «/» NULLIF({second}, 0))",
            f"({first} % NULLIF({second}, 0))", f"CHAR_LENGTH({text})", f"POSITION('a' IN {text})",
        ])  # fmt: skip

    def _decimal(self, atoms: Atoms, size: int, depth: int) -> str:
        first, second = (self._expression("decimal", atoms, size, depth) for _ in range(2))
        return self._one(
            [f"({first} + {second})", f"({first} - {second})", f"({first} * 2)", f"ABS({first})", f"({first} + 1)"]
        )

    def _text(self, atoms: Atoms, size: int, depth: int) -> str:
        first, second = (self._expression("text", atoms, size, depth) for _ in range(2))
        number = self._one(["1", "2", "3"])
        return self._one([
            f"({first} || {second})", f"LOWER({first})", f"UPPER({first})", f"TRIM({first})", f"SUBSTRING({first}, {number})",
            f"SUBSTRING({first}, {number}, {self._one(['0', '1', '2'])})", f"REPLACE({first}, 'a', {second})",
            f"CAST({self._expression('int', atoms, size, depth)} AS VARCHAR)",
        ])  # fmt: skip

    def _bool(self, atoms: Atoms, size: int, depth: int) -> str:
        return f"({self._condition(atoms, size, depth)})"

    def _condition(self, atoms: Atoms, size: int, depth: int) -> str:
        if size > 1 and self._may(0.5):
            first, second = self._condition(atoms, size - 1, depth), self._condition(atoms, size - 1, depth)
            return self._one([f"({first} AND {second})", f"({first} OR {second})", f"NOT ({first})"])
        kind = self._one(_TYPES)
        first, second = (self._expression(kind, atoms, size - 1, depth) for _ in range(2))
        chosen = self._chance.randrange(9)
        if chosen == 0:
            return f"{first} IS {self._one(['', 'NOT '])}NULL"
        if chosen == 1:
            return f"{first} {self._one(['', 'NOT '])}BETWEEN {second} AND {self._one(_CONSTANTS[kind])}"
        if chosen == 2:
            values = ", ".join([second, self._one(_CONSTANTS[kind]), self._one([*_CONSTANTS[kind], "NULL"])])
            return f"{first} {self._one(['', 'NOT '])}IN ({values})"
        if chosen == 3:
            return f"{self._expression('text', atoms, size - 1, depth)} {self._one(['', 'NOT '])}LIKE {self._one(_PATTERNS)}"
        if chosen == 4 and depth < 2:
            query = self._select([kind], depth + 1, atoms)
            return self._one(
                [f"({first} IS NOT NULL AND {first} IN ({query}))", f"({first} IS NULL OR {first} NOT IN ({query}))"]
            )
        if chosen == 5 and depth < 2:
            return f"{self._one(['', 'NOT '])}EXISTS({self._select([kind], depth + 1, atoms)})"
        return f"{first} {self._one(['=', '=', '<>', '<', '<=', '>', '>='])} {second}"

    # Chance.

    def _with_outer(self, inner: Atoms, outer: Atoms | None) -> Atoms:
        return inner if outer is None else {kind: inner[kind] * 2 + outer[kind] for kind in _TYPES}

    def _fresh(self) -> int:
        self._aliases += 1
        return self._aliases

    def _may(self, likely: float) -> bool:
        return self._chance.random() < likely

    def _one(self, of: Sequence[Any]) -> Any:
        return self._chance.choice(of)


def _columns(items: Sequence[str]) -> str:
    return ", ".join(f"{item} AS c{number}" for number, item in enumerate(items))
