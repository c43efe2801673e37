"""A revision as a handler sees it: verified, typed, and with everything that the record carried."""

from __future__ import annotations

from dataclasses import dataclass

from consumers.records import RecordAddress
from ledger.block import BlockAddress
from ledger.values import Annotated, MultiStruct, Struct, Symbol, Timestamp, TypedNull, Value

__all__ = ["Revision"]


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of one document, as a handler sees it.

    `data` None: this version deleted the document (`deleted`), or it was redacted. `record` says where in Kafka it came from.
    """

    table: str
    table_id: str
    table_sequence_no: int
    document_id: str
    version: int
    data: Struct | None
    deleted: bool
    hash: bytes
    tx_time: Timestamp
    tx_id: str
    block: BlockAddress
    record: RecordAddress

    def value(self, *path: str) -> Value:
        """Give the value that the field names lead to, without its annotations; None if there is none."""
        found: Value = self.data
        for name in path:
            fields = found if isinstance(found, dict) else dict(found.fields) if isinstance(found, MultiStruct) else {}
            found = fields.get(name)
            found = found.value if isinstance(found, Annotated) else found
        return None if isinstance(found, TypedNull) else found

    def text(self, *path: str) -> str | None:
        """Give the text of a string or symbol; None if there is none."""
        found = self.value(*path)
        return found.text if isinstance(found, Symbol) else found if isinstance(found, str) else None

    def integer(self, *path: str) -> int | None:
        """Give an int; None if there is none."""
        found = self.value(*path)
        return found if type(found) is int else None

    def __str__(self) -> str:
        return f"{self.table} {self.document_id} version {self.version} (block {self.block}, record {self.record})"
