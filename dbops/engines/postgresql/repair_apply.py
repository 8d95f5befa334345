"""Changes written back from images: each value as text that the column's own input reads.

Whole runs of like changes travel in one pipeline. A change is found by its full key; together they
must touch exactly one row each.
"""

# Every name in these statements comes from the catalogue, in quotes.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from psycopg import RawCursor
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.rows import TupleRow

from dbops.engines.postgresql.connect import quoted
from dbops.engines.postgresql.repair_faults import repairing
from dbops.engines.postgresql.repair_script import name_of
from dbops.engines.postgresql.repair_shape import Layout
from dbops.engines.postgresql.repair_wire import Wire, refuse_zeros
from dbops.errors import Refused
from dbops.repair.table import Change, Value

_BATCH_ROWS: Final = 500
_BATCH_BYTES: Final = 8 << 20

Parameters = tuple[Value, ...]


class _AsIs(Dumper):
    """Bytes travel as text of a type that the server chooses."""

    oid = 0

    def dump(self, obj: bytes) -> Buffer:
        return obj


def apply(wire: Wire, layout: Layout, changes: Iterable[Change], path: Sequence[str] = ()) -> int:
    """Write each change, in their order; returns how many rows were written.

    `path` is where triggers look up what they name without a schema. A change from a row to the
    same row writes nothing. Raises Refused `row-count` where a change finds no row.
    """
    doing = f"writing rows of {layout.shape.table} back"
    statements = (_statement(layout, change) for change in changes)
    wire.refuse_idle(doing)
    wire.search(path)
    wire.forget_path()  # a trigger may set another
    written = 0
    cursor: RawCursor[TupleRow] = RawCursor(wire.session.connection)
    cursor.adapters.register_dumper(bytes, _AsIs)
    with cursor:
        for text, group in groupby(statements, key=lambda one: one[0]):
            query = wire.encode(text, doing)
            for batch in _batches(parameters for _, parameters in group) if text else ():
                _send(cursor, query, batch, doing)
                written += len(batch)
    return written


def _send(
    cursor: RawCursor[TupleRow], query: bytes, batch: Sequence[Parameters], doing: str
) -> None:
    refuse_zeros((value for parameters in batch for value in parameters), doing)
    connection = cursor.connection
    connection.prepare_threshold = 0  # planned once for the batch; elsewhere nothing is prepared
    try:
        with repairing(doing):
            cursor.executemany(query, batch)
    finally:
        connection.prepare_threshold = None
    if cursor.rowcount != len(batch):
        raise Refused(
            "row-count",
            f"{doing}: {len(batch)} changes touched {max(cursor.rowcount, 0)} rows",
            hint="somebody else changed the rows, or a trigger or rule keeps them from being "
            "written; nothing was changed",
        )


def _batches(rows: Iterator[Parameters]) -> Iterator[list[Parameters]]:
    """The same in lists that are bounded by rows and by bytes."""
    for first in rows:
        batch, size = [first], _size(first)
        for row in islice(rows, _BATCH_ROWS - 1):
            batch.append(row)
            size += _size(row)
            if size > _BATCH_BYTES:
                break
        yield batch


def _size(row: Parameters) -> int:
    return sum(len(value) for value in row if value is not None)


def _statement(layout: Layout, change: Change) -> tuple[str, Parameters]:
    """The SQL text of one change and its values; no text where there is nothing to write."""
    table = name_of(layout.shape.table)
    if change.after is None:
        if change.before is None:
            return "", ()
        text, key = _where(layout, change.before, 1)
        return f"DELETE FROM {table} WHERE {text}", key
    if change.before is None:
        names = ", ".join(quoted(name) for name in layout.shape.names)
        values = ", ".join(f"${n + 1}" for n in range(len(change.after)))
        text = f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"
        return text, change.after
    places = [n for n, pair in enumerate(zip(change.before, change.after, strict=True))
              if pair[0] != pair[1]]  # fmt: skip
    if not places:
        return "", ()
    sets = ", ".join(f"{quoted(layout.shape.names[p])} = ${n + 1}" for n, p in enumerate(places))
    text, key = _where(layout, change.before, len(places) + 1)
    return f"UPDATE {table} SET {sets} WHERE {text}", (*(change.after[p] for p in places), *key)


def _where(layout: Layout, row: tuple[Value, ...], first: int) -> tuple[str, Parameters]:
    shape = layout.shape
    text = " AND ".join(
        f"{quoted(name)} {operator} ${n}"
        for n, (name, operator) in enumerate(
            zip(shape.key_names, layout.operators, strict=True), first
        )
    )
    return text, shape.key_of(row)
