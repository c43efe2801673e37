"""Ion text -> values: a reader of our own.

amazon.ion's loses digits: of seconds beyond the 9th, and of decimals beyond the 34th; it drops a symbol '$ion_1_0', and lets TypeError
and others escape. It serves the tests as oracle where it is right.

A recursive descent over the text itself, with one regular expression a token; nesting is bounded, and no value is built that the binary
codec would refuse.

Source: the Amazon Ion 1.0 text encoding, https://amazon-ion.github.io/ion-docs/docs/spec.html
"""

from __future__ import annotations

import re

from ledger.errors import InvalidValueError
from ledger.ion.symbols import DEPTH_MAX, SYSTEM, SymbolsInForce
from ledger.iontext.tokens import BLANK, LONG_STRING, QUOTED, blob_of, clob_bytes_of, number_of, text_of
from ledger.values import Annotated, Clob, IonType, MultiStruct, Sexp, Symbol, TypedNull, Value

__all__ = ["parse", "parse_all"]

_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*+")
_SYMBOL_ID = re.compile(r"\$([0-9]{1,9})")
_VERSION = re.compile(r"(\$ion_[0-9]+_[0-9]+)(?![A-Za-z0-9_$])")
_NULL_TYPE = re.compile(r"\.([a-z]++)(?![A-Za-z0-9_$])")
_NUMBER = re.compile(r"""-?[0-9][^ \t\n\r\v\f{}\[\](),"']*+""")
_INFINITY = re.compile(r"""[+-]inf(?=[ \t\n\r\v\f{}\[\](),"']|$)""")
_OPERATOR = re.compile(r"(?:(?!//|/\*)[!#%&*+\-./;<=>?@^`|~])++")
_SPACE = re.compile(r"[ \t\n\r\v\f]*+")
_BASE64 = re.compile(r"[A-Za-z0-9+/= \t\n\r\v\f]*+")
_KEYWORDS: dict[str, Value] = {"null": None, "true": True, "false": False, "nan": float("nan")}
_NULLS: dict[str, Value] = {kind.name.lower(): TypedNull(kind) for kind in IonType} | {"null": None}
_WORD_STARTS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$")


def parse(text: str) -> Value:
    """Read exactly one value.

    Raises:
        InvalidValueError: not Ion text, no value or several, or a value out of the codec's bounds.
    """
    values = parse_all(text)
    if len(values) != 1:
        raise InvalidValueError(f"one Ion value is expected, there are {len(values)}")
    return values[0]


def parse_all(text: str) -> list[Value]:
    """Read all values.

    Raises:
        InvalidValueError: not Ion text, or a value out of the codec's bounds; the message has line and column.
    """
    reader = _Reader(text)
    try:
        text.encode()
        return reader.stream()
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"not Unicode text: {error.reason}") from error
    except InvalidValueError as error:
        line = text.count("\n", 0, reader.at) + 1
        column = reader.at - text.rfind("\n", 0, reader.at)
        raise InvalidValueError(f"not Ion text: {error}, line {line}, column {column}") from error
    except RecursionError as error:
        raise InvalidValueError("nested too deep") from error


