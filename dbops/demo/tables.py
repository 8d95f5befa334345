"""Tables of the made-up hospital: a column's declaration stands beside what makes its values."""

from __future__ import annotations

from dataclasses import dataclass

from dbops.demo.values import Maker, moment, numbered, one_of, reference, serial, sometimes


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its declaration in SQL without the name, and what makes its values."""

    name: str
    declaration: str
    make: Maker


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column is its key, and how it lives.

    `rows` is how many it begins with. `clauses` are further clauses of its declaration: generated
    columns, then constraints. `indexes` are what stands in the brackets of CREATE INDEX, and may
    go on with a WHERE. A working day adds rows where it `grows`, removes some where it `shrinks`
    (only where nothing refers to it), and gives the `changing` columns of some rows new values.
    """

    name: str
    rows: int
    columns: tuple[Column, ...]
    clauses: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()
    grows: bool = True
    shrinks: bool = False
    without_rowid: bool = False

    def ddl(self) -> str:
        """Return the CREATE TABLE statement."""
        lines = [f"{column.name} {column.declaration}" for column in self.columns]
        body = ",\n  ".join([*lines, *self.clauses])
        ending = " WITHOUT ROWID" if self.without_rowid else ""
        return f'CREATE TABLE "{self.name}" (\n  {body}\n){ending}'

    def index_ddl(self) -> list[str]:
        """Return the CREATE INDEX statements, numbered from 1."""
        return [
            f'CREATE INDEX "{self.name}_{number}" ON "{self.name}" ({_closed(columns)}'
            for number, columns in enumerate(self.indexes, start=1)
        ]

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the database of one kind of system holds: tables in order of reference, then the rest.

    `definitions` are whole statements: views and triggers.
    """

    tables: tuple[Table, ...]
    definitions: tuple[str, ...]


def _closed(columns: str) -> str:
    """Put the closing bracket behind the columns, before a WHERE if there is one."""
    listed, where, condition = columns.partition(" WHERE ")
    return f"{listed}){where}{condition}"


def key() -> Column:
    """The usual key: a whole number that counts the rows."""
    return Column("id", "INTEGER PRIMARY KEY", serial)


def number(name: str, prefix: str, digits: int = 8) -> Column:
    """A unique business number."""
    return Column(name, "TEXT NOT NULL UNIQUE", numbered(prefix, digits))


def refers(table: str, name: str = "") -> Column:
    """A reference to a table whose key is `id`; the column is `<table>_id` unless named."""
    declaration = f"INTEGER NOT NULL REFERENCES {table}(id)"
    return Column(name or f"{table}_id", declaration, reference(table))


def may_refer(table: str, name: str, share: float) -> Column:
    """A reference to a table whose key is `id`, in `share` (0 to 1) of the rows."""
    declaration = f"INTEGER REFERENCES {table}(id)"
    return Column(name, declaration, sometimes(reference(table), share))


def coded(table: str) -> Column:
    """A reference to a table of codes; the column is `<table>_code`."""
    declaration = f"TEXT NOT NULL REFERENCES {table}(code)"
    return Column(f"{table}_code", declaration, reference(table))


def among(name: str, *values: str) -> Column:
    """One of a few words, which a CHECK guards."""
    words = ", ".join(f"'{value}'" for value in dict.fromkeys(values))
    return Column(name, f"TEXT NOT NULL CHECK ({name} IN ({words}))", one_of(*values))


def text(name: str, maker: Maker) -> Column:
    """Words that are always there."""
    return Column(name, "TEXT NOT NULL", maker)


def when(name: str = "created_at") -> Column:
    """The time of the row, as text in local time."""
    return Column(name, "TEXT NOT NULL", moment)


def change_log() -> Table:
    """The table that triggers write to; it is empty in a new hospital."""
    columns = (
        Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT", serial),
        Column("table_name", "TEXT NOT NULL", one_of(None)),
        Column("row_key", "TEXT NOT NULL", one_of(None)),
        Column("old_value", "", one_of(None)),
        Column("new_value", "", one_of(None)),
    )
    return Table("change_log", 0, columns, grows=False)


def logs(table: str, column: str) -> str:
    """Return the trigger that writes each change of `column` to the change log."""
    return (
        f'CREATE TRIGGER "{table}_{column}_log"\n'  # noqa: S608 - own names
        f'AFTER UPDATE OF {column} ON "{table}"\n'
        f"WHEN old.{column} IS NOT new.{column}\nBEGIN\n"
        "  INSERT INTO change_log (table_name, row_key, old_value, new_value)\n"
        f"  VALUES ('{table}', old.id, old.{column}, new.{column});\nEND"
    )
