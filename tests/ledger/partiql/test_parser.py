from __future__ import annotations

import pytest

from ledger.errors import LimitExceededError, ParseError
from ledger.limits import Limits
from ledger.partiql import parse
from ledger.partiql.tree.expressions import Binary, In, Literal, Logical, Path, Subquery, Unary
from ledger.partiql.tree.queries import Select, SetOperation
from ledger.partiql.tree.statements import Update


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "expected a statement, found the end of the statement"),
        ("SELECT", 1, 7, "expected an expression, found the end of the statement"),
        ("SELECT * FORM T", 1, 10, "expected FROM, found FORM"),
        ("SELECT a\nFROM T\nWHERE x = = 1", 3, 11, 'expected an expression, found "="'),
        ("SELECT a FROM T WHERE (x = 1", 1, 29, 'expected ")" or an operator, found the end'),
        ("SELECT [1, 2 FROM T", 1, 14, 'expected "," or "]", found the keyword FROM'),
        ("SELECT {'a' 1} FROM T", 1, 13, 'expected ":" after a field\'s name, found a literal'),
        ("SELECT 'it FROM T", 1, 8, "a string that is not closed"),
        ('SELECT "it FROM T', 1, 8, "a quoted name that is not closed"),
        ("SELECT `it FROM T", 1, 8, "an Ion literal that is not closed"),
        ("SELECT /* it FROM T", 1, 8, "a comment that is not closed"),
        ("SELECT ~1 FROM T", 1, 8, 'invalid character "~"'),
        ("SELECT \x00 FROM T", 1, 8, "invalid character U+0000"),
        ("SELECT 1x FROM T", 1, 9, 'a number followed by "x"'),
        ("SELECT `{a:` FROM T", 1, 8, "Ion literal: not Ion text: a value is expected, the text ends, line 1, column 4"),
        ("SELECT `2020-13-01T` FROM T", 1, 8, "Ion literal: not Ion text: no timestamp: month must be in 1..12"),
        ("SELECT a FROM order", 1, 15, 'a reserved word stands in double quotes: "order"'),
        ("SELECT a AS select FROM T", 1, 13, "a reserved word stands in double quotes"),
        ("SELECT a FROM T 1", 1, 17, "expected the end of the statement, found a literal"),
        ("UPDATE T", 1, 9, "expected SET, INSERT INTO or REMOVE"),
        ("UPDATE T SET a == 1", 1, 17, "expected an expression"),
        ("DELETE T", 1, 8, "expected FROM after DELETE"),
        ("INSERT T VALUE {}", 1, 8, "expected INTO after INSERT"),
        ("CREATE VIEW v", 1, 8, "expected TABLE or INDEX after CREATE"),
        ("SELECT CAST(a AS blah) FROM T", 1, 18, "expected a type"),
        ("SELECT x LIKE FROM T", 1, 15, "expected an expression"),
        ("SELECT x BETWEEN 1 FROM T", 1, 20, "expected AND of BETWEEN"),
        ("SELECT a FROM T JOIN U", 1, 23, "expected ON of JOIN"),
        ("SELECT CASE WHEN a THEN b FROM T", 1, 27, "expected END of CASE"),
        ("DROP INDEX \"a\" ON T", 1, 20, "expected WITH (purge = true)"),
    ],
)  # fmt: skip
def test_an_error_says_where_and_what_was_expected(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ParseError) as raised:
        parse(text)
    error = raised.value
    assert (error.line, error.column) == (line, column)
    assert message in error.reason


def test_a_caret_stands_below_the_place() -> None:
    with pytest.raises(ParseError) as raised:
        parse("SELECT a,\n  b\n  FROM T WHERE " + "x" * 100 + " = = 1")
    shown, caret = raised.value.snippet.splitlines()
    assert shown[caret.index("^")] == "="
    assert len(shown) <= 80


def test_precedence_climbs() -> None:
    found = parse("1 + 2 * 3 = 7 AND NOT a OR b IN c").body
    assert isinstance(found, Logical)
    assert found.operator == "or"
    both, contained = found.operands
    assert isinstance(contained, In)
    assert isinstance(both, Logical)
    equal, negated = both.operands
    assert isinstance(negated, Unary)
    assert isinstance(equal, Binary)
    assert equal.operator == "="
    assert isinstance(equal.left, Binary)
    assert equal.left.operator == "+"


def test_minus_belongs_to_the_number_it_touches() -> None:
    found = parse("1 -1").body
    assert isinstance(found, Binary)
    assert parse("-1").body == Literal(-1, 0)


