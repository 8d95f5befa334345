"""What a tree of processes and a directory take, looked at while the processes run."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 0.05
_PROC = Path("/proc")


@dataclass
class Peak:
    """The most that was seen, in bytes."""

    memory: int = 0
    disk: int = 0
    looks: int = 0


def watch(process: subprocess.Popen[str], place: Path | None = None) -> Peak:
    """The peak of the proportional set size (PSS) of the process and its descendants until it ends.

    PSS shares pages that several processes map among them, so that the sum counts each page once.
    With a `place`, also the peak of the files below it, looked at more rarely.
    """
    peak = Peak()
    while process.poll() is None:
        peak.memory = max(peak.memory, sum(map(_pss, _tree(process.pid))))
        if place is not None and peak.looks % 10 == 0:
            peak.disk = max(peak.disk, _size(place))
        peak.looks += 1
        time.sleep(LOOK_SECONDS)
    return peak


def _tree(root: int) -> list[int]:
    """The process and all its descendants that are alive."""
    parents: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def _pss(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it ended, or became another account's
    return 0


def _size(place: Path) -> int:
    """The disk space of the files below it."""
    total = 0
    for path in place.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:
            continue  # it went while we looked
    return total
