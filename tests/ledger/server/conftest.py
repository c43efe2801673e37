import pytest
from server_client import Api


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
