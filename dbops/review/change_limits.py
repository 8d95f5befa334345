"""What limits a change has where its manifest says nothing: people sign the real numbers; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

DEFAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {"lock_wait": "3s", "statement": "15m", "attempts": "5", "pause": "10s"}
)
"""Texts as a manifest has them; `change.manifest` holds the same as values."""


def with_defaults(limits: Iterable[str]) -> tuple[str, ...]:
    """Return the lines, such as `lock_wait: 5s`, and behind them one for each that is missing."""
    lines = tuple(limits)
    said = {line.partition(":")[0] for line in lines}
    return (*lines, *(f"{key}: {text}" for key, text in DEFAULTS.items() if key not in said))
