"""Properties whose values are no plain English, said as people say them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_OF: Final = "of"
# What is said of a property that an object now has, and now has no longer.
_TURNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "all tables": ("now of all tables", "no longer of all tables"),
        "cycle": ("now begins again at its end", "now ends at its end"),
        "detach pending": ("is being detached", "is no longer being detached"),
        "row security": ("row security is on now", "row security is off now"),
        "row security of owner": (
            "row security now holds for the owner too",
            "row security no longer holds for the owner",
        ),
        "template": ("now a template", "no longer a template"),
    }
)
# What an object now is, by the value of a property; "" where it has none.
_STATES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "enabled": {
            "": "enabled",
            "always": "enabled always, for replicated rows too",
            "disabled": "disabled",
            "replica": "enabled for replicated rows only",
        },
        "inherited": {
            "": "of its own",
            "and of its own": "inherited and of its own",
            "yes": "inherited",
        },
    }
)
# What holds where the property is missing.
_USUAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access method": "heap",
        "compression": "the server's",
        "connection limit": "unlimited",
        "connections": "allowed",
        "replica identity": "the primary key",
        "statistics": "the server's",
        "storage": "that of the type",
        "triggers": "enabled",
    }
)


def said_at_once(key: str, old: str | None, new: str | None) -> str | None:
    """Return a whole sentence for the change of a property; None where there is none for it."""
    if key == _OF:
        return _belongs(old or "", new or "")
    if key in _TURNS and {old, new} == {None, "yes"}:
        return _TURNS[key][0 if old is None else 1]
    state = _STATES.get(key, {}).get(new or "")
    return None if state is None or (old or "") not in _STATES[key] else f"now {state}"


def said_instead(key: str) -> str:
    """Return what a property is where it is missing."""
    return _USUAL.get(key, "none")


def _belongs(old: str, new: str) -> str:
    if not new:
        return f"no longer belongs to {old}"
    return f"now belongs to {new}" + (f", no longer to {old}" if old else "")
