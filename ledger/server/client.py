"""One ledger behind a URL, for the command line: asks in Ion, so nothing is lost on the way."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from ledger import ion
from ledger.errors import InvalidValueError, LedgerError
from ledger.values import Value

__all__ = ["Client", "RefusedError"]

_TIMEOUT_S = 120.0


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

    def digest(self) -> dict[str, Value]:
        return self._ask("GET", "/digest")

    def receipt(self, document_id: str, version: int, tip: int | None) -> dict[str, Value]:
        query = "" if tip is None else f"?tip={tip}"
        return self._ask("GET", f"/documents/{quote(document_id, safe='')}/revisions/{version}/receipt{query}")

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, value: Value = None) -> dict[str, Value]:
        """Raises RefusedError; ConnectionError if the server cannot be reached."""
        headers = {"accept": "application/ion"}
        body = None
        if value is not None:
            headers["content-type"] = "application/ion"
            body = ion.encode(value)
        try:
            self._connection.request(method, self._path + path, body, headers)
            response = self._connection.getresponse()
            data = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"what answers at {self._url} is no Strandline server: {error!r}") from error
        except OSError as error:
            raise ConnectionError(
                f"nobody answers at {self._url} ({error}): is `strandline serve` running there?"
            ) from error
        if response.headers.get_content_type() != "application/ion":
            raise RefusedError(response.status, "no Strandline", data[:200].decode("utf-8", "replace"))
        answer = ion.decode(data)
        assert isinstance(answer, dict)
        if response.status != 200:
            raise _refused(response.status, answer)
        return answer


def _refused(status: int, answer: dict[str, Value]) -> RefusedError:
    error = answer.get("error")
    told = error if isinstance(error, dict) else {}
    return RefusedError(status, str(told.get("type")), str(told.get("message")), str(told.get("snippet", "")))
