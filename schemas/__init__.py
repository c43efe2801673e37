"""The records of a stream as pydantic models, for the consumer's edge and for tests. Imports nobody.

parse(value)   JSON text, or a value decoded from it  ->  the record, by its recordType
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from schemas.block_summary import BlockSummaryRecord
from schemas.control import ControlRecord
from schemas.envelope import StreamRecord
from schemas.revision_details import RevisionDetailsRecord

__all__ = ["BlockSummaryRecord", "ControlRecord", "RevisionDetailsRecord", "StreamRecord", "parse"]

AnyRecord = Annotated[BlockSummaryRecord | RevisionDetailsRecord | ControlRecord, Field(discriminator="record_type")]
_ANY: TypeAdapter[BlockSummaryRecord | RevisionDetailsRecord | ControlRecord] = TypeAdapter(AnyRecord)


def parse(value: bytes | str | dict[str, Any]) -> BlockSummaryRecord | RevisionDetailsRecord | ControlRecord:
    """Validate a record's value: JSON text, or what it decodes to.

    Raises:
        pydantic.ValidationError: it is no record of ours.
    """
    return _ANY.validate_python(value) if isinstance(value, dict) else _ANY.validate_json(value)
