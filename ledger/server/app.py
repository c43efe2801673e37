"""The ASGI application: path -> route -> answer, and every error -> its answer.

No framework: between the socket and the committer stands this file, `http` and `transactions`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from ledger.errors import LedgerError, NotFoundError
from ledger.server import health, ledger_routes, proofs, transactions
from ledger.server.failures import answer_of_bug, answer_of_error, answer_of_http_error
from ledger.server.http import Answer, ClientGoneError, HttpError, Request, StreamAnswer
from ledger.server.service import Service

__all__ = ["ROUTES", "Application"]

_log = logging.getLogger("strandline.server")

Route = Callable[[Service, Request], Awaitable[Answer | StreamAnswer]]

ROUTES: Mapping[str, Mapping[str, Route]] = {
    "/livez": {"GET": health.livez},
    "/readyz": {"GET": health.readyz},
    "/version": {"GET": health.show_version},
    "/v1/ledgers": {"GET": ledger_routes.list_ledgers},
    "/v1/ledgers/{name}": {"GET": ledger_routes.get_ledger, "PUT": ledger_routes.put_ledger},
    "/v1/ledgers/{name}/transactions": {"POST": transactions.post_transaction},
    "/v1/ledgers/{name}/digest": {"GET": proofs.get_digest},
    "/v1/ledgers/{name}/blocks/{sequenceNo}": {"GET": proofs.get_block},
    "/v1/ledgers/{name}/documents/{documentId}/revisions/{version}/receipt": {"GET": proofs.get_receipt},
}


class Application:
    """One ASGI application over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._routes: dict[int, list[tuple[list[str], Mapping[str, Route]]]] = {}
        for path, methods in ROUTES.items():
            parts = path.split("/")
            self._routes.setdefault(len(parts), []).append((parts, methods))

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        assert scope["type"] == "http", "the server speaks HTTP only, and has no lifespan"
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except ClientGoneError:
            return
        if isinstance(answer, StreamAnswer):
            await _send_parts(answer, send)
            return
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, request: Request) -> Answer | StreamAnswer:
        try:
            return await self._route(request)(self._service, request)
        except LedgerError as error:
            return answer_of_error(request, error)
        except HttpError as error:
            return answer_of_http_error(request, error)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001  # the outermost loop of a request: the server goes on, the client learns an id
            return answer_of_bug(request, error)

    def _route(self, request: Request) -> Route:
        """Find the route, and note the named parts of its path in the request."""
        parts = request.path.split("/")
        for pattern, methods in self._routes.get(len(parts), ()):
            arguments = _match(pattern, parts)
            if arguments is None:
                continue
            route = methods.get(request.method)
            if route is None:
                allowed = ", ".join(sorted(methods))
                message = f"{request.path[:200]} answers {allowed}, not {request.method}"
                raise HttpError(405, "MethodNotAllowedError", message, {"allow": allowed})
            request.arguments = arguments
            return route
        raise NotFoundError(f"there is nothing at {request.path[:200]!r}; the paths are {', '.join(ROUTES)}")


async def _send_parts(answer: StreamAnswer, send: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
    """Send parts as fast as the client takes them. At the end of the time the connection is cut: that looks like no end to anybody."""
    headers = [(b"content-type", answer.content_type.encode())]
    try:
        async with aclosing(answer.parts) as parts, asyncio.timeout(answer.seconds):
            first = await anext(parts)  # before anything is sent: what never began would not be ended by its closing
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        _log.warning("a client did not take its rows within %.1f s: it is cut off", answer.seconds)


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    arguments = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{"):
            arguments[expected[1:-1]] = part
        elif expected != part:
            return None
    return arguments
