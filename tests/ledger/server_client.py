"""A client for tests of the server: one keep-alive connection, JSON unless told otherwise."""

import http.client
import json
import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


@dataclass
class Api:
    """A client with one keep-alive connection; `ledger` is the one that `execute` talks to."""

    address: tuple[str, int]
    ledger: str = "vehicles"
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    def ask(self, method, path, body=None, **headers) -> Reply:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self.address, timeout=60)
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        try:
            self._connection.request(method, path, body, {name: v for name, v in sent.items() if v is not None})
            response = self._connection.getresponse()
            data = response.read()
        except Exception:
            self.close()
            raise
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, data)

    def get(self, path, **headers) -> Reply:
        return self.ask("GET", f"/v1/ledgers/{self.ledger}{path}", **headers)

    def transact(self, *statements, **headers) -> Reply:
        """Each statement is a text, or a tuple of a text and its parameters."""
        listed = [(s, ()) if isinstance(s, str) else s for s in statements]
        body = {"statements": [{"statement": text, "parameters": list(values)} for text, values in listed]}
        return self.ask("POST", f"/v1/ledgers/{self.ledger}/transactions", body, **headers)

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def at_once(count, work):
    """Run work(0..count-1) in threads that begin together; give what they returned, in order."""
    results, barrier = [None] * count, threading.Barrier(count)

    def one(number):
        barrier.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
