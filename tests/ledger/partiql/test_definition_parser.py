"""The grammar of CREATE INDEX: paths, several of them, unique."""

from __future__ import annotations

import pytest

from ledger.catalog import expr_of
from ledger.errors import ParseError
from ledger.partiql import parse
from ledger.partiql.tree.statements import CreateIndex


@pytest.mark.parametrize(
    ("text", "unique", "expr"),
    [
        ("CREATE INDEX ON T (a)", False, "[a]"),
        ("create unique index on T (a)", True, "[a]"),
        ("CREATE INDEX ON T (a.b.c)", False, "[a.b.c]"),
        ("CREATE INDEX ON T (a.list[*].b)", False, "[a.list[*].b]"),
        ("CREATE INDEX ON T (tags[*])", False, "[tags[*]]"),
        ("CREATE INDEX ON T (a['b'].c)", False, "[a.b.c]"),
        ('CREATE UNIQUE INDEX ON T ("order", a."odd name")', True, '[order, a."odd name"]'),
        ("CREATE INDEX ON T (a.order)", False, "[a.order]"),
    ],
)
def test_an_index_is_over_paths(text: str, unique: bool, expr: str) -> None:
    node = parse(text).body
    assert isinstance(node, CreateIndex)
    assert (node.table, expr_of(node.keys), node.unique) == ("T", expr, unique)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE UNIQUE TABLE T", "expected INDEX after CREATE UNIQUE"),
        ("CREATE INDEX ON T", 'expected "(" and the fields of the index'),
        ("CREATE INDEX ON T ()", "expected a field's name"),
        ("CREATE INDEX ON T (a, b, a)", "[a] stands twice"),
        ("CREATE INDEX ON T (a.*)", "expected a field's name"),
        ("CREATE INDEX ON T (a[0])", "all elements of a list, or none"),
        ("CREATE INDEX ON T (order)", 'a reserved word stands in double quotes: "order"'),
        ("CREATE INDEX ON T (a DESC)", '"," or ")"'),
        ("CREATE INDEX ON T (size_of(a))", '"," or ")"'),
        ('CREATE INDEX ON T (a, "")', "an empty name"),
        (f"CREATE INDEX ON T ({', '.join(f'f{i}' for i in range(17))})", "16 paths at most"),
        (f"CREATE INDEX ON T ({'.'.join('a' * 33)})", "32 steps at most"),
        ("CREATE INDEX mine ON T (a)", "an index has no name"),
    ],
)
def test_what_is_no_index_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ParseError) as raised:
        parse(text)
    assert message in str(raised.value)
