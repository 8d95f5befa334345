"""The schema to be recorded after a run: what was recorded, and what the run made of it; pure.

What somebody did by hand was there before the run and is there after it: nobody signed for it, so
it is not recorded, and `drift` goes on saying it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from dbops.change.diff import Difference, Verb
from dbops.change.function_text import powers
from dbops.change.implied import unset
from dbops.change.members import is_digest, is_list
from dbops.change.places import with_places
from dbops.change.schema import (
    GRANTS,
    POSITION,
    ObjectKind,
    ObjectName,
    Schema,
    SchemaObject,
)

_BETWEEN: Final = re.compile(r"\n|; |, ")
_OF: Final = "of"  # how a difference calls another owner
_OPTIONS: Final = "options"
_DEFINITION: Final = "definition"
_RUNNING: Final = frozenset({ObjectKind.FUNCTION, ObjectKind.PROCEDURE})

_Objects = Mapping[ObjectName, SchemaObject]


def recorded_after(recorded: Schema, before: Schema, after: Schema) -> Schema:
    """Return what was `recorded`, with what differs between `before` and `after`, and no more.

    Where nothing had drifted that is `after`. An object that the run made is as it made it, but for
    one inside of something that is not recorded; one that it dropped is gone, with what belonged to
    it. Of one that it altered the properties that it altered are so, others as recorded; see `_own`
    for one that was altered by hand as well. Columns that came between others by hand leave no gap
    in their places.
    """
    names = {*recorded.objects, *before.objects, *after.objects}
    alien = _alien(recorded.objects, before.objects, after.objects)
    found: dict[ObjectName, SchemaObject] = {}
    for name in names - alien:
        one = _recorded_one(name, recorded, before, after)
        if one is not None:
            found[name] = one
    placed = with_places(found, recorded.objects, before.objects, after.objects)
    usual = {name: text for name, text in after.usual.items() if name in placed}
    same = recorded.unknown == before.unknown
    return Schema(placed, after.unknown if same else recorded.unknown, usual)


def with_differences(schema: Schema, differences: Iterable[Difference]) -> Schema:
    """Return the schema once all of that differs, as a change that made it would leave it."""
    objects = dict(schema.objects)
    for each in differences:
        if each.verb is Verb.DROP:
            objects.pop(each.name, None)
            continue
        one = objects.get(each.name)
        of = next(iter(each.within), None) if one is None or _OF in each.changed else one.of
        had = {} if one is None else one.properties
        kept = {key: text for key, text in had.items() if key not in each.before}
        new = {key: text for key, text in each.after.items() if key != _OF}
        objects[each.name] = SchemaObject(each.name, {**kept, **new}, of)
    return Schema(objects, schema.unknown)


def _recorded_one(
    name: ObjectName, recorded: Schema, before: Schema, after: Schema
) -> SchemaObject | None:
    """The object as it is to be recorded; None for one that is not to be there."""
    had, was, now = (each.objects.get(name) for each in (recorded, before, after))
    if was == now:
        gone = now is None and had is not None and _went(had, recorded, before, after)
        return None if gone else had
    if had == was:
        return now
    was = was or (now and unset(now, before))
    now = now or (was and unset(was, after))
    if was is None or now is None:
        return now  # the run made it, or dropped it
    had = had or unset(now, recorded)
    if had is None:
        return None  # made by hand
    merged = replace(
        had,
        properties=dict(_properties(had, was, now)),
        of=had.of if was.of == now.of else now.of,
    )
    listed = name in after.objects or merged != unset(merged, after)
    return merged if listed else None


def _went(one: SchemaObject, recorded: Schema, before: Schema, after: Schema) -> bool:
    """Whether what it belonged to was dropped by the run: it was gone by hand before."""
    return any(
        outer in before.objects and outer not in after.objects
        for outer in _outer(one, recorded.objects)
    )


def _alien(recorded: _Objects, before: _Objects, after: _Objects) -> set[ObjectName]:
    """What the run made inside of something that was there and that nobody recorded."""
    return {
        name
        for name, one in after.items()
        if name not in before
        and any(outer in before and outer not in recorded for outer in _outer(one, after))
    }


def _outer(one: SchemaObject, objects: _Objects) -> Iterator[ObjectName]:
    """What it belongs to, the nearest first."""
    seen: set[ObjectName] = set()
    at = one.of
    while at is not None and at not in seen:
        seen.add(at)
        yield at
        outer = objects.get(at)
        at = None if outer is None else outer.of


def _properties(
    had: SchemaObject, was: SchemaObject, now: SchemaObject
) -> Iterator[tuple[str, str]]:
    for key in sorted({*had.properties, *was.properties, *now.properties}):
        texts = (each.properties.get(key) for each in (had, was, now))
        text = _own(had.name.kind, key, *texts)
        if text is not None:
            yield key, text


def _own(
    kind: ObjectKind, key: str, had: str | None, was: str | None, now: str | None
) -> str | None:
    """What a property is to be recorded as.

    Where it was altered by hand before the run, and then by the run, it is what the run made of it;
    but as recorded, if anything of what was done by hand is in it still: what of it is whose nobody
    can say, and drift that is said twice harms nobody.
    """
    if was == now:
        return had
    if key == POSITION or had in {was, now}:
        return now
    return had if _is_in_it(kind, key, had, was, now) else now


def _is_in_it(
    kind: ObjectKind, key: str, had: str | None, was: str | None, now: str | None
) -> bool:
    """Whether what came between the recorded text and that before the run is there after it."""
    if any(is_digest(text or "") for text in (had, was, now)):
        return True
    recorded, before, after = map(_pieces, (had, was, now))
    if (before - recorded) & after:
        return True
    if kind in _RUNNING and key == _DEFINITION:
        recorded, before, after = (frozenset(powers(text or "")) for text in (had, was, now))
    elif key not in {GRANTS, _OPTIONS} and not is_list(key):
        return False
    return bool((before - recorded) & after or (recorded - before) - after)


def _pieces(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else frozenset(_BETWEEN.split(text))
