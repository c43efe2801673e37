"""Texts that want to take long or to break the parser: each is answered within a second of CPU time, with rows or a statement's error."""

from __future__ import annotations

from itertools import cycle, islice

import pytest
from test_fuzz import run

MOST = 100_000
"""Characters of a statement: `Limits.statement_characters_max`."""


def filled(start: str, pieces: str | list[str], end: str = "") -> str:
    """Give a text of nearly `MOST` characters."""
    several = [pieces] if isinstance(pieces, str) else pieces
    each = sum(map(len, several)) / len(several)
    count = int((MOST - len(start) - len(end)) / each)
    return start + "".join(islice(cycle(several), count)) + end


def nested(opening: str, inner: str, closing: str, depth: int = 10_000) -> str:
    return f"SELECT VALUE {opening * depth}{inner}{closing * depth} FROM T"


TEXTS = {
    "parentheses, within bounds": nested("(", "1", ")", 180),
    "parentheses": nested("(", "1", ")"),
    "parentheses that do not end": "SELECT " + "(" * 90_000,
    "parentheses that did not begin": "SELECT 1 " + ")" * 90_000,
    "lists, within bounds": nested("[", "a", "]", 190),
    "lists": nested("[", "a", "]"),
    "bags": nested("<<", "a", ">>"),
    "structs": nested("{'a': ", "a", "}"),
    "functions": nested("ABS(", "a", ")"),
    "casts": nested("CAST(", "a", " AS INT)", 5_000),
    "CASE in CASE": nested("CASE WHEN a THEN ", "1", " END", 4_000),
    "NOT, within bounds": nested("NOT ", "true", "", 190),
    "NOT": nested("NOT ", "true", ""),
    "minus": nested("- ", "1", ""),
    "positions": nested("a[", "0", "]"),
    "path steps": filled("SELECT a", ".a", " FROM T"),
    "path positions": filled("SELECT a", "[0]", " FROM T"),
    "an identifier": filled("SELECT ", "a", " FROM T"),
    "identifiers": filled("SELECT ", "a ", " FROM T"),
    "columns": filled("SELECT ", "a, ", "a FROM T"),
    "named columns": "SELECT " + ", ".join(f"a AS c{i}" for i in range(6_000)) + " FROM T",
    "a quoted identifier": filled('SELECT "', "a", '" FROM T'),
    "a quoted identifier that does not end": filled('SELECT "', "a"),
    "a string": filled("SELECT '", "x", "' FROM T"),
    "quotes": filled("SELECT '", "''", "' FROM T"),
    "a string that does not end": filled("SELECT '", "''x"),
    "a number": filled("SELECT ", "9", " FROM T"),
    "a number's fraction": filled("SELECT 0.", "9", " FROM T"),
    "exponents": filled("SELECT 1e", "9", " FROM T"),
    "large numbers multiplied": "SELECT " + "1e9999 * " * 150 + "1 FROM T",
    "a large number as an int": "SELECT CAST(1e9999999 AS INT) FROM T",
    "a large int of text": filled("SELECT CAST('", "9", "' AS INT) FROM T"),
    "a large int multiplied": filled("SELECT ", "999999999 * ", "1 FROM T"),
    "operators": filled("SELECT 1 ", ["+", "-", "*", "/", "<", ">", "=", "|", "%"]),
    "a sum": filled("SELECT a", " + 1", " FROM T"),
    "text put together": filled("SELECT b", " || b", " FROM T"),
    "AND": "SELECT a FROM T WHERE " + " AND ".join(["a = ?"] * 9_000),
    "OR": filled("SELECT a FROM T WHERE a = 1", " OR a = 1"),
    "OR of ANDs": filled("SELECT a FROM T WHERE a = 1", " OR a = 1 AND b = 2"),
    "comparisons in a row": filled("SELECT a FROM T WHERE a", " = a"),
    "BETWEEN": filled("SELECT a FROM T WHERE a BETWEEN 1 AND 2", " AND a BETWEEN 1 AND 2"),
    "Ion: lists": filled("SELECT `", "[", "` FROM T"),
    "Ion: lists that end": "SELECT `" + "[" * 40_000 + "]" * 40_000 + "` FROM T",
    "Ion: a list": filled("SELECT `[", "1,", "]` FROM T"),
    "Ion: structs": filled("SELECT `", "{a:", "` FROM T"),
    "Ion: annotations": filled("SELECT `", "a::", "1` FROM T"),
    "Ion: a symbol": filled("SELECT `", "a", "` FROM T"),
    "Ion: a blob": filled("SELECT `{{", "AAAA", "}}` FROM T"),
    "Ion: a number": filled("SELECT `", "9", "` FROM T"),
    "Ion: an exponent": filled("SELECT `1d", "9", "` FROM T"),
    "Ion: a timestamp": filled("SELECT `2020-01-01T00:00:00.", "9", "Z` FROM T"),
    "Ion: comments": filled("SELECT `", "/* */", "1` FROM T"),
    "Ion: a comment that does not end": filled("SELECT `/*", "*", "` FROM T"),
    "Ion that does not end": filled("SELECT `", "a "),
    "many Ion literals": filled("SELECT [", "`1`,", "1] FROM T"),
    "comments": filled("SELECT ", "-- \n", "1 FROM T"),
    "block comments": filled("SELECT ", "/**/", "1 FROM T"),
    "a comment that does not end": filled("SELECT 1 /*", "*"),
    "slashes and stars": filled("SELECT 1 ", "/*"),
    "blanks": filled("SELECT 1", " ", "FROM T"),
    "newlines and an error": filled("SELECT 1", "\n", "FROM FROM"),
    "unknown characters": filled("SELECT ", "§", " FROM T"),
    "LIKE: many %": filled("SELECT * FROM T WHERE b LIKE '", "%", "'"),
    "LIKE: many %a": filled("SELECT * FROM T WHERE b LIKE '", "%a", "'"),
    "LIKE: many % on a long text": "SELECT '" + "a" * 50_000 + "' LIKE '" + "%a" * 20_000 + "%b' FROM T",
    "LIKE: many %a_ on a long text": "SELECT '" + "ab" * 25_000 + "' LIKE '" + "%a_" * 15_000 + "%ba' FROM T",
    "LIKE: many _": "SELECT '" + "a" * 50_000 + "' LIKE '" + "_" * 49_000 + "%' FROM T",
    "LIKE: long pieces that nearly match": "SELECT '" + "a" * 50_000 + "' LIKE '%" + "a" * 24_000 + "b%" + "a" * 24_000 + "' FROM T",
    "LIKE: escapes": filled("SELECT b LIKE '", "!%", "' ESCAPE '!' FROM T"),
    "LIKE of a pattern that is data": "SELECT ('" + "a" * 40_000 + "' || b) LIKE ('" + "%a" * 20_000 + "' || b) FROM T",
    "10,000 parameters": "INSERT INTO T << " + ", ".join(["?"] * 10_000) + " >>",
    "10,000 parameters in IN": "SELECT * FROM T WHERE a IN (" + ", ".join(["?"] * 10_000) + ")",
    "IN of 10,000": "SELECT * FROM T WHERE a IN (" + ", ".join(map(str, range(10_000))) + ")",
    "IN of 15,000, of another field": "SELECT * FROM T WHERE b IN (" + ", ".join(map(str, range(15_000))) + ")",
    "NOT IN of 10,000": "SELECT * FROM T WHERE a NOT IN (" + ", ".join(f"a + {i}" for i in range(10_000)) + ")",
    "a struct of 6,000": "SELECT VALUE {" + ", ".join(f"'f{i}': {i}" for i in range(6_000)) + "} FROM T",
    "a field again and again": filled("SELECT VALUE {'a': 1", ", 'a': 1", "} FROM T"),
    "queries in FROM": "SELECT * FROM " + "(SELECT * FROM " * 60 + "T" + ")" * 60,
    "queries in FROM, too many": "SELECT * FROM " + "(SELECT * FROM " * 5_000 + "T" + ")" * 5_000,
    "parentheses in FROM": "SELECT * FROM " + "(" * 150 + "T" + ")" * 150,
    "parentheses in FROM that do not end": "SELECT * FROM " + "(" * 150 + "T",
    "queries in EXISTS": "SELECT * FROM T WHERE " + "EXISTS(SELECT 1 FROM T WHERE " * 3_000 + "true" + ")" * 3_000,
    "WITH": "WITH " + ", ".join(f"w{i} AS (SELECT a FROM T)" for i in range(3_000)) + " SELECT a FROM w0",
    "WITH, each of the one before, twice": "WITH w0 AS (SELECT a FROM T), "
    + ", ".join(f"w{i} AS (SELECT x.a FROM w{i - 1} AS x, w{i - 1} AS y)" for i in range(1, 40)) + " SELECT a FROM w39",
    "UNION": filled("SELECT a FROM T", " UNION SELECT a FROM T"),
    "UNION ALL and EXCEPT": filled("SELECT a FROM T ", [" UNION ALL SELECT a FROM T", " EXCEPT SELECT a FROM T"]),
    "CASE": "CASE " + "WHEN a THEN b " * 7_000,
    "CASE that ends": "SELECT CASE " + "WHEN a = 1 THEN b " * 5_000 + "END FROM T",
    "GROUP BY": "SELECT a FROM T GROUP BY " + ", ".join(f"a + {i} AS k{i}" for i in range(3_000)),
    "ORDER BY": "SELECT a FROM T ORDER BY " + ", ".join(["a"] * 5_000),
    "aggregates": "SELECT " + ", ".join(["COUNT(*)"] * 5_000) + " FROM T",
    "aggregates, each another": "SELECT " + ", ".join(f"SUM(a + {i})" for i in range(4_000)) + " FROM T",
    "windows": "SELECT " + ", ".join(f"SUM(a + {i}) OVER (ORDER BY a)" for i in range(2_000)) + " FROM T",
    "a product without a condition": "SELECT COUNT(*) FROM " + ", ".join(f"T AS t{i}" for i in range(10)),
    "150 tables": "SELECT 1 FROM " + ", ".join(f"T t{i}" for i in range(150)) + " WHERE "
    + " AND ".join(f"t{i % 150}.a = t{i * 7 % 150}.b" for i in range(5_000)),
    "150 outer joins": "SELECT 1 FROM T" + "".join(f" LEFT JOIN T t{i} ON t{i}.a = t{i}.b" for i in range(150)) + " WHERE false",
    "3,000 tables": "SELECT 1 FROM " + ", ".join(f"T t{i}" for i in range(3_000)),
    "REPLACE": "SELECT REPLACE('" + "a" * 40_000 + "', 'a', '" + "b" * 40_000 + "') FROM T",
    "TRIM": "SELECT TRIM('" + "a" * 40_000 + "' FROM '" + "a" * 40_000 + "') FROM T",
    "SET": filled("UPDATE T SET a = 1", ", a = 1"),
    "SET deep": filled("UPDATE T SET a", ".a", " = 1"),
    "formats of time": filled("SELECT TO_STRING(`2020T`, '", "yyyy", "') FROM T"),
    "time of a format": "SELECT TO_TIMESTAMP('" + "2020" * 10_000 + "', '" + "yyyy" * 10_000 + "') FROM T",
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_pathological_text_is_answered_within_a_second(text: str) -> None:
    assert len(text) <= MOST
    run(text)
