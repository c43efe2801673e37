"""Stands between a process and the broker it started, so that the broker never outlives that process.

    parent ──pipe──> guard ──> java

- The guard ends the broker (SIGTERM, after a while SIGKILL) as soon as its standard input ends: the parent asked for it, or died
  (by SIGKILL too).
- On Linux the kernel ends the broker when the guard itself is killed.
- It ends with the broker's own exit code when the broker ends first.

Run as a script, `python kafka_guard.py guard|detach PID_FILE COMMAND...`; the standard library alone, so that it starts in a few
milliseconds. `detach` starts the broker for good and ends at once, so that nobody is its parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_GRACE_S = 15.0
_PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(broker: subprocess.Popen[bytes]) -> None:
    broker.terminate()
    try:
        broker.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        broker.kill()


def _write_pid(path: str, broker: subprocess.Popen[bytes]) -> None:
    Path(f"{path}.part").write_text(str(broker.pid))
    os.replace(f"{path}.part", path)


def guard(pid_file: str, command: list[str]) -> int:
    broker = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_guard if sys.platform == "linux" else None
    )
    _write_pid(pid_file, broker)

    def wait_for_parent() -> None:
        while os.read(0, 1):
            pass
        _end(broker)

    threading.Thread(target=wait_for_parent, daemon=True).start()
    code = broker.wait()
    return code if code >= 0 else 128 - code


def detach(pid_file: str, command: list[str]) -> int:
    _write_pid(pid_file, subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))
    return 0


if __name__ == "__main__":
    sys.exit({"guard": guard, "detach": detach}[sys.argv[1]](sys.argv[2], sys.argv[3:]))
