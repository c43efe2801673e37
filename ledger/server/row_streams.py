"""One query answered row by row, for `Accept: application/x-ndjson`: newline-delimited JSON, sent as it is found.

    {"row": value}
    ...
    {"end": {"transactionId": "...", "rows": 1000000, "statistics": {...}}}     or, where it failed in the middle,
    {"error": {"type": "...", "message": "...", "retriable": ..., ...}}

Rules:
- What fails before the first part is an answer with a status like any other. A stream without "end" is not whole: it failed, or was cut.
- All rows are of one durable state. The stream ends when its client is gone, at `read_s_max`, and with the server.
- Between two parts no thread is held: a slow client costs a snapshot, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence

from ledger.database import Database
from ledger.errors import InvalidValueError, LedgerBusyError, LedgerError
from ledger.json_values import dump_json
from ledger.partiql import Statistics
from ledger.request import StatementText
from ledger.row_stream import RowStream
from ledger.server.failures import answer_of_error
from ledger.server.http import ROWS_TYPE, Format, Request, StreamAnswer
from ledger.server.service import Service
from ledger.values import Value

__all__ = ["answer_rows", "statistics_struct"]

_PART_BYTES = 64 * 1024
_PART_S = 0.1
"""A part is sent when it is so large, or so old."""
_LAST_PART_S = 5.0
"""For telling at the deadline that it has come; who does not even take that is cut off."""
_STREAMS_MAX = 256
"""Open at once: each holds a snapshot."""


async def answer_rows(
    service: Service,
    request: Request,
    database: Database,
    statements: Sequence[StatementText],
    transaction_id: str | None,
) -> StreamAnswer:
    """Begin to answer a query; its first part is there when this returns.

    Raises:
        InvalidValueError: there are several statements.
        LedgerBusyError: too many streams are open.
        StatementError, LimitExceededError: the query is wrong, or failed at once.
    """
    if len(statements) != 1:
        raise InvalidValueError(f"{ROWS_TYPE.decode()} answers one query, there are {len(statements)} statements")
    if service.streams >= _STREAMS_MAX:
        raise LedgerBusyError(f"{service.streams} streams of rows are open, the limit is {_STREAMS_MAX}")
    text, parameters = statements[0]
    stream = database.stream_values(text, parameters, transaction_id)
    lines = _Lines(stream)
    service.streams += 1
    try:
        with request.cancelling(stream.deadline):
            first = await service.in_pool(lines.part)
    except BaseException:
        service.streams -= 1
        stream.abandon()
        raise
    return StreamAnswer(
        _parts(service, request, lines, first), ROWS_TYPE.decode(), max(stream.deadline.left_s(), 0.0) + _LAST_PART_S
    )


async def _parts(service: Service, request: Request, lines: _Lines, first: bytes) -> AsyncGenerator[bytes]:
    request.format = Format.JSON  # also of an error in the middle, whatever else the client takes
    try:
        with request.cancelling(lines.stream.deadline):
            yield first
            while not lines.complete:
                try:
                    part = await service.more_in_pool(lines.part)
                except LedgerError as error:
                    yield answer_of_error(request, error).body + b"\n"
                    return
                yield part
    finally:
        service.streams -= 1
        lines.stream.abandon()


class _Lines:
    """The lines of one stream, in parts."""

    def __init__(self, stream: RowStream) -> None:
        self.stream = stream
        self.complete = False
        self._rows = 0
        self._error: LedgerError | None = None

    def part(self) -> bytes:
        """Give the next lines. Raises what a row raised: in the next part, if there were rows before it in this one."""
        if self._error is not None:
            raise self._error
        lines: list[bytes] = []
        size, until_s = 0, time.monotonic() + _PART_S
        try:
            for row in self.stream:
                lines.append(dump_json({"row": row}))
                self._rows += 1
                size += len(lines[-1])
                if size >= _PART_BYTES or time.monotonic() > until_s:
                    break
            else:
                self.complete = True
                lines.append(dump_json({"end": self._end()}))
        except LedgerError as error:
            if not lines:
                raise
            self._error = error
        return b"\n".join(lines) + b"\n"

    def _end(self) -> dict[str, Value]:
        return {
            "transactionId": self.stream.transaction_id,
            "rows": self._rows,
            "statistics": statistics_struct(self.stream.statistics),
        }


def statistics_struct(statistics: Statistics) -> dict[str, Value]:
    return {
        "documentsRead": statistics.documents_read,
        "lookUps": statistics.look_ups,
        "scans": list(statistics.scans),
        "typeErrors": statistics.type_errors,
        "hints": list(statistics.hints),
    }
