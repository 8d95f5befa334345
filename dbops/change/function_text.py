"""What the text of a function says of how it runs, for people only; pure.

The text is that of PostgreSQL's `pg_get_functiondef`: options stand on one line behind the
language, settings on a line each. Nothing is decided by what is read here: what is not understood
stays in the rest, of which is said that it differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_LANGUAGE: Final = re.compile(r"^ LANGUAGE .+$", re.MULTILINE)
_OPTIONS: Final = re.compile(
    r"(?P<window> WINDOW)?(?P<volatility> IMMUTABLE| STABLE)?"
    r"( PARALLEL (?P<parallel>SAFE|RESTRICTED))?(?P<strict> STRICT)?"
    r"(?P<definer> SECURITY DEFINER)?(?P<leakproof> LEAKPROOF)?"
    r"( COST (?P<cost>\S+))?( ROWS (?P<rows>\S+))?( SUPPORT (?P<support>\S+))?"
)
_SETTING: Final = re.compile(r" SET (?P<name>\S+) TO (?P<value>.*)")
_DEFINER: Final = "security definer"
_SETS: Final = "setting "
_FLAGS: Final = (_DEFINER, "leakproof", "strict", "window")
# What holds where the text does not say it; the costs that are usual differ by language.
_USUAL: Final[Mapping[str, str]] = MappingProxyType(
    {"volatility": "volatile", "parallel": "unsafe", "cost": "usual", "rows": "usual"}
)
_LONGEST: Final = 60  # characters of a setting that is still said


@dataclass(frozen=True, slots=True)
class FunctionText:
    """`head` ends with the language, `traits` are by short names, `body` is all behind them."""

    head: str
    traits: Mapping[str, str]
    body: str


def read_function(definition: str) -> FunctionText:
    """Return the parts of the text; all of it is the body where no language is named."""
    found = _LANGUAGE.search(definition)
    if found is None:
        return FunctionText("", {}, definition)
    lines = definition[found.end() + 1 :].split("\n")
    traits: dict[str, str] = {}
    options = _OPTIONS.fullmatch(lines[0])
    if options is not None and lines[0]:
        traits.update(_traits(options))
        lines.pop(0)
    while lines and (setting := _SETTING.fullmatch(lines[0])) is not None:
        traits[f"{_SETS}{setting['name']}"] = setting["value"]
        lines.pop(0)
    return FunctionText(definition[: found.end()], traits, "\n".join(lines))


def powers(definition: str) -> tuple[str, ...]:
    """Return what lets a function do other than whoever calls it: `security definer`, settings."""
    traits = read_function(definition).traits
    return tuple(
        key if key in _FLAGS else f"{key} {text}"
        for key, text in traits.items()
        if key == _DEFINER or key.startswith(_SETS)
    )


def function_words(old: str, new: str) -> str:
    """Return what differs between two texts of a function, each trait by its name."""
    was, now = read_function(old), read_function(new)
    keys = sorted({*was.traits, *now.traits}, key=lambda key: (key not in _FLAGS, key))
    told = [
        _trait(key, was.traits.get(key), now.traits.get(key))
        for key in keys
        if was.traits.get(key) != now.traits.get(key)
    ]
    if was.head != now.head:
        told.append("definition differs")
    elif was.body != now.body:
        told.append("body differs")
    return "; ".join(told)


def _traits(options: re.Match[str]) -> Iterator[tuple[str, str]]:
    for name, text in options.groupdict().items():
        if text is not None:
            yield (_DEFINER if name == "definer" else name), text.strip().lower()


def _trait(key: str, old: str | None, new: str | None) -> str:
    if key in _FLAGS:
        return f"no longer {key}" if new is None else f"now {key}"
    was, now = (_USUAL.get(key, "none") if text is None else text for text in (old, new))
    return f"{key} differs" if len(was + now) > 2 * _LONGEST else f"{key}: {was} → {now}"
