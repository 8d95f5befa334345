"""DDL-DOWN: a way back that does not lead back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dbops.change.diff import Verb
from dbops.change.manifest import DataLoss
from dbops.change.reading_effects import HOLDERS, Effect, effects, net_effects
from dbops.change.rules.finding import Case, Rule, is_same
from dbops.change.rules.lost import lost
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity, Unchecked

_OPPOSITE: Final = {Verb.CREATE: Verb.DROP, Verb.DROP: Verb.CREATE, Verb.ALTER: Verb.ALTER}
_PARTS: Final = frozenset({ObjectKind.COLUMN, ObjectKind.CONSTRAINT, ObjectKind.INDEX})


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    yield from _lost(case)
    up, down = net_effects(case.up), net_effects(case.down)
    if not case.down:  # data_loss is permanent: no other manifest is read without down.sql
        return
    if any(reading.doubt is not None for reading in case.down):
        yield DDL_DOWN.unchecked("whether down.sql takes all of up.sql back")
        return
    wholes = _wholes(case)
    for effect in up:
        whole = replace(effect, path=wholes.get(effect.path or (), effect.path))
        if not any(_takes_back(other, each) for other in down for each in (effect, whole)):
            how = {Verb.CREATE: "creates", Verb.DROP: "drops", Verb.ALTER: "alters"}[effect.verb]
            yield DDL_DOWN.found(
                effect.place,
                f"up.sql {how} {effect.title}, and down.sql does not take that back",
                "write the opposite statement in down.sql",
            )


def _lost(case: Case) -> Iterator[Finding]:
    """What no down.sql brings back, and the manifest says that there is nothing."""
    if case.change.data_loss is DataLoss.NONE:
        hint = "declare data_loss: recoverable where a backup has it, or else permanent"
        for reading, what in lost(case):
            if reading.kind is not ObjectKind.SEQUENCE:  # it holds no values of anybody
                yield DDL_DOWN.found(reading.place, f"data_loss is none, and {what}", hint)


def _wholes(case: Case) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the indexes that up.sql makes partitions of another, which they go with, and that."""
    readings = [each for each in case.up if each.kind is ObjectKind.INDEX]
    wholes = {
        each.words[-1]: each.names[0].path
        for each in readings
        if each.names and each.has("ATTACH", "PARTITION")
    }
    made = (effect.path for each in readings for effect in effects(each))
    return {path: wholes[path[-1].upper()] for path in made if path and path[-1].upper() in wholes}


def _takes_back(other: Effect, effect: Effect) -> bool:
    """Whether a statement of down.sql takes back an effect of up.sql."""
    outer = other.verb is Verb.DROP and effect.verb is not Verb.DROP
    if outer and other.kind in HOLDERS and _is_in(effect, other):
        return True
    if outer and other.kind is ObjectKind.SCHEMA and effect.path and other.path:
        return effect.path[0].casefold() == other.path[-1].casefold()
    if outer and other.kind in _PARTS and effect.kind in _PARTS and _is_beside(effect, other):
        unnamed = effect.path is None or other.path is None
        goes_along = other.kind is not effect.kind and effect.kind is not ObjectKind.COLUMN
        if unnamed or goes_along:
            return True
    built = [each for each in (effect, other) if each.kind in HOLDERS and each.anew]
    if built and _is_beside(effect, other):  # built anew, with anything in it
        return True
    if not _is_one_kind(effect, other) or not _is_one(effect, other):
        return False
    return effect.anew or other.anew or other.verb is _OPPOSITE[effect.verb]


def _is_one_kind(effect: Effect, other: Effect) -> bool:
    """DROP TABLE is also how a virtual table goes."""
    virtual = {ObjectKind.TABLE, ObjectKind.VIRTUAL_TABLE}
    return other.kind is effect.kind or {other.kind, effect.kind} == virtual


def _is_one(effect: Effect, other: Effect) -> bool:
    if effect.path is None or other.path is None:
        return _is_beside(effect, other)
    return is_same(effect.path, other.path)


def _is_in(effect: Effect, table: Effect) -> bool:
    own = effect.table
    return own is not None and table.path is not None and is_same(own.path, table.path)


def _is_beside(effect: Effect, other: Effect) -> bool:
    one, two = effect.table, other.table
    return one is not None and two is not None and is_same(one.path, two.path)


DDL_DOWN: Final = Rule("DDL-DOWN", Severity.ERROR, "a way back that does not lead back", _examine)
