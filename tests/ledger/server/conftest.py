import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

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


@pytest.fixture
def serve(tmp_path):
    """Start `strandline serve` on the test's data directory; give the process and an API to it."""
    processes = []

    @contextmanager
    def start(*options):
        command = [sys.executable, "-m", "strandline", "serve", "--data", str(tmp_path), "--port", "0", *options]
        environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP_SERVERS"}
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment) as process:
            processes.append(process)
            process.events = []
            for line in process.stderr:
                process.events.append(json.loads(line))
                if process.events[-1]["event"] == "listening":
                    break
            else:
                raise AssertionError(f"it did not start: {process.events}")
            drain = threading.Thread(target=lambda: process.events.extend(map(json.loads, process.stderr)))
            drain.start()
            host, port = process.events[-1]["address"].removeprefix("http://").split(":")
            api = Api((host, int(port)))
            try:
                yield process, api
            finally:
                api.close()
                process.kill()
                process.wait()
                drain.join()

    return start
