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


def mentioning(text: str) -> list[int]:
    """The processes whose command line holds this text."""
    return [pid for pid, command in commands().items() if text in command]
