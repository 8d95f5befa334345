"""What a rule finds in a repair, and what it needs to look; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dbops.repair.manifest import Repair
from dbops.repair.reading import Reading, Target
from dbops.repair.table import Shape, TableName
from dbops.review.finding import Finding, LintRule, Unchecked

Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says of the tables that a repair names.

    `loose` are, by table, the columns of which texts are equal that differ in case, accents or
    blanks at their end; `transactional` says whether a rollback takes back what was written to a
    table. None where nobody asked.
    """

    shapes: Mapping[TableName, Shape] = field(default_factory=dict)
    loose: Mapping[TableName, frozenset[str]] | None = None
    transactional: Mapping[TableName, bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A repair before its rules.

    `script` are the readings of its statements, `fragments` those of the conditions and predicates
    of its manifest. `text` is the script's file as it is, "" where only its statements are known.
    `facts` is None where no database was asked. `rules` are the names of all rules, `earlier` what
    those said that looked before.
    """

    repair: Repair
    dialect: str
    facts: Facts | None
    script: tuple[Reading, ...]
    fragments: tuple[Reading, ...]
    rules: frozenset[str] = frozenset()
    text: str = ""
    earlier: tuple[Finding | Unchecked, ...] = ()

    def known(self, of: Mapping[TableName, Known], target: Target | TableName) -> Known | None:
        """Return what is known of a table by any spelling of its name; None for nothing."""
        table = target if isinstance(target, TableName) else self.table_of(target)
        return None if table is None else look_up(of, table, self.repair.search_path)

    def table_of(self, target: Target) -> TableName | None:
        """Return the table that the statement means, its parameter in place; None if sealed."""
        if target.table is not None:
            return target.table
        parameter = self.repair.parameters.get(target.parameter or "")
        if parameter is None or parameter.value is None:
            return None
        try:
            return TableName.parse(parameter.value)
        except ValueError:  # the manifest's own reader refuses it
            return None

    def column_of(self, name: str) -> str:
        """Return a column's name, the value of the parameter that it is in the place of."""
        if not name.startswith(":"):
            return name
        parameter = self.repair.parameters.get(name[1:])
        return name if parameter is None or parameter.value is None else parameter.value


class Rule(LintRule[Case]):
    """A rule for repairs."""

    __slots__ = ()


def same_table(one: TableName, other: TableName) -> bool:
    """Whether two names can mean one table: a schema that is not given may be any."""
    if one.name.casefold() != other.name.casefold():
        return False
    return not one.schema or not other.schema or one.schema.casefold() == other.schema.casefold()


def look_up(
    of: Mapping[TableName, Known], table: TableName, search_path: Iterable[str]
) -> Known | None:
    """Return what is known of the table, found by the search path where it has no schema."""
    alike = {name: value for name, value in of.items() if same_table(name, table)}
    for schema in () if table.schema else search_path:
        for name, value in alike.items():
            if name.schema.casefold() == schema.casefold():
                return value
    return next(iter(alike.values())) if len(alike) == 1 else None
