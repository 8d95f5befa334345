"""Which objects a statement makes, alters and drops, as far as it was read; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dbops.change.diff import Verb
from dbops.change.reading import Act, Clause, Does, Flag, Name, Reading
from dbops.change.schema import ObjectKind

_VERBS: Final = {Does.CREATE: Verb.CREATE, Does.ALTER: Verb.ALTER, Does.DROP: Verb.DROP}
_INSIDE: Final = frozenset({ObjectKind.TRIGGER, ObjectKind.RULE, ObjectKind.POLICY})
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
    `table` is the table that it belongs to. `anew` says that what it makes may have been there.
    """

    place: str
    verb: Verb
    kind: ObjectKind
    path: tuple[str, ...] | None
    table: Name | None = None
    anew: bool = False

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
    own = name if kind is ObjectKind.TABLE else table
    return Effect(reading.place, verb, kind, path, own, anew)


def _renamed(reading: Reading) -> Iterator[Effect]:
    kind = reading.kind or ObjectKind.TABLE
    for name in reading.names:
        yield Effect(reading.place, Verb.DROP, kind, name.path, name)
        if reading.renamed is not None:
            path = (*name.path[:-1], reading.renamed.last)
            yield Effect(reading.place, Verb.CREATE, kind, path, Name(path))


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
        yield Effect(place, Verb.CREATE, ObjectKind.TABLE, new, Name(new))
    elif clause.act in _PART_ACTS:
        verb, kind = _PART_ACTS[clause.act]
        outer = table.path[:-1] if kind is ObjectKind.INDEX else table.path
        path = None if clause.name is None else (*outer, clause.name)
        yield Effect(place, verb, kind, path, table)
