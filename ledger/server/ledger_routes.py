"""The ledgers themselves: make one, list them, look at one."""

from __future__ import annotations

from ledger.block import address_struct
from ledger.database import Database
from ledger.server.http import Answer, Request
from ledger.server.service import Service
from ledger.values import Value

__all__ = ["get_ledger", "list_ledgers", "put_ledger"]


async def put_ledger(service: Service, request: Request) -> Answer:
    """PUT /v1/ledgers/{name}: 201 if it was made, 200 if it was there. No body: whoever puts twice has what he asked for."""
    database, is_new = await service.in_pool(lambda: service.ledgers.put(request.arguments["name"]))
    return request.answer(201 if is_new else 200, _shown(database))


async def list_ledgers(service: Service, request: Request) -> Answer:
    """GET /v1/ledgers"""
    shown: list[Value] = [_shown(database) for database in service.ledgers.open_ones().values()]
    return request.answer(200, {"ledgers": shown})


async def get_ledger(service: Service, request: Request) -> Answer:
    """GET /v1/ledgers/{name}"""
    return request.answer(200, _shown(service.ledgers.get(request.arguments["name"])))


def _shown(database: Database) -> dict[str, Value]:
    tip = database.tip
    return {
        "name": database.name,
        "strandId": database.strand_id,
        "tip": None if tip is None else address_struct(tip),
    }
