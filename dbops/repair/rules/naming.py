"""How a finding names a table, a column or a function: never by what may be a value; pure."""

from __future__ import annotations

from dbops.repair.reading import Target
from dbops.repair.rules.finding import Case
from dbops.repair.table import TableName


def table_named(case: Case, target: Target) -> str:
    """Return the table's name, or the parameter's that names it."""
    table = case.table_of(target)
    if table is not None:
        return named(table)
    return "a table" if target.parameter is None else f"the table of :{target.parameter}"


def named(table: TableName) -> str:
    """Return a table's name as a manifest spells it."""
    return plain_name(str(table)) or "a table"


def plain_name(name: str) -> str | None:
    """Return a name that may be shown; None for one that may be a value in quotes.

    SQLite and MySQL read `"…"` as a text where no column is called so.
    """
    digits = sum(letter.isdigit() for letter in name)
    plain = name.isascii() and name.replace("_", "a").replace(".", "a").isalnum()
    return name if plain and digits <= 4 and len(name) <= 128 else None
