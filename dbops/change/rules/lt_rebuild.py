"""LT-REBUILD: a table of SQLite built anew, and not whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Flag, Name, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import POSITION, ObjectKind
from dbops.review.finding import Finding, Severity, Unchecked
from dbops.wording import listed

# What leaves rows out of a copy, or lets one take the place of another.
_LEAVES_OUT: Final = (
    *(("OR", "IGNORE"), ("OR", "REPLACE"), ("ON", "CONFLICT"), ("DISTINCT",), ("LIMIT",)),
    *(("GROUP", "BY"), ("EXCEPT",), ("INTERSECT",), ("JOIN",)),
)


_COUNTER: Final = (
    "before the DROP: UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name"
    " = 'the old') WHERE name = 'the new'"
)


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
                yield from _counted_anew(case, reading.table, new, reading)
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
    elif (how := next(filter(None, (_left_out(before[n]) for n in copied)), "")) != "":
        what = f"only some rows of {old.written} are copied ({how})"
        yield LT_REBUILD.found(reading.place, what, "copy all of them, and delete rows by a repair")
    else:
        yield from _misplaced(case, old, made, [before[n] for n in copied], reading)


def _left_out(reading: Reading) -> str:
    """Return by which words a copy may leave rows out; "" for none."""
    if Flag.WHERE in reading.flags:
        return "WHERE"
    found = next((each for each in _LEAVES_OUT if reading.has(*each)), ())
    if found == ("JOIN",) and "LEFT" in reading.words:  # it keeps each row
        return ""
    return " ".join(found) or ("REPLACE" if reading.words[:1] == ("REPLACE",) else "")


def _misplaced(
    case: Case, old: Name, made: Name, copies: list[Reading], reading: Reading
) -> Iterator[Finding]:
    """Without names the values go by their place, whatever the columns there are called."""
    known = [each for each in case.belonging(old, ObjectKind.COLUMN) if POSITION in each.properties]
    known.sort(key=lambda each: int(each.properties[POSITION]))
    was = [each.name.path[-1].casefold() for each in known]
    now = [
        clause.definition.name.casefold()
        for each in case.up
        if _makes(each, made)
        for clause in each.acts(Act.ADD_COLUMN)
        if clause.definition is not None
    ]
    moved = [name for name in was if name in now and now.index(name) != was.index(name)]
    if len(was) == len(now) and moved and any(_is_by_place(each, made) for each in copies):
        what = f"the rows of {old.written} are copied by place, and {listed(moved)} moved"
        hint = "INSERT INTO the new table (its columns) SELECT these columns FROM the old one"
        yield LT_REBUILD.found(reading.place, what, hint)


def _is_by_place(reading: Reading, made: Name) -> bool:
    """Whether all columns of the old table go into those of the new one, neither by name."""
    return reading.has(made.last.upper(), "SELECT", "*")


def _counted_anew(case: Case, made: Name, old: Name, reading: Reading) -> Iterator[Finding]:
    """DROP forgets how far AUTOINCREMENT has counted, and the new table knows the rows only."""
    counts = any(
        "AUTOINCREMENT" in each.properties.get("definition", "").upper()
        for each in case.belonging(old, ObjectKind.COLUMN)
    )
    still = any(_makes(each, made) and "AUTOINCREMENT" in each.words for each in case.up)
    if counts and still and not any(writes_counter(each) for each in case.up):
        what = f"{old.written} forgets how far it has counted: numbers of deleted rows come again"
        yield LT_REBUILD.found(reading.place, what, _COUNTER)


def writes_counter(reading: Reading) -> bool:
    """Whether it sets how far AUTOINCREMENT has counted."""
    own = any(name.last.casefold() == "sqlite_sequence" for name in reading.names)
    return own and reading.does is Does.WRITE


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
