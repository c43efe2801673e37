"""Tokens -> expressions, by precedence climbing.

    1 OR   2 AND   3 NOT   4 = <> != IS IN   5 < <= > >= BETWEEN LIKE   6 + - ||   7 * / %   8 -x +x   then paths

Source: the operator table of partiql-lang-kotlin's SqlParser (0.1), which QLDB used.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ledger.partiql import special_forms
from ledger.partiql.cursor import Cursor
from ledger.partiql.lexer import RESERVED, Token
from ledger.partiql.tree.expressions import (
    AllElements,
    AllFields,
    Between,
    Binary,
    Case,
    Container,
    ElementStep,
    Expression,
    FieldStep,
    In,
    IsType,
    Like,
    Literal,
    Logical,
    Name,
    Parameter,
    Path,
    Step,
    StructOf,
    Subquery,
    Unary,
)
from ledger.partiql.tree.queries import OrderKey, Query
from ledger.query_values import MISSING

__all__ = ["OPERAND", "QUERY_BEGINS", "SET_OPERATORS", "TAIL_BEGINS", "ExpressionParser"]

_OR, _AND, _NOT, _EQUITY, _COMPARISON, _ADDITION, _MULTIPLICATION, OPERAND = range(1, 9)

_PRECEDENCE = {
    "or": _OR, "and": _AND,
    "=": _EQUITY, "<>": _EQUITY, "!=": _EQUITY, "is": _EQUITY, "in": _EQUITY,
    "<": _COMPARISON, "<=": _COMPARISON, ">": _COMPARISON, ">=": _COMPARISON, "between": _COMPARISON, "like": _COMPARISON,
    "+": _ADDITION, "-": _ADDITION, "||": _ADDITION,
    "*": _MULTIPLICATION, "/": _MULTIPLICATION, "%": _MULTIPLICATION,
}  # fmt: skip
QUERY_BEGINS = ("select", "with", "pivot")
TAIL_BEGINS = ("order", "limit", "offset")
SET_OPERATORS = ("union", "intersect", "except", "outer")


class ExpressionParser(Cursor):
    """The half of the parser that reads expressions; `query` and `set_operations` are the other half's."""

    def query(self) -> Query:
        raise NotImplementedError

    def set_operations(self, left: Query | Expression) -> Query:
        raise NotImplementedError

    def tail_of(self, found: Subquery) -> Subquery:
        raise NotImplementedError

    def order_keys(self) -> tuple[OrderKey, ...]:
        raise NotImplementedError

    def expression(self, minimum: int = 0) -> Expression:
        """Read an expression whose operators bind at least as strongly as `minimum`."""
        self.enter()
        outside, self.height = self.height, 0
        if self.token.word == "not":
            at = self.advance().at
            left: Expression = Unary("not", self.expression(_NOT), at)
        else:
            left = self.operand()
        self.taller()
        while True:
            negated = self.token.word == "not"
            precedence = _PRECEDENCE.get((self.peek() if negated else self.token).word, 0)
            if precedence < max(minimum, 1):
                break
            if negated and self.peek().word not in ("in", "like", "between"):
                break
            left = self._infix(left, precedence, negated)
            self.taller()
        self.height = max(outside, self.height)
        self.leave()
        return left

    def _infix(self, left: Expression, precedence: int, negated: bool) -> Expression:
        if negated:
            self.advance()
        operator = self.advance()
        handler = _INFIX.get(operator.word)
        if handler is not None:
            return handler(self, left, operator, negated)
        if precedence in (_OR, _AND):
            operands = [left, self.expression(precedence + 1)]
            while self.accept(operator.word):
                operands.append(self.expression(precedence + 1))
            return Logical(operator.word, tuple(operands), operator.at)
        right = self.expression(precedence + 1)
        return Binary("<>" if operator.word == "!=" else operator.word, left, right, operator.at)

    def _is(self, left: Expression, operator: Token, _: bool) -> Expression:
        negated = self.accept("not")
        return IsType(left, special_forms.type_name(self), negated, operator.at)

    def _between(self, left: Expression, operator: Token, negated: bool) -> Expression:
        low = self.expression(_ADDITION)
        self.expect("and", " of BETWEEN")
        return Between(left, low, self.expression(_ADDITION), negated, operator.at)

    def _like(self, left: Expression, operator: Token, negated: bool) -> Expression:
        pattern = self.expression(_ADDITION)
        escape = self.expression(_ADDITION) if self.accept("escape") else None
        return Like(left, pattern, escape, negated, operator.at)

    def _in(self, left: Expression, operator: Token, negated: bool) -> Expression:
        """Read the right side of IN: parentheses hold a query, or a list even of one: `IN (5)` is `IN [5]`."""
        opened = self.token
        if not self.accept("("):
            return In(left, self.expression(_COMPARISON), negated, operator.at)
        collection: Expression
        if self.token.word in QUERY_BEGINS:
            collection = Subquery(self.query(), opened.at)
        elif self.token.word == "values":
            collection = self._values()
        else:
            first = self.expression()
            if self.token.word in SET_OPERATORS:
                collection = Subquery(self.set_operations(first), opened.at)
            else:
                collection = Container("list", (first, *self._further()), opened.at)
        self._close()
        return In(left, collection, negated, operator.at)

    # Operands.

    def operand(self) -> Expression:
        """Read an operand with its signs before and its path after."""
        token = self.token
        if token.kind == "literal":
            self.advance()
            root: Expression = Literal(token.value, token.at)
        elif token.kind == "name":
            root = Name(self.name("a name"), False, token.at)
        elif token.kind == "sign":
            handler = _SIGNS.get(token.word)
            if handler is None:
                self.fail("an expression")
            root = handler(self, self.advance())
            if token.word in ("+", "-"):
                return root  # its operand has taken the path
        else:
            root = self._word(token)
        if self.token.word in (".", "["):
            return self._path(root)
        return root

    def _word(self, token: Token) -> Expression:
        word = token.word
        if word in _CONSTANTS:
            self.advance()
            return Literal(_CONSTANTS[word], token.at)
        if word == "case":
            return self._case()
        if word == "values":
            return self._values()
        if self.peek().word == "(":
            return special_forms.call(self)
        if word in ("date", "time", "timestamp", "interval") and self.peek().kind == "literal":
            self.refuse(
                f"literals of the type {word.upper()} are not supported; write an Ion timestamp, as `2026-11-22T`",
                token.at,
            )
        if word in RESERVED:
            self.fail(f'an expression (a reserved word stands in double quotes: "{token.value!s}")')
        if token.kind == "end":
            self.fail("an expression")
        return Name(self.name("a name"), False, token.at)

    def _path(self, root: Expression) -> Expression:
        steps: list[Step] = []
        while True:
            at = self.token.at
            if self.accept("."):
                if self.accept("*"):
                    steps.append(AllFields(at))
                else:
                    steps.append(FieldStep(self.field_name(), at))
            elif self.accept("["):
                if self.accept("*"):
                    steps.append(AllElements(at))
                else:
                    key = self.expression()
                    is_field = isinstance(key, Literal) and isinstance(key.value, str)
                    steps.append(FieldStep(str(key.value), at) if is_field else ElementStep(key, at))  # type: ignore[union-attr]
                self.expect("]")
            else:
                return Path(root, tuple(steps), root.at)
            self.taller()

    def field_name(self) -> str:
        """Take what follows a dot: there even a reserved word can only be a name."""
        if self.token.kind == "word":
            return str(self.advance().value)
        return self.name("a field's name")

    def _signed(self, token: Token) -> Expression:
        operand = self.expression(OPERAND)
        if isinstance(operand, Literal) and operand.at == token.at + 1:
            value = operand.value
            if type(value) is int:
                return Literal(-value if token.word == "-" else value, token.at)
            if type(value) is Decimal:  # not `-value`, which would round to the digits of Python's context
                return Literal(value.copy_negate() if token.word == "-" else value, token.at)
        return Unary(token.word, operand, token.at)

    def _parameter(self, token: Token) -> Expression:
        return Parameter(self.next_parameter(), token.at)

    def _local(self, token: Token) -> Expression:
        return Name(self.name('a name after "@"'), True, token.at)

    def _parenthesised(self, opened: Token) -> Expression:
        """Read up to the closing parenthesis: a query, an expression, or a list of several."""
        if self.token.word in QUERY_BEGINS:
            found: Expression = Subquery(self.query(), opened.at)
        else:
            found = self.expression()
            if self.token.word in SET_OPERATORS:
                found = Subquery(self.set_operations(found), opened.at)
            elif self.token.word in TAIL_BEGINS and isinstance(found, Subquery):
                found = self.tail_of(found)
            elif self.token.word == ",":
                found = Container("list", (found, *self._further()), opened.at)
        self._close()
        return found

    def _further(self) -> list[Expression]:
        items = []
        while self.accept(","):
            items.append(self.expression())
        return items

    def _close(self) -> None:
        if self.token.word != ")":
            self.fail('")" or an operator')
        self.advance()

    def _list(self, opened: Token) -> Expression:
        return Container("list", self.expressions("]"), opened.at)

    def _bag(self, opened: Token) -> Expression:
        return Container("bag", self.expressions(">>"), opened.at)

    def expressions(self, closing: str) -> tuple[Expression, ...]:
        """Read expressions between commas up to and with the closing sign."""
        items: list[Expression] = []
        if not self.accept(closing):
            items.append(self.argument())
            while self.accept(","):
                items.append(self.argument())
            if self.token.word != closing:
                self.fail(f'"," or "{closing}"')
            self.advance()
        return tuple(items)

    def argument(self) -> Expression:
        """Read an expression, or a query without parentheses of its own."""
        if self.token.word in QUERY_BEGINS:
            at = self.token.at
            return Subquery(self.query(), at)
        return self.expression()

    def _struct(self, opened: Token) -> Expression:
        fields: list[tuple[Expression, Expression]] = []
        if not self.accept("}"):
            fields.append(self._field())
            while self.accept(","):
                fields.append(self._field())
            if self.token.word != "}":
                self.fail('"," or "}"')
            self.advance()
        return StructOf(tuple(fields), opened.at)

    def _field(self) -> tuple[Expression, Expression]:
        key = self.expression()
        self.expect(":", " after a field's name")
        return key, self.expression()

    def _values(self) -> Expression:
        """Read `VALUES (1, 2), (3, 4)`: a bag of lists."""
        at = self.advance().at
        rows: list[Expression] = []
        while not rows or self.accept(","):
            opened = self.expect("(", " after VALUES")
            rows.append(Container("list", self.expressions(")"), opened.at))
        return Container("bag", tuple(rows), at)

    def _case(self) -> Expression:
        at = self.advance().at
        operand = None if self.token.word == "when" else self.expression()
        branches = []
        while self.accept("when"):
            condition = self.expression()
            self.expect("then")
            branches.append((condition, self.expression()))
        if not branches:
            self.fail("WHEN")
        otherwise = self.expression() if self.accept("else") else None
        self.expect("end", " of CASE")
        return Case(operand, tuple(branches), otherwise, at)


_CONSTANTS = {"true": True, "false": False, "null": None, "missing": MISSING}
_INFIX: dict[str, Callable[[ExpressionParser, Expression, Token, bool], Expression]] = {
    "is": ExpressionParser._is,
    "in": ExpressionParser._in,
    "between": ExpressionParser._between,
    "like": ExpressionParser._like,
}
_SIGNS: dict[str, Callable[[ExpressionParser, Token], Expression]] = {
    "(": ExpressionParser._parenthesised,
    "[": ExpressionParser._list,
    "<<": ExpressionParser._bag,
    "{": ExpressionParser._struct,
    "-": ExpressionParser._signed,
    "+": ExpressionParser._signed,
    "?": ExpressionParser._parameter,
    "@": ExpressionParser._local,
}
