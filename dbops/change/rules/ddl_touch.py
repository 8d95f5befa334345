"""DDL-TOUCH: what the script and touches: do not both name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.diff import Verb
from dbops.change.reading_effects import Effect, effects, net_effects
from dbops.change.rules.dependents import PROGRAMS, changed_names
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.change.schema import ObjectKind
from dbops.change.touch import Touch
from dbops.review.finding import Finding, Severity, Unchecked

_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^.]+)')
_VERBS: Final = {
    Verb.CREATE: {Verb.CREATE, Verb.ALTER},
    Verb.DROP: {Verb.DROP, Verb.ALTER},
    Verb.ALTER: {Verb.CREATE, Verb.ALTER, Verb.DROP},
}


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    for effect in net_effects(case.up):
        if not any(_covers(touch, effect) for touch in case.change.touches):
            yield DDL_TOUCH.found(
                effect.place,
                f"{effect.verb.value} {effect.title} is not covered by touches:",
                f"touches: [{effect.verb.value} {effect.title}], or leave the statement out",
            )
    idle = [touch for touch in case.change.touches if not _is_named(touch, case)]
    if any(changed_names(case)):  # the text of what uses it changes with it
        idle = [touch for touch in idle if touch.kind not in PROGRAMS]
    if idle and any(reading.doubt is not None for reading in case.up):
        yield DDL_TOUCH.unchecked("whether some statement makes differ all that touches: names")
        return
    for touch in idle:
        what = f"touches: has {touch.verb.value} {touch.kind.value} {touch.written}, and no "
        hint = "take the line out, or write the statement"
        yield DDL_TOUCH.found("change.yml", what + "statement names it", hint)


def _covers(touch: Touch, effect: Effect) -> bool:
    path = _path(touch.written)
    whole = touch.kind is ObjectKind.TABLE and touch.verb is not Verb.ALTER
    if whole and effect.table is not None and is_same(path, effect.table.path):
        return True
    if effect.kind is ObjectKind.TABLE and effect.anew and effect.table is not None:
        return effect.table.last.casefold() in {part.casefold() for part in path}
    if touch.kind is not effect.kind or touch.verb not in _VERBS[effect.verb]:
        return False
    if effect.path is None:  # a name that the server gives
        return effect.table is not None and effect.table.last.casefold() in _folded(path)
    return is_same(path, effect.path)


def _is_named(touch: Touch, case: Case) -> bool:
    """Whether some statement names it, or the table that it belongs to."""
    path = _path(touch.written)
    inner = touch.kind in {ObjectKind.COLUMN, ObjectKind.CONSTRAINT, ObjectKind.TRIGGER}
    wanted = {part.upper() for part in path[-2 if inner else -1 :]}
    if touch.kind is ObjectKind.COLUMN and len(path) > 1:  # its own name may be any table's
        wanted = {path[-2].upper()}
    words = {word for reading in case.up for word in reading.words}
    return bool(wanted & words) or _follows(touch, case)


def _follows(touch: Touch, case: Case) -> bool:
    """Whether it may follow from a column or a key: a sequence, an index without a name."""
    follows = touch.kind in {ObjectKind.SEQUENCE, ObjectKind.INDEX, ObjectKind.CONSTRAINT}
    tables = {
        effect.table.last.casefold()
        for reading in case.up
        for effect in effects(reading)
        if effect.table is not None
    }
    return follows and any(touch.written.casefold().find(table) >= 0 for table in tables)


def _path(written: str) -> tuple[str, ...]:
    """Return the parts of a name; of a function without its arguments."""
    plain = written.partition("(")[0]
    parts = [found[1] or found[2] for found in _PART.finditer(plain)]
    return tuple(part.replace('""', '"') for part in parts)


def _folded(path: tuple[str, ...]) -> set[str]:
    return {part.casefold() for part in path} | {path[-1].casefold().partition("_")[0]}


DDL_TOUCH: Final = Rule(
    "DDL-TOUCH", Severity.WARNING, "what the script and touches: do not both name", _examine
)
