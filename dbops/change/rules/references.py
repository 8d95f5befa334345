"""Which other tables a table is tied to, as the catalogue says; pure.

A table that is dropped takes its foreign keys along, and a key has triggers on the table that it
refers to: so that one is locked too, as is the partitioned table of a partition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Name
from dbops.change.rules.finding import Case
from dbops.change.rules.spelling import path_of
from dbops.change.schema import ObjectKind

_TARGET: Final = re.compile(r"\bREFERENCES (.+?)\(")


def referred(case: Case, table: Name, constraint: str | None) -> Iterator[Name]:
    """Yield the table that a foreign key of a table refers to; of all its keys without a name."""
    for each in case.belonging(table, ObjectKind.CONSTRAINT):
        found = _TARGET.search(each.properties.get("definition", ""))
        if found is not None and constraint in {None, each.name.path[-1]}:
            yield Name(path_of(found[1]))


def referred_by(case: Case, table: Name) -> Iterator[Name]:
    """Yield the tables that are locked too where a table is dropped."""
    yield from referred(case, table, None)
    known = case.find(ObjectKind.TABLE, table)
    if known is not None and "partition of" in known.properties:
        yield Name(path_of(known.properties["partition of"]))
