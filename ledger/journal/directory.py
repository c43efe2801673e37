"""What a ledger's directory holds, whose it is, and which format it has.

<ledger>/FORMAT            "strandline ledger format 1\\n": the last thing that is made; without it there is no ledger yet
         LOCK              held (flock) by the process that owns the directory; its process id is in it
         journal/          00000000.segment, 00000001.segment, ... mark, wake (a socket); *.new is not in use yet
         views/            derived from the journal
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from ledger.errors import FormatVersionError, IntegrityError, LedgerLockedError
from ledger.journal.files import Files, Lock
from ledger.journal.segment import FORMAT_VERSION

__all__ = [
    "FORMAT_NAME",
    "NEW_SUFFIX",
    "has_ledger",
    "is_owned",
    "journal_directory",
    "remove_new",
    "segment_numbers",
    "take_lock",
    "write_format",
]

FORMAT_NAME = "FORMAT"
LOCK_NAME = "LOCK"
NEW_SUFFIX = ".new"
"""Of files that are not complete."""
_SEGMENT = re.compile(r"(\d{8})\.segment")
_FORMAT = re.compile(rb"strandline ledger format (\d{1,9})\n")
_LOCK_TRIES = 1_000
"""10 s: a reader that recovers a large segment of a dead owner must not keep the next owner out."""
_LOCK_PAUSE_S = 0.01


def journal_directory(directory: Path) -> Path:
    return directory / "journal"


def take_lock(files: Files, directory: Path) -> Lock:
    """Take the ledger's lock.

    A reader that looks whether there is an owner, or that recovers because there is none, holds it for a moment, unsigned: that is
    waited for.

    Raises:
        LedgerLockedError: another process owns the directory.
    """
    path = directory / LOCK_NAME
    for _ in range(_LOCK_TRIES):
        lock = files.lock(path)
        if lock is not None:
            return lock
        owner = files.lock_owner(path)
        if owner is not None:
            raise LedgerLockedError(f"{directory} is owned by process {owner}")
        time.sleep(_LOCK_PAUSE_S)
    raise LedgerLockedError(f"{directory} is owned by another process")


def is_owned(files: Files, directory: Path) -> bool:
    """Tell whether a process owns the directory now."""
    return files.is_locked(directory / LOCK_NAME)


def has_ledger(files: Files, directory: Path) -> bool:
    """Tell whether a ledger was made here, in a format that we read.

    Raises:
        FormatVersionError: a newer Strandline made it.
        IntegrityError: the FORMAT file is not ours.
    """
    try:
        file = files.open(directory / FORMAT_NAME)
    except FileNotFoundError:
        return False
    text = file.read(0, 100)
    file.close()
    match = _FORMAT.fullmatch(text)
    if match is None:
        raise IntegrityError("not the format of a ledger", address=directory / FORMAT_NAME, actual=text)
    version = int(match[1])
    if version != FORMAT_VERSION:
        raise FormatVersionError(f"{directory} has format {version}, this Strandline reads up to {FORMAT_VERSION}")
    return True


def write_format(files: Files, directory: Path) -> None:
    """Say that the ledger is there. A crash before the end leaves none, and making it starts again."""
    new = directory / (FORMAT_NAME + NEW_SUFFIX)
    with contextlib.suppress(FileNotFoundError):
        files.remove(new)
    file = files.create(new)
    file.write(0, f"strandline ledger format {FORMAT_VERSION}\n".encode())
    file.sync()
    file.close()
    files.rename(new, directory / FORMAT_NAME)


def segment_numbers(files: Files, directory: Path) -> list[int]:
    """Give the numbers of the segments that are there, ascending."""
    names = files.list(journal_directory(directory))
    return sorted(int(match[1]) for name in names if (match := _SEGMENT.fullmatch(name)))


def remove_new(files: Files, directory: Path) -> None:
    """Remove segments that were not finished."""
    journal = journal_directory(directory)
    for name in files.list(journal):
        if name.endswith(NEW_SUFFIX):
            files.remove(journal / name)
