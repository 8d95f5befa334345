"""What a change may make differ: the lines of `touches:`, and what they cover; pure.

A line is a verb, a kind and a name, and for `alter` the properties in parentheses:
`create table his.ward`, `alter column his.visit.ward_code (default, type)`, `drop index his.old`.
It is exactly what a difference is called, so a diff can write them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dbops.change.diff import Difference, Verb, is_only_order
from dbops.change.schema import ObjectKind, ObjectName


@dataclass(frozen=True, slots=True, order=True)
class Touch:
    """One object that may differ afterwards; `properties` only where it is altered.

    `at` is the line of the manifest that says it, 0 where none does.
    """

    verb: Verb
    kind: ObjectKind
    written: str
    properties: tuple[str, ...] = ()
    at: int = field(default=0, compare=False)

    @property
    def line(self) -> str:
        """The touch as the manifest says it."""
        ending = f" ({', '.join(self.properties)})" if self.properties else ""
        return f"{self.verb.value} {self.kind.value} {self.written}{ending}"


def touch_of(difference: Difference) -> Touch:
    """Return the touch that covers just this difference."""
    name = difference.name
    return Touch(difference.verb, name.kind, name.written, difference.changed)


def parse_touch(line: str) -> Touch | None:
    """Return the touch that a line says; None where it says none."""
    verb, _, rest = line.partition(" ")
    kind = next(
        (
            kind
            for kind in sorted(ObjectKind, key=lambda each: -len(each.value))
            if rest.startswith(f"{kind.value} ")
        ),
        None,
    )
    if kind is None or verb not in set(Verb):
        return None
    name = rest[len(kind.value) + 1 :]
    properties: tuple[str, ...] = ()
    if verb == Verb.ALTER:
        name, opened, inside = name.rpartition(" (")
        if not opened or not inside.endswith(")"):
            return None
        properties = tuple(inside[:-1].split(", "))
        if not all(properties) or list(properties) != sorted(set(properties)):
            return None
    if not name or name != name.strip():
        return None
    return Touch(Verb(verb), kind, name, properties)


def touches_of(differences: Iterable[Difference]) -> tuple[Touch, ...]:
    """Return the fewest touches that cover the differences."""
    return tuple(map(touch_of, outermost(differences)))


def outermost(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return the differences without those that come with another of them.

    What is made or dropped takes along what belongs to it, and what follows it.
    """
    found = tuple(differences)
    outer = {(each.verb, each.name) for each in found if each.verb is not Verb.ALTER}
    altered = {each.name: set(each.changed) for each in found if each.verb is Verb.ALTER}
    return tuple(
        each
        for each in found
        if not any((each.verb, name) in outer for name in each.within)
        and not any(set(each.changed) <= altered.get(name, set()) for name in leaders(each))
    )


def leaders(difference: Difference) -> tuple[ObjectName, ...]:
    """Return the objects of its own kind that an altered one follows."""
    if difference.verb is not Verb.ALTER:
        return ()
    return tuple(name for name in difference.within if name.kind is difference.name.kind)


def uncovered(
    differences: Sequence[Difference], touches: Iterable[Touch]
) -> tuple[Difference, ...]:
    """Return the differences that no touch covers.

    A touch that creates or drops an object covers what belongs to it, created or dropped. One that
    alters an object covers the properties that it names. The place of a column among the others
    follows from columns that come and go in its table, so it needs no touch of its own there.
    """
    allowed = frozenset(touches)
    made = {(each.verb, each.kind, each.written) for each in allowed}
    moved = {each.within[:1] for each in differences if each.verb is not Verb.ALTER}
    return tuple(
        each
        for each in differences
        if not (is_only_order(each) and each.within[:1] in moved)
        and not _covered(each, allowed, made)
    )


def unseen(differences: Iterable[Difference], touches: Iterable[Touch]) -> tuple[Touch, ...]:
    """Return the touches of which no difference is."""
    seen = {(each.verb, each.name.kind, each.name.written) for each in differences}
    return tuple(each for each in touches if (each.verb, each.kind, each.written) not in seen)


def _covered(
    difference: Difference,
    allowed: frozenset[Touch],
    made: set[tuple[Verb, ObjectKind, str]],
) -> bool:
    verb = difference.verb
    if verb is Verb.ALTER:
        return any(_alters(touch, difference) for touch in allowed)
    return any(
        (verb, name.kind, name.written) in made for name in (difference.name, *difference.within)
    )


def _alters(touch: Touch, difference: Difference) -> bool:
    return (
        touch.verb is Verb.ALTER
        and set(difference.changed) <= set(touch.properties)
        and any(
            (touch.kind, touch.written) == (name.kind, name.written)
            for name in (difference.name, *leaders(difference))
        )
    )


def names_touched(touches: Iterable[Touch]) -> frozenset[tuple[ObjectKind, str]]:
    """Return the kinds and written names of all objects that the touches name."""
    return frozenset((each.kind, each.written) for each in touches)
