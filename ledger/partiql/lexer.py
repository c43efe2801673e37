"""Text -> tokens.

Rules:
- Keywords and functions are words whatever their case; a word in double quotes is always a name.
- `--` to the end of the line and `/* */` are comments.
- Backticks hold Ion text, in which Ion's own strings, quoted symbols and comments may hold backticks.
- One pass, one regular expression, no backtracking over what was read (possessive groups): hostile text costs linear time.

Source: QLDB's PartiQL reference, and the lexer of partiql-lang-kotlin 0.1.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from ledger import iontext
from ledger.errors import InvalidValueError, ParseError
from ledger.partiql.positions import error_at
from ledger.values import Value

__all__ = ["RESERVED", "Token", "tokens_of"]

RESERVED = frozenset(
    """absolute action add all allocate alter and any are as asc assertion at authorization avg bag begin between bit
    bit_length blob bool boolean both by cascade cascaded case cast catalog char char_length character
    character_length check clob close coalesce collate collation column commit connect connection constraint
    constraints continue convert corresponding count create cross current current_date current_time
    current_timestamp current_user cursor date date_add date_diff day deallocate dec decimal declare default
    deferrable deferred delete desc describe descriptor diagnostics disconnect distinct domain double drop else end
    end-exec escape except exception exec execute exists external extract false fetch first float for foreign found
    from full get global go goto grant group having hour identity immediate in index indicator initially inner input
    insensitive insert int integer intersect interval into is isolation join key language last leading left level
    like limit list local lower match max min minute missing module month names national natural nchar next no not
    null nullif numeric octet_length of on only open option or order outer output overlaps pad partial pivot
    position precision prepare preserve primary prior privileges procedure public read real references relative
    remove restrict revoke right rollback rows schema scroll second section select session session_user set sexp
    size smallint some space sql sqlcode sqlerror sqlstate string struct substring sum symbol system_user table
    temporary then time timestamp timezone_hour timezone_minute to to_string to_timestamp trailing transaction
    translate translation trim true tuple txid undrop union unique unknown unpivot update upper usage user using
    utcnow value values varchar varying view when whenever where with work write year zone""".split()  # noqa: SIM905
)


class Token(NamedTuple):
    """`kind`: word (`word` is its lower case, `value` as written), name (was quoted), literal, sign, end. `at` is an offset."""

    kind: str
    word: str
    value: Value
    at: int

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end of the statement"
        if self.kind == "word":
            return f"the keyword {self.word.upper()}" if self.word in RESERVED else str(self.value)
        if self.kind == "literal":
            return {str: "a string", bool: "a boolean"}.get(type(self.value), "a literal")
        return f'"{self.word}"' if self.kind == "sign" else f"the name {self.value!s}"


_ION = r"""
    (?: [^`"'/]
      | "(?:[^"\\]|\\.)*+"
      | '''(?:[^'\\]|\\.|'(?!''))*+'''
      | '(?:[^'\\]|\\.)*+'
      | //[^\n`]*+ | /\*(?:[^*]|\*(?!/))*+\*/ | /(?![/*])
    )*+
"""
_TOKEN = re.compile(
    rf"""
      (?P<space> (?: \s+ | --[^\n]*+ | /\*(?:[^*]|\*(?!/))*+\*/ )++ )
    | (?P<word> [^\W\d][\w$]*+ )
    | (?P<number> (?: [0-9]++(?:\.[0-9]*+)? | \.[0-9]++ ) (?:[eE][+-]?[0-9]++)? )
    | (?P<string> '(?:[^']|'')*+' )
    | (?P<name> "(?:[^"]|"")*+" )
    | (?P<ion> `{_ION}` )
    | (?P<sign> <<|>>|<=|>=|<>|!=|\|\||/(?!\*)|[-+*%=<>(){{}}\[\],.:;?@] )
    """,
    re.VERBOSE | re.DOTALL,
)
_UNCLOSED = {
    "'": "a string that is not closed",
    '"': "a quoted name that is not closed",
    "`": "an Ion literal that is not closed",
    "/": "a comment that is not closed",
}
_DIGITS_MAX = 4_000
"""Of a number in the text; Python's own conversion stops at 4,300. Larger ones come as parameters or Ion literals."""


def tokens_of(text: str) -> list[Token]:
    """Cut a statement into tokens; the last one is of kind `end`.

    Raises:
        ParseError: with the place.
    """
    tokens: list[Token] = []
    at, size, match_at = 0, len(text), _TOKEN.match
    while at < size:
        match = match_at(text, at)
        if match is None:
            raise _no_token(text, at)
        kind, found, start, at = match.lastgroup, match.group(), at, match.end()
        if kind == "word":
            tokens.append(Token("word", found.lower(), found, start))
        elif kind == "sign":
            tokens.append(Token("sign", found, found, start))
        elif kind == "string":
            tokens.append(Token("literal", "", found[1:-1].replace("''", "'"), start))
        elif kind == "name":
            tokens.append(Token("name", "", found[1:-1].replace('""', '"'), start))
        elif kind == "number":
            tokens.append(Token("literal", "", _number(found, text, start), start))
        elif kind == "ion":
            tokens.append(Token("literal", "", _ion(found[1:-1], text, start), start))
    tokens.append(Token("end", "", None, size))
    return tokens


def _no_token(text: str, at: int) -> Exception:
    c = text[at]
    if c in _UNCLOSED and (c != "/" or text.startswith("/*", at)):
        return error_at(ParseError, _UNCLOSED[c], text, at)
    shown = f'"{c}"' if c.isprintable() else f"U+{ord(c):04X}"
    return error_at(ParseError, f"invalid character {shown}", text, at)


def _number(found: str, text: str, at: int) -> Value:
    end = at + len(found)
    if end < len(text) and (text[end].isalnum() or text[end] == "_"):
        raise error_at(ParseError, f'a number followed by "{text[end]}"', text, end)
    if len(found) > _DIGITS_MAX:
        raise error_at(ParseError, f"a number of {len(found)} digits, at most {_DIGITS_MAX} are read", text, at)
    if found.isdigit():
        return int(found)
    try:
        return Decimal(found)
    except InvalidOperation:
        raise error_at(ParseError, "a number with an exponent out of range", text, at) from None


def _ion(ion: str, text: str, at: int) -> Value:
    try:
        return iontext.parse(ion)
    except InvalidValueError as error:
        raise error_at(ParseError, f"Ion literal: {error}", text, at) from error
