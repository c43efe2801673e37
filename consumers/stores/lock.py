"""One process at a time owns a projection's store. The lock is a file beside it; a killed owner holds it no longer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consumers.errors import StoreMismatchError

__all__ = ["own"]


@contextmanager
def own(store: Path) -> Iterator[None]:
    """Own the store (a file that may not exist yet) while the context lasts.

    Raises:
        StoreMismatchError: another process owns it.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(store.with_name(store.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 32).decode() or "unknown"
            raise StoreMismatchError(f"{store} is in use by process {owner}") from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
