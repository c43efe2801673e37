import threading

import pytest


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
