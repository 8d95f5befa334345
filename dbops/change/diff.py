"""What differs between two schemas, object by object; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dbops.change.follow import followed
from dbops.change.implied import unset
from dbops.change.schema import (
    GRANTS,
    OWNER,
    POSITION,
    ObjectKind,
    ObjectName,
    Schema,
    SchemaObject,
)


class Verb(StrEnum):
    """How an object differs."""

    CREATE = "create"
    ALTER = "alter"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that differs.

    `before` and `after` are the properties that differ: all of them for an object that is only on
    one side. A property that is not set on one side is missing there. `within` are the objects that
    it belongs to, the nearest first, on the side where it is; behind them those of its own kind
    that it follows, as a column of a partition follows that of the partitioned table. `usual` is
    what a property means on the side where it is missing: of `grants` what its owner began with.
    """

    verb: Verb
    name: ObjectName
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    within: tuple[ObjectName, ...] = ()
    usual: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the properties that differ, sorted; for an altered object only."""
        if self.verb is not Verb.ALTER:
            return ()
        return tuple(sorted({*self.before, *self.after}))

    @property
    def back(self) -> Difference:
        """The same the other way round: what is created is dropped."""
        verb = {Verb.CREATE: Verb.DROP, Verb.DROP: Verb.CREATE}.get(self.verb, self.verb)
        return replace(self, verb=verb, before=self.after, after=self.before)


def compare_schemas(before: Schema, after: Schema) -> tuple[Difference, ...]:
    """Return every difference, in the order of the objects' names."""
    return tuple(_differences(before, after))


def is_only_order(difference: Difference) -> bool:
    """Whether nothing but the place of a column among the others differs."""
    return (
        difference.name.kind is ObjectKind.COLUMN
        and difference.verb is Verb.ALTER
        and difference.changed == (POSITION,)
    )


def _differences(before: Schema, after: Schema) -> Iterator[Difference]:
    for name in sorted(before.objects.keys() | after.objects.keys()):
        left, right = before.objects.get(name), after.objects.get(name)
        if left is None and right is not None:
            left = unset(right, before)
        elif right is None and left is not None:
            right = unset(left, after)
        if left is None and right is not None:
            yield Difference(
                Verb.CREATE, name, after=right.properties, within=_within(right, after)
            )
        elif right is None and left is not None:
            yield Difference(Verb.DROP, name, before=left.properties, within=_within(left, before))
        elif left is not None and right is not None and left != right:
            usual = _usual(left, right, before, after)
            yield replace(_altered(left, right, after), usual=usual)


def _usual(
    left: SchemaObject, right: SchemaObject, before: Schema, after: Schema
) -> dict[str, str]:
    """What the grants are where only one side says them; nothing where nobody knows."""
    if (GRANTS in left.properties) is (GRANTS in right.properties):
        return {}
    sides = [(left, before), (right, after)]
    sides.sort(key=lambda side: GRANTS in side[0].properties)
    (silent, own), (other, others) = sides
    text = own.usual.get(silent.name)
    # A text that was kept has none; the same owner of the same object begins with the same.
    if text is None and silent.properties.get(OWNER) == other.properties.get(OWNER):
        text = others.usual.get(silent.name)
    return {} if text is None else {GRANTS: text}


def _altered(left: SchemaObject, right: SchemaObject, after: Schema) -> Difference:
    keys = {*left.properties, *right.properties}
    changed = {key for key in keys if left.properties.get(key) != right.properties.get(key)}
    old = {key: text for key, text in left.properties.items() if key in changed}
    new = {key: text for key, text in right.properties.items() if key in changed}
    if left.of != right.of:
        old["of"] = "" if left.of is None else left.of.title
        new["of"] = "" if right.of is None else right.of.title
    return Difference(Verb.ALTER, right.name, old, new, _within(right, after))


def _within(one: SchemaObject, schema: Schema) -> tuple[ObjectName, ...]:
    found: list[ObjectName] = []
    at = one.of
    while at is not None and at not in found:
        found.append(at)
        outer = schema.objects.get(at)
        at = None if outer is None else outer.of
    return (*found, *followed(one, schema))