class _Reader:
    """Stands at `at` in `text`. Methods start at their token and end behind it; only `blank` goes over white space and comments."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 1 if text.startswith("\ufeff") else 0
        self.symbols = SymbolsInForce(SYSTEM.texts)

    def stream(self) -> list[Value]:
        values: list[Value] = []
        while self.blank():
            if self.version():
                self.symbols.reset()
                continue
            value = self.value(DEPTH_MAX)
            if not (isinstance(value, Annotated) and self.symbols.take(value)):
                values.append(value)
        return values

    def version(self) -> bool:
        """Go over a version marker, if one is here: `$ion_1_0`, neither quoted nor an annotation."""
        found = _VERSION.match(self.text, self.at)
        if found is None or self.text.startswith("::", self.behind(BLANK, found.end())):
            return False
        if found[1] != "$ion_1_0":
            raise InvalidValueError(f"only Ion 1.0 is known, not {found[1]}")
        self.at = found.end()
        return True

    # Going on

    def blank(self) -> str:
        """Go to the next token, and give its first character; "" at the end."""
        self.at = self.behind(BLANK, self.at)
        return self.text[self.at : self.at + 1]

    def behind(self, pattern: re.Pattern[str], at: int) -> int:
        """Give where a pattern that matches everywhere ends."""
        found = pattern.match(self.text, at)
        assert found is not None
        return found.end()

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise InvalidValueError(f"{what} does not end")
        self.at = found.end()
        return found

    def expect(self, token: str) -> None:
        if not self.text.startswith(token, self.at):
            raise InvalidValueError(f"{token} is expected, not {self.text[self.at : self.at + 10]!r}")
        self.at += len(token)

    # Values

    def value(self, depth: int, in_sexp: bool = False) -> Value:
        """Read a value with its annotations."""
        annotations: list[str | None] = []
        while True:
            char = self.blank()
            value: Value
            if char in _WORD_STARTS:
                value = self.word()
            elif char == "'" and not self.text.startswith("'''", self.at):
                value = Symbol(text_of(self.take(QUOTED, "a quoted symbol")[2]))
            else:
                value = self.unnamed(char, depth, in_sexp)
            if not isinstance(value, Symbol) or not self.is_annotation(char):
                return Annotated(tuple(annotations), value) if annotations else value
            self.blank()
            self.at += 2
            annotations.append(value.text)

    def is_annotation(self, first: str) -> bool:
        """Tell whether the symbol just read, which began with `first`, is one: `::` follows, and it is no operator."""
        return (first in _WORD_STARTS or first == "'") and self.text.startswith("::", self.behind(BLANK, self.at))

    def word(self) -> Value:
        """Read a keyword or an unquoted symbol."""
        word = self.take(_WORD, "a symbol")[0]
        if word == "null" and self.text.startswith(".", self.at):
            kind = self.take(_NULL_TYPE, "null.")[1]
            if kind not in _NULLS:
                raise InvalidValueError(f"no type {kind}")
            return _NULLS[kind]
        if word in _KEYWORDS:
            return _KEYWORDS[word]
        if found := _SYMBOL_ID.fullmatch(word):
            number = int(found[1])
            if number >= len(self.symbols.texts):
                raise InvalidValueError(f"symbol {number} is not in the table of {len(self.symbols.texts)}")
            return Symbol(self.symbols.texts[number])
        return Symbol(word)

    def unnamed(self, char: str, depth: int, in_sexp: bool) -> Value:
        """Read what is no symbol in letters and no keyword."""
        if char == '"':
            return text_of(self.take(QUOTED, "a string")[2])
        if char == "'":
            return self.long_string()
        if found := _NUMBER.match(self.text, self.at):
            number = number_of(found[0])
            self.at = found.end()
            return number
        if found := _INFINITY.match(self.text, self.at):
            self.at = found.end()
            return float(found[0])
        if char == "{":
            return self.lob() if self.text.startswith("{{", self.at) else self.struct(depth)
        if char == "[":
            return self.members("]", depth)
        if char == "(":
            return Sexp(self.members(")", depth))
        if in_sexp and (found := _OPERATOR.match(self.text, self.at)):
            self.at = found.end()
            return Symbol(found[0])
        raise InvalidValueError(f"a value is expected, not {char!r}" if char else "a value is expected, the text ends")

    def long_string(self) -> str:
        """Read `'''...'''` segments, one after another; line ends become LF."""
        return "".join(text_of(part.replace("\r\n", "\n").replace("\r", "\n")) for part in self.long_parts(BLANK))

    def long_parts(self, between: re.Pattern[str]) -> list[str]:
        parts = []
        following = self.at
        while self.text.startswith("'''", following):
            self.at = following
            parts.append(self.take(LONG_STRING, "a long string")[1])
            following = self.behind(between, self.at)
        return parts

    def lob(self) -> Value:
        self.at = self.behind(_SPACE, self.at + 2)
        value: Value
        if self.text.startswith("'''", self.at):
            parts = self.long_parts(_SPACE)
            value = Clob(b"".join(clob_bytes_of(part.replace("\r\n", "\n").replace("\r", "\n")) for part in parts))
            self.at = self.behind(_SPACE, self.at)
        elif self.text.startswith('"', self.at):
            value = Clob(clob_bytes_of(self.take(QUOTED, "a clob")[2]))
            self.at = self.behind(_SPACE, self.at)
        else:
            value = blob_of(self.take(_BASE64, "a blob")[0])
        self.expect("}}")
        return value

    def members(self, closing: str, depth: int) -> list[Value]:
        """Read the members of a list or S-expression, and its brackets."""
        if not depth:
            raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
        in_sexp = closing == ")"
        self.at += 1
        values: list[Value] = []
        while self.blank() != closing:
            values.append(self.value(depth - 1, in_sexp))
            if not in_sexp and self.blank() != closing:
                self.expect(",")
        self.at += 1
        return values

    def struct(self, depth: int) -> Value:
        if not depth:
            raise InvalidValueError(f"a value is nested at most {DEPTH_MAX} deep")
        self.at += 1
        fields: list[tuple[str | None, Value]] = []
        while (char := self.blank()) != "}":
            name = self.field_name(char)
            self.blank()
            self.expect(":")
            fields.append((name, self.value(depth - 1)))
            if self.blank() != "}":
                self.expect(",")
        self.at += 1
        struct = {name: value for name, value in fields if name is not None}
        return struct if len(struct) == len(fields) else MultiStruct(tuple(fields))

    def field_name(self, char: str) -> str | None:
        if self.text.startswith("'''", self.at):
            return self.long_string()
        if char in ("'", '"'):
            return text_of(self.take(QUOTED, "a name")[2])
        if char in _WORD_STARTS:
            word = self.word()
            if isinstance(word, Symbol):
                return word.text
        raise InvalidValueError(f"the name of a field is expected, not {char!r}" if char else "a struct does not end")
