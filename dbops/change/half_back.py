"""Whether a statement of down.sql can be tried where up.sql has only come half way; pure.

Of a change that got to its end down.sql was rehearsed. Before that it may meet rows that nothing
has touched yet, and no comparison of schemas tells that they are others afterwards. So only such
statements are tried as write no row, and drop nothing with rows but what the change itself made.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from dbops.change.reading import Act, Clause, Does, Flag, Name, Reading
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
        Act.RENAME_COLUMN,
        Act.RENAME_CONSTRAINT,
        Act.RENAME_TABLE,
        Act.SET_DEFAULT,
        Act.SET_NOT_NULL,
        Act.VALIDATE,
    }
)


def spares_rows(reading: Reading, made: Collection[str]) -> bool:
    """Whether a statement leaves all rows as they are, but for those of what the change `made`.

    `made` are the full names of the tables and columns that the change creates. What could not be
    read, or not wholly, spares nothing.
    """
    if reading.doubt is not None or Flag.CASCADE in reading.flags or reading.has("CASCADE"):
        return False
    if reading.does in {Does.GRANT, Does.REVOKE, Does.COMMENT, Does.RENAME}:
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


def _spares(clause: Clause, table: Name, made: Collection[str]) -> bool:
    if table.written in made:
        return True
    if clause.act is Act.DROP_COLUMN:
        return f"{table.written}.{clause.column}" in made
    return clause.act in _HARMLESS
