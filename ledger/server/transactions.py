"""POST /v1/ledgers/{name}/transactions: one ACID transaction in one round trip.

    {"statements": [{"statement": "UPDATE Vehicle SET Mileage = ? WHERE VIN = ?", "parameters": [2012, "1N4AL11D75C109151"]}]}
    -> {"transactionId", "blockAddress": {"strandId", "sequenceNo"} | null, "results": [[...]], "statistics": [...], "replayed"?}

The commit path: nothing here waits in a thread. The committer settles a whole batch and wakes the event loop once for it.
What may read a whole table, and what the committer gives back as too much work, goes to the pool, so that neither the committer nor the
loop waits; there it ends when its client is gone. One query can be answered row by row (`row_streams`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from ledger.block import address_struct
from ledger.database import Database
from ledger.errors import BesideError, InvalidValueError
from ledger.ids import id_of_text
from ledger.request import OneShot, Outcome, StatementText
from ledger.request import Request as CommitRequest
from ledger.server.http import IN_LOOP_BYTES_MAX, Answer, Request, StreamAnswer
from ledger.server.row_streams import answer_rows, statistics_struct
from ledger.server.service import Service
from ledger.values import Value, ion_type

__all__ = ["outcome_struct", "post_transaction", "statements_of", "transaction_id_of_key"]

_KEY_CHARACTERS_MAX = 255
_TEXTS_IN_LOOP_MAX = 64 * 1024
"""Characters of statements whose parsing and planning the loop and the committer may be held up by, about 0.1 s; more go to the pool."""


@dataclass(eq=False, slots=True)
class _Posted(OneShot):
    """A one-shot transaction that a request waits for."""

    done: asyncio.Future[None] = field(kw_only=True)


async def post_transaction(service: Service, request: Request) -> Answer | StreamAnswer:
    database = service.ledgers.get(request.arguments["name"])
    value = await request.value(service.limits.request_bytes_max, service.limits.value_depth_max, service.read_body)
    statements = statements_of(value)
    key = request.one_header(b"idempotency-key")
    transaction_id = None if key is None else transaction_id_of_key(database.strand_id, key)
    if request.wants_rows:
        return await answer_rows(service, request, database, statements, transaction_id)
    large = sum(len(text) for text, _ in statements) > _TEXTS_IN_LOOP_MAX
    if large or database.needs_scan(statements):
        return await _beside(service, request, database, statements, transaction_id, large=large)
    posted = _Posted(
        _settle,
        statements=statements,
        transaction_id=transaction_id,
        size=request.body_bytes,
        done=asyncio.get_running_loop().create_future(),
    )
    database.submit(posted)
    await posted.done
    if isinstance(posted.error, BesideError):
        return await _beside(service, request, database, statements, transaction_id)
    outcome = posted.result()
    if sum(result.size for result in outcome.results if result) > IN_LOOP_BYTES_MAX:
        return await service.write_answer(lambda: _answer(request, outcome))
    return _answer(request, outcome)


async def _beside(
    service: Service,
    request: Request,
    database: Database,
    statements: list[StatementText],
    transaction_id: str | None,
    *,
    large: bool = False,
) -> Answer:
    if large:
        deadline = await service.in_pool(lambda: database.deadline(statements))  # it parses them
    else:
        deadline = database.deadline(statements)
    with request.cancelling(deadline):
        return await service.in_pool(
            lambda: _answer(request, database.execute_beside(statements, transaction_id, deadline))
        )


def _answer(request: Request, outcome: Outcome) -> Answer:
    """Give the outcome. What was committed is never answered with an error, also if its rows cannot be written."""
    try:
        return request.answer(200, outcome_struct(outcome))
    except InvalidValueError:
        if outcome.block_address is None:
            raise
        return request.answer(200, outcome_struct(replace(outcome, results=[None] * len(outcome.results))))


def _settle(batch: list[CommitRequest]) -> None:
    """Called in the committer's thread, once for all posted transactions of a batch."""
    posted = [request for request in batch if isinstance(request, _Posted)]
    try:
        posted[0].done.get_loop().call_soon_threadsafe(_wake, posted)
    except RuntimeError:  # the loop is closed: a forced stop, nobody waits any more
        return


def _wake(batch: list[_Posted]) -> None:
    for posted in batch:
        if not posted.done.done():  # its client may have been cut off by a forced stop
            posted.done.set_result(None)


def transaction_id_of_key(strand_id: str, key: bytes) -> str:
    """Give the transaction id that an idempotency key stands for in this ledger.

    Raises:
        InvalidValueError: the key is empty, too long, or not printable ASCII.
    """
    # RFC 9110, 5.5: blanks around are not part of a field's value; who stands between us and the client may have left them or not.
    key = key.strip(b" \t")
    if not 1 <= len(key) <= _KEY_CHARACTERS_MAX or not all(0x20 <= byte < 0x7F for byte in key):
        raise InvalidValueError(
            f"an Idempotency-Key is 1 to {_KEY_CHARACTERS_MAX} characters of printable ASCII, this one has {len(key)} bytes"
        )
    return id_of_text(f"{strand_id}/{key.decode()}")


def statements_of(value: Value) -> list[StatementText]:
    """Read the body of a transaction.

    Raises:
        InvalidValueError: it has another shape; the message names the place.
    """
    statements = _struct(value, "the body", ("statements",)).get("statements")
    if not isinstance(statements, list) or not statements:
        raise InvalidValueError(f"'statements' is a list of at least one statement, {_shown(statements)} is not")
    return [_statement(item, f"statements[{number}]") for number, item in enumerate(statements)]


def _statement(item: Value, where: str) -> StatementText:
    struct = _struct(item, where, ("statement", "parameters"))
    text, parameters = struct.get("statement"), struct.get("parameters", [])
    if not isinstance(text, str):
        raise InvalidValueError(f"{where}.statement is a string of PartiQL, {_shown(text)} is not")
    if not isinstance(parameters, list):
        raise InvalidValueError(f"{where}.parameters is a list, {_shown(parameters)} is not")
    return text, parameters


def _struct(value: Value, where: str, names: tuple[str, ...]) -> dict[str, Value]:
    fields = " and ".join(names)
    if not isinstance(value, dict):
        raise InvalidValueError(f"{where} is a struct with {fields}, {_shown(value)} is not")
    for name in value:
        if name not in names:
            raise InvalidValueError(f"{where} has a field {name[:40]!r}, it may have {fields}")
    return value


def _shown(value: Value) -> str:
    return f"a value of type {ion_type(value).name.lower()}"


def outcome_struct(outcome: Outcome) -> dict[str, Value]:
    """Give a committed transaction as the interface shows it. A result is null where a replay no longer knows a query's rows, or where the
    rows are nested deeper than the format can say."""
    address = outcome.block_address
    shown: dict[str, Value] = {
        "transactionId": outcome.transaction_id,
        "blockAddress": None if address is None else address_struct(address),
        "results": [None if result is None else result.rows for result in outcome.results],
        "statistics": [None if result is None else statistics_struct(result.statistics) for result in outcome.results],
    }
    if outcome.replayed:
        shown["replayed"] = True
    return shown
