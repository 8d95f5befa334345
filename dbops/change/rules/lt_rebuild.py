"""LT-REBUILD: a table of SQLite built anew, and not whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity, Unchecked
from dbops.wording import listed


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    if case.dialect != "sqlite":
        return
    for place, reading in enumerate(case.up):
        new = _new_name(reading)
        if reading.table is None or new is None:
            continue
        before, after = case.up[:place], case.up[place + 1 :]
        if case.is_new(reading.table, reading):
            if any(each.does is Does.DROP and _is_of(each, new) for each in before):
                yield from _exchange(case, reading.table, new, before, reading)
                yield from _lost(case, new, after, reading)
        elif any(_makes(each, reading.table) for each in after):
            yield LT_REBUILD.found(
                reading.place,
                f"{reading.table.written} is renamed first: triggers and keys follow it away",
                "make the new table under another name, fill it, drop the old, rename the new",
            )


def _new_name(reading: Reading) -> Name | None:
    renames = reading.acts(Act.RENAME_TABLE)
    return Name((renames[0].name,)) if renames and renames[0].name else None


def _exchange(
    case: Case, made: Name, old: Name, before: tuple[Reading, ...], reading: Reading
) -> Iterator[Finding]:
    dropped = [n for n, each in enumerate(before) if each.does is Does.DROP and _is_of(each, old)]
    copied = [n for n, each in enumerate(before) if each.does is Does.WRITE and _is_of(each, made)]
    if any(Flag.QUERY in each.flags and _makes(each, made) for each in before):
        what = f"{old.written} is built anew from a query, which keeps no key, default or check"
        yield LT_REBUILD.found(reading.place, what, "CREATE TABLE with its columns, then INSERT")
    elif not copied and case.rows(old) != 0:
        what = f"{old.written} is built anew, and nothing copies its rows{case.measured(old)}"
        yield LT_REBUILD.found(reading.place, what, "INSERT INTO the new table SELECT from the old")
    elif copied and copied[0] > dropped[0]:
        what = f"{old.written} is dropped before its rows are copied"
        yield LT_REBUILD.found(reading.place, what, "copy the rows first, then drop the table")
    elif any(Flag.WHERE in before[n].flags for n in copied):
        what = f"only some rows of {old.written} are copied (WHERE)"
        yield LT_REBUILD.found(reading.place, what, "copy all of them, and delete rows by a repair")


def _lost(
    case: Case, old: Name, after: tuple[Reading, ...], reading: Reading
) -> Iterator[Finding | Unchecked]:
    if case.schema is None:
        yield LT_REBUILD.unchecked(f"which indexes and triggers of {old.written} are made again")
        return
    made = {
        name.last.casefold() for each in after if each.does is Does.CREATE for name in each.names
    }
    lost = [
        each.name.title
        for kind in (ObjectKind.INDEX, ObjectKind.TRIGGER)
        for each in case.belonging(old, kind)
        if each.name.path[-1].casefold() not in made and "definition" in each.properties
    ]
    if lost:
        what = f"{listed(lost)} went with the old {old.written}, and nothing makes it again"
        yield LT_REBUILD.found(reading.place, what, "create them after the rename")


def _makes(reading: Reading, name: Name) -> bool:
    made = reading.does is Does.CREATE and reading.kind is ObjectKind.TABLE
    return made and _is_of(reading, name)


def _is_of(reading: Reading, name: Name) -> bool:
    same = any(each.last.casefold() == name.last.casefold() for each in reading.names)
    return same and reading.kind is ObjectKind.TABLE


LT_REBUILD: Final = Rule(
    "LT-REBUILD", Severity.ERROR, "a table of SQLite built anew, and not whole", _examine
)
