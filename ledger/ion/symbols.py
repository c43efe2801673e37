"""Symbol tables, and the bytes that declare them.

    IVM     E0 01 00 EA                                                  Ion 1.0, forgets all symbols but the system's
    LST     $ion_symbol_table::{symbols: ["name", ...]}                  replaces the table
    append  $ion_symbol_table::{imports: $ion_symbol_table, symbols: [...]}

as bytes:   EE length 81 83 DE length [86 71 03] 87 BE length string...
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.errors import InvalidValueError
from ledger.values import Annotated, MultiStruct, Symbol, Value, fields_of

__all__ = [
    "DEPTH_MAX",
    "IVM",
    "SYSTEM",
    "SYSTEM_NAMES",
    "SymbolTable",
    "SymbolsInForce",
    "append_table",
    "head",
    "variable_uint",
]

DEPTH_MAX = 100
"""Containers inside of each other that codec and hash go along with: a document's limit, and room for a block around it."""

IVM = b"\xe0\x01\x00\xea"
SYSTEM_NAMES = (
    None, "$ion", "$ion_1_0", "$ion_symbol_table", "name", "version", "imports", "symbols", "max_id",
    "$ion_shared_symbol_table",
)  # fmt: skip
"""Symbols 0 to 9."""
_IMPORTS_OWN = b"\x86\x71\x03"  # imports: $ion_symbol_table
_IMPORTED_IDS_MAX = 100_000
"""Ids that shared symbol tables may reserve in one stream: we have none of those tables, so each is a symbol without text."""
_STRING, _LIST, _STRUCT, _ANNOTATION = 0x80, 0xB0, 0xD0, 0xE0


def variable_uint(number: int) -> bytes:
    """Give the VarUInt: seven bits a byte, most significant first, the last byte marked by its top bit."""
    last = (number & 0x7F) | 0x80
    if number < 0x80:
        return bytes((last,))
    rest = [last]
    while number := number >> 7:
        rest.append(number & 0x7F)
    return bytes(reversed(rest))


def head(type_bits: int, size: int) -> bytes:
    """Give the type descriptor, and the length if it does not fit: `type_bits` is the type code in the high nibble."""
    if size < 14:
        return bytes((type_bits | size,))
    return bytes((type_bits | 14,)) + variable_uint(size)


class SymbolTable:
    """Field names and symbols that both sides know. Immutable; `names[0]` has id 10.

    Raises:
        InvalidValueError: a name is not text, or not UTF-8.
    """

    __slots__ = ("_strings", "field_ids", "header", "ids", "names", "texts")

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self.texts: tuple[str | None, ...] = SYSTEM_NAMES + self.names
        """Every symbol's text by its id."""
        self.ids: dict[str, int] = {}
        for number, text in enumerate(self.texts):
            if text is not None:
                self.ids.setdefault(text, number)
        self.field_ids: dict[str, bytes] = {text: variable_uint(number) for text, number in self.ids.items()}
        """Each name as the VarUInt that stands before a field."""
        self._strings = _strings(self.names)
        self.header: bytes = self.header_with(())
        """What a stream begins with so that this table is in force."""

    def header_with(self, more: Iterable[str]) -> bytes:
        """Give the version marker and one table of this one's names and `more`."""
        strings = self._strings + _strings(more)
        return IVM + (_table(b"", strings) if strings else b"")


def append_table(names: Iterable[str]) -> bytes:
    """Give the bytes that add `names` to the table in force; nothing for no names."""
    strings = _strings(names)
    return _table(_IMPORTS_OWN, strings) if strings else b""


def _strings(names: Iterable[str]) -> bytes:
    return b"".join([_STRINGS.get(name) or _string(name) for name in names])


_STRINGS: dict[str, bytes] = {}
"""Names as Ion strings: most streams of their own declare the same ones. Bounded, since names come from outside."""
_STRINGS_MAX = 20_000
_REMEMBERED_NAME_MAX = 64


def _string(name: str) -> bytes:
    if type(name) is not str:
        raise InvalidValueError(f"a symbol's text is a str, not {type(name).__name__}")
    try:
        body = name.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"symbol {name!r} is not Unicode text: {error.reason}") from error
    found = head(_STRING, len(body)) + body
    if len(name) <= _REMEMBERED_NAME_MAX:
        if len(_STRINGS) >= _STRINGS_MAX:
            _STRINGS.clear()
        _STRINGS[name] = found
    return found


def _table(imports: bytes, strings: bytes) -> bytes:
    fields = imports + b"\x87" + head(_LIST, len(strings)) + strings
    struct = head(_STRUCT, len(fields)) + fields
    return head(_ANNOTATION, len(struct) + 2) + b"\x81\x83" + struct


SYSTEM = SymbolTable()


class SymbolsInForce:
    """The symbols' texts at one point of a stream that is read; binary and text alike."""

    __slots__ = ("_imported", "_own", "texts")

    def __init__(self, texts: Sequence[str | None]) -> None:
        self.texts = texts
        self._own: list[str | None] | None = None  # grows in place: appending must not cost the table's size each time
        self._imported = 0  # of the whole stream, also after a reset: a stream's cost stays in proportion to its size

    def reset(self) -> None:
        """Forget all but the system's symbols, as a version marker wants it."""
        self.texts, self._own = SYSTEM.texts, None

    def take(self, value: Annotated, position: int | None = None) -> bool:
        """Take a value of the top level; False: it is no symbol table and belongs to the user.

        Raises:
            InvalidValueError: it is a table that is not well formed, or imports what nobody has.
        """
        table = value.value
        if value.annotations[0] != "$ion_symbol_table" or not isinstance(table, dict | MultiStruct):
            return False
        fields = list(fields_of(table))
        imports = [member for name, member in fields if name == "imports"]
        symbols = [member for name, member in fields if name == "symbols"]
        if len(imports) > 1 or len(symbols) > 1:
            raise InvalidValueError("a symbol table says imports or symbols twice", position=position)
        appends = imports == [Symbol("$ion_symbol_table")]
        if not appends or self._own is None:
            self._own = list(self.texts if appends else SYSTEM.texts)
        if imports and isinstance(imports[0], list):
            self._own += [None] * self._reserved(imports[0], position)
        if symbols and isinstance(symbols[0], list):
            self._own += [text if type(text) is str else None for text in symbols[0]]
        self.texts = self._own
        return True

    def _reserved(self, imports: list[Value], position: int | None) -> int:
        """Give how many ids shared imports reserve: their max_id. An entry without a name is ignored, as Ion wants it."""
        reserved = 0
        for entry in imports:
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(entry, dict) or type(name) is not str or name in ("", "$ion"):
                continue
            max_id = entry.get("max_id")
            if type(max_id) is not int or max_id < 0:
                raise InvalidValueError(
                    f"the shared symbol table {name!r} is unknown and its import has no max_id", position=position
                )
            reserved += max_id
            if self._imported + reserved > _IMPORTED_IDS_MAX:
                raise InvalidValueError(f"shared imports reserve over {_IMPORTED_IDS_MAX} ids", position=position)
        self._imported += reserved
        return reserved
