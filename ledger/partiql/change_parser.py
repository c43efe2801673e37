"""Tokens -> the statements that change documents: INSERT, UPDATE, FROM ... SET, DELETE."""

from __future__ import annotations

from ledger.partiql.query_parser import QueryParser
from ledger.partiql.tree.expressions import Name
from ledger.partiql.tree.queries import From, Source
from ledger.partiql.tree.statements import (
    Body,
    Delete,
    Insert,
    InsertInto,
    Operation,
    Remove,
    Returned,
    SetPath,
    Update,
)

__all__ = ["delete", "from_statement", "insert", "update"]


def insert(parser: QueryParser) -> Body:
    at = parser.advance().at
    parser.expect("into", " after INSERT")
    target = _target(parser)
    if parser.token.word == "values":
        parser.refuse("expected VALUE and a document, or << documents >>, found VALUES", parser.token.at)
    if parser.token.word == "(" and parser.peek().word not in ("select", "with"):
        parser.refuse(
            "a list of columns: PartiQL inserts documents, as INSERT INTO t VALUE {'field': ...}", parser.token.at
        )
    each = not parser.accept("value")
    values = parser.argument()
    if parser.token.word == "at":
        parser.refuse("AT: a table's documents have no position", parser.token.at)
    if parser.token.word == "on":
        parser.refuse("ON CONFLICT is not supported yet", parser.token.at)
    return Insert(target, values, each, _returning(parser), at)


def _target(parser: QueryParser) -> Source:
    """Read `table [AS alias] [BY id]`."""
    at = parser.token.at
    if parser.token.word == "information_schema" or str(parser.token.value).startswith("_ql_committed_"):
        parser.refuse(f"{parser.token} is read-only", at)
    table = Name(parser.name("a table's name"), False, at)
    alias = parser.name("an alias") if parser.accept("as") else None
    by_alias = parser.name("an alias") if parser.accept("by") else None
    return Source(table, alias, None, by_alias, False, at)


def update(parser: QueryParser) -> Body:
    at = parser.advance().at
    source = parser.source()
    operations = _operations(parser)
    where = parser.expression() if parser.accept("where") else None
    return Update(source, operations, where, _returning(parser), at)


def from_statement(parser: QueryParser) -> Body:
    at = parser.advance().at
    source = parser.from_list()
    where = parser.expression() if parser.accept("where") else None
    if parser.token.word == "select":
        parser.fail("SET, INSERT INTO or REMOVE (SELECT stands before FROM)")
    return Update(source, _operations(parser), where, _returning(parser), at)


def delete(parser: QueryParser) -> Body:
    at = parser.advance().at
    parser.expect("from", " after DELETE")
    source: From = parser.source()
    where = parser.expression() if parser.accept("where") else None
    return Delete(source, where, _returning(parser), at)


def _operations(parser: QueryParser) -> tuple[Operation, ...]:
    operations: list[Operation] = []
    while True:
        at = parser.token.at
        if parser.accept("set"):
            operations.append(_assignment(parser))
            while parser.accept(","):
                operations.append(_assignment(parser))
        elif parser.accept("insert"):
            parser.expect("into", " after INSERT")
            target = parser.operand()
            parser.expect("value", " of INSERT INTO")
            value = parser.expression()
            operations.append(InsertInto(target, value, parser.expression() if parser.accept("at") else None, at))
        elif parser.accept("remove"):
            operations.append(Remove(parser.operand(), at))
        elif operations:
            return tuple(operations)
        else:
            parser.fail("SET, INSERT INTO or REMOVE")


def _assignment(parser: QueryParser) -> SetPath:
    at = parser.token.at
    target = parser.operand()
    parser.expect("=", " of SET")
    return SetPath(target, parser.expression(), at)


def _returning(parser: QueryParser) -> tuple[Returned, ...] | None:
    """Read `RETURNING [ALL | MODIFIED] [OLD | NEW] item, ...` if it stands here."""
    if not parser.accept("returning"):
        return None
    return parser.several(lambda: _returned(parser))


def _returned(parser: QueryParser) -> Returned:
    at, modified, old = parser.token.at, False, None
    if parser.token.word in ("all", "modified") and parser.peek().word in ("old", "new"):
        modified = parser.advance().word == "modified"
        old = parser.advance().word == "old"
    elif parser.token.word in ("all", "distinct"):
        parser.advance()
        parser.fail("OLD or NEW")
    return Returned(None if parser.accept("*") else parser.item(), old, modified, at)
