"""How a record's value is written: `json` for people and Flink, `ion` as QLDB's streams did. The proof header is the same for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ledger import ion
from ledger.values import Value
from streams.formats import json

__all__ = ["FORMATS", "Format", "format_of"]

Format = Literal["json", "ion"]

FORMATS: dict[Format, Callable[[dict[str, Value]], bytes]] = {"json": json.dumps, "ion": ion.encode}
"""Each format's name and its `record -> value bytes`."""


def format_of(value: bytes) -> Format:
    """Tell the format of a value that one of `FORMATS` wrote: only Ion begins with a byte above 127."""
    return "ion" if value[:1] == b"\xe0" else "json"
