"""What is wrong in a SQLite file after the steps of a change, and was not before.

Foreign keys are off while steps run, as SQLite's own procedure for altering tables wants it, so
rows without parents are looked for at the end. Applications that never enforced their foreign keys
have such rows: what was there before is no fault of the change.

Only what a step can have broken is read: ALTER TABLE ADD COLUMN takes no time, and the check of a
large table behind it would take long, while everybody waits.

Source: https://www.sqlite.org/lang_altertable.html, section 7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import apsw

from dbops.engines.sqlite.connect import quoted

FAULTS_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Faults:
    """Of each table: rows without a parent by the parent's name, and what `quick_check` counts.

    `mismatched` are tables with a foreign key that points at columns which are no key.
    """

    orphans: Mapping[tuple[str, str], int] = field(default_factory=dict)
    damaged: Mapping[str, int] = field(default_factory=dict)
    mismatched: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Suspects:
    """Names of tables in lower case, whose rows or keys may contradict the schema.

    `related` may have lost parents or children, or have new foreign keys; `written` hold rows that
    were written, under this name or one that they had before.
    """

    related: AbstractSet[str]
    written: AbstractSet[str]


def foreign_keys(connection: apsw.Connection) -> dict[str, list[apsw.SQLiteValues]]:
    """What the catalogue says of the foreign keys of each table, by its name in lower case."""
    names = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
    listed = "SELECT * FROM pragma_foreign_key_list(?, 'main') ORDER BY id, seq"
    return {
        str(name).lower(): connection.execute(listed, (name,)).fetchall()
        for (name,) in names.fetchall()
    }


def find_faults(connection: apsw.Connection, suspects: Suspects) -> Faults:
    """Look at these tables, and at the rows of others that point at them."""
    tables = [
        str(name)
        for (name,) in connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
        ).fetchall()
    ]
    orphans, mismatched = Counter[tuple[str, str]](), []
    for table in tables:
        parents = _parents(connection, table)
        if not parents or not suspects.related & {table.lower(), *parents}:
            continue
        try:
            for parent in _orphaned(connection, table):
                orphans[table, parent] += 1
        except apsw.SQLError:
            mismatched.append(table)
    damaged = {
        table: count
        for table in tables
        if table.lower() in suspects.written and (count := _damage(connection, table))
    }
    return Faults(orphans, damaged, mismatched)


def worse(now: Faults, before: Callable[[], Faults]) -> tuple[str, ...]:
    """Return a sentence for each fault that there are more of now; `before` is asked if need be."""
    if now == Faults():
        return ()
    return tuple(_sentences(now, before()))


def _sentences(now: Faults, before: Faults) -> Iterator[str]:
    for table in now.mismatched:
        if table not in before.mismatched:
            yield f"a foreign key of {table} points at columns that are no key"
    for (table, parent), count in now.orphans.items():
        old = before.orphans.get((table, parent), 0)
        if count > old:
            also = f" ({old} before the change)" if old else ""
            yield f"{_rows(count)} of {table} without a parent in {parent}{also}"
    for table, count in now.damaged.items():
        if count > before.damaged.get(table, 0):
            least = "at least " if count == FAULTS_MOST else ""
            yield f"quick_check finds {least}{count} fault{'' if count == 1 else 's'} in {table}"


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _parents(connection: apsw.Connection, table: str) -> set[str]:
    rows = connection.execute("SELECT \"table\" FROM pragma_foreign_key_list(?, 'main')", (table,))
    return {str(parent).lower() for (parent,) in rows}


def _orphaned(connection: apsw.Connection, table: str) -> Iterator[str]:
    """The parent that each row misses."""
    for _, _, parent, _ in connection.execute(f"PRAGMA main.foreign_key_check({quoted(table)})"):
        yield str(parent)


def _damage(connection: apsw.Connection, table: str) -> int:
    """How much is wrong with the table's pages, or its rows' NOT NULL, CHECK and STRICT types."""
    # SQLite's words may hold values: they are counted.
    said = connection.execute(f"PRAGMA main.quick_check({quoted(table)})")
    found = list(islice(said, FAULTS_MOST))
    return 0 if found == [("ok",)] else len(found)
