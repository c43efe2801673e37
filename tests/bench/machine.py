"""What the machine says about a measurement: how much of it was stolen, and how much memory a process holds."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Watch", "cpu_seconds", "describe", "file_system_of", "memory_mb"]


@dataclass
class Watch:
    """Measures wall time and the machine's steal between two moments."""

    began: float = field(default_factory=time.monotonic)
    _at_start: tuple[int, int] = field(default_factory=lambda: _ticks())

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def steal_percent(self) -> float:
        """Give the share of all CPU time that the hypervisor gave to others: field 8 of /proc/stat. 0 where there is none."""
        total, stolen = _ticks()
        passed = total - self._at_start[0]
        return round(100 * (stolen - self._at_start[1]) / passed, 1) if passed else 0.0


def _ticks() -> tuple[int, int]:
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0, 0
    return sum(map(int, fields)), int(fields[7])


def memory_mb(pid: int) -> dict[str, float]:
    """Give a process's own memory (`anonymous`: heap and stacks, without mapped files) and all that is resident, in MB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "anonymous": round(int(lines["RssAnon"].split()[0]) / 1024, 1),
        "resident": round(int(lines["VmRSS"].split()[0]) / 1024, 1),
    }


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that a process and its threads have used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def file_system_of(directory: Path) -> str:
    """Give the kind of file system that holds a directory, as /proc/mounts calls it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [(len(point), kind) for point, kind in mounts if directory.resolve().is_relative_to(point)]
    return max(inside)[1]


def describe() -> dict[str, object]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpus": os.cpu_count(),
        "cpu": models[0].split(":", 1)[1].strip() if models else platform.machine(),
        "memoryGB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "loadBefore": os.getloadavg()[0],
        "python": platform.python_version(),
    }
