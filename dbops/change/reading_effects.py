"""Which objects a statement makes, alters and drops, as far as it was read; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from dbops.change.diff import Verb
from dbops.change.reading import Act, Clause, Does, Flag, Name, Reading
from dbops.change.schema import ObjectKind

_VERBS: Final = {Does.CREATE: Verb.CREATE, Does.ALTER: Verb.ALTER, Does.DROP: Verb.DROP}
_INSIDE: Final = frozenset({ObjectKind.TRIGGER, ObjectKind.RULE, ObjectKind.POLICY})
HOLDERS: Final = frozenset({ObjectKind.TABLE, ObjectKind.MATERIALIZED_VIEW, ObjectKind.VIEW})
"""What triggers, rules and indexes are of, and go with."""

_COLUMN_ACTS: Final = {
    Act.ADD_COLUMN: Verb.CREATE,
    Act.DROP_COLUMN: Verb.DROP,
    Act.RETYPE: Verb.ALTER,
    Act.SET_NOT_NULL: Verb.ALTER,
    Act.DROP_NOT_NULL: Verb.ALTER,
    Act.SET_DEFAULT: Verb.ALTER,
    Act.DROP_DEFAULT: Verb.ALTER,
    Act.ALTER_COLUMN: Verb.ALTER,
}
_PART_ACTS: Final = {
    Act.ADD_CONSTRAINT: (Verb.CREATE, ObjectKind.CONSTRAINT),
    Act.DROP_CONSTRAINT: (Verb.DROP, ObjectKind.CONSTRAINT),
    Act.ADD_INDEX: (Verb.CREATE, ObjectKind.INDEX),
    Act.DROP_INDEX: (Verb.DROP, ObjectKind.INDEX),
    Act.SWITCH_TRIGGER: (Verb.ALTER, ObjectKind.TRIGGER),
}


@dataclass(frozen=True, slots=True)
class Effect:
    """That a statement makes, alters or drops an object.

    `path` is its name, that of what it is in first; None where the statement gives it none.
    `table` is the table that it belongs to. `anew` says that what it makes was there, or may have
    been.
    """

    place: str
    verb: Verb
    kind: ObjectKind
    path: tuple[str, ...] | None
    table: Name | None = None
    anew: bool = False
    was: Name | None = None  # what a table that takes a name was called before

    @property
    def title(self) -> str:
        """The object for people."""
        if self.path is not None:
            return f"{self.kind.value} {'.'.join(self.path)}"
        return f"a {self.kind.value} of {'a table' if self.table is None else self.table.written}"


def effects(reading: Reading) -> Iterator[Effect]:
    """Yield what a statement does to objects; nothing of temporary tables, comments or grants."""
    if reading.kind is None or Flag.TEMPORARY in reading.flags:
        return
    if reading.does is Does.RENAME or reading.renamed is not None:
        yield from _renamed(reading)
    elif reading.kind is ObjectKind.TABLE and reading.does is Does.ALTER:
        yield from _altered(reading)
    elif reading.does in _VERBS:
        yield from _whole(reading, _VERBS[reading.does])


def net_effects(readings: Iterable[Reading]) -> tuple[Effect, ...]:
    """Return what a script does to objects when all of it has run.

    What it makes and drops again is nothing; what it drops and makes again is altered; what it
    makes and alters is made; and what it gives to a table goes with the table where that takes
    another name.
    """
    every: list[Effect] = []
    for reading in readings:
        for effect in effects(reading):
            if effect.was is not None and effect.kind is ObjectKind.TABLE:
                every = [_moved(each, effect.was, effect.table) for each in every]
            every.append(effect)
    return tuple(_settled(dict.fromkeys(every)))


def _moved(effect: Effect, old: Name, new: Name | None) -> Effect:
    own = effect.table
    if effect.kind is ObjectKind.TABLE or own is None or new is None or own.path != old.path:
        return effect
    path = effect.path
    if path is not None and path[: len(old.path)] == old.path:
        path = (*new.path, *path[len(old.path) :])
    return replace(effect, path=path, table=new)


def _settled(every: Iterable[Effect]) -> Iterator[Effect]:
    """Yield the effects, those on one object together where they take each other back."""
    alike: dict[tuple[object, ...], list[Effect]] = {}
    for effect in every:
        path = effect.path
        unnamed = (effect.kind, id(effect))
        key = unnamed if path is None else (effect.kind, *(part.casefold() for part in path))
        alike.setdefault(key, []).append(effect)
    for found in alike.values():
        verbs = (found[0].verb, found[-1].verb)
        if verbs == (Verb.DROP, Verb.CREATE):
            yield replace(found[0], verb=Verb.ALTER, anew=True, was=None)
        elif verbs == (Verb.CREATE, Verb.ALTER):
            yield found[0]
        elif verbs != (Verb.CREATE, Verb.DROP) or found[0].anew:
            yield from found


def _whole(reading: Reading, verb: Verb) -> Iterator[Effect]:
    for name in reading.names:
        yield _effect(reading, verb, name)
    if not reading.names and reading.table is not None and reading.kind is not None:
        yield Effect(reading.place, verb, reading.kind, None, reading.table)


def _effect(reading: Reading, verb: Verb, name: Name) -> Effect:
    kind, table = reading.kind or ObjectKind.TABLE, reading.table
    path = name.path
    if table is not None and kind in _INSIDE:
        path = (*table.path, name.last)
    elif table is not None and kind is ObjectKind.INDEX and len(path) == 1:
        path = (*table.path[:-1], name.last)
    anew = Flag.REPLACE in reading.flags
    own = name if kind in HOLDERS else table
    return Effect(reading.place, verb, kind, path, own, anew)


def _renamed(reading: Reading) -> Iterator[Effect]:
    kind = reading.kind or ObjectKind.TABLE
    for name in reading.names:
        yield Effect(reading.place, Verb.DROP, kind, name.path, name)
        if reading.renamed is not None:
            path = (*name.path[:-1], reading.renamed.last)
            yield Effect(reading.place, Verb.CREATE, kind, path, Name(path), was=name)


def _altered(reading: Reading) -> Iterator[Effect]:
    table = reading.table
    for clause in () if table is None else reading.clauses:
        assert table is not None  # noqa: S101 - the loop has none otherwise
        yield from _of_clause(reading.place, table, clause)


def _of_clause(place: str, table: Name, clause: Clause) -> Iterator[Effect]:
    if clause.act in _COLUMN_ACTS:
        path = None if clause.column is None else (*table.path, clause.column)
        yield Effect(place, _COLUMN_ACTS[clause.act], ObjectKind.COLUMN, path, table)
    elif clause.act is Act.RENAME_COLUMN and clause.column and clause.name:
        old, new = (*table.path, clause.column), (*table.path, clause.name)
        yield Effect(place, Verb.DROP, ObjectKind.COLUMN, old, table)
        yield Effect(place, Verb.CREATE, ObjectKind.COLUMN, new, table)
    elif clause.act is Act.RENAME_TABLE and clause.name:
        new = (*table.path[:-1], clause.name)
        yield Effect(place, Verb.DROP, ObjectKind.TABLE, table.path, table)
        yield Effect(place, Verb.CREATE, ObjectKind.TABLE, new, Name(new), was=table)
    elif clause.act in _PART_ACTS:
        verb, kind = _PART_ACTS[clause.act]
        outer = table.path[:-1] if kind is ObjectKind.INDEX else table.path
        path = None if clause.name is None else (*outer, clause.name)
        yield Effect(place, verb, kind, path, table)
