"""What a person gives a command beside its options: names with values, and small files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dbops.cli.reading import read_named
from dbops.errors import Failed, UsageFault

TEXT_MOST: Final = 1 << 20  # bytes of a script, and of a sealed value


def pairs_of(typed: Sequence[str], option: str) -> dict[str, str]:
    """The names and values of an option that is given several times as NAME=VALUE."""
    pairs: dict[str, str] = {}
    for text in typed:
        name, equals, value = text.partition("=")
        if not equals or not name or name in pairs:
            raise UsageFault(
                "name-and-value",
                f"{option} is not NAME=VALUE, or gives a name twice",
                hint=f"for example: {option} ward=ORT",
            )
        pairs[name] = value
    return pairs


def sealed_texts(sealings: Sequence[str]) -> dict[str, str]:
    """The sealed values: never typed, because an argument stands in the list of processes."""
    found: dict[str, str] = {}
    for name, place in pairs_of(sealings, "--seal").items():
        data = _given(place)
        try:
            found[name] = data.decode().removesuffix("\n")
        except UnicodeDecodeError:
            raise UsageFault(
                "sealed-text", f"the value of {name} is no text", hint="write it in UTF-8"
            ) from None
    return found


def read_keys(place: str) -> tuple[str, ...]:
    """The keys of rows, one a line: as arguments they would stand in the list of processes."""
    data = _given(place)
    try:
        return tuple(line for line in data.decode().splitlines() if line)
    except UnicodeDecodeError:
        raise UsageFault("keys-text", "--keys is no text", hint="write it in UTF-8") from None


def _given(place: str) -> bytes:
    """What the file has, or for `-` standard input; it is short enough for people to review."""
    if place != "-":
        return read_named(Path(place), TEXT_MOST)
    data = sys.stdin.buffer.read(TEXT_MOST + 1)
    if len(data) > TEXT_MOST:
        raise Failed(
            "file-too-large",
            f"standard input is larger than {TEXT_MOST} bytes",
            hint="see that it is the right file",
        )
    return data
