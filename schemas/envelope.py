"""What every record of a stream has in common.

    {streamId: "<ledger>/<strandId>", recordType: "BLOCK_SUMMARY" | "REVISION_DETAILS" | "CONTROL", payload: {...}}

Rules of all models here (see README.md, "How the records may change"):
- JSON's camelCase on the wire, snake_case in Python.
- A field that the model does not know is kept: a newer publisher may add some.
- They describe values as people and engines read them. What is proved is in the header `strandline-proof`; `ledger.verify` checks it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

__all__ = ["BlockAddress", "Hash", "Id", "Model", "StreamRecord"]


def _bytes_of(value: Any) -> Any:
    """Take base64 text (JSON) or bytes (a decoded Ion value)."""
    return b64decode(value, validate=True) if isinstance(value, str) else value


Hash = Annotated[bytes, BeforeValidator(_bytes_of), PlainSerializer(lambda v: b64encode(v).decode(), when_used="json")]
"""A hash: 32 bytes, or none for the block before block 0. Base64 in JSON."""

Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{22}$")]


class Model(BaseModel):
    """Immutable; unknown fields are kept."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)


class BlockAddress(Model):
    """Where a block is; `sequence_no` counts from 0."""

    strand_id: Id
    sequence_no: int


class StreamRecord(Model):
    """The envelope; each kind of record narrows `record_type` and `payload`."""

    stream_id: str
