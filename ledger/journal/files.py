"""The disk door: the only module of the ledger that opens, writes and syncs the files of a journal.

`Files` and `File` are the contract, in words; `RealFiles` keeps it on a POSIX disk, a simulated one in the tests.

What the journal assumes of a disk, and nothing more:
- `sync` returning means that all earlier writes to the file, and its size, outlive a power cut. Before it, each written sector of
  512 bytes is, on its own, as it was before one of the writes or after it; bytes outside of what was written do not change.
- A rename is whole or did not happen. It, and a new or removed name, outlive a power cut after `sync_directory`.
- A file that was zero-filled and synced needs no room on the disk to be written again. (Copy-on-write file systems break this one:
  there a full disk is met in the write, and kills the handle instead of making it read-only.)
- After a failed `sync` nobody knows what is on the disk, nor whether a second one would tell: Linux drops the dirty pages.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

__all__ = ["NO_ROOM", "BackgroundTask", "File", "Files", "Lock", "RealFiles"]

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The errno values of a full disk."""


class File(Protocol):
    """An open file. Every call may raise OSError. Reads may come from any thread, beside a write."""

    def read(self, offset: int, size: int) -> bytes:
        """Give the bytes from `offset`: fewer than `size` only at the end of the file."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`, growing the file if need be. Visible to readers at once, durable after `sync`."""
        ...

    def sync(self) -> None:
        """Make everything that was written durable, with the file's size (fdatasync)."""
        ...

    def size(self) -> int: ...

    def identity(self) -> int:
        """Give a number that a copy of the file does not share (the inode)."""
        ...

    def close(self) -> None:
        """Close; closing twice does nothing."""
        ...


class Lock(Protocol):
    """A held lock of a directory; it ends with the process at the latest."""

    @property
    def held(self) -> bool:
        """False after `release`, and in a process forked off from the one that took it."""
        ...

    def sign(self) -> None:
        """Write into the lock file that this process owns the directory from now on, until `release`."""
        ...

    def release(self) -> None: ...


class BackgroundTask(Protocol):
    """Work that goes on beside the caller."""

    def wait(self) -> None:
        """Return when it has ended."""
        ...


class Files(Protocol):
    """A disk. Every call may raise OSError."""

    def make_directory(self, path: Path) -> None:
        """Make a directory, and those above it, if it is not there; its name is durable after `sync_directory` of its parent."""
        ...

    def list(self, directory: Path) -> list[str]:
        """Give the names in a directory, in any order."""
        ...

    def create(self, path: Path) -> File:
        """Make a new, empty file; FileExistsError if there is one."""
        ...

    def open(self, path: Path, *, writable: bool = False) -> File:
        """Open a file; FileNotFoundError if there is none."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same directory, replacing what has it."""
        ...

    def remove(self, path: Path) -> None: ...

    def sync_directory(self, path: Path) -> None:
        """Make new names, renames and removals in a directory durable."""
        ...

    def lock(self, path: Path) -> Lock | None:
        """Take the exclusive lock that `path` stands for, at once; None: somebody has it."""
        ...

    def lock_owner(self, path: Path) -> int | None:
        """Give the process that signed a lock, if it runs."""
        ...

    def is_locked(self, path: Path) -> bool:
        """Tell whether somebody holds the lock. Stands in the way of one who wants it, for a moment."""
        ...

    def boot_id(self) -> str:
        """Name this run of the operating system: what was written in another one may have been lost with its memory."""
        ...

    def random_bytes(self, count: int) -> bytes: ...

    def in_background(self, task: Callable[[], None]) -> BackgroundTask:
        """Run `task`, which must not raise, beside the caller."""
        ...


class RealFiles:
    """The machine's disk."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def list(self, directory: Path) -> list[str]:
        return os.listdir(directory)

    def create(self, path: Path) -> File:
        return _RealFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644))

    def open(self, path: Path, *, writable: bool = False) -> File:
        return _RealFile(os.open(path, os.O_RDWR if writable else os.O_RDONLY))

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        path.unlink()

    def sync_directory(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def lock(self, path: Path) -> Lock | None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        return _RealLock(fd)

    def lock_owner(self, path: Path) -> int | None:
        try:
            pid = int(path.read_bytes())
            os.kill(pid, 0)
        except (ValueError, OverflowError, ProcessLookupError, FileNotFoundError):
            return None
        except PermissionError:  # it runs, as somebody else
            return pid
        return pid

    def is_locked(self, path: Path) -> bool:
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def boot_id(self) -> str:
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # No Linux: every open counts as another boot. What depends on it is then rebuilt more often than it need be.
        return os.urandom(16).hex()

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def in_background(self, task: Callable[[], None]) -> BackgroundTask:
        return _Thread(task)


class _Thread:
    def __init__(self, task: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=task, name="segment", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()


class _RealFile:
    """Closed when nobody refers to it any more, so that a cache may drop a file that another thread still reads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._fd, size, offset)
        if len(data) == size:
            return data
        parts = [data]
        while data and sum(map(len, parts)) < size:  # a short read is rare, but allowed
            offset += len(data)
            data = os.pread(self._fd, size - sum(map(len, parts)), offset)
            parts.append(data)
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        written = os.pwrite(self._fd, data, offset)
        while written < len(data):
            written += os.pwrite(self._fd, memoryview(data)[written:], offset + written)

    def sync(self) -> None:
        if sys.platform == "darwin":  # its fsync stops at the drive's cache
            fcntl.fcntl(self._fd, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(self._fd)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def identity(self) -> int:
        return os.fstat(self._fd).st_ino

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class _RealLock:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        _held_here.add(self)

    @property
    def held(self) -> bool:
        return self._fd >= 0

    def sign(self) -> None:
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self.held:
            os.ftruncate(self._fd, 0)
            self.forget()

    def forget(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


# A forked child shares its parent's flock: without this, a child that outlives its parent would keep the ledger locked.
_held_here: weakref.WeakSet[_RealLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for lock in list(_held_here):
        if lock.held:
            lock.forget()


os.register_at_fork(after_in_child=_let_go_in_child)
