"""One ledger behind a URL, for the command line: asks in Ion, so nothing is lost on the way."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from ledger import ion
from ledger.errors import InvalidValueError, LedgerError
from ledger.json_values import parse_json
from ledger.values import Value

__all__ = ["Client", "RefusedError", "Rows"]

_TIMEOUT_S = 120.0
_ROWS = "application/x-ndjson"
_ROW_DEPTH_MAX = 300
"""Documents, and what a query may put around them."""


class RefusedError(LedgerError):
    """The server said no. `status` is HTTP's, `kind` the error's type there."""

    def __init__(self, status: int, kind: str, message: str, snippet: str = "") -> None:
        super().__init__(f"{kind} ({status}): {message}" + (f"\n{snippet}" if snippet else ""))
        self.status, self.kind = status, kind


class Client:
    """Talks to `strandline serve` at `url`, about one ledger. One connection; not for several threads."""

    def __init__(self, url: str, ledger: str) -> None:
        self._url = url
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise InvalidValueError(f"a server's URL looks like http://127.0.0.1:8420, {url!r} does not")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        self._path = f"{parts.path.rstrip('/')}/v1/ledgers/{quote(ledger, safe='')}"

    def execute(self, statement: str, parameters: Sequence[Value]) -> dict[str, Any]:
        """Execute one statement as a transaction; give the answer's struct. Raises as `_ask`."""
        asked: Value = {"statements": [{"statement": statement, "parameters": list(parameters)}]}
        return self._ask("POST", "/transactions", asked)

    def rows(self, statement: str, parameters: Sequence[Value]) -> Rows:
        """Begin a query; raises as `_ask`, also with each row."""
        asked: Value = {"statements": [{"statement": statement, "parameters": list(parameters)}]}
        response, data = self._sent(
            "POST", "/transactions", asked, f"{_ROWS}, application/ion", lambda r: b"" if _is_rows(r) else r.read()
        )
        if not _is_rows(response):
            raise _refused_by(response, data)
        lines = _Lines(response)
        return Rows(lines.rows(), lambda: lines.statistics)

    def digest(self) -> dict[str, Value]:
        return self._ask("GET", "/digest")

    def receipt(self, document_id: str, version: int, tip: int | None) -> dict[str, Value]:
        query = "" if tip is None else f"?tip={tip}"
        return self._ask("GET", f"/documents/{quote(document_id, safe='')}/revisions/{version}/receipt{query}")

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, value: Value = None) -> dict[str, Value]:
        """Raises RefusedError; ConnectionError if the server cannot be reached."""
        response, data = self._sent(method, path, value, "application/ion", lambda response: response.read())
        if response.status != 200 or response.headers.get_content_type() != "application/ion":
            raise _refused_by(response, data)
        answer = ion.decode(data)
        assert isinstance(answer, dict)
        return answer

    def _sent(
        self, method: str, path: str, value: Value, accept: str, read: Callable[[http.client.HTTPResponse], bytes]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {"accept": accept}
        body = None
        if value is not None:
            headers["content-type"] = "application/ion"
            body = ion.encode(value)
        try:
            self._connection.request(method, self._path + path, body, headers)
            response = self._connection.getresponse()
            return response, read(response)
        except http.client.HTTPException as error:
            raise ConnectionError(f"what answers at {self._url} is no Strandline server: {error!r}") from error
        except OSError as error:
            raise ConnectionError(
                f"nobody answers at {self._url} ({error}): is `strandline serve` running there?"
            ) from error


class Rows:
    """The rows of a query as they come, to be read once. `count`: so far; `statistics()`: after the last one."""

    def __init__(self, rows: Iterable[Value], statistics: Callable[[], dict[str, Any]]) -> None:
        self._rows, self.statistics = rows, statistics
        self.count = 0

    def __iter__(self) -> Iterator[Value]:
        for row in self._rows:
            self.count += 1
            yield row


class _Lines:
    """What a server sends row by row (`row_streams`)."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.statistics: dict[str, Any] = {}

    def rows(self) -> Iterator[Value]:
        """Raises RefusedError: it failed in the middle; ConnectionError: the answer was cut."""
        for line in self._response:
            told: Any = parse_json(line, depth_max=_ROW_DEPTH_MAX)
            if "row" in told:
                yield told["row"]
            elif "end" in told:
                self.statistics = told["end"]["statistics"]
                return
            else:
                raise _refused(self._response.status, told)
        raise ConnectionError("the server's answer was cut before its last row")


def _is_rows(response: http.client.HTTPResponse) -> bool:
    return response.headers.get_content_type() == _ROWS


def _refused_by(response: http.client.HTTPResponse, data: bytes) -> RefusedError:
    answer = ion.decode(data) if response.headers.get_content_type() == "application/ion" else None
    if not isinstance(answer, dict):
        return RefusedError(response.status, "no Strandline", data[:200].decode("utf-8", "replace"))
    return _refused(response.status, answer)


def _refused(status: int, answer: dict[str, Value]) -> RefusedError:
    error = answer.get("error")
    told = error if isinstance(error, dict) else {}
    return RefusedError(status, str(told.get("type")), str(told.get("message")), str(told.get("snippet", "")))
