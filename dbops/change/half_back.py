"""Whether a statement of down.sql can be tried where up.sql has only come half way; pure.

Of a change that got to its end down.sql was rehearsed. Before that it may meet rows that nothing
has touched yet, and no comparison of schemas tells that they are others afterwards. So only such
statements are tried as write no row, and drop nothing with rows but what the change itself made.
That is told by names, so no statement may give a table or a column another one: where names are
swapped back, what is dropped may be the original.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from dbops.change.reading import Act, Clause, Does, Flag, Name, Reading, has
from dbops.change.schema import ObjectKind

_WITHOUT_ROWS: Final = frozenset(
    {
        ObjectKind.FUNCTION,
        ObjectKind.INDEX,
        ObjectKind.POLICY,
        ObjectKind.PROCEDURE,
        ObjectKind.RULE,
        ObjectKind.STATISTICS,
        ObjectKind.TRIGGER,
        ObjectKind.VIEW,
    }
)
_HARMLESS: Final = frozenset(
    {
        Act.ADD_CONSTRAINT,
        Act.DROP_CONSTRAINT,
        Act.DROP_DEFAULT,
        Act.DROP_NOT_NULL,
        Act.RENAME_CONSTRAINT,
        Act.SET_DEFAULT,
        Act.SET_NOT_NULL,
        Act.VALIDATE,
    }
)
_RENAMES: Final = frozenset({Act.RENAME_COLUMN, Act.RENAME_TABLE})


def spares_rows(reading: Reading, made: Collection[str]) -> bool:
    """Whether a statement leaves all rows as they are, but for those of what the change `made`.

    `made` are the full names of the tables and columns that the change creates (`made_by`). What
    could not be read, or not wholly, spares nothing.
    """
    if reading.doubt is not None or Flag.CASCADE in reading.flags or reading.has("CASCADE"):
        return False
    if reading.does in {Does.GRANT, Does.REVOKE, Does.COMMENT}:
        return True
    if reading.does in {Does.CREATE, Does.DROP} and reading.kind in _WITHOUT_ROWS:
        return True
    if reading.kind is not ObjectKind.TABLE:
        return False
    if reading.does is Does.DROP:
        return bool(reading.names) and all(name.written in made for name in reading.names)
    table = reading.table
    if reading.does is not Does.ALTER or table is None or not reading.clauses:
        return False
    return all(_spares(clause, table, made) for clause in reading.clauses)


def made_by(created: Iterable[str], up: Sequence[Reading]) -> frozenset[str]:
    """Those of the names under which nothing is, whenever up.sql stops, but what it makes itself.

    `created` are the full names that are new once all of up.sql has run, in which a table that it
    renames is new as well. A statement that renames and could not be read leaves none.
    """
    if any(reading.doubt is not None and _speaks_of_names(reading) for reading in up):
        return frozenset()
    made = {path for reading in up for path in _makes(reading)}
    given = {path for reading in up for path in _gives(reading)}
    return frozenset(name for name in created if name in made and not _is_under(name, given))


def _speaks_of_names(reading: Reading) -> bool:
    said = " ".join((*reading.words, *reading.texts)).upper().split()
    return has(tuple(said), "SET", "SCHEMA") or any("RENAME" in word for word in said)


def _makes(reading: Reading) -> Iterator[str]:
    """The tables and columns that a statement makes, with their full names."""
    if reading.kind is not ObjectKind.TABLE:
        return
    if reading.does is Does.CREATE:
        yield from (name.written for name in reading.names)
    elif reading.does is Does.ALTER and reading.table is not None:
        for clause in reading.acts(Act.ADD_COLUMN):
            yield f"{reading.table.written}.{clause.column}"


def _gives(reading: Reading) -> Iterator[str]:
    """The names that a statement gives to what is there, in lower case; a schema's too."""
    for name in reading.names:
        outer = name.path[:-1]
        if reading.renamed is not None:
            yield _lower(*outer, reading.renamed.last)
        for clause in reading.acts(Act.RENAME_TABLE):
            yield _lower(*outer, clause.name or "")
        for clause in reading.acts(Act.RENAME_COLUMN):
            yield _lower(*name.path, clause.name or "")
        if reading.has("SET", "SCHEMA"):
            yield _lower(reading.words[-1], name.last)


def _lower(*path: str) -> str:
    return ".".join(path).lower()


def _is_under(name: str, given: Collection[str]) -> bool:
    return any(f"{name.lower()}.".startswith(f"{path}.") for path in given)


def _spares(clause: Clause, table: Name, made: Collection[str]) -> bool:
    if clause.act in _RENAMES or has(clause.words, "SET", "SCHEMA"):
        return False
    if table.written in made:
        return True
    if clause.act is Act.DROP_COLUMN:
        return f"{table.written}.{clause.column}" in made
    return clause.act in _HARMLESS
