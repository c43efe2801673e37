"""LIKE: `%` is any text, `_` one character, and an escape character makes the next one stand for itself.

A pattern is cut at its `%` into pieces of fixed length, and each piece is sought leftmost behind the one before: the time is
bounded by pattern x text, whatever the pattern, which a regular expression for the whole would not give.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from ledger.partiql.comparison import MistypedError, bare, shown, text_of, type_name_of
from ledger.query_values import MISSING, QueryValue

__all__ = ["like", "matcher"]


def like(value: QueryValue, pattern: QueryValue, *escape: QueryValue) -> bool | None:
    """Give `value LIKE pattern [ESCAPE escape]`.

    Raises:
        MistypedError: not text, or a wrong escape.
    """
    operands = [bare(operand) for operand in (value, pattern, *escape)]
    if any(operand is None or operand is MISSING for operand in operands):
        return None
    texts = []
    for operand in operands:
        text = text_of(operand)
        if text is None:
            raise MistypedError(f"LIKE works on text, not on {type_name_of(operand)}")
        texts.append(text)
    if escape and len(texts[2]) != 1:
        raise MistypedError(f"ESCAPE takes one character, not {shown(texts[2])}")
    return matcher(*texts[1:])(texts[0])


@lru_cache(maxsize=256)
def matcher(pattern: str, escape: str = "") -> Callable[[str], bool]:
    """Compile a pattern.

    Raises:
        MistypedError: the escape stands before something else than `%`, `_` and itself.
    """
    pieces = _pieces(pattern, escape)
    if len(pieces) == 1:
        whole = re.compile(pieces[0], re.DOTALL)
        return lambda text: whole.fullmatch(text) is not None
    first, last = re.compile(pieces[0], re.DOTALL), re.compile(pieces[-1], re.DOTALL)
    last_size = _size(pieces[-1])
    middle = [re.compile(piece, re.DOTALL) for piece in pieces[1:-1] if piece]

    def matches(text: str) -> bool:
        end = len(text) - last_size
        found = first.match(text, 0, max(end, 0))
        for piece in middle:
            if found is None:
                return False
            found = piece.search(text, found.end(), end)
        return found is not None and found.end() <= end and last.match(text, end) is not None

    return matches


def _pieces(pattern: str, escape: str) -> list[str]:
    """Give the regular expressions of fixed length between the `%` signs."""
    pieces, at = [""], 0
    while at < len(pattern):
        c = pattern[at]
        if c and c == escape:
            at += 1
            c = pattern[at : at + 1]
            if c not in ("%", "_", escape):
                raise MistypedError(f"ESCAPE character {shown(escape)} before {shown(c)}, which needs none")
            pieces[-1] += re.escape(c)
        elif c == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if c == "_" else re.escape(c)
        at += 1
    return pieces


def _size(piece: str) -> int:
    return len(re.sub(r"\\(.)", r"\1", piece, flags=re.DOTALL))
