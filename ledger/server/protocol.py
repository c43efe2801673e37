"""HTTP/1.1 on one connection: uvicorn's, with the two bounds that it lacks."""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_BYTES_MAX", "BoundedProtocol"]

_log = logging.getLogger("strandline.server")

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers; without a bound a client could make the server hold as much as it likes.

(Bodies are bounded where they are read.)"""
_STALLED_S = 60.0
"""So long an answer is kept for a client that takes nothing of it: it may be as large as `result_bytes_max`."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request never gets to the end of its headers, and one whose client has stopped reading."""

    _in_head = False
    _head_bytes = 0
    _stalled: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response(f"The request line and headers are longer than {HEAD_BYTES_MAX} bytes.")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_progress()

    def resume_writing(self) -> None:
        self._forget_progress()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_progress()
        super().connection_lost(exc)

    def _await_progress(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(_STALLED_S, self._check_progress, waiting)

    def _forget_progress(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _check_progress(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < before:
            return self._await_progress()
        _log.warning("a client takes nothing of its answer: %d bytes of it are dropped with the connection", waiting)
        self.transport.abort()  # a close would wait for the client
        return None