def test_a_bracketed_text_is_a_field() -> None:
    found = parse("a['b'].c[0][*].*").body
    assert isinstance(found, Path)
    assert [type(step).__name__ for step in found.steps] == [
        "FieldStep", "FieldStep", "ElementStep", "AllElements", "AllFields",
    ]  # fmt: skip


def test_after_a_dot_a_reserved_word_is_a_name() -> None:
    parse("SELECT t.value, t.date, t.order FROM T AS t")


def test_both_spellings_of_an_update_have_one_tree() -> None:
    one, other = (
        parse("UPDATE T AS t SET t.a = 1 WHERE t.b = 2").body,
        parse("FROM T AS t WHERE t.b = 2 SET t.a = 1").body,
    )
    assert isinstance(one, Update)
    assert isinstance(other, Update)
    assert str(one.operations).split("at=")[0] == str(other.operations).split("at=")[0]


def test_intersect_binds_more_strongly_than_union() -> None:
    found = parse("SELECT a FROM A UNION SELECT a FROM B INTERSECT SELECT a FROM C ORDER BY a LIMIT 1").body
    assert isinstance(found, SetOperation)
    assert found.operator == "union"
    assert isinstance(found.right, SetOperation)
    assert found.limit is not None
    assert isinstance(found.left, Select)
    assert found.left.limit is None


def test_a_query_in_parentheses_keeps_its_own_limit() -> None:
    found = parse("(SELECT a FROM A LIMIT 5) LIMIT 1").body
    assert isinstance(found, Select)
    assert isinstance(found.source.expression, Subquery)  # type: ignore[union-attr]


def test_parameters_are_counted_in_the_order_of_the_text() -> None:
    statement = parse("UPDATE T SET a = ?, b = [?, {'c': ?}] WHERE d IN (?, ?)")
    assert statement.parameter_count == 5


@pytest.mark.parametrize(
    ("text", "kind"),
    [("SELECT * FROM T", "query"), ("1 + 1", "query"), ("DELETE FROM T", "dml"), ("CREATE TABLE T", "ddl"), ("(SELECT 1 FROM T)", "query")],
)  # fmt: skip
def test_a_statement_is_a_query_dml_or_ddl(text: str, kind: str) -> None:
    assert parse(text).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "1" + ")" * 10_000,
        "[" * 10_000,
        "NOT " * 10_000 + "true",
        "-" + " -" * 10_000 + "1",
        "1" + " + 1" * 10_000,
        "SELECT * FROM " + "(SELECT * FROM " * 5_000 + "T" + ")" * 5_000,
        "SELECT * FROM T" + ", T" * 10_000,
        "CASE WHEN " * 5_000,
        "a" + "[a" * 10_000,
        "x IN (" * 10_000,
        "SELECT a FROM T" + " UNION SELECT a FROM T" * 3_000,
        "`" + "[" * 50_000 + "`",
        "a" + ".b" * 30_000,
        "a" + "[0]" * 30_000,
    ],
    ids=lambda text: text[:12],
)
def test_depth_is_bounded_whatever_is_nested(text: str) -> None:
    with pytest.raises((LimitExceededError, ParseError)):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "true" + " AND true" * 10_000,
        "a" + ".b" * 190,
        "[" + "1," * 30_000 + "1]",
        "x IN (" + "1," * 30_000 + "1)",
        "'" + "x" * 99_000 + "'",
        "[" + "?," * 9_999 + "?]",
        "1 /*" + "*" * 99_000 + "*/",
    ],
    ids=lambda text: text[:12],
)
def test_length_is_no_depth(text: str) -> None:
    parse(text)


def test_length_and_parameters_are_bounded() -> None:
    with pytest.raises(LimitExceededError, match="statement_characters_max"):
        parse(" " * 100_001)
    with pytest.raises(LimitExceededError, match="parameters_per_statement_max"):
        parse("[" + "?," * 10_000 + "?]")
    with pytest.raises(LimitExceededError, match="expression_depth_max"):
        parse("((((1))))", Limits(expression_depth_max=4))


def test_a_number_longer_than_python_would_convert_is_refused() -> None:
    with pytest.raises(ParseError, match="4000"):
        parse("1" * 5_000)
    with pytest.raises(ParseError, match="exponent"):
        parse("1e" + "9" * 30)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("WITH RECURSIVE a AS (SELECT 1 FROM T) SELECT * FROM a", "WITH RECURSIVE"),
        ("SELECT DATE '2020-01-01' FROM T", "literals of the type DATE"),
    ],
)
def test_what_is_to_come_is_called_by_its_name(text: str, what: str) -> None:
    with pytest.raises(ParseError, match=f"{what}.* not supported"):
        parse(text)
