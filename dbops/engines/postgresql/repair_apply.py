"""Changes written back from images: each value as text that the column type's own input reads.

Like changes travel in one statement, up to 1000 rows or 8 MiB of them, where the catalogue allows
it (see `repair_sets`); all others one by one, in a pipeline. A change is found by its full key;
together they must touch exactly one row each.
"""

# Every name in these statements comes from the catalogue, in quotes.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from psycopg import RawCursor
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.rows import TupleRow

from dbops.engines.postgresql.connect import quoted
from dbops.engines.postgresql.repair_faults import repairing
from dbops.engines.postgresql.repair_script import name_of
from dbops.engines.postgresql.repair_sets import (
    Carriers,
    Form,
    Parameters,
    Writing,
    form_of,
    parameters_of,
    set_binds,
    set_statement,
)
from dbops.engines.postgresql.repair_shape import Layout
from dbops.engines.postgresql.repair_wire import Wire, refuse_zeros
from dbops.errors import Refused
from dbops.repair.table import Change, size_of

_BATCH_ROWS: Final = 1000
_BATCH_BYTES: Final = 8 << 20
_Batch = tuple[Form, list[Parameters]]


class _AsIs(Dumper):
    """Bytes travel as text of a type that the server chooses."""

    oid = 0

    def dump(self, obj: bytes) -> Buffer:
        return obj


def apply(
    wire: Wire,
    layout: Layout,
    carriers: Carriers | None,
    changes: Iterable[Change],
    path: Sequence[str],
) -> int:
    """Write each change; returns how many rows were written.

    Changes keep their order, but for updates of columns that no unique key holds, which depend on
    nothing; each row stands in `changes` once. A change from a row to the same row writes nothing.
    Triggers see the search path `path`. Without `carriers` rows are written one by one. Raises
    Refused `row-count` where a change finds no row.
    """
    doing = f"writing rows of {layout.shape.table} back"
    wire.refuse_idle(doing)
    written = 0
    for form, batch in _batches(layout, carriers, changes):
        wire.search(path)
        wire.forget_path()  # a trigger may set another
        if carriers is not None and _together(carriers, form) and size_of(batch[0]) <= _BATCH_BYTES:
            touched = _send_set(wire, layout, carriers, form, batch, doing)
        else:
            touched = _send_rows(wire, layout, form, batch, doing)
        if touched != len(batch):
            raise _miscounted(doing, len(batch), touched)
        written += touched
    return written


def _together(carriers: Carriers | None, form: Form) -> bool:
    """Whether changes of this form can be written by one statement."""
    return carriers is not None and carriers.free(form)


def _batches(
    layout: Layout, carriers: Carriers | None, changes: Iterable[Change]
) -> Iterator[_Batch]:
    """Yield the changes by form, bounded by rows and by bytes; a row that is larger comes alone."""
    window: dict[Form, list[Parameters]] = {}
    rows, size, last = 0, 0, None
    for change in changes:
        form = form_of(change)
        if form is None:
            continue
        parameters = parameters_of(layout, form, change)
        width = size_of(parameters)
        fits = rows < _BATCH_ROWS and size + width <= _BATCH_BYTES
        if last is not None and not (fits and _mingle(carriers, last, form)):
            yield from window.items()
            window, rows, size = {}, 0, 0
        window.setdefault(form, []).append(parameters)
        rows, size, last = rows + 1, size + width, form
    yield from window.items()


def _mingle(carriers: Carriers | None, last: Form, form: Form) -> bool:
    """Whether a change of one form may be written before one of the other that stands before it."""
    if form == last:
        return True
    both = (last, form)
    return all(one.writing is Writing.UPDATE and _together(carriers, one) for one in both)


def _send_set(
    wire: Wire,
    layout: Layout,
    carriers: Carriers,
    form: Form,
    batch: Sequence[Parameters],
    doing: str,
) -> int:
    query = wire.encode(set_statement(layout, carriers, form), doing)
    binds = set_binds(layout, carriers, form, batch)
    return wire.execute(query, binds, doing=doing).command_tuples or 0


def _send_rows(
    wire: Wire, layout: Layout, form: Form, batch: Sequence[Parameters], doing: str
) -> int:
    refuse_zeros((value for parameters in batch for value in parameters), doing)
    query = wire.encode(_row_statement(layout, form), doing)
    connection = wire.session.connection
    cursor: RawCursor[TupleRow] = RawCursor(connection)
    cursor.adapters.register_dumper(bytes, _AsIs)
    connection.prepare_threshold = 0  # planned once for the batch; elsewhere nothing is prepared
    try:
        with repairing(doing), cursor:
            cursor.executemany(query, batch)
            return max(cursor.rowcount, 0)
    finally:
        connection.prepare_threshold = None


def _row_statement(layout: Layout, form: Form) -> str:
    """The SQL text of one change; its parameters are those of `parameters_of`."""
    table, shape = name_of(layout.shape.table), layout.shape
    if form.writing is Writing.INSERT:
        names = ", ".join(quoted(name) for name in shape.names)
        values = ", ".join(f"${n + 1}" for n in form.places)
        return f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"
    found = " AND ".join(
        f"{quoted(name)} {operator} ${n}"
        for n, (name, operator) in enumerate(
            zip(shape.key_names, layout.operators, strict=True), len(form.places) + 1
        )
    )
    if form.writing is Writing.DELETE:
        return f"DELETE FROM {table} WHERE {found}"
    sets = ", ".join(f"{quoted(shape.names[p])} = ${n + 1}" for n, p in enumerate(form.places))
    return f"UPDATE {table} SET {sets} WHERE {found}"


def _miscounted(doing: str, changes: int, touched: int) -> Refused:
    return Refused(
        "row-count",
        f"{doing}: {changes} changes touched {touched} rows",
        hint="somebody else changed the rows, or a trigger or rule keeps them from being "
        "written; nothing was changed",
    )
