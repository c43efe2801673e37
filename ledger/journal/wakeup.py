"""Wakes readers in other processes when the durable mark has moved on: a Unix socket, `journal/wake`.

    owner    Bell.ring()   one byte to each reader that is connected; never waits
    reader   Ear.wait()    until a byte comes, or the time is over

Rules:
- It is only a hint: whoever wakes up reads the mark. A byte too many costs a look, a byte too few the time that the reader waits at most.
- The owner never waits and never fails here: a reader that is dead, or too slow to take a byte, is let go. The slow one has bytes to wake
  up by, and connects again.
- No socket (a path that no socket can have, an owner that is gone, a disk without sockets): the reader looks again when its time is over.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Bell", "Ear"]

_NAME = "wake"
_PATH_BYTES_MAX = 100
"""Linux allows 107, macOS 103."""
_READERS_MAX = 64


class Bell:
    """The owner's side. Opening takes the name from whoever had it before: the caller holds the ledger's lock."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _NAME
        self._readers: list[socket.socket] = []
        self._socket: socket.socket | None = None
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._socket = _listen(directory)

    def ring(self) -> None:
        """Wake every reader."""
        if self._socket is None:
            return
        self._accept(self._socket)
        gone = []
        for reader in self._readers:
            try:
                reader.send(b"!")
            except OSError:
                gone.append(reader)
        for reader in gone:
            self._readers.remove(reader)
            reader.close()

    def close(self) -> None:
        """Take the name away; readers see that the owner is gone."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self.forget()

    def forget(self) -> None:
        """Close without taking the name away: for a child forked off from the owner."""
        for open_socket in (*self._readers, *([self._socket] if self._socket else [])):
            open_socket.close()
        self._readers, self._socket = [], None

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # BlockingIOError: nobody new, as a rule
            while True:
                reader, _ = listening.accept()
                if len(self._readers) < _READERS_MAX:
                    reader.setblocking(False)
                    self._readers.append(reader)
                else:
                    reader.close()


class Ear:
    """A reader's side."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket: socket.socket | None = None

    def wait(self, timeout_s: float) -> None:
        """Return when the bell may have rung, or the time is over. The first wait returns at once: what rang before it was not heard."""
        if self._socket is None:
            self._socket = _connect(self._directory)
            if self._socket is None:
                time.sleep(timeout_s)
            return
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if poll.poll(timeout_s * 1000) and not self._drain(self._socket):
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _drain(connected: socket.socket) -> bool:
        """Swallow the bytes that woke us; False: the owner is gone."""
        try:
            return bool(connected.recv(4096))
        except BlockingIOError:
            return True
        except OSError:
            return False


def _listen(directory: Path) -> socket.socket | None:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(directory) as address:
            listening.bind(address)
        listening.listen(_READERS_MAX)
        listening.setblocking(False)
    except OSError:
        listening.close()
        return None
    return listening


def _connect(directory: Path) -> socket.socket | None:
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connecting.setblocking(False)
    try:
        with _address(directory) as address:
            connecting.connect(address)
    except OSError:  # also BlockingIOError: too many wait to be accepted
        connecting.close()
        return None
    return connecting


@contextlib.contextmanager
def _address(directory: Path) -> Iterator[str]:
    """Give a path of the socket that is short enough for one, by way of an open directory where /proc knows it."""
    path = str(directory / _NAME)
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield path
        return
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{_NAME}"
    finally:
        os.close(fd)
