"""Looking at this machine's processes from a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

BOUND_SECONDS = 30.0


def until(condition: Callable[[], bool], seconds: float = BOUND_SECONDS) -> bool:
    """Whether the condition comes true within the bound."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def commands() -> dict[int, str]:
    """Every living process of this machine with its command line."""
    found = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with suppress(OSError):
                text = (place / "cmdline").read_bytes().decode(errors="replace")
                if text:
                    found[int(place.name)] = text.replace("\0", " ")
    return found


def tree(root: int) -> list[int]:
    """The process and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[1-9]*/stat"):
        with suppress(OSError):
            fields = place.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(place.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def program(pid: int) -> str:
    """What it runs, as the kernel calls it; empty where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    return ""


def memory(pid: int) -> int:
    """Its proportional set size (PSS) in bytes; 0 where it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def mentioning(text: str) -> list[int]:
    """The processes whose command line holds this text."""
    return [pid for pid, command in commands().items() if text in command]
