"""Which programs of the database name what a change alters or drops; pure.

They are found by their text, so what is put together at run time is not seen, and a name that
means something else may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dbops.change.reading import Act, Does, Name
from dbops.change.rules.finding import Case, is_same
from dbops.change.schema import ObjectKind, SchemaObject

_ACTS: Final = (Act.DROP_COLUMN, Act.RENAME_COLUMN, Act.RETYPE, Act.RENAME_TABLE)
_HELD: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.FUNCTION}
    | {ObjectKind.PROCEDURE, ObjectKind.TYPE, ObjectKind.DOMAIN, ObjectKind.SEQUENCE}
)
PROGRAMS: Final = frozenset(
    {ObjectKind.VIEW, ObjectKind.MATERIALIZED_VIEW, ObjectKind.FUNCTION, ObjectKind.PROCEDURE}
    | {ObjectKind.TRIGGER, ObjectKind.RULE, ObjectKind.POLICY, ObjectKind.AGGREGATE}
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A table, or one of its columns, that is not afterwards what it was before."""

    place: str
    name: Name
    column: str | None = None

    @property
    def written(self) -> str:
        """The name for people."""
        return self.name.written if self.column is None else f"{self.name.written}.{self.column}"


def changed_names(case: Case) -> Iterator[Changed]:
    """Yield what the change drops, renames or gives another type."""
    for reading, table, clause in case.altered(*_ACTS):
        column = None if clause.act is Act.RENAME_TABLE else clause.column
        yield Changed(reading.place, table, column)
    for reading in case.up:
        gone = reading.does in {Does.DROP, Does.RENAME} or reading.renamed is not None
        if gone and reading.kind in _HELD:
            yield from (Changed(reading.place, name) for name in reading.names)


def dependents(case: Case, changed: Changed) -> tuple[str, ...]:
    """Return the titles of what names it, but for what the change itself makes or drops."""
    return tuple(
        each.name.title
        for each in case.objects
        if each.name.kind in PROGRAMS
        and not is_same(each.name.path, changed.name.path)
        and not _goes_along(each, changed)
        and _names(_text(each), changed)
        and not _is_dealt_with(case, each)
    )


def _goes_along(each: SchemaObject, changed: Changed) -> bool:
    """Whether it is a part of the table as a whole: its trigger, rule or policy."""
    own = each.of is not None and is_same(each.of.path, changed.name.path)
    return own and changed.column is None


def _text(each: SchemaObject) -> str:
    kept = ("definition", "using", "check")
    return "\n".join(each.properties.get(key, "") for key in kept)


def _names(text: str, changed: Changed) -> bool:
    wanted = [changed.name.last] if changed.column is None else [changed.name.last, changed.column]
    return all(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in wanted
    )


def _is_dealt_with(case: Case, each: SchemaObject) -> bool:
    path = tuple(part.partition("(")[0] for part in each.name.path)
    return any(
        reading.kind is each.name.kind
        and any(name.last.casefold() == path[-1].casefold() for name in reading.names)
        for reading in case.up
    )
