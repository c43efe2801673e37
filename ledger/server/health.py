"""/livez, /readyz and /version, for machines that watch and for people who ask why.

Ready means: every ledger can commit. Kafka does not count, for commits do not need it; `?verbose` shows how far each publisher is.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from ledger.server.http import Answer, Request
from ledger.server.service import Service
from ledger.values import Value

__all__ = ["livez", "readyz", "show_version", "strandline_version"]


async def livez(_service: Service, request: Request) -> Answer:
    """The process runs and its event loop turns."""
    return request.answer(200, {"status": "alive"})


async def readyz(service: Service, request: Request) -> Answer:
    """200 if every ledger can commit, else 503; with `?verbose` each ledger's tip, failure and publisher."""
    failures = service.ledgers.failures()
    shown: dict[str, Value] = {"status": "not ready" if failures else "ready"}
    if request.query_value("verbose") is not None:
        shown["ledgers"] = await service.in_pool(lambda: _verbose(service))
    elif failures:
        shown["failures"] = {name: str(error) for name, error in failures.items()}
    return request.answer(503 if failures else 200, shown, {"retry-after": "10"} if failures else {})


def _verbose(service: Service) -> dict[str, Value]:
    failures = service.ledgers.failures()
    databases = service.ledgers.open_ones()
    shown: dict[str, Value] = {}
    for name in sorted({*failures, *databases}):
        error, database = failures.get(name), databases.get(name)
        tip = database.tip if database is not None else None
        sequence_no = -1 if tip is None else tip.sequence_no
        shown[name] = {
            "commits": error is None,
            "failure": None if error is None else f"{type(error).__name__}: {error}",
            "tipSequenceNo": sequence_no,
            "publisher": service.publishers.state(name, sequence_no),
        }
    return shown


async def show_version(_service: Service, request: Request) -> Answer:
    return request.answer(
        200, {"name": "strandline", "version": strandline_version(), "python": platform.python_version()}
    )


def strandline_version() -> str:
    try:
        return version("strandline")
    except PackageNotFoundError:  # a checkout that nobody installed
        return "unknown"
