"""Commits many transactions over HTTP at full speed: a few keep-alive connections, each with one transaction on the way.

With an Idempotency-Key each, a transaction whose answer was lost can be sent again and is still committed once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from consumers.demo.data import Statements
from ledger.json_values import dump_json

__all__ = ["Committed", "RefusedError", "commit_all"]

_CONNECTIONS = 32


class RefusedError(Exception):
    """The coordinator did not commit a transaction."""


@dataclass(slots=True)
class Committed:
    """What came of a list of transactions. `answers` stand in the order of the transactions; latencies in ms."""

    answers: list[dict[str, object]] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Transactions per second."""
        return len(self.answers) / self.seconds if self.seconds else 0.0

    def latency_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def commit_all(
    url: str,
    ledger: str,
    key: str | None,
    transactions: Iterable[Statements],
    on_commit: Callable[[int], None] = lambda done: None,
) -> Committed:
    """Commit all of them, in no particular order; `key` makes the idempotency keys of this list its own, None sends none.

    Raises:
        RefusedError: the answer to one of them was not 200.
        OSError: the coordinator cannot be reached.
    """
    return asyncio.run(_commit_all(url, ledger, key, transactions, on_commit))


async def _commit_all(
    url: str, ledger: str, key: str | None, transactions: Iterable[Statements], on_commit: Callable[[int], None]
) -> Committed:
    parts = urlsplit(url)
    path = f"{parts.path}/v1/ledgers/{ledger}/transactions"
    committed = Committed()
    answers: dict[int, dict[str, object]] = {}
    numbered = enumerate(transactions)
    began = time.monotonic()

    async def client(requests: Iterator[tuple[int, Statements]]) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            for number, statements in requests:
                sent = time.monotonic()
                writer.write(_request(path, key and f"{key}-{number}", statements))
                answers[number] = await _answer(reader)
                committed.latencies_ms.append((time.monotonic() - sent) * 1000)
                on_commit(len(answers))
        finally:
            writer.close()

    try:
        async with asyncio.TaskGroup() as clients:
            for _ in range(_CONNECTIONS):
                clients.create_task(client(numbered))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    committed.seconds = time.monotonic() - began
    committed.answers = [answers[number] for number in range(len(answers))]
    return committed


def _request(path: str, key: str | None, statements: Statements) -> bytes:
    body = dump_json({"statements": [{"statement": text, "parameters": values} for text, values in statements]})
    head = (
        f"POST {path} HTTP/1.1\r\nHost: strandline\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return f"{head}Idempotency-Key: {key}\r\n\r\n".encode() + body if key else f"{head}\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> dict[str, object]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:"))
    body = await reader.readexactly(length)
    if not head.startswith("http/1.1 200 "):
        raise RefusedError(f"{head.splitlines()[0]}: {body.decode(errors='replace')}")
    answer = orjson.loads(body)
    assert isinstance(answer, dict)
    return answer
