"""The lines that `touches` lacks, as they can be pasted into change.yml; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbops.change.diff import Difference, Verb
from dbops.change.manifest_writing import touch_lines
from dbops.change.touch import Touch, touches_of

MOST: Final = 20
"""How many lines are given; who declares them learns of the next ones."""
_WHERE: Final = "write what is meant under touches, in place of a line of the same object there:"


def lacking(differences: Iterable[Difference], touches: Iterable[Touch]) -> tuple[str, ...]:
    """Return a line of YAML for each touch that would cover the differences.

    One that alters more of an object of `touches` names all of it, in place of the line there: no
    object stands there twice.
    """
    altered = {
        (each.kind, each.written): each.properties for each in touches if each.verb is Verb.ALTER
    }
    wanted = (
        _joined(each, altered.get((each.kind, each.written), ()))
        for each in touches_of(differences)
    )
    return tuple(touch_lines(wanted))


def declaring(differences: Iterable[Difference], touches: Iterable[Touch]) -> str:
    """Return the beginning of a hint: what to write under touches, a line each."""
    lines = lacking(differences, touches)
    more = [f"  # and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "\n".join((_WHERE, *lines[:MOST], *more, "or leave it out"))


def _joined(touch: Touch, properties: tuple[str, ...]) -> Touch:
    if touch.verb is not Verb.ALTER:
        return touch
    return replace(touch, properties=tuple(sorted({*touch.properties, *properties})))
