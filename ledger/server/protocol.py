"""HTTP/1.1 on one connection: uvicorn's, with the one bound that it lacks."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_BYTES_MAX", "BoundedProtocol"]

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers; without a bound a client could make the server hold as much as it likes.

(Bodies are bounded where they are read.)"""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request never gets to the end of its headers."""

    _in_head = False
    _head_bytes = 0

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
