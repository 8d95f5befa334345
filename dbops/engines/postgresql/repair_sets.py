"""Many changes of one form as one statement: a column of values is one parameter, an array.

An array's input reads each element by the element type's own input, so a column travels as an
array of its very type and no cast comes between: what arrives is what a literal in quotes would be.
Two kinds of types have no such array: arrays themselves, and composite types, whose elements the
server would spread over columns. These travel as text and are cast by input as well, unless
somebody has defined another cast from text; then the table's rows are written one by one.
https://www.postgresql.org/docs/current/sql-createcast.html (automatic I/O conversion casts)
"""

# Every name in these statements comes from the catalogue, in quotes.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from dbops.engines.postgresql.connect import Session, quoted
from dbops.engines.postgresql.repair_script import name_of
from dbops.engines.postgresql.repair_shape import Layout
from dbops.engines.postgresql.repair_wire import TEXT_ARRAY, Bind
from dbops.repair.table import Change, Value, differing

# Of each column the array of its type, and what its type is below all domains.
_COLUMNS: Final = """
    WITH RECURSIVE base (attnum, oid) AS (
        SELECT a.attnum, a.atttypid FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        UNION ALL
        SELECT b.attnum, t.typbasetype FROM base AS b
            JOIN pg_catalog.pg_type AS t ON t.oid = b.oid WHERE t.typtype = 'd')
    SELECT t.typarray, t.typdelim::text, f.typtype = 'c',
        format('%%I.%%I', n.nspname, t.typname),
        EXISTS (SELECT FROM pg_catalog.pg_cast AS c
            WHERE c.castsource = 'pg_catalog.text'::regtype AND c.casttarget = f.oid)
    FROM base AS b JOIN pg_catalog.pg_type AS f ON f.oid = b.oid AND f.typtype <> 'd'
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = %s AND a.attnum = b.attnum
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    ORDER BY a.attnum"""
# The columns that some unique or exclusion index looks at, in any partition.
_UNIQUE: Final = """
    SELECT DISTINCT a.attname FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum > 0
        AND (a.attnum = ANY (i.indkey::int2[])
            OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    WHERE (i.indisunique OR i.indisexclusion) AND (i.indrelid = %s
        OR i.indrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%s)))"""
_DOING: Final = "reading the catalogue"

Parameters = tuple[Value, ...]


class Writing(Enum):
    """What a change does to its row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Form(NamedTuple):
    """What like changes have in common: `places` are the columns that are written."""

    writing: Writing
    places: tuple[int, ...]


class Carrier(NamedTuple):
    """How a column's values travel: the OID of an array type, its delimiter, a cast or nothing."""

    array: int
    delimiter: bytes
    cast: str


@dataclass(frozen=True, slots=True)
class Carriers:
    """One for each column of a table; `unique` are the places that a unique key holds."""

    columns: tuple[Carrier, ...]
    unique: frozenset[int]

    def free(self, form: Form) -> bool:
        """Whether it does not matter in which order the rows of one statement are written.

        Inserts keep their order, deletes take nothing from each other; but of updates that move
        unique values each may need what the one before it left.
        """
        return form.writing is not Writing.UPDATE or self.unique.isdisjoint(form.places)


def read_carriers(session: Session, layout: Layout) -> Carriers | None:
    """Return how values of the table travel together; None where they have to travel alone."""
    found = session.rows(_COLUMNS, [layout.oid, layout.oid], doing=_DOING)
    columns = []
    for array, delimiter, composite, name, cast_from_text in found:
        if array and not composite:
            columns.append(Carrier(array, delimiter.encode(), ""))
        elif cast_from_text:
            return None
        else:
            columns.append(Carrier(TEXT_ARRAY, b",", f"::{name}"))
    unique = {name for (name,) in session.rows(_UNIQUE, [layout.oid] * 2, doing=_DOING)}
    places = (place for place, name in enumerate(layout.shape.names) if name in unique)
    return Carriers(tuple(columns), frozenset(places))


def form_of(change: Change) -> Form | None:
    """Return what the change writes; None where that is nothing."""
    if change.after is None:
        return None if change.before is None else Form(Writing.DELETE, ())
    if change.before is None:
        return Form(Writing.INSERT, tuple(range(len(change.after))))
    places = differing(change.before, change.after)
    return Form(Writing.UPDATE, places) if places else None


def parameters_of(layout: Layout, form: Form, change: Change) -> Parameters:
    """Return the values that are written, and behind them the key by which the row is found."""
    if form.writing is Writing.INSERT:
        return change.after or ()
    values = tuple((change.after or ())[place] for place in form.places)
    return (*values, *layout.shape.key_of(change.before or ()))


def set_statement(layout: Layout, carriers: Carriers, form: Form) -> str:
    """Return the SQL text that writes all rows of the parameters that `set_binds` makes.

    Nothing in it is looked up in the search path, which may be anyone's.
    """
    table, shape = name_of(layout.shape.table), layout.shape
    carried = _carried(layout, form)
    arrays = ", ".join(f"pg_catalog.unnest(${n + 1})" for n in range(len(carried)))
    source = f"ROWS FROM ({arrays})"
    names = ", ".join(f"c{n}" for n in range(len(carried)))
    cells = [f"k.c{n}{carriers.columns[place].cast}" for n, place in enumerate(carried)]
    if form.writing is Writing.INSERT:
        columns = ", ".join(quoted(name) for name in shape.names)
        return (
            f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {', '.join(cells)}"
            f" FROM {source} WITH ORDINALITY AS k ({names}, n) ORDER BY k.n"
        )
    written = len(form.places)
    found = " AND ".join(
        f"t.{quoted(name)} {operator} {cell}"
        for name, operator, cell in zip(
            shape.key_names, layout.operators, cells[written:], strict=True
        )
    )
    if form.writing is Writing.DELETE:
        return f"DELETE FROM {table} AS t USING {source} AS k ({names}) WHERE {found}"
    sets = ", ".join(
        f"{quoted(shape.names[place])} = {cell}"
        for place, cell in zip(form.places, cells[:written], strict=True)
    )
    return f"UPDATE {table} AS t SET {sets} FROM {source} AS k ({names}) WHERE {found}"


def set_binds(
    layout: Layout, carriers: Carriers, form: Form, rows: Sequence[Parameters]
) -> list[Bind]:
    """Return the rows as one array for each column."""
    carried = (carriers.columns[place] for place in _carried(layout, form))
    return [
        Bind(_array(values, carrier.delimiter), carrier.array)
        for values, carrier in zip(zip(*rows, strict=True), carried, strict=True)
    ]


def _carried(layout: Layout, form: Form) -> tuple[int, ...]:
    """The columns of the parameters, in their order."""
    return form.places if form.writing is Writing.INSERT else (*form.places, *layout.shape.key)


def _array(values: Sequence[Value], delimiter: bytes) -> bytes:
    """The text of an array with these elements: quoted all, so that none is taken for NULL."""
    return b"{" + delimiter.join(map(_element, values)) + b"}"


def _element(value: Value) -> bytes:
    if value is None:
        return b"NULL"
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
