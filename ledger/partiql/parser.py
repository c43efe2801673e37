"""Text -> Statement. Changes, definitions, queries and expressions have their own files.

    statement = [EXPLAIN [ANALYZE]] one of
                query | expression | INSERT | UPSERT | REPLACE | UPDATE | FROM ... SET | DELETE | CREATE | DROP | UNDROP | EXEC     [;]

Rules:
- Whatever the text, the answer is a Statement, a ParseError with its place, or a LimitExceededError: never anything else.
- Case says nothing in keywords and functions, and everything in names.

Source: QLDB's PartiQL reference; where it is silent, partiql-lang-kotlin's SqlParser of the 0.1 line.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.errors import LimitExceededError
from ledger.limits import Limits
from ledger.partiql import change_parser, definition_parser
from ledger.partiql.expression_parser import SET_OPERATORS
from ledger.partiql.query_parser import QueryParser
from ledger.partiql.tree.expressions import Subquery
from ledger.partiql.tree.statements import (
    Body,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    Explain,
    Insert,
    Statement,
    UndropTable,
    Update,
)

__all__ = ["parse"]

_DML = (Insert, Update, Delete)
_DDL = (CreateTable, DropTable, UndropTable, CreateIndex, DropIndex, Exec)


def parse(text: str, limits: Limits | None = None) -> Statement:
    """Parse one statement.

    Raises:
        ParseError: with line, column, snippet, and what was expected.
        LimitExceededError: too long, too deep, or with too many parameters.
    """
    limits = limits or Limits()
    try:
        return _Parser(text, limits).statement()
    except RecursionError:  # the caller's own stack was deep already
        raise LimitExceededError("expression_depth_max", limits.expression_depth_max, len(text)) from None


class _Parser(QueryParser):
    def statement(self) -> Statement:
        if self.token.kind == "end":
            self.fail("a statement")
        body = self._explained() if self.token.word == "explain" and self.peek().kind == "word" else self._body()
        while self.accept(";"):
            pass
        if self.token.kind != "end":
            if self.token.word == "returning":
                self.refuse("RETURNING belongs to statements that change documents", self.token.at)
            self.fail("the end of the statement")
        done = body.body if isinstance(body, Explain) and body.analyze else body
        kind = "dml" if isinstance(done, _DML) else "ddl" if isinstance(done, _DDL) else "query"
        return Statement(self.text, body, kind, self.parameter_count)

    def _explained(self) -> Explain:
        """`EXPLAIN [ANALYZE] statement`"""
        at = self.advance().at
        analyze = self.accept("analyze")
        start = self.token.at
        body = self._body()
        if isinstance(body, _DDL):
            self.refuse("EXPLAIN tells the plans of queries and changes; a definition has none", start)
        return Explain(body, analyze, at)

    def _body(self) -> Body:
        read = _STATEMENTS.get(self.token.word)
        if read is change_parser.upsert and self.peek().word != "into":
            read = None  # the function REPLACE, or a name
        return read(self) if read else self._query_or_expression()

    def _query_or_expression(self) -> Body:
        if self.token.word in ("select", "pivot", "with"):
            return self.query()
        found = self.expression()
        if self.token.word in SET_OPERATORS:
            return self.set_operations(found)
        return self.tail_of(found).query if isinstance(found, Subquery) else found


_STATEMENTS: dict[str, Callable[[QueryParser], Body]] = {
    "insert": change_parser.insert,
    "upsert": change_parser.upsert,
    "replace": change_parser.upsert,
    "update": change_parser.update,
    "from": change_parser.from_statement,
    "delete": change_parser.delete,
    "create": definition_parser.create,
    "drop": definition_parser.drop,
    "undrop": definition_parser.undrop,
    "exec": definition_parser.execute,
}
