"""Cuts the end off a partition's log on the disk of a broker that is not running, as a lost disk or an old backup would.

A log segment is a row of record batches:

    base offset 8 | length 4 | ... length bytes ... |      big-endian; the next batch follows at once

Source: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEAD = struct.Struct(">QI")


def truncate_log(broker_directory: Path, topic: str, partition: int, batches: int) -> int:
    """Cut the last `batches` batches off (kafka_tx markers are batches too) and give how many are left."""
    data = broker_directory / "data"
    directory = data / f"{topic}-{partition}"
    log = directory / f"{0:020}.log"
    content = log.read_bytes()
    starts = []
    offset = 0
    while offset + _HEAD.size <= len(content):
        _, length = _HEAD.unpack_from(content, offset)
        if length == 0:  # preallocated
            break
        starts.append(offset)
        offset += _HEAD.size + length
    keep = max(0, len(starts) - batches)
    log.write_bytes(content[: starts[keep]] if keep < len(starts) else content)
    for other in directory.iterdir():
        if (
            other.suffix in (".index", ".timeindex", ".txnindex", ".snapshot")
            or other.name == "leader-epoch-checkpoint"
        ):
            other.unlink()
    (data / ".kafka_cleanshutdown").unlink(missing_ok=True)  # recover this log from its bytes
    return keep
