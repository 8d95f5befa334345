"""What reads rows where a partitioned table of PostgreSQL gets a partition; pure.

The rows of a table that is attached must be within its bounds, those of the default partition
outside of them. The server reads them all while nobody uses these tables, unless a valid check
proves it. https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ATTACH-PARTITION
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbops.change.reading import Act, Constraint, ConstraintKind, Does, Name, Reading
from dbops.change.rules.finding import Case, is_same
from dbops.change.rules.spelling import path_of
from dbops.change.schema import ObjectKind


def read_through(case: Case) -> Iterator[tuple[Reading, Name, Name]]:
    """Yield the statements that add a partition, to which table, and the tables read for it."""
    for reading in case.up:
        if reading.kind is not ObjectKind.TABLE or reading.table is None:
            continue
        parts = [clause.part for clause in reading.acts(Act.PARTITION) if clause.part is not None]
        if not _adds(reading):
            continue
        if not is_default(reading) and (default := default_of(case, reading.table)) is not None:
            parts.append(default)
        for part in parts:
            if not case.is_unused(part, reading) and not _is_proved(case, reading, part):
                yield reading, reading.table, part


def default_of(case: Case, table: Name) -> Name | None:
    """Return the partition that takes what no other one takes; None where none is known."""
    for each in case.objects:
        of = path_of(each.properties.get("partition of", ""))
        if each.properties.get("partition") == "DEFAULT" and is_same(of, table.path):
            return Name(each.name.path)
    return None


def is_partitioned(case: Case, table: Name) -> bool:
    """Whether the catalogue says that the rows of a table lie in others."""
    known = case.find(ObjectKind.TABLE, table)
    return known is not None and "partitioned by" in known.properties


def has_keys_of_parts(case: Case, at: Reading, table: Name, key: Constraint) -> bool:
    """Whether the partitions have a foreign key of these columns, validated in a part before.

    The key of the whole takes those over, and reads no row.
    """
    parts = [
        Name(each.name.path)
        for each in case.objects
        if is_same(path_of(each.properties.get("partition of", "")), table.path)
    ]
    return bool(parts) and all(
        case.is_unused(part, at) or _has_key(case, at, part, key) for part in parts
    )


def _has_key(case: Case, at: Reading, part: Name, key: Constraint) -> bool:
    made: set[str | None] = set()
    for reading, table, clause in case.altered(Act.ADD_CONSTRAINT, Act.VALIDATE):
        if reading.part >= at.part or not is_same(table.path, part.path):
            continue
        found = clause.constraint
        if found is not None and (found.columns, found.target) == (key.columns, key.target):
            made.add(clause.name)
        elif clause.act is Act.VALIDATE and clause.name in made:
            return True
    return False


def is_default(reading: Reading) -> bool:
    """Whether the partition that is made or attached is the default one."""
    return reading.words[-1:] == ("DEFAULT",)


def _adds(reading: Reading) -> bool:
    if reading.does is Does.CREATE:
        return True
    return reading.does is Does.ALTER and any("ATTACH" in c.words[:1] for c in reading.clauses)


def _is_proved(case: Case, at: Reading, part: Name) -> bool:
    """Whether a valid check of the columns that decide on the partition is there before.

    What it says is for the server to judge; where nobody knows the columns, any check may do.
    """
    known = None if at.table is None else case.find(ObjectKind.TABLE, at.table)
    key = "" if known is None else known.properties.get("partitioned by", "").partition("(")[2]
    columns = {word.upper() for word in re.findall(r"\w+", key)}
    for each in case.belonging(part, ObjectKind.CONSTRAINT):
        text = each.properties.get("definition", "").upper()
        valid = text.startswith("CHECK") and not text.endswith("NOT VALID")
        if valid and (not columns or columns & set(re.findall(r"\w+", text))):
            return True
    return any(not columns or columns & set(words) for words in _validated(case, at, part))


def _validated(case: Case, at: Reading, part: Name) -> Iterator[tuple[str, ...]]:
    """Yield the words of each check that the change makes and validates in a part before."""
    made: dict[str | None, tuple[str, ...]] = {}
    for reading, table, clause in case.altered(Act.ADD_CONSTRAINT, Act.VALIDATE):
        if reading.part >= at.part or not is_same(table.path, part.path):
            continue
        check = clause.constraint
        if check is not None and check.kind is ConstraintKind.CHECK:
            made[clause.name] = clause.words
            if not check.not_valid:
                yield clause.words
        elif clause.act is Act.VALIDATE and clause.name in made:
            yield made[clause.name]
