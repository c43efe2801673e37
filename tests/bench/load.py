"""The load generator, a process of its own: one UPDATE per transaction over keep-alive HTTP, as raw as asyncio can.

    python load.py '{"port": 8420, "ledger": "bench", "clients": 64, "seconds": 10, "documents": 100000, "hot": false}'

Closed loop: each connection sends, waits for the answer, sends again. Open loop (`rate` per second): transactions begin by the clock,
whatever the server does, and their latency counts from the moment they should have begun.
Writes one JSON object: the rate, the latencies, and with `trace` a line per transaction into that file.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

VIN = "VIN{:014d}"
STATEMENT = "UPDATE Vehicle AS v SET v.Mileage = ? WHERE v.VIN = ?"
_BODY = '{{"statements":[{{"statement":"' + STATEMENT + '","parameters":[{},"' + VIN + '"]}}]}}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_SEQUENCE = re.compile(rb'"sequenceNo": *(\d+)')


@dataclass
class Settings:
    port: int
    ledger: str
    clients: int
    seconds: float
    documents: int
    hot: bool = False
    warm_up: float = 1.0
    rate: float | None = None
    trace: str | None = None


@dataclass(slots=True)
class Answered:
    """One transaction: when it (should have) begun, when it was answered, in ns of the monotonic clock, and its block."""

    began: int
    ended: int
    sequence_no: int


class Connection(asyncio.Protocol):
    """One client: at most one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load, self._buffer, self._began = load, b"", 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour alone
        self._load.free(self)

    def send(self, request: bytes, began: int) -> None:
        self._began = began
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        assert length is not None, head
        if len(body) < int(length[1]):
            return
        self._buffer = b""
        ended = time.monotonic_ns()
        if not head.startswith(b"HTTP/1.1 200"):
            self._load.refused.append((head + b"\n" + body).decode(errors="replace"))
        else:
            sequence = _SEQUENCE.search(body)
            self._load.answered.append(Answered(self._began, ended, int(sequence[1]) if sequence else -1))
        self._load.free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._load.is_over:
            self._load.refused.append("connection lost")


class Load:
    def __init__(self, settings: Settings) -> None:
        self.settings, self.is_over = settings, False
        self.answered: list[Answered] = []
        self.refused: list[str] = []
        self._random = random.Random(1)
        self._due: deque[int] = deque()  # open loop: transactions that have begun and wait for a free connection
        self._idle: list[Connection] = []

    def _request(self) -> bytes:
        number = 0 if self.settings.hot else self._random.randrange(self.settings.documents)
        body = _BODY.format(self._random.randrange(1_000_000), number).encode()
        head = f"POST /v1/ledgers/{self.settings.ledger}/transactions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def free(self, connection: Connection) -> None:
        """A connection has nothing to do."""
        if self.is_over:
            return
        if self.settings.rate is None:
            connection.send(self._request(), time.monotonic_ns())
        elif self._due:
            connection.send(self._request(), self._due.popleft())
        else:
            self._idle.append(connection)

    async def _begin_by_the_clock(self, until: float) -> None:
        assert self.settings.rate is not None
        step, due = 1 / self.settings.rate, time.monotonic()
        while due < until:
            await asyncio.sleep(due - time.monotonic())
            while due <= time.monotonic():
                self._due.append(int(due * 1e9))
                due += step
            while self._due and self._idle:
                self._idle.pop().send(self._request(), self._due.popleft())

    async def run(self) -> dict[str, object]:
        loop = asyncio.get_running_loop()
        for _ in range(self.settings.clients):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.settings.port)
        begin = time.monotonic() + self.settings.warm_up
        end = begin + self.settings.seconds
        if self.settings.rate is not None:
            await self._begin_by_the_clock(end)
        else:
            await asyncio.sleep(end - time.monotonic())
        self.is_over = True
        return self._summary(int(begin * 1e9), int(end * 1e9))

    def _summary(self, begin: int, end: int) -> dict[str, object]:
        inside = [a for a in self.answered if a.ended >= begin and a.ended <= end]
        if self.settings.trace:
            lines = (f"{a.sequence_no} {a.began} {a.ended}\n" for a in inside)
            Path(self.settings.trace).write_text("".join(lines))
        return {
            "answered": len(self.answered),
            "tps": len(inside) / self.settings.seconds,
            "latencyMs": percentiles([(a.ended - a.began) / 1e6 for a in inside]),
            "refused": len(self.refused),
            "firstRefusal": self.refused[0] if self.refused else None,
        }


def percentiles(values: list[float]) -> dict[str, float]:
    """Give p50, p90, p99 and the maximum."""
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    named = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(last, int(last * share))], 3) for name, share in named.items()}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(Load(Settings(**json.loads(sys.argv[1]))).run())))
