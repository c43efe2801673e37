"""Tokens -> the statements that change documents: INSERT, UPSERT, REPLACE, UPDATE, FROM ... SET, DELETE."""

from __future__ import annotations

from ledger.partiql.definition_parser import index_keys
from ledger.partiql.query_parser import QueryParser
from ledger.partiql.tree.expressions import Expression, Name
from ledger.partiql.tree.queries import From, Source
from ledger.partiql.tree.statements import (
    Body,
    Delete,
    Insert,
    InsertInto,
    OnConflict,
    Operation,
    Remove,
    Returned,
    SetPath,
    Update,
)

__all__ = ["delete", "from_statement", "insert", "update", "upsert"]


def insert(parser: QueryParser) -> Body:
    at = parser.advance().at
    parser.expect("into", " after INSERT")
    target, values, each = _inserted(parser, "INSERT")
    conflict = _on_conflict(parser) if parser.token.word == "on" else None
    return Insert(target, values, each, conflict, _returning(parser), at)


def upsert(parser: QueryParser) -> Body:
    """Read `UPSERT INTO` and `REPLACE INTO`: an INSERT with ON CONFLICT DO UPDATE, or DO REPLACE, EXCLUDED (RFC 0030)."""
    begin = parser.advance()
    parser.expect("into", f" after {begin.word.upper()}")
    target, values, each = _inserted(parser, begin.word.upper())
    if parser.token.word == "on":
        parser.refuse(f"{begin.word.upper()} INTO says what is done ON CONFLICT", parser.token.at)
    action = "update" if begin.word == "upsert" else "replace"
    conflict = OnConflict(action, None, (), None, None, True, begin.at)
    return Insert(target, values, each, conflict, _returning(parser), begin.at)


def _inserted(parser: QueryParser, statement: str) -> tuple[Source, Expression, bool]:
    """Read `table VALUE document`, `table documents`; True with it: a collection is one of documents."""
    target = _target(parser)
    if parser.token.word == "values":
        parser.refuse("expected VALUE and a document, or << documents >>, found VALUES", parser.token.at)
    if parser.token.word == "(" and parser.peek().word not in ("select", "with"):
        parser.refuse(
            f"a list of columns: PartiQL inserts documents, as {statement} INTO t VALUE {{'field': ...}}",
            parser.token.at,
        )
    each = not parser.accept("value")
    values = parser.argument()
    if parser.token.word == "at":
        parser.refuse("AT: a table's documents have no position", parser.token.at)
    return target, values, each


def _on_conflict(parser: QueryParser) -> OnConflict:
    """Read `ON CONFLICT [(path, ...)] DO ...` (RFC 0011)."""
    at = parser.advance().at
    parser.expect("conflict", " after ON")
    if parser.token.word in ("where", "on"):
        what = parser.token.word.upper()
        parser.refuse(f"ON CONFLICT {what}: name the fields of a unique index, as ON CONFLICT (a) DO ...", at)
    keys = index_keys(parser) if parser.token.word == "(" else None
    parser.expect("do", " of ON CONFLICT")
    if parser.token.word not in ("nothing", "update", "replace"):
        parser.fail("NOTHING, UPDATE or REPLACE")
    action = parser.advance().word
    sets: tuple[SetPath, ...] = ()
    value = None
    if action == "update" and parser.accept("set"):
        sets = parser.several(lambda: _assignment(parser))
    elif action == "replace" and parser.accept("value"):
        value = parser.expression()
    elif action != "nothing" and not parser.accept("excluded"):
        parser.fail("EXCLUDED or SET" if action == "update" else "EXCLUDED or VALUE")
    where = parser.expression() if action != "nothing" and parser.accept("where") else None
    return OnConflict(action, keys, sets, value, where, False, at)


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
