"""The place in the tokens that a parser has reached, with the two bounds that keep deep texts from the Python stack."""

from __future__ import annotations

from typing import NoReturn

from ledger.errors import LimitExceededError, ParseError
from ledger.limits import Limits
from ledger.partiql.lexer import RESERVED, Token, tokens_of
from ledger.partiql.positions import error_at

__all__ = ["Cursor"]

_CLAUSES = frozenset({"offset", "returning", "let", "over", "nulls"})
"""Words that begin a clause and are not reserved: as an alias they need AS."""


class Cursor:
    """Reads tokens forward. `depth` bounds the parser's own recursion, `height` that of the tree it builds."""

    def __init__(self, text: str, limits: Limits) -> None:
        if len(text) > limits.statement_characters_max:
            raise LimitExceededError("statement_characters_max", limits.statement_characters_max, len(text))
        self.text = text
        self._limits = limits
        self._tokens = tokens_of(text)
        self._at = 0
        self.token = self._tokens[0]
        self.depth = 0
        self.height = 0  # of the tallest finished part of the node that is being built
        self.parameter_count = 0

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self._at += 1
            self.token = self._tokens[self._at]
        return token

    def peek(self, ahead: int = 1) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def accept(self, *words: str) -> bool:
        """Take the next token if it is one of these signs or (lower case) words."""
        if self.token.word in words:
            self.advance()
            return True
        return False

    def expect(self, word: str, why: str = "") -> Token:
        if self.token.word != word:
            shown = word.upper() if word[0].isalpha() else f'"{word}"'
            self.fail(f"{shown}{why}")
        return self.advance()

    def fail(self, expected: str, at: Token | None = None) -> NoReturn:
        found = at or self.token
        raise error_at(ParseError, f"expected {expected}, found {found}", self.text, found.at)

    def refuse(self, message: str, at: int) -> NoReturn:
        raise error_at(ParseError, message, self.text, at)

    def name(self, what: str) -> str:
        """Take a name: quoted, or a word that is not reserved."""
        token = self.token
        if token.kind == "name":
            self.advance()
            return str(token.value)
        if token.kind != "word":
            self.fail(what)
        if token.word in RESERVED:
            self.fail(f'{what} (a reserved word stands in double quotes: "{token.value!s}")')
        self.advance()
        return str(token.value)

    def alias(self) -> str | None:
        """Take `AS name` or a bare name; None if there is neither."""
        if self.accept("as"):
            return self.name("an alias")
        token = self.token
        if token.kind == "name" or (token.kind == "word" and token.word not in RESERVED and token.word not in _CLAUSES):
            return self.name("an alias")
        return None

    def next_parameter(self) -> int:
        if self.parameter_count == self._limits.parameters_per_statement_max:
            raise LimitExceededError(
                "parameters_per_statement_max", self._limits.parameters_per_statement_max, self.parameter_count + 1
            )
        self.parameter_count += 1
        return self.parameter_count - 1

    def state(self) -> tuple[int, int, int, int]:
        """Give what `restore` needs to come back to this place."""
        return self._at, self.depth, self.height, self.parameter_count

    def restore(self, state: tuple[int, int, int, int]) -> None:
        self._at, self.depth, self.height, self.parameter_count = state
        self.token = self._tokens[self._at]

    def enter(self) -> None:
        """Begin a nested part; every call has its `leave`, unless an error ends it all."""
        self.depth += 1
        if self.depth > self._limits.expression_depth_max:
            self._too_deep(self.depth)

    def leave(self) -> None:
        self.depth -= 1

    def taller(self, by: int = 1) -> None:
        """Note that the node being built stands `by` above the tallest of its parts."""
        self.height += by
        if self.height > self._limits.expression_depth_max:
            self._too_deep(self.height)

    def _too_deep(self, asked: int) -> NoReturn:
        raise LimitExceededError("expression_depth_max", self._limits.expression_depth_max, asked)
