"""How `touches:` and `personal:` call what a script names: as the catalogue does; pure.

A script may write a table with its schema or without, in other letters or quotes.
"""

from __future__ import annotations

import re
from typing import Final

from dbops.change.diff import Verb
from dbops.change.reading import Name
from dbops.change.reading_effects import Effect
from dbops.change.rules.finding import Case
from dbops.change.schema import ObjectKind, ObjectName

_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^.]+)')


def effect_title(case: Case, effect: Effect) -> str:
    """Return the kind and name of what a statement makes, alters or drops."""
    if effect.path is None:
        return effect.title
    if effect.verb is not Verb.CREATE or effect.anew:
        known = case.find(effect.kind, Name(effect.path))
        if known is not None:
            return known.name.title
    return ObjectName(effect.kind, _path(case, effect.kind, effect.path, effect.table)).title


def column_written(case: Case, table: Name, column: str) -> str:
    """Return the name of a column of a table."""
    path = _path(case, ObjectKind.COLUMN, (*table.path, column), table)
    return ObjectName(ObjectKind.COLUMN, path).written


def path_of(written: str) -> tuple[str, ...]:
    """Return the parts of a written name; of a function without its arguments."""
    plain = written.partition("(")[0]
    parts = [found[1] or found[2] for found in _PART.finditer(plain)]
    return tuple(part.replace('""', '"') for part in parts)


def _path(case: Case, kind: ObjectKind, path: tuple[str, ...], own: Name | None) -> tuple[str, ...]:
    if kind is ObjectKind.TRIGGER and case.dialect == "sqlite":
        return path[-1:]  # one name for all tables
    table = None if own is None else case.find(ObjectKind.TABLE, own)
    if own is None or table is None:
        return path
    if path[: len(own.path)] == own.path:
        return (*table.name.path, *path[len(own.path) :])
    return (*table.name.path[:-1], path[-1]) if kind is ObjectKind.INDEX else path
