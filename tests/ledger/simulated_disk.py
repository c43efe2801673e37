"""A disk that loses power, fails, and fills up, as its `Files` contract allows and no more kindly.

    live      what processes see now (the page cache)
    durable   what is on the platter
    pending   sectors written, and names changed, since the last sync: at a power cut any subset of them survives, each sector
              in any of the states that it was given

Operations that change something are counted; `faults` says what happens at which of them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random

from ledger.journal.files import BackgroundTask, File, Lock

SECTOR = 512


class PowerCut(BaseException):
    """The machine is gone. Nothing catches it but a test."""


class Fault(Enum):
    """What befalls an operation."""

    CUT_BEFORE = "the power goes before it"
    CUT_AFTER = "it is done, and the power goes before it returns"
    ERROR = "it fails: EIO; a failed sync leaves any part on the disk, and the pages clean"
    ERROR_AFTER = "it is done, and fails all the same"


@dataclass
class Node:
    """A file's content. `pending` has, for each sector, the states it was given since the last sync."""

    inode: int
    live: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: dict[int, list[bytes]] = field(default_factory=dict)

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if end > len(self.live):
            self.live.extend(bytes(end - len(self.live)))
        self.live[offset:end] = data
        for sector in range(offset // SECTOR, -(-end // SECTOR)):
            self.pending.setdefault(sector, []).append(bytes(self.live[sector * SECTOR : (sector + 1) * SECTOR]))

    def sync(self) -> None:
        self.keep(lambda states: states[-1], len(self.live))
        self.pending.clear()

    def keep(self, choose: Callable[[list[bytes]], bytes | None], size: int) -> None:
        """Put the chosen states of the pending sectors on the platter."""
        self.durable.extend(bytes(max(0, size - len(self.durable))))
        for sector, states in self.pending.items():
            chosen = choose(states)
            if chosen is not None:
                at = sector * SECTOR
                self.durable[at : at + len(chosen)] = chosen
        del self.durable[size:]


@dataclass
class Folder:
    """Names in a directory. Each pending change is whole or did not happen."""

    live: dict[str, Node | Folder] = field(default_factory=dict)
    durable: dict[str, Node | Folder] = field(default_factory=dict)
    pending: list[dict[str, Node | Folder | None]] = field(default_factory=list)

    def change(self, changes: dict[str, Node | Folder | None]) -> None:
        _apply(self.live, changes)
        self.pending.append(changes)

    def sync(self) -> None:
        self.durable = dict(self.live)
        self.pending = []


def _apply(names: dict[str, Node | Folder], changes: dict[str, Node | Folder | None]) -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class SimulatedDisk:
    """Implements `Files`. `capacity` is in bytes of file content; `random` decides what survives."""

    def __init__(self, *, seed: int = 0, capacity: int | None = None) -> None:
        self.random = Random(seed)
        self.capacity = capacity
        self.faults: dict[int, Fault] = {}
        self.operations: list[str] = []
        self._root = Folder()
        self._inodes = 0
        self._locks: set[Path] = set()
        self._boot = 0
        self._off = False

    # What happens to the machine.

    def power_cut(self, *, survival: float | None = None, seed: int | None = None) -> SimulatedDisk:
        """Give the disk after a power cut. `survival`: how likely each pending change survives; None: chance decides that too."""
        after = self.process_killed()
        if seed is not None:
            after.random.seed(seed)
        likely = after.random.random() if survival is None else survival
        _settle(after._root, after.random, likely, set())
        after._boot += 1
        return after

    def process_killed(self) -> SimulatedDisk:
        """Give the disk as the next process finds it, page cache and all."""
        after = deepcopy(self)
        after.faults, after.operations, after._locks, after._off = {}, [], set(), False
        return after

    def copy_of_directory(self, old: Path, new: Path) -> None:
        """Copy a directory, as `cp -r` does: same bytes, other inodes."""
        for name, node in list(self._folder(old).live.items()):
            if isinstance(node, Folder):
                self.make_directory(new / name)
                self.copy_of_directory(old / name, new / name)
            else:
                file = self.create(new / name)
                file.write(0, bytes(node.live))
                file.sync()

    def content(self, path: Path) -> bytearray:
        """Give what a file holds now, to be changed in place: rot."""
        return self._node(path).live

    # Files.

    def make_directory(self, path: Path) -> None:
        folder, name = self._parent(path)
        if name not in folder.live:
            self._do("make_directory", lambda: folder.change({name: Folder()}))

    def list(self, directory: Path) -> list[str]:
        self._check_on()
        return list(self._folder(directory).live)

    def create(self, path: Path) -> File:
        folder, name = self._parent(path)
        if name in folder.live:
            raise FileExistsError(errno.EEXIST, "it is there", str(path))
        self._inodes += 1
        node = Node(self._inodes)
        self._do("create", lambda: folder.change({name: node}))
        return _SimulatedFile(self, node)

    def open(self, path: Path, *, writable: bool = False) -> File:
        self._check_on()
        return _SimulatedFile(self, self._node(path))

    def rename(self, old: Path, new: Path) -> None:
        folder, name = self._parent(old)
        self._do("rename", lambda: folder.change({new.name: folder.live[name], name: None}))

    def remove(self, path: Path) -> None:
        folder, name = self._parent(path)
        if name not in folder.live:
            raise FileNotFoundError(errno.ENOENT, "it is not there", str(path))
        self._do("remove", lambda: folder.change({name: None}))

    def sync_directory(self, path: Path) -> None:
        self._do("sync_directory", self._folder(path).sync)

    def lock(self, path: Path) -> Lock | None:
        self._check_on()
        if path in self._locks:
            return None
        self._locks.add(path)
        return _SimulatedLock(self._locks, path)

    def lock_owner(self, path: Path) -> int | None:
        return 1 if path in self._locks else None

    def is_locked(self, path: Path) -> bool:
        return path in self._locks

    def boot_id(self) -> str:
        return f"boot {self._boot}"

    def random_bytes(self, count: int) -> bytes:
        return self.random.randbytes(count)

    def in_background(self, task: Callable[[], None]) -> BackgroundTask:
        task()
        return _Done()

    # The machine.

    def used(self) -> int:
        """Give the bytes of all files."""
        return _used(self._root)

    def _do(self, what: str, act: Callable[[], None], half: Callable[[], None] = lambda: None) -> None:
        """Count an operation, and let its fault happen. `half` is what a failed one leaves."""
        self._check_on()
        fault = self.faults.get(len(self.operations))
        self.operations.append(what)
        if fault is Fault.CUT_BEFORE or fault is Fault.CUT_AFTER:
            if fault is Fault.CUT_AFTER:
                act()
            self._off = True
            raise PowerCut(f"at {what}")
        if fault is Fault.ERROR:
            half()
        else:
            act()
        if fault is not None:
            raise OSError(errno.EIO, f"simulated failure of {what}")

    def _check_on(self) -> None:
        if self._off:
            raise PowerCut("it is off already")

    def _check_room(self, growth: int) -> None:
        if growth > 0 and self.capacity is not None and self.used() + growth > self.capacity:
            raise OSError(errno.ENOSPC, "the simulated disk is full")

    def _folder(self, path: Path) -> Folder:
        folder = self._root
        for part in path.parts[1:]:
            found = folder.live.get(part)
            if not isinstance(found, Folder):
                raise FileNotFoundError(errno.ENOENT, "no such directory", str(path))
            folder = found
        return folder

    def _parent(self, path: Path) -> tuple[Folder, str]:
        return self._folder(path.parent), path.name

    def _node(self, path: Path) -> Node:
        folder, name = self._parent(path)
        node = folder.live.get(name)
        if not isinstance(node, Node):
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return node


def _used(folder: Folder) -> int:
    return sum(_used(node) if isinstance(node, Folder) else len(node.live) for node in folder.live.values())


def _settle(folder: Folder, random: Random, likely: float, seen: set[int]) -> None:
    """Let chance decide what of the pending changes is on the platter, and make that what is seen."""
    for changes in folder.pending:
        if random.random() < likely:
            _apply(folder.durable, changes)
    folder.live = dict(folder.durable)
    folder.pending = []
    for node in folder.live.values():
        if isinstance(node, Folder):
            _settle(node, random, likely, seen)
        elif node.inode not in seen:  # a file may have its old and its new name
            seen.add(node.inode)
            sizes = [len(node.durable), len(node.live)]
            node.keep(
                lambda states: random.choice(states) if random.random() < likely else None,
                sizes[random.random() < likely],
            )
            node.live = bytearray(node.durable)
            node.pending = {}


class _SimulatedFile:
    def __init__(self, disk: SimulatedDisk, node: Node) -> None:
        self._disk, self._node = disk, node

    def read(self, offset: int, size: int) -> bytes:
        self._disk._check_on()
        return bytes(self._node.live[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        self._disk._check_room(offset + len(data) - len(self._node.live))
        half = data[: self._disk.random.randrange(len(data) + 1)]
        self._disk._do("write", lambda: self._node.write(offset, data), lambda: self._node.write(offset, half))

    def sync(self) -> None:
        self._disk._do("sync", self._node.sync, self._fail_to_sync)

    def size(self) -> int:
        return len(self._node.live)

    def identity(self) -> int:
        return self._node.inode

    def close(self) -> None:
        pass

    def _fail_to_sync(self) -> None:
        random = self._disk.random
        self._node.keep(lambda states: states[-1] if random.random() < 0.5 else None, len(self._node.live))
        self._node.pending.clear()  # the pages count as clean: no later sync writes them


class _SimulatedLock:
    def __init__(self, locks: set[Path], path: Path) -> None:
        self._locks, self._path = locks, path

    @property
    def held(self) -> bool:
        return self._path in self._locks

    def sign(self) -> None:
        pass

    def release(self) -> None:
        self._locks.discard(self._path)


class _Done:
    def wait(self) -> None:
        pass
