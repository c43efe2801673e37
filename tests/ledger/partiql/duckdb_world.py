"""DuckDB as a second opinion: the same tables, the same query, and answers made comparable.

Where the two differ by design -> what is done about it:

    `/` of ints truncates here, gives a double there            DuckDB is asked `//`, which truncates
    EVERY, ANY                                                  DuckDB is asked bool_and, bool_or
    DESC: nulls first here (null is the greatest), last there   DuckDB is asked DESC NULLS FIRST; or NULLS FIRST, LAST is written for both
    division by zero: MISSING here, an error or NULL there      divisors are other constants, or NULLIF(e, 0)
    `NULL IN (empty query)`: NULL here, as all operators on     written as `e IS NOT NULL AND e IN (...)`,
      NULL; false there                                           `e IS NULL OR e NOT IN (...)`
    a scalar subquery of several rows: MISSING here, error      only aggregates, and rows by their id
    a comma binds as strongly as JOIN here, less there: other   a FROM has commas, or JOINs
      rows with RIGHT and FULL JOIN
    a field may be MISSING: a row without it is not the row     fields are absent only where no DISTINCT and no set operation compares
      that has null                                               rows; a column that a row lacks counts as null
    exact decimals here; DECIMAL of few digits, doubles there   few, short decimals, no quotients, no AVG; six places are compared
    names are case sensitive here                               lower case; every column has an alias
    UPPER('ß') is 'SS' here; SUBSTRING from 0 or less eats      neither is written
      length here, counts from the end there
    LIMIT of rows that sort equal: any of them is right         LIMIT only with ORDER BY of all columns
    FULL JOIN on other conditions than equality is refused      equality
      there
    bugs of DuckDB 2.0: window functions, and scalar subqueries neither is written there
      in SELECT, lose rows inside of correlated EXISTS and IN
    bug of DuckDB 2.0: outer joins with a condition on one      inside of a query ON of an outer join compares the two sides, no more
      side lose rows inside of EXISTS
    bugs of DuckDB 2.0: internal errors, "did not return a      the query is passed over
      BoundFunctionExpression", once in 2,000 queries
    a query of too much work for us, once in 5,000              the query is passed over
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

import duckdb
from sql_at_random import COLUMNS, Sql

from ledger.query_values import QueryValue
from ledger.values import Struct

__all__ = ["DuckDbWorld", "assert_same_answer", "comparable"]

_TYPES = {"int": "BIGINT", "text": "VARCHAR", "decimal": "DECIMAL(12, 2)", "bool": "BOOLEAN"}
Row = tuple[str, ...]


class DuckDbWorld:
    """DuckDB in memory, with these tables."""

    def __init__(self, tables: Mapping[str, Sequence[Struct]]) -> None:
        self._database = duckdb.connect(config={"threads": 1})
        for name, rows in tables.items():
            columns = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in COLUMNS.items())
            self._database.execute(f"CREATE TABLE {name} ({columns})")
            if rows:
                values = ", ".join(
                    "(" + ", ".join(_literal(row.get(column)) for column in COLUMNS) + ")" for row in rows
                )  # type: ignore[union-attr]
                self._database.execute(f"INSERT INTO {name} VALUES {values}")

    def rows(self, query: Sql) -> list[Row]:
        return [tuple(map(_even, row)) for row in self._database.execute(query.duckdb()).fetchall()]

    def close(self) -> None:
        self._database.close()


def comparable(rows: Sequence[QueryValue], columns: int) -> list[Row]:
    """Give Strandline's rows as `DuckDbWorld.rows` gives its own."""
    return [tuple(_even(row.get(f"c{column}")) for column in range(columns)) for row in rows]  # type: ignore[union-attr]


def assert_same_answer(query: Sql, ours: Sequence[Row], theirs: Sequence[Row]) -> None:
    """The same bag, and in the same order as far as ORDER BY says."""
    assert Counter(ours) == Counter(theirs), (query.strandline(), query.duckdb(), ours, theirs)
    order = [[row[column] for column in query.order] for row in ours]
    assert order == [[row[column] for column in query.order] for row in theirs], (query.strandline(), ours, theirs)


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def _even(value: object) -> str:
    """Give text that is the same for what the two mean to be the same."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"'{value}'"
    assert isinstance(value, int | float | Decimal), value
    number = round(Decimal(value), 6)
    return f"{number.normalize():f}" if number else "0"
