"""A scan, or a range of an index, reads of a document what the statement looks at. (That it is enough, every test over PlainWorld shows:
its documents have nothing else.)"""

from __future__ import annotations

import pytest
from plain_world import PlainWorld

from ledger.partiql import make_plan, parse

DOCUMENTS = [{"a": n, "b": {"c": n, "d": [n]}, "e": [{"f": n}], "g": str(n)} for n in range(1, 4)]

SCANS: list[tuple[str, list[str | None]]] = [
    ("SELECT t.a FROM T AS t", ["a"]),
    ("SELECT a, b.c FROM T", ["ab"]),
    ("SELECT t['a'] FROM T AS t", ["a"]),
    ("SELECT t.a FROM T AS t WHERE t.b.c > 1 AND g LIKE '%2'", ["abg"]),
    ("SELECT VALUE x.f FROM T AS t, t.e AS x", ["e"]),
    ("SELECT VALUE x FROM T AS t, @t.b.d AS x WHERE t.a = 1", ["ab"]),
    ("SELECT VALUE 1 FROM T AS t", [""]),
    ("SELECT t.a, COUNT(*) AS n, SUM(t.b.c) AS s FROM T AS t GROUP BY t.a HAVING MAX(t.g) > '' ORDER BY t.a", ["abg"]),
    ("SELECT t.a FROM T AS t ORDER BY t.g", ["ag"]),
    ("SELECT t.a, ROW_NUMBER() OVER (PARTITION BY t.b ORDER BY t.g) AS r FROM T AS t", ["abg"]),
    ("SELECT l.n FROM T AS t LET t.a + 1 AS n, t.b AS l WHERE n > 1", ["ab"]),
    ("SELECT t.a, u.g FROM T AS t, T AS u WHERE t.b = u.b", ["ab", "bg"]),
    ("SELECT t.a, u.g FROM T AS t LEFT JOIN T AS u ON t.a = u.a AND u.b.c > 0", ["a", "abg"]),
    ("SELECT t.a FROM T AS t WHERE EXISTS (SELECT 1 FROM T AS u WHERE u.b.c >= t.b.c)", ["ab", "b", "b", "b"]),
    ("SELECT t.a FROM T AS t WHERE t.g IN (SELECT g FROM T)", ["ag", "g"]),
    ("SELECT (SELECT VALUE u.g FROM T AS u WHERE u.a = t.a) AS x FROM T AS t LIMIT 1", ["a", "ag"]),
    ("SELECT id, t.a FROM T AS t BY id", ["a"]),
    ("SELECT a FROM T UNION SELECT g FROM T", ["a", "g"]),
    ("WITH w AS (SELECT t.b.c AS c FROM T AS t) SELECT w.c FROM w", ["b"]),
    ("PIVOT t.a AT t.g FROM T AS t", ["ag"]),
    ("INSERT INTO T SELECT VALUE {'a': t.a} FROM T AS t", ["a"]),
    ("SELECT VALUE t.a FROM T AS t ORDER BY ROW_NUMBER() OVER (ORDER BY t.g)", ["ag"]),
    # Whoever takes the whole document gets it.
    ("SELECT * FROM T", [None]),
    ("SELECT * FROM T AS t ORDER BY ROW_NUMBER() OVER (ORDER BY t.a)", [None]),
    ("SELECT t.* FROM T AS t", [None]),
    ("SELECT VALUE t FROM T AS t", [None]),
    ("SELECT t FROM T AS t", [None]),
    ("SELECT VALUE {'a': t.a, 't': t} FROM T AS t", [None]),
    ("SELECT t[t.g] FROM T AS t", [None]),
    ("SELECT VALUE v FROM T AS t, UNPIVOT t AS v AT n", [None]),
    ("SELECT t.a FROM T AS t WHERE t IS STRUCT", [None]),
    ("SELECT g FROM T AS t GROUP BY t.a AS a GROUP AS g", [None]),
    ("SELECT t.a FROM T AS t WHERE EXISTS (SELECT 1 FROM <<1>> AS x WHERE SIZE(t) > x)", [None]),
    ("UPDATE T AS t SET a = 1 WHERE t.g = '1'", [None]),
    ("DELETE FROM T AS t WHERE t.g = '1'", [None]),
    ("FROM T AS t WHERE t.g = '1' REMOVE t.a", [None]),
]


@pytest.mark.parametrize(("text", "expected"), SCANS, ids=[text for text, _ in SCANS])
def test_a_scan_asks_for_what_is_looked_at(text: str, expected: list[str | None]) -> None:
    world = PlainWorld({"T": DOCUMENTS})
    world.rows(text)
    assert world.fields == [None if fields is None else frozenset(fields) for fields in expected]


def test_without_rewriting_everything_is_read() -> None:
    world = PlainWorld({"T": DOCUMENTS}, naive=True)
    world.rows("SELECT t.a FROM T AS t")
    assert world.fields == [None]


def test_a_range_of_an_index_asks_for_what_is_looked_at_and_brings_its_own_fields() -> None:
    world = PlainWorld({"T": DOCUMENTS}, {"T": ["b.c"]})
    assert world.rows("SELECT t.g FROM T AS t ORDER BY t.b.c DESC LIMIT 2") == [{"g": "3"}, {"g": "2"}]
    assert world.rows("SELECT t.g FROM T AS t WHERE t.b.c BETWEEN 1 AND 2") == [{"g": "1"}, {"g": "2"}]
    assert world.fields == [frozenset("bg"), frozenset("bg")]


def test_a_plan_that_is_kept_goes_on_asking_for_the_same() -> None:
    world = PlainWorld({"T": DOCUMENTS})
    plan = make_plan(parse("SELECT t.a FROM T AS t"), world.catalog)
    for _ in range(2):
        assert len(world.execute_plan(plan).rows) == 3
    assert world.fields == [frozenset("a")] * 2
