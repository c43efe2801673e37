"""Runs `strandline project` and `strandline rebuild` as processes, and reads what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from publishing import Stream

HERE = Path(__file__).parent


def start(
    command: str, name: str, stream: Stream, store: Path, *more: str, **environment: object
) -> subprocess.Popen[str]:
    """Start a command about a stream; its own words come on its stderr."""
    arguments = ["--kafka", stream.kafka, "--ledger", stream.names.ledger, "--prefix", stream.names.prefix]
    return subprocess.Popen(
        [sys.executable, "-m", "strandline", command, name, *arguments, "--store", str(store), *more],
        cwd=HERE,
        env={**os.environ, **{key: str(value) for key, value in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(command: str, name: str, stream: Stream, store: Path, *more: str, **environment: object) -> tuple[int, str]:
    """Run a command to its end; give its exit code, and all that it said."""
    process = start(command, name, stream, store, *more, **environment)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def wait_for_block(process: subprocess.Popen[str], block: int) -> dict[str, Any]:
    """Read the log until it tells that the block is applied; give that line."""
    assert process.stderr is not None
    for line in process.stderr:
        event: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "applied" and event["block"] >= block:
            return event
    raise AssertionError(f"the process ended with {process.wait()} before block {block}")
