"""The ledger that most tests of the database begin with, and servers in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from vehicle_ledger import StoppedClock

import ledger
from ledger.database import open_ledger


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def db(tmp_path: Path, clock: StoppedClock) -> Iterator[ledger.Database]:
    with open_ledger(tmp_path / "cars", clock=clock) as db:
        db.execute("CREATE TABLE Vehicle")
        db.execute("CREATE INDEX ON Vehicle (VIN)")
        yield db


@pytest.fixture(scope="module")
def start_server(tmp_path_factory):
    """Start servers in this process, on real sockets; all of them are stopped at the end of the module."""
    from ledger.limits import Limits
    from ledger.server.serve import Coordinator, Settings

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
