"""Tokens -> the statements that define: CREATE, DROP and UNDROP of tables and indexes; EXEC."""

from __future__ import annotations

from ledger.catalog import EACH, IndexKey, expr_of
from ledger.partiql.lexer import RESERVED
from ledger.partiql.query_parser import QueryParser
from ledger.partiql.tree.statements import Body, CreateIndex, CreateTable, DropIndex, DropTable, Exec, UndropTable
from ledger.query_values import QueryValue

__all__ = ["create", "drop", "execute", "index_keys", "undrop"]

_KEYS_MAX = 16
_STEPS_MAX = 32
"""Of one index; its keys are computed at every write."""


def create(parser: QueryParser) -> Body:
    at = parser.advance().at
    if parser.accept("table"):
        name = _new_name(parser, "a table's name")
        return CreateTable(name, _tags(parser), at)
    unique = parser.accept("unique")
    if unique and parser.token.word != "index":
        parser.fail("INDEX after CREATE UNIQUE")
    if not parser.accept("index"):
        parser.fail("TABLE or INDEX after CREATE")
    parser.expect("on", " (an index has no name)")
    table = parser.name("a table's name")
    return CreateIndex(table, index_keys(parser), unique, at)


def index_keys(parser: QueryParser) -> tuple[IndexKey, ...]:
    """Read `(path, ...)`."""
    parser.expect("(", " and the fields of the index")
    keys: list[IndexKey] = []
    while not keys or parser.accept(","):
        at = parser.token.at
        key = _index_key(parser)
        if key in keys:
            parser.refuse(f"{expr_of((key,))} stands twice", at)
        keys.append(key)
        if len(keys) > _KEYS_MAX:
            parser.refuse(f"an index is over {_KEYS_MAX} paths at most", at)
    if parser.token.word != ")":
        parser.fail('"," or ")" (a path of an index is made of names and [*])')
    parser.advance()
    return tuple(keys)


def _index_key(parser: QueryParser) -> IndexKey:
    """Read a path into the document: `a`, `a.b`, `a['b']`, `a.list[*].b`."""
    at = parser.token.at
    steps: list[str | None] = [parser.name("a field's name")]
    while parser.token.word in (".", "["):
        if parser.accept("."):
            steps.append(parser.field_name())
        else:
            steps.append(_index_step(parser))
        if len(steps) > _STEPS_MAX:
            parser.refuse(f"a path of an index has {_STEPS_MAX} steps at most", at)
    if "" in steps:
        parser.refuse("a path of an index with an empty name", at)
    return tuple(steps)


def _index_step(parser: QueryParser) -> str | None:
    parser.expect("[")
    token = parser.token
    if parser.accept("*"):
        step = EACH
    elif isinstance(token.value, str) and token.kind == "literal":
        step = str(parser.advance().value)
    else:
        parser.fail("* or a field's name in single quotes (an index knows all elements of a list, or none)")
    parser.expect("]")
    return step


def _new_name(parser: QueryParser, what: str) -> str:
    """Take a name that QLDB allows to be made: 1-128 letters, digits and `_`, no digit first, not reserved."""
    token = parser.token
    name = parser.name(what)
    if name.lower() in RESERVED or len(name) > 128 or not (name.isascii() and name.isidentifier()):
        parser.refuse(
            f"{what} has 1-128 letters, digits and _, no digit first, and is not reserved: {name!r}", token.at
        )
    if name.startswith("_ql_committed_") or name.lower() == "information_schema":
        parser.refuse(f"{name} would be a table that nobody can write to: the name stands for a view", token.at)
    return name


def _tags(parser: QueryParser) -> QueryValue:
    """Read `WITH (aws_tags = {...})` if it stands here."""
    if not parser.accept("with"):
        return None
    parser.expect("(")
    parser.expect("aws_tags")
    parser.expect("=")
    token = parser.token
    if token.kind != "literal" or not isinstance(token.value, dict):
        parser.fail("a struct of Ion text, as `{'key': 'value'}`")
    parser.advance()
    parser.expect(")")
    return token.value


def drop(parser: QueryParser) -> Body:
    at = parser.advance().at
    if parser.accept("table"):
        return DropTable(parser.name("a table's name"), at)
    if not parser.accept("index"):
        parser.fail("TABLE or INDEX after DROP")
    index_id = parser.name('an index\'s id, as "..."')
    parser.expect("on")
    table = parser.name("a table's name")
    parser.expect("with", " (purge = true)")
    parser.expect("(")
    parser.expect("purge")
    parser.expect("=")
    parser.expect("true")
    parser.expect(")")
    return DropIndex(index_id, table, at)


def undrop(parser: QueryParser) -> Body:
    at = parser.advance().at
    parser.expect("table", " after UNDROP")
    return UndropTable(parser.name('a table\'s id, as "..."'), at)


def execute(parser: QueryParser) -> Body:
    at = parser.advance().at
    procedure = parser.name("a procedure's name")
    arguments = [parser.expression()]
    while parser.accept(","):
        arguments.append(parser.expression())
    return Exec(procedure.lower(), tuple(arguments), at)
