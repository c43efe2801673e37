"""Text -> Statement. The grammar of statements; queries and expressions have their own files.

    statement = query | expression | INSERT | UPDATE | FROM ... SET | DELETE | CREATE | DROP | UNDROP | EXEC     [;]

Rules:
- Whatever the text, the answer is a Statement, a ParseError with its place, or a LimitExceededError: never anything else.
- Case says nothing in keywords and functions, and everything in names.

Source: QLDB's PartiQL reference; where it is silent, partiql-lang-kotlin's SqlParser of the 0.1 line.
"""

from __future__ import annotations

from ledger.errors import LimitExceededError
from ledger.limits import Limits
from ledger.partiql.expression_parser import SET_OPERATORS
from ledger.partiql.lexer import RESERVED
from ledger.partiql.query_parser import QueryParser
from ledger.partiql.tree.expressions import Subquery
from ledger.partiql.tree.queries import From
from ledger.partiql.tree.statements import (
    Body,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    Insert,
    InsertInto,
    Operation,
    Remove,
    SetPath,
    Statement,
    UndropTable,
    Update,
)
from ledger.query_values import QueryValue

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
        if self.token.word == "explain" and self.peek().kind == "word":
            self.refuse("EXPLAIN is not supported yet", self.token.at)
        read = _STATEMENTS.get(self.token.word)
        body = read(self) if read else self._query_or_expression()
        while self.accept(";"):
            pass
        if self.token.kind != "end":
            if self.token.word in ("returning", "conflict"):
                self.refuse(f"{self.token.word.upper()} is not supported yet", self.token.at)
            self.fail("the end of the statement")
        kind = "dml" if isinstance(body, _DML) else "ddl" if isinstance(body, _DDL) else "query"
        return Statement(self.text, body, kind, self.parameter_count)

    def _query_or_expression(self) -> Body:
        if self.token.word in ("select", "pivot", "with"):
            return self.query()
        found = self.expression()
        if self.token.word in SET_OPERATORS:
            return self.set_operations(found)
        return self.tail_of(found).query if isinstance(found, Subquery) else found

    # DML.

    def _insert(self) -> Body:
        at = self.advance().at
        self.expect("into", " after INSERT")
        table = self._table_name()
        if self.token.word == "values":
            self.refuse("expected VALUE and a document, or << documents >>, found VALUES", self.token.at)
        if self.token.word == "(" and self.peek().word not in ("select", "with"):
            self.refuse(
                "a list of columns: PartiQL inserts documents, as INSERT INTO t VALUE {'field': ...}", self.token.at
            )
        each = not self.accept("value")
        values = self.argument()
        if self.token.word == "at":
            self.refuse("AT: a table's documents have no position", self.token.at)
        if self.token.word == "on":
            self.refuse("ON CONFLICT is not supported yet", self.token.at)
        return Insert(table, values, each, at)

    def _table_name(self) -> str:
        if self.token.word == "information_schema" or str(self.token.value).startswith("_ql_committed_"):
            self.refuse(f"{self.token} is read-only", self.token.at)
        return self.name("a table's name")

    def _update(self) -> Body:
        at = self.advance().at
        source = self.source()
        operations = self._operations()
        where = self.expression() if self.accept("where") else None
        return Update(source, operations, where, at)

    def _from_statement(self) -> Body:
        at = self.advance().at
        source = self.from_list()
        where = self.expression() if self.accept("where") else None
        if self.token.word == "select":
            self.fail("SET, INSERT INTO or REMOVE (SELECT stands before FROM)")
        return Update(source, self._operations(), where, at)

    def _delete(self) -> Body:
        at = self.advance().at
        self.expect("from", " after DELETE")
        source: From = self.source()
        where = self.expression() if self.accept("where") else None
        return Delete(source, where, at)

    def _operations(self) -> tuple[Operation, ...]:
        operations: list[Operation] = []
        while True:
            at = self.token.at
            if self.accept("set"):
                operations.append(self._assignment())
                while self.accept(","):
                    operations.append(self._assignment())
            elif self.accept("insert"):
                self.expect("into", " after INSERT")
                target = self.operand()
                self.expect("value", " of INSERT INTO")
                value = self.expression()
                operations.append(InsertInto(target, value, self.expression() if self.accept("at") else None, at))
            elif self.accept("remove"):
                operations.append(Remove(self.operand(), at))
            elif operations:
                return tuple(operations)
            else:
                self.fail("SET, INSERT INTO or REMOVE")

    def _assignment(self) -> SetPath:
        at = self.token.at
        target = self.operand()
        self.expect("=", " of SET")
        return SetPath(target, self.expression(), at)

    # DDL.

    def _create(self) -> Body:
        at = self.advance().at
        if self.accept("table"):
            name = self._new_name("a table's name")
            return CreateTable(name, self._tags(), at)
        if self.token.word == "unique":
            self.refuse("CREATE UNIQUE INDEX is not supported yet", self.token.at)
        if not self.accept("index"):
            self.fail("TABLE or INDEX after CREATE")
        self.expect("on", " (an index has no name)")
        table = self.name("a table's name")
        self.expect("(")
        field = self._new_name("a field's name")
        if self.token.word in (".", ",", "["):
            self.refuse(
                "an index is on one top-level field; nested and composite ones are not supported yet", self.token.at
            )
        self.expect(")")
        return CreateIndex(table, field, at)

    def _new_name(self, what: str) -> str:
        """Take a name that QLDB allows to be made: 1-128 letters, digits and `_`, no digit first, not reserved."""
        token = self.token
        name = self.name(what)
        if name.lower() in RESERVED or len(name) > 128 or not (name.isascii() and name.isidentifier()):
            self.refuse(
                f"{what} has 1-128 letters, digits and _, no digit first, and is not reserved: {name!r}", token.at
            )
        return name

    def _tags(self) -> QueryValue:
        """Read `WITH (aws_tags = {...})` if it stands here."""
        if not self.accept("with"):
            return None
        self.expect("(")
        self.expect("aws_tags")
        self.expect("=")
        token = self.token
        if token.kind != "literal" or not isinstance(token.value, dict):
            self.fail("a struct of Ion text, as `{'key': 'value'}`")
        self.advance()
        self.expect(")")
        return token.value

    def _drop(self) -> Body:
        at = self.advance().at
        if self.accept("table"):
            return DropTable(self.name("a table's name"), at)
        if not self.accept("index"):
            self.fail("TABLE or INDEX after DROP")
        index_id = self.name('an index\'s id, as "..."')
        self.expect("on")
        table = self.name("a table's name")
        self.expect("with", " (purge = true)")
        self.expect("(")
        self.expect("purge")
        self.expect("=")
        self.expect("true")
        self.expect(")")
        return DropIndex(index_id, table, at)

    def _undrop(self) -> Body:
        at = self.advance().at
        self.expect("table", " after UNDROP")
        return UndropTable(self.name('a table\'s id, as "..."'), at)

    def _exec(self) -> Body:
        at = self.advance().at
        procedure = self.name("a procedure's name")
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        return Exec(procedure.lower(), tuple(arguments), at)


_STATEMENTS = {
    "insert": _Parser._insert,
    "update": _Parser._update,
    "from": _Parser._from_statement,
    "delete": _Parser._delete,
    "create": _Parser._create,
    "drop": _Parser._drop,
    "undrop": _Parser._undrop,
    "exec": _Parser._exec,
}
