"""A change before its rules, and what the database says of it; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from dbops.change.manifest import Change
from dbops.change.ports import TableSize
from dbops.change.reading import Act, Clause, Column, Does, Flag, Name, Reading
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject
from dbops.review.finding import Finding, LintRule, Unchecked
from dbops.wording import size

Known = TypeVar("Known")

_TABLES: Final = (ObjectKind.TABLE, ObjectKind.VIRTUAL_TABLE)
_NO_ROWS: Final = 1 << 18  # bytes that an empty table and its indexes may have


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says: its schema, about how large its tables are, and counted rows.

    `schema` is None where nobody asked.
    """

    schema: Schema | None = None
    sizes: Mapping[ObjectName, TableSize] = field(default_factory=dict)
    counts: Mapping[ObjectName, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A change before its rules.

    `up` and `down` are the readings of its scripts. `facts` is None where no database was asked.
    `rules` are the names of all rules, `earlier` what those said that looked before.
    """

    change: Change
    dialect: str
    facts: Facts | None
    up: tuple[Reading, ...]
    down: tuple[Reading, ...]
    rules: frozenset[str] = frozenset()
    earlier: tuple[Finding | Unchecked, ...] = ()

    @property
    def schema(self) -> Schema | None:
        """The schema of the database; None where nobody asked."""
        return None if self.facts is None else self.facts.schema

    @property
    def objects(self) -> Iterable[SchemaObject]:
        """The objects of the schema; none where nobody asked."""
        return () if self.schema is None else self.schema.objects.values()

    def find(self, kind: ObjectKind, name: Name) -> SchemaObject | None:
        """Return the object of a name, however it is spelled; None where there is not just one."""
        alike = [
            each
            for each in self.objects
            if each.name.kind is kind and is_same(each.name.path, name.path)
        ]
        return alike[0] if len(alike) == 1 else None

    def column(self, table: Name, column: str | None) -> SchemaObject | None:
        """Return a column as it is before the change; None where it is not known."""
        if column is None:
            return None
        return self.find(ObjectKind.COLUMN, Name((*table.path, column)))

    def belonging(self, table: Name, kind: ObjectKind) -> Iterator[SchemaObject]:
        """Yield the objects of a kind that belong to a table."""
        for each in self.objects:
            of = each.of if each.name.kind is kind else None
            if of is not None and of.kind is ObjectKind.TABLE and is_same(of.path, table.path):
                yield each

    def rows(self, table: Name) -> int | None:
        """Return about how many rows a table has; None where it is not known."""
        if self.facts is None:
            return None
        counted = _look_up(self.facts.counts, table)
        if counted is not None:
            return counted
        size = _look_up(self.facts.sizes, table)
        if size is None or size.rows < 0 or (size.rows == 0 and size.bytes > _NO_ROWS):
            return None  # an estimate of none that its own size contradicts
        return size.rows

    def is_made(self, table: Name, at: Reading) -> bool:
        """Whether the change itself has made the table, before the statement."""
        return any(
            self._makes(each, table, *_TABLES) and Flag.QUERY not in each.flags
            for each in self._before(at)
        )

    def is_new(self, table: Name, at: Reading) -> bool:
        """Whether the change has made it before the statement, with rows of a query or without."""
        kinds = (ObjectKind.TABLE, ObjectKind.MATERIALIZED_VIEW)
        return any(self._makes(each, table, *kinds) for each in self._before(at))

    def is_unused(self, table: Name | None, at: Reading) -> bool:
        """Whether nobody can wait for the table: it is new, or has no rows."""
        return table is not None and (self.is_new(table, at) or self.is_empty(table, at))

    def is_empty(self, table: Name | None, at: Reading) -> bool:
        """Whether the table has no rows at the statement, as far as is known.

        What needs rows is no matter there.
        """
        if table is None:
            return False
        if not self.is_made(table, at):
            return self.rows(table) == 0 and all(
                self.rows(heir) == 0 for heir in self._heirs(table)
            )
        return not any(
            reading.does is Does.WRITE
            and Flag.QUERY in reading.flags
            and any(is_same(name.path, table.path) for name in reading.names)
            for reading in self._before(at)
        )

    def _heirs(self, table: Name) -> Iterator[Name]:
        """Yield the tables that inherit from one: what is done to it is done to them."""
        for each in self.objects:
            parents = each.properties.get("inherits", "").split(", ")
            if any(is_same(_parts(parent), table.path) for parent in parents if parent):
                yield Name(each.name.path)

    def is_own(self, kind: ObjectKind, name: Name, at: Reading) -> bool:
        """Whether up.sql makes an object before the statement, and does not replace one."""
        return any(
            each.does is Does.CREATE
            and each.kind is kind
            and Flag.REPLACE not in each.flags
            and any(is_same(made.path, name.path) for made in each.names)
            for each in self._before(at)
        )

    def later_name(self, table: Name, at: Reading) -> Name:
        """Return what up.sql calls a table in the end that has this name at the statement."""
        found = table
        for each in self.up[self.up.index(at) + 1 :]:
            names = each.names if each.kind is ObjectKind.TABLE else ()
            new = next((clause.name for clause in each.acts(Act.RENAME_TABLE)), None)
            if each.renamed is not None:
                new = each.renamed.last
            if new is not None and any(is_same(name.path, found.path) for name in names):
                found = Name((*found.path[:-1], new))
        return found

    def _before(self, at: Reading) -> tuple[Reading, ...]:
        """Return the statements that run before one: of up.sql, and then of down.sql."""
        every = (*self.up, *self.down)
        return every[: every.index(at)] if at in every else every

    def _makes(self, reading: Reading, table: Name, *kinds: ObjectKind) -> bool:
        """Whether a statement makes the table where there was none."""
        if reading.does is not Does.CREATE or reading.kind not in kinds:
            return False
        if not any(is_same(name.path, table.path) for name in reading.names):
            return False
        there = self.schema is None or self.find(ObjectKind.TABLE, table) is not None
        return not (Flag.IF_NOT_EXISTS in reading.flags and there)

    def measured(self, table: Name | None) -> str:
        """Return how large a table is, to end a sentence with; "" where it is not known.

        What nobody has counted is said to be an estimate.
        """
        rows = None if table is None else self.rows(table)
        if self.facts is None or table is None or rows is None:
            return ""
        found = _look_up(self.facts.sizes, table)
        counted = _look_up(self.facts.counts, table) is not None or (found and found.counted)
        much = "" if found is None else f", {size(found.bytes)}"
        many = f"{'' if counted else 'about '}{rows:,} row{'' if rows == 1 else 's'}"
        return f"; {table.written} has {many}{much}"

    def altered(self, *acts: Act) -> Iterator[tuple[Reading, Name, Clause]]:
        """Yield the clauses that do one of these to a table that is there already."""
        for reading in self.up:
            table = reading.table
            if (
                reading.kind is not ObjectKind.TABLE
                or table is None
                or self.is_made(table, reading)
            ):
                continue
            yield from ((reading, table, clause) for clause in reading.acts(*acts))

    def filled(self, *acts: Act) -> Iterator[tuple[Reading, Name, Clause]]:
        """Yield the clauses that do one of these to a table that has rows, for all we know."""
        for reading, table, clause in self.altered(*acts):
            if not self.is_empty(table, reading):
                yield reading, table, clause

    def new_columns(self) -> Iterator[tuple[Reading, Name, Column]]:
        """Yield the columns that the change makes, in tables that it makes too."""
        for reading in self.up:
            table = reading.names[0] if reading.names else None
            if reading.kind is not ObjectKind.TABLE or table is None:
                continue
            if Flag.TEMPORARY in reading.flags:
                continue
            for clause in reading.acts(Act.ADD_COLUMN):
                if clause.definition is not None:
                    yield reading, table, clause.definition


class Rule(LintRule[Case]):
    """A rule for changes."""

    __slots__ = ()


def is_same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two names can mean one object: what stands before may be left out in one of them."""
    size = min(len(one), len(other))
    left, right = one[-size:], other[-size:]
    return [part.casefold() for part in left] == [part.casefold() for part in right]


def _parts(written: str) -> tuple[str, ...]:
    """Return the parts of a name as the server prints it."""
    return tuple(part.strip('"') for part in written.split("."))


def _look_up(known: Mapping[ObjectName, Known], table: Name) -> Known | None:
    alike = [value for name, value in known.items() if is_same(name.path, table.path)]
    return alike[0] if len(alike) == 1 else None
