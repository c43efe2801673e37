"""Whether what lies in a views directory can be believed: the STATE file.

    STATE   {"format", "strandId", "bootId", "dataFile": [device, inode], "clean": null | {"sequenceNo", "blockHash"}}

The view store is never synced while in use. After a power cut any subset of its pages may be on the disk: it may be corrupt, not merely
late, and even reading it may crash. So the word on it lives in a file of its own, replaced whole and durably:

    opened    clean: null, and this boot's id      before anything is written to the store
    closed    clean: position                      after the store and the flat files were synced

Believed is a store of our format and strand that was closed cleanly, or that was in use in this very boot of the machine, as this very
file: then the page cache has every write, also of a process that was killed. (A copy of a store in use is another file.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.journal import RealFiles

__all__ = ["DATA_FILE", "Doubt", "State", "believed", "erase", "read_state", "write_state"]

STORE_FORMAT: Final = 3
DATA_FILE: Final = "data.mdb"
_STATE, _NEW_STATE = "STATE", "STATE.new"


class Doubt(Exception):  # not an error of anybody: the store is derived, and is rebuilt
    """Why a store cannot be believed."""


@dataclass(frozen=True, slots=True)
class State:
    """The word on a store. `clean`: its position (sequence number, block hash) if it was closed; None while in use."""

    strand_id: str
    boot_id: str
    data_file: tuple[int, int]
    clean: tuple[int, bytes] | None
    format: int = STORE_FORMAT


def read_state(directory: Path) -> State | None:
    """Read STATE; None if there is none that says anything."""
    try:
        said = json.loads((directory / _STATE).read_bytes())
        device, inode = said["dataFile"]
        clean = said["clean"] and (int(said["clean"]["sequenceNo"]), bytes.fromhex(said["clean"]["blockHash"]))
        return State(str(said["strandId"]), str(said["bootId"]), (device, inode), clean, said["format"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_state(directory: Path, strand_id: str, boot_id: str, clean: tuple[int, bytes] | None) -> None:
    """Replace STATE, durably. A crash in here leaves the old one or the new one.

    Raises:
        OSError
    """
    said = {
        "format": STORE_FORMAT,
        "strandId": strand_id,
        "bootId": boot_id,
        "dataFile": _identity(directory),
        "clean": None if clean is None else {"sequenceNo": clean[0], "blockHash": clean[1].hex()},
    }
    disk = RealFiles()
    (directory / _NEW_STATE).unlink(missing_ok=True)
    file = disk.create(directory / _NEW_STATE)
    file.write(0, json.dumps(said).encode())
    file.sync()
    file.close()
    disk.rename(directory / _NEW_STATE, directory / _STATE)
    disk.sync_directory(directory)


def believed(directory: Path, state: State | None, strand_id: str, boot_id: str) -> State:
    """Return `state` if it says that the store may be opened.

    Raises:
        Doubt: it must not even be opened.
    """
    if state is None:
        raise Doubt("nothing says what state it is in")
    if state.format != STORE_FORMAT:
        raise Doubt(f"its format is {state.format}, not {STORE_FORMAT}")
    if state.strand_id != strand_id:
        raise Doubt(f"it belongs to strand {state.strand_id}, not {strand_id}")
    if state.clean is None and state.boot_id != boot_id:
        raise Doubt("it was in use when the machine stopped")
    if state.clean is None and state.data_file != _identity(directory):
        raise Doubt("it is a copy of one in use")
    return state


def erase(directory: Path, names: tuple[str, ...]) -> None:
    """Throw a store away. STATE goes first: what a crash leaves of the rest is not believed."""
    for name in (_STATE, _NEW_STATE):
        (directory / name).unlink(missing_ok=True)
    RealFiles().sync_directory(directory)
    for name in names:
        (directory / name).unlink(missing_ok=True)


def _identity(directory: Path) -> tuple[int, int]:
    try:
        status = (directory / DATA_FILE).stat()
    except FileNotFoundError:
        return (0, 0)
    return status.st_dev, status.st_ino
