import http.client
import json
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger.limits import Limits
from ledger.server.serve import Coordinator, Settings


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


@pytest.fixture(scope="module")
def start_server(tmp_path_factory):
    """Start servers in this process, on real sockets; all of them are stopped at the end of the module."""
    stops = []

    def start(directory=None, **settings):
        directory = directory or tmp_path_factory.mktemp("data")
        limits = settings.pop("limits", Limits())
        coordinator = Coordinator(Settings(directory, port=0, limits=limits, **settings))
        coordinator.open()
        thread = threading.Thread(target=coordinator.run)
        thread.start()

        def stop():
            coordinator.stop()
            thread.join()

        stops.append(stop)
        return coordinator, stop

    yield start
    for stop in stops:
        stop()


@pytest.fixture(scope="module")
def server(start_server):
    """A server with the ledger `vehicles` and an indexed table `Vehicle`."""
    coordinator, _ = start_server()
    api = Api(coordinator.address)
    assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
    assert api.transact("CREATE TABLE Vehicle").status == 200
    assert api.transact("CREATE INDEX ON Vehicle (VIN)").status == 200
    api.close()
    return coordinator


@pytest.fixture
def api(server):
    client = Api(server.address)
    yield client
    client.close()


@pytest.fixture
def new_api(server):
    """Give further clients of the same server, each with a connection of its own."""
    clients = []

    def new():
        clients.append(Api(server.address))
        return clients[-1]

    yield new
    for client in clients:
        client.close()
