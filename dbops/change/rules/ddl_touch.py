"""DDL-TOUCH: what the script and touches: do not both name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dbops.change.diff import Verb
from dbops.change.parsed import read_step
from dbops.change.reading import Act, Name, has
from dbops.change.reading_effects import HOLDERS, Effect, effects, net_effects
from dbops.change.rules.dependents import PROGRAMS, changed_names
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.change.rules.spelling import effect_title, path_of
from dbops.change.schema import ObjectKind, SchemaObject
from dbops.change.step import Step
from dbops.change.touch import Touch
from dbops.review.finding import Finding, Severity, Unchecked

_VERBS: Final = {
    Verb.CREATE: {Verb.CREATE, Verb.ALTER},
    Verb.DROP: {Verb.DROP, Verb.ALTER},
    Verb.ALTER: {Verb.CREATE, Verb.ALTER, Verb.DROP},
}
_ENDS: Final = {Verb.CREATE: "", Verb.DROP: "", Verb.ALTER: " (…)"}  # what differs of it


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    found = net_effects(case.up)
    rebuilt = {each.path for each in found if each.anew and each.kind in HOLDERS}
    for each in found:
        effect = each
        if any(_covers(touch, effect) for touch in case.change.touches) or _is_key(case, effect):
            continue
        if effect.table is not None and effect.path not in rebuilt and effect.table.path in rebuilt:
            if case.schema is None:
                yield DDL_TOUCH.unchecked("whether what is made on a new table was on the old one")
                continue
            known = None if effect.path is None else case.find(effect.kind, Name(effect.path))
            if known is not None and _is_said(case, effect.place, known):
                continue
            effect = effect if known is None else replace(effect, verb=Verb.ALTER, anew=True)
        line = f"{effect.verb.value} {effect_title(case, effect)}"
        yield DDL_TOUCH.found(
            effect.place,
            f"{line} is not covered by touches:",
            f"touches: [{line}{_ENDS[effect.verb]}], or leave the statement out",
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


def _is_said(case: Case, place: str, known: SchemaObject) -> bool:
    """Whether the statement of a place says of an object what the catalogue has of it."""
    made = next((each for each in case.up if each.place == place), None)
    was = read_step(Step(0, "", known.properties.get("definition", ""), 0), case.dialect, "")
    return made is not None and (_said(was.words), was.texts) == (_said(made.words), made.texts)


def _said(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words as the catalogue keeps them: without IF NOT EXISTS, and the file's name."""
    text = " ".join(words).replace(" IF NOT EXISTS ", " ").replace(" MAIN . ", " ")
    return tuple(text.split())


def _is_key(case: Case, effect: Effect) -> bool:
    """Whether it makes an index that a constraint takes over: then the schema has that alone."""
    if effect.kind is not ObjectKind.INDEX or effect.path is None:
        return False
    name = effect.path[-1].upper()
    return any(
        has(clause.words, "USING", "INDEX", name)
        for reading in case.up
        for clause in reading.acts(Act.ADD_CONSTRAINT)
    )


def _covers(touch: Touch, effect: Effect) -> bool:
    path = path_of(touch.written)
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
    path = path_of(touch.written)
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


def _folded(path: tuple[str, ...]) -> set[str]:
    return {part.casefold() for part in path} | {path[-1].casefold().partition("_")[0]}


DDL_TOUCH: Final = Rule(
    "DDL-TOUCH", Severity.WARNING, "what the script and touches: do not both name", _examine
)
