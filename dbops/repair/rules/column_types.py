"""What sort of value a column holds, from its type in the engine's words; pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from dbops.repair.reading import Comparison
from dbops.repair.rules.finding import Case


class Family(Enum):
    """The sorts that engines convert into each other when they compare."""

    TEXT = "text"
    NUMBER = "numbers"
    OTHER = "other"


# SQLite's own order of looking (datatype3.html, 3.1) fits the names of the others too.
_FORMS: Final = (
    (Family.OTHER, re.compile("interval|point|date|time|bool|blob|binary|json|uuid|bytea")),
    (Family.NUMBER, re.compile("int|serial")),
    (Family.TEXT, re.compile("char|clob|text|string|enum|name")),
    (Family.NUMBER, re.compile("real|floa|doub|num|dec|money|bit|year")),
)


def family_of(case: Case, comparison: Comparison) -> Family | None:
    """Return the sort of the column that is compared; None where the catalogue is not known."""
    column = case.column_of(comparison.column).casefold()
    shapes = {} if case.facts is None else case.facts.shapes
    for target in comparison.targets:
        shape = case.known(shapes, target)
        for known in () if shape is None else shape.columns:
            if known.name.casefold() == column:
                return family(known.type)
    return None


def family(type_name: str) -> Family:
    """Return the sort of a type such as `varchar(20)`."""
    for found, form in _FORMS:
        if form.search(type_name.lower()):
            return found
    return Family.OTHER
