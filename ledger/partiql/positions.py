"""Where in a statement's text something is wrong: line, column, and the line with a caret below."""

from __future__ import annotations

from ledger.errors import StatementError

__all__ = ["error_at"]

_SHOWN = 76
"""Characters of a line that a snippet shows at most."""


def error_at(kind: type[StatementError], message: str, text: str, at: int) -> StatementError:
    """Make an error of `kind` that points at offset `at` of `text`. Line and column count from 1, in characters."""
    at = min(at, len(text))
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : len(text) if end < 0 else end]
    column = at - start
    left = max(0, min(column - _SHOWN // 2, len(line) - _SHOWN))
    shown = "".join(c if c.isprintable() else " " for c in line[left : left + _SHOWN])
    snippet = f"    {shown}\n    {' ' * (column - left)}^"
    return kind(message, line=text.count("\n", 0, at) + 1, column=column + 1, snippet=snippet)
