"""The coordinator's process: open, listen, serve, and end in order.

start    bind the port; open every ledger under the data directory (recover, catch up); start the publishers; listen
stop     SIGTERM or SIGINT: accept no more; transactions in flight finish and are answered; the publishers finish their kafka_tx;
         the ledgers close cleanly; exit 0. A second signal, or 40 s, cuts off what is still open, scans and streams too; what was
         acknowledged is durable anyway.
kill -9  the same, without goodbyes: recovery at the next start finds everything that was acknowledged
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from ledger.database import Database, Progress
from ledger.limits import Limits
from ledger.server.app import Application
from ledger.server.health import strandline_version
from ledger.server.ledgers import Ledgers
from ledger.server.protocol import BoundedProtocol
from ledger.server.publishers import Publishers
from ledger.server.service import Service

__all__ = ["Coordinator", "Settings"]

_log = logging.getLogger("strandline.server")

_FINISH_S_MAX = 40
"""Longer than a transaction's age and a body's time together may take is nobody that still finishes."""
_KEEP_ALIVE_S = 75
_SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter from another. LMDB lets go of it in each call, and the committer makes many: with Python's
5 ms the event loop, when busy, would hold each of its calls up (p99 at 64 clients: 54 ms; so: 27 ms)."""
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Settings:
    """What `serve` was told. `publisher_command` empty: nothing is published. `kafka` is only shown."""

    directory: Path
    host: str = "127.0.0.1"
    port: int = 8420
    limits: Limits = field(default_factory=Limits)
    publisher_command: Sequence[str] = ()
    kafka: str = "off"


class Coordinator:
    """One server over one data directory. `open` and `run` in one thread; `stop` from any, or by a signal."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._publishers = Publishers(settings.directory, settings.publisher_command)
        self.ledgers = Ledgers(settings.directory, settings.limits, self._opened)
        self._service = Service(self.ledgers, self._publishers, settings.limits)
        self._socket: socket.socket | None = None
        self._server = _Server(Application(self._service), self._announce, self._publishers.kill)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; the port is the real one if 0 was asked for."""
        assert self._socket is not None, "not open"
        host, port = self._socket.getsockname()[:2]
        return host, port

    def open(self, progress: Progress | None = None) -> None:
        """Take the port, then open the ledgers.

        Raises:
            OSError: the port or the directory cannot be had.
            LedgerLockedError, FormatVersionError: a ledger cannot be opened by this process.
        """
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        self._socket = socket.create_server((self._settings.host, self._settings.port), family=family, backlog=_BACKLOG)
        try:
            self.ledgers.open_all(progress)
        except BaseException:
            self._close()
            raise
        # What recovery built lives as long as the process: keep the collector from walking it again and again.
        gc.collect()
        gc.freeze()

    def run(self) -> None:
        """Serve until stopped; then everything is closed."""
        assert self._socket is not None, "open it first"
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._close()
            _log.info("stopped")

    def stop(self) -> None:
        self._server.should_exit = True

    def _announce(self) -> None:
        """Tell where everything is: one line of the log, and on a terminal some that people can read."""
        host, port = self.address
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        ledgers = list(self.ledgers.open_ones())
        damaged = {name: str(error) for name, error in self.ledgers.failures().items()}
        extra = {
            "address": url,
            "data": str(self._settings.directory),
            "ledgers": ledgers,
            "damaged": damaged,
            "kafka": self._settings.kafka,
        }
        _log.info("listening", extra=extra)
        if sys.stdout.isatty():
            print(f"Strandline {strandline_version()}")
            print(f"  address  {url}")
            print(f"  data     {self._settings.directory}")
            print(f"  ledgers  {', '.join(ledgers) or f'none yet: curl -X PUT {url}/v1/ledgers/my-ledger'}")
            print(f"  Kafka    {self._settings.kafka}")
            for name, why in damaged.items():
                print(f"  DAMAGED  {name}: {why}")

    def _close(self) -> None:
        gc.unfreeze()
        # Publishers first: a reader without a live owner would take the ledger's lock to recover it.
        self._publishers.stop()
        self.ledgers.stop_reading()
        self._service.close()
        self.ledgers.close()
        if self._socket is not None:
            self._socket.close()

    def _opened(self, database: Database) -> None:
        extra = {"ledger": database.name, "strand_id": database.strand_id}
        _log.info("opened ledger %s, tip %s", database.name, database.tip, extra=extra)
        self._publishers.start(database.name)


class _Server(uvicorn.Server):
    """uvicorn, with our way of ending: exit code 0 after a signal, and the second signal cuts off."""

    def __init__(
        self, application: Application, started: Callable[[], None], kill_children: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="uvloop",
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_FINISH_S_MAX,
                backlog=_BACKLOG,
            )
        )
        self._started, self._kill_children = started, kill_children

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()  # from here on it answers, and signals are handled

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()  # uvicorn would raise them again, and the process would not end with 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        name = signal.Signals(sig).name
        if self.should_exit:
            _log.warning("%s again: cutting off what is still open", name)
            self.force_exit = True
            self._kill_children()
        else:
            _log.info("%s: finishing what is in flight, then stopping", name)
            self.should_exit = True
