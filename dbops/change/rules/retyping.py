"""What PostgreSQL does to a table for another type of a column; pure.

It writes every row anew, unless the bytes are the same. Where they are, it still makes every check
of the column anew and asks it of all rows, and builds those indexes anew that it cannot take over:
with an expression, with a condition, or by another collation (CheckIndexCompatible in the server's
indexcmds.c). Nobody uses the table meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from dbops.change.column_type import SqlType, is_rewritten
from dbops.change.parsed_types import read_type
from dbops.change.reading import Act, Clause, Does, Name, Reading
from dbops.change.rules.domains import base_of, is_constrained
from dbops.change.rules.finding import Case, is_same
from dbops.change.rules.spelling import path_of
from dbops.change.schema import ObjectKind, SchemaObject

_METHOD: Final = re.compile(r" USING \w+ \(")
_KEYS: Final = ("PRIMARY KEY", "UNIQUE", "EXCLUDE")


def is_written_anew(case: Case, table: Name, clause: Clause) -> bool | None:
    """Whether every row is, for all we know; None where the type of now is not known."""
    new = None if clause.definition is None else clause.definition.type
    using = clause.using
    if using is not None and using.casts is None:
        return True
    known = case.column(table, clause.column)
    if new is None or known is None or "type" not in known.properties:
        return None
    types = [read_type(known.properties["type"], case.dialect)]
    types += [] if using is None or using.casts is None else using.casts
    types.append(new)
    return any(_is_another(case, old, following) for old, following in pairwise(types))


def rechecked(case: Case) -> Iterator[tuple[Reading, Name, str]]:
    """Yield the checks that are asked of all rows again, by name, of tables not written anew."""
    for reading, table, clause in _same_bytes(case):
        for each in case.belonging(table, ObjectKind.CONSTRAINT):
            text = each.properties.get("definition", "")
            valid = text.startswith("CHECK") and not text.endswith("NOT VALID")
            name = each.name.path[-1]
            if valid and _names(text, clause) and not _is_dropped(case, reading, table, name):
                yield reading, table, name


def rebuilt(case: Case) -> Iterator[tuple[Reading, Name, str, str]]:
    """Yield the indexes that are built anew, by column and name, of tables not written anew."""
    for reading, table, clause in _same_bytes(case):
        collated = _is_collated(case, table, clause)
        for each in (
            *case.belonging(table, ObjectKind.INDEX),
            *case.belonging(table, ObjectKind.CONSTRAINT),
        ):
            text = each.properties.get("definition", "")
            if not _names(text, clause) or not (
                _is_particular(each) or (collated and _is_sorted(each))
            ):
                continue
            name = each.name.path[-1]
            if not _is_dropped(case, reading, table, name):
                yield reading, table, clause.column or "", name


def _is_another(case: Case, old: SqlType, new: SqlType) -> bool:
    """Whether the bytes differ, or a domain looks at each value."""
    if old.text.casefold() == new.text.casefold():
        return False
    if is_constrained(case, Name(path_of(new.text))):
        return True
    bases = [read_type(base_of(case, each.text), case.dialect) for each in (old, new)]
    return is_rewritten(*bases)


def _same_bytes(case: Case) -> Iterator[tuple[Reading, Name, Clause]]:
    for reading, table, clause in case.filled(Act.RETYPE):
        if is_written_anew(case, table, clause) is False:
            yield reading, table, clause


def _names(text: str, clause: Clause) -> bool:
    return re.search(rf"(?<!\w){re.escape(clause.column or '?')}(?!\w)", text) is not None


def _is_particular(each: SchemaObject) -> bool:
    """Whether an index has a condition, or an expression among its columns."""
    found = _METHOD.split(each.properties.get("definition", ""), maxsplit=1)
    if each.name.kind is not ObjectKind.INDEX or len(found) < 2:
        return False
    columns, _, rest = found[1].partition(")")
    return "(" in columns or " WHERE " in rest


def _is_sorted(each: SchemaObject) -> bool:
    """Whether it is an index, or a constraint that has one."""
    is_index = each.name.kind is ObjectKind.INDEX
    return is_index or each.properties.get("definition", "").startswith(_KEYS)


def _is_collated(case: Case, table: Name, clause: Clause) -> bool:
    """Whether the column gets another collation: one that is not written is the type's own."""
    known = case.column(table, clause.column)
    old = None if known is None else known.properties.get("collation")
    new = None if clause.definition is None else clause.definition.collation
    return (None if old is None else path_of(old)[-1]) != (None if new == "default" else new)


def _is_dropped(case: Case, at: Reading, table: Name, name: str) -> bool:
    """Whether the change has dropped the check or index before, or does so by the statement."""
    return any(
        _drops_check(each, table, name) or _drops_index(each, name)
        for each in case.up[: case.up.index(at) + 1]
    )


def _drops_check(reading: Reading, table: Name, name: str) -> bool:
    own = reading.table
    if own is None or not is_same(own.path, table.path):
        return False
    return any(clause.name == name for clause in reading.acts(Act.DROP_CONSTRAINT))


def _drops_index(reading: Reading, name: str) -> bool:
    if reading.does is not Does.DROP or reading.kind is not ObjectKind.INDEX:
        return False
    return any(dropped.last == name for dropped in reading.names)
