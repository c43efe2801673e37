"""Errors as the client sees them: the status, and `{"error": {"type", "message", "retriable", ...}}` with what the error knows.

400  the statement, a value or the request is wrong        409  a conflict, or there is one already
404  no such ledger, block, document or path               413  a limit was exceeded
422  the idempotency key belongs to other statements       503  the ledger cannot commit now, or the statement was cancelled;
500  damage, or a mistake of ours (an id to look for                 Retry-After says when to ask
     in the log, never its text)
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from decimal import Decimal

from ledger import errors
from ledger.server.http import Answer, HttpError, Request
from ledger.values import Value

__all__ = ["answer_of_bug", "answer_of_error", "answer_of_http_error"]

_log = logging.getLogger("strandline.server")

_STATUS: Mapping[type[errors.LedgerError], int] = {
    errors.StatementError: 400,
    errors.UniqueViolationError: 409,
    errors.InvalidValueError: 400,
    errors.NotFoundError: 404,
    errors.AlreadyExistsError: 409,
    errors.TransactionMismatchError: 422,
    errors.TransactionError: 409,
    errors.LimitExceededError: 413,
    errors.LedgerBusyError: 503,
    errors.StatementCancelledError: 503,
    errors.BesideError: 503,
    errors.ReadOnlyError: 503,
    errors.LedgerLockedError: 503,
    errors.JournalFailedError: 503,
    errors.LedgerError: 500,
}
_ATTRIBUTES = (
    "line",
    "column",
    "snippet",
    "position",
    "limit",
    "maximum",
    "asked",
    "operator",
    "address",
    "expected",
    "actual",
)
_VIOLATED = {"table": "table", "index": "index", "value": "value", "document_id": "documentId"}
_RETRY_AFTER_S = 10.0
"""For a ledger that cannot commit: somebody has to look at it."""


def answer_of_error(request: Request, error: errors.LedgerError) -> Answer:
    """Give the answer to an error that the ledger raised on purpose."""
    status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    if status == 500:
        _log.error("%s: %s", type(error).__name__, error)
    shown: dict[str, Value] = {
        "type": type(error).__name__,
        "message": getattr(error, "reason", None) or str(error),
        "retriable": error.retriable,
    }
    for name in _ATTRIBUTES:
        attribute = getattr(error, name, None)
        if attribute is not None and attribute != "":
            shown[name] = _plain(attribute)
    if isinstance(error, errors.UniqueViolationError):
        shown |= {name: getattr(error, attribute) for attribute, name in _VIOLATED.items()}
    headers = {}
    if status == 503:
        headers["retry-after"] = str(math.ceil(getattr(error, "retry_after_s", _RETRY_AFTER_S)))
    return request.answer(status, {"error": shown}, headers)


def answer_of_http_error(request: Request, error: HttpError) -> Answer:
    shown: Value = {"type": error.kind, "message": str(error), "retriable": error.status == 408}
    return request.answer(error.status, {"error": shown}, error.headers)


def answer_of_bug(request: Request, error: Exception) -> Answer:
    """Log what nobody expected, with its trace, and give the client the id under which it is logged."""
    incident = secrets.token_hex(4)
    _log.error("unexpected error %s in %s %s", incident, request.method, request.path, exc_info=error)
    message = f"an unexpected error; the server's log has it under {incident}"
    shown: Value = {"type": "InternalError", "message": message, "retriable": False, "id": incident}
    return request.answer(500, {"error": shown})


def _plain(attribute: object) -> Value:
    if isinstance(attribute, int | str):
        return attribute
    if isinstance(attribute, float):
        return Decimal(repr(attribute))
    return attribute.hex() if isinstance(attribute, bytes) else str(attribute)
