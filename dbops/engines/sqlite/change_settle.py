"""What is wrong in a SQLite file after the steps of a change, and was not before.

Foreign keys are off while steps run, as SQLite's own procedure for altering tables wants it, so
rows without parents are looked for at the end. Applications that never enforced their foreign keys
have such rows: what was there before is no fault of the change.

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


def find_faults(connection: apsw.Connection, touched: AbstractSet[str]) -> Faults:
    """Look at the tables of these names, in lower case, and at those that point at them."""
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
        if not parents or not touched & {table.lower(), *parents}:
            continue
        try:
            for parent in _orphaned(connection, table):
                orphans[table, parent] += 1
        except apsw.SQLError:
            mismatched.append(table)
    damaged = {
        table: count
        for table in tables
        if table.lower() in touched and (count := _damage(connection, table))
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
            most = " or more" if count == FAULTS_MOST else ""
            yield f"quick_check finds {count}{most} faults in {table}"


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
