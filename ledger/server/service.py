"""What the routes work with: the ledgers, their publishers, a small pool for what takes long, and the way back to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.errors import LedgerBusyError
from ledger.limits import Limits
from ledger.server.ledgers import Ledgers
from ledger.server.publishers import Publishers

__all__ = ["Service"]

T = TypeVar("T")
_POOL_THREADS = 4
"""Scans and proofs: they share one GIL, so more threads would only hold more memory at once."""
_BODY_THREADS = 2
"""Large bodies and answers: no scan keeps a commit waiting."""
_POOL_WAITING_MAX = 128


@dataclass(slots=True)
class Service:
    ledgers: Ledgers
    publishers: Publishers
    limits: Limits
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_POOL_THREADS, "reader"))
    _body_pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_BODY_THREADS, "body"))
    streams: int = 0
    _in_pool: int = 0
    _body_bytes: int = 0

    async def in_pool(self, work: Callable[[], T]) -> T:
        """Run what may take long in a thread of the pool.

        Raises:
            LedgerBusyError: too much is waiting for it already.
        """
        if self._in_pool >= _POOL_WAITING_MAX:
            raise LedgerBusyError(f"{self._in_pool} scans and proofs are waiting, the limit is {_POOL_WAITING_MAX}")
        return await self.more_in_pool(work)

    async def more_in_pool(self, work: Callable[[], T]) -> T:
        """Run the next part of what began in the pool: whoever waits for it is not turned away in the middle."""
        self._in_pool += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._in_pool -= 1

    async def read_body(self, size: int, work: Callable[[], T]) -> T:
        """Read a large body of `size` bytes, while the loop goes on.

        Raises:
            LedgerBusyError: too many bytes of bodies are waiting already.
        """
        maximum = self.limits.queue_bytes_max
        if self._body_bytes and size > maximum - self._body_bytes:
            raise LedgerBusyError(f"{self._body_bytes} bytes of bodies are waiting to be read, the limit is {maximum}")
        self._body_bytes += size
        try:
            return await asyncio.get_running_loop().run_in_executor(self._body_pool, work)
        finally:
            self._body_bytes -= size

    async def write_answer(self, work: Callable[[], T]) -> T:
        """Write a large answer, while the loop goes on. Nobody is turned away: what it tells of may be committed."""
        return await asyncio.get_running_loop().run_in_executor(self._body_pool, work)

    def close(self) -> None:
        """Wait for what runs in the pools; drop what waits."""
        self._pool.shutdown(cancel_futures=True)
        self._body_pool.shutdown(cancel_futures=True)
