"""What a route sees of HTTP: a request, its value, and the answer to it; JSON and Ion chosen by the headers.

    Content-Type        the body is            Accept                      the answer is
    application/json    JSON                   application/json, */*, -    JSON (the body's kind if Accept says nothing of ours)
    application/ion     Ion, binary or text    application/ion             Ion binary
    text/ion            the same               text/ion                    Ion text
                                               application/x-ndjson        of one query: rows as they come (`row_streams`)

Rules:
- A body is read to its end before it is answered, within a size and a time; a body without one of these types is refused (415),
  which also keeps web pages of other origins from posting: a browser asks first before it sends any of them.
- An answer is bytes when it leaves the route, so that large ones are written where the route runs, which may be a pool's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ledger import ion, iontext
from ledger.deadline import Deadline
from ledger.errors import InvalidValueError, LimitExceededError
from ledger.json_values import dump_json, parse_json
from ledger.values import Value

__all__ = [
    "IN_LOOP_BYTES_MAX",
    "ROWS_TYPE",
    "Answer",
    "ClientGoneError",
    "Format",
    "HttpError",
    "Request",
    "StreamAnswer",
    "answer_format",
]

_BODY_S_MAX = 30.0
"""Time for a body to arrive; a slower client holds nothing but its connection."""
_DRAIN_BYTES_MAX = 64 * 1024 * 1024
"""A body that is too large is read and dropped up to here, so that the client sees the answer and not a reset."""
IN_LOOP_BYTES_MAX = 256 * 1024
"""Of a body that is read, or an answer that is written, while everybody waits: about 60 ms. More goes to a pool."""
_ENVELOPE_DEPTH = 4
"""{statements: [{parameters: [value]}]}"""
ROWS_TYPE = b"application/x-ndjson"
_ION_BINARY = b"\xe0\x01\x00\xea"


class HttpError(Exception):
    """The request is wrong as HTTP, before the ledger is asked. `kind` is the error's type in the answer."""

    def __init__(self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.headers = status, kind, dict(headers or {})


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete; there is nobody to answer."""


class Format(Enum):
    """How values are written; the value is the media type."""

    JSON = "application/json"
    ION = "application/ion"
    ION_TEXT = "text/ion"

    def write(self, value: Value) -> bytes:
        if self is Format.JSON:
            return dump_json(value)
        return ion.encode(value) if self is Format.ION else iontext.dump(value).encode() + b"\n"

    def read(self, data: bytes, depth_max: int) -> Value:
        """Raises InvalidValueError."""
        if self is Format.JSON:
            return parse_json(data, depth_max=depth_max)
        if data.startswith(_ION_BINARY):
            return ion.decode(data, depth_max=depth_max)
        try:
            return iontext.parse(data.decode())
        except UnicodeDecodeError as error:
            raise InvalidValueError("this is neither Ion binary nor UTF-8", position=error.start) from None


_FORMATS = {format_.value.encode(): format_ for format_ in Format}


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}


class StreamAnswer(NamedTuple):
    """An answer of which nobody knows the length: parts as they come, for so many seconds at the most. Status 200."""

    parts: AsyncGenerator[bytes]
    content_type: str
    seconds: float


def answer_format(headers: Mapping[bytes, bytes]) -> Format:
    """Choose the format of the answer; JSON if neither side said another."""
    accept = headers.get(b"accept")
    if accept is not None and accept != b"*/*":
        for item in accept.split(b","):
            found = _FORMATS.get(_media_type(item))
            if found is not None:
                return found
        if b"*/*" not in accept:
            return Format.JSON
    return _FORMATS.get(_media_type(headers.get(b"content-type", b"")), Format.JSON)


class Request:
    """One request. `headers` by lower-case name; `arguments` are the named parts of the route's path."""

    __slots__ = ("_receive", "_scope", "arguments", "body_bytes", "format", "headers", "method", "path", "query")

    def __init__(self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.arguments: Mapping[str, str] = {}
        self.format = answer_format(self.headers)
        self.body_bytes = 0  # of the body that `value` read
        self._scope, self._receive = scope, receive

    @property
    def wants_rows(self) -> bool:
        """Tell whether the answer is to come row by row."""
        return any(_media_type(item) == ROWS_TYPE for item in self.headers.get(b"accept", b"").split(b","))

    def one_header(self, name: bytes) -> bytes | None:
        """Give a header that may stand once.

        Raises:
            InvalidValueError: it stands several times; who would count?
        """
        found = [value for key, value in self._scope["headers"] if key == name]
        if len(found) > 1:
            raise InvalidValueError(f"the header {name.decode()} stands {len(found)} times, it may stand once")
        return found[0] if found else None

    @contextmanager
    def cancelling(self, deadline: Deadline) -> Iterator[None]:
        """Cancel what runs inside when the client goes away, or when the server does not wait any longer. After the body was read."""
        gone = asyncio.ensure_future(self._gone(deadline))
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            deadline.cancel("the server stops")
            raise
        finally:
            gone.cancel()

    async def _gone(self, deadline: Deadline) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        deadline.cancel("its client is gone")

    def answer(self, status: int, value: Value, headers: Mapping[str, str] | None = None) -> Answer:
        """Write a value in the format that the client asked for."""
        return Answer(status, self.format.write(value), self.format.value, headers or {})

    def query_value(self, name: str) -> str | None:
        """Give a parameter of the query string; empty if it has no value, None if it is not there."""
        if not self.query:
            return None
        pairs = parse_qsl(self.query.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=50)
        return dict(pairs).get(name)

    async def value(
        self, size_max: int, depth_max: int, read_large: Callable[[int, Callable[[], Value]], Awaitable[Value]]
    ) -> Value:
        """Read the body, one value of at most `size_max` bytes; of a large one `read_large` gets the size, and what reads it.

        Raises:
            HttpError: no or another media type (415), too slow (408).
            LimitExceededError, InvalidValueError, ClientGoneError
            What `read_large` raises.
        """
        content_type = self.headers.get(b"content-type", b"")
        body_format = _FORMATS.get(_media_type(content_type))
        if body_format is None:
            given = f"not {content_type.decode('latin-1')!r}" if content_type else "and this request has none"
            kinds = " or ".join(format_.value for format_ in Format)
            raise HttpError(415, "UnsupportedMediaTypeError", f"the Content-Type of the body is {kinds}, {given}")
        body = await self._body(size_max)
        self.body_bytes = len(body)
        read = partial(body_format.read, body, depth_max + _ENVELOPE_DEPTH)
        return read() if len(body) <= IN_LOOP_BYTES_MAX else await read_large(len(body), read)

    async def _body(self, size_max: int) -> bytes:
        announced = self.headers.get(b"content-length", b"0")
        if len(announced) > 15 or int(announced) > size_max:
            if (
                b"expect" not in self.headers and len(announced) <= 15
            ):  # who waits for "100 Continue" has sent nothing yet
                await self._drain()
            raise LimitExceededError("request_bytes_max", size_max, int(announced[:15]))
        message = await self._receive()  # nearly always all of it
        if message["type"] == "http.request" and not message.get("more_body") and len(message["body"]) <= size_max:
            return bytes(message["body"])
        return await self._rest_of_body(message, size_max)

    async def _rest_of_body(self, message: Mapping[str, Any], size_max: int) -> bytes:
        chunks = bytearray()
        try:
            async with asyncio.timeout(_BODY_S_MAX):
                while True:
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    chunks += message["body"]
                    if len(chunks) > size_max:
                        await self._drain()
                        raise LimitExceededError("request_bytes_max", size_max, len(chunks))
                    if not message.get("more_body"):
                        return bytes(chunks)
                    message = await self._receive()
        except TimeoutError:
            raise HttpError(
                408,
                "RequestTimeoutError",
                f"the body did not arrive within {_BODY_S_MAX:g} s: {len(chunks)} bytes of it did",
                {"connection": "close"},
            ) from None

    async def _drain(self) -> None:
        dropped = 0
        while dropped < _DRAIN_BYTES_MAX:
            message = await self._receive()
            dropped += len(message.get("body", b""))
            if not message.get("more_body"):
                break


def _media_type(header: bytes) -> bytes:
    return header.split(b";", 1)[0].strip().lower()
