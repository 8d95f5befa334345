"""How errors put names, lists and near misses into words; pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence

_LONGEST = 60
_MOST_NAMES = 12
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def quoted(text: str) -> str:
    """Return `text` in double quotes, on one line, cut to 60 characters."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    # Whatever a terminal might obey (control and format characters) is written as an escape.
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1]
        for character in json.dumps(shown, ensure_ascii=False)
    )


def key_path(where: Sequence[str | int]) -> str:
    """Return the path of a key as TOML writes it: `databases.lab.engine`, `identities[2]`."""
    written = ""
    for step in where:
        if isinstance(step, int):
            written += f"[{step + 1}]"
        else:
            written += "." if written else ""
            written += step if _BARE_KEY.fullmatch(step) else quoted(step)
    return written


def listed(names: Iterable[str]) -> str:
    """Return the names separated by commas; of a long list the first twelve and a count."""
    every = list(names)
    shown = ", ".join(every[:_MOST_NAMES])
    return shown if len(every) <= _MOST_NAMES else f"{shown} and {len(every) - _MOST_NAMES} more"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    by_folded = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], *, label: str) -> str:
    """Return a hint: `did you mean "x"? label: x, y`, or only the second half of it."""
    every = list(known)
    near = nearest(name, every)
    what = f"{label}: {listed(every) or 'none'}"
    return what if near is None else f"did you mean {quoted(near)}? {what}"


def number(count: int) -> str:
    """Return a count as people read it, its thousands apart: `20,000`."""
    return f"{count:,}"


def size(count: int) -> str:
    """Bytes as people read them, in powers of a thousand."""
    number = float(count)
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")
