"""Digest, blocks and receipts: what an auditor takes away. Read in the pool, for a block may be large."""

from __future__ import annotations

import re

from ledger.block import address_struct, block_struct
from ledger.database import Database
from ledger.errors import InvalidValueError
from ledger.ids import check_id
from ledger.proofs import Digest
from ledger.server.http import Answer, Request
from ledger.server.service import Service
from ledger.values import Value

__all__ = ["digest_struct", "get_block", "get_digest", "get_receipt"]

_NUMBER = re.compile(r"[0-9]{1,18}")


async def get_digest(service: Service, request: Request) -> Answer:
    """GET /v1/ledgers/{name}/digest"""
    database = _database(service, request)
    return await service.in_pool(lambda: request.answer(200, digest_struct(database.digest())))


async def get_block(service: Service, request: Request) -> Answer:
    """GET /v1/ledgers/{name}/blocks/{sequenceNo}"""
    database = _database(service, request)
    sequence_no = _number(request.arguments["sequenceNo"], "a block's sequence number")
    return await service.in_pool(lambda: request.answer(200, block_struct(database.block(sequence_no))))


async def get_receipt(service: Service, request: Request) -> Answer:
    """GET /v1/ledgers/{name}/documents/{documentId}/revisions/{version}/receipt[?tip=sequenceNo]

    `tip`: of the digest against which the receipt is to be checked, if that one was saved earlier.
    """
    database = _database(service, request)
    document_id = check_id(request.arguments["documentId"])
    version = _number(request.arguments["version"], "a version")
    asked_tip = request.query_value("tip")
    tip = None if asked_tip is None else _number(asked_tip, "a tip's sequence number")
    return await service.in_pool(lambda: request.answer(200, database.receipt(document_id, version, tip)))


def digest_struct(digest: Digest) -> dict[str, Value]:
    """Give `{digest, digestTipAddress}`, as QLDB's GetDigest named them; the address is null while there is no block."""
    return {"digest": digest.digest, "digestTipAddress": None if digest.tip is None else address_struct(digest.tip)}


def _database(service: Service, request: Request) -> Database:
    return service.ledgers.get(request.arguments["name"])


def _number(text: str, what: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise InvalidValueError(f"{what} is a whole number from 0, {text[:40]!r} is not")
    return int(text)
