"""Rows of a table as the server prints them, by predicate and by key.

A reading goes through a cursor on the server, sorted there by the text of the key under the
collation "C", which orders bytes. A batch has so many rows that, as wide as the widest row seen so
far, they take 8 MiB; where rows have parts out of line no batch exceeds 64 rows, else 1000.

A row is this transaction's own where its xmin is not older than the transaction id: xids are given
in order, subtransactions have later ones, and later ones of others are not in the snapshot.
"""

# Every name in these statements comes from the catalogue, in quotes.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dbops.engines.postgresql.connect import Session, quoted
from dbops.engines.postgresql.repair_script import name_of, rendered
from dbops.engines.postgresql.repair_shape import Layout
from dbops.engines.postgresql.repair_wire import Bind, Wire, array
from dbops.errors import NotFound, Refused
from dbops.repair.ports import Binding
from dbops.repair.table import KeyedRow, Reference, Value
from dbops.sql.statement import Statement

BATCH_BYTES: Final = 8 << 20
_BATCH_ROWS, _WIDE_ROWS, _FIRST_ROWS = 1000, 64, 8
_LOOKED_UP = 1000
_CURSOR = "dbops_rows_{}"

# The operators by which a foreign key compares, and the types of what it points at.
_COMPARING = """
    SELECT format('OPERATOR(%%I.%%s)', n.nspname, o.oprname),
        format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_constraint AS f
    JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
    JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace,
    unnest(f.confkey, f.conpfeqop) WITH ORDINALITY AS k (num, op, place)
    JOIN pg_catalog.pg_operator AS o ON o.oid = k.op
    JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace,
    pg_catalog.pg_attribute AS a
    WHERE f.contype = 'f' AND f.conname = %s AND s.nspname = %s AND c.relname = %s
        AND a.attrelid = f.confrelid AND a.attnum = k.num
    ORDER BY k.place"""


class Reader:
    """Reads rows of one session. `path` is the search path of predicates."""

    def __init__(self, wire: Wire, path: Sequence[str]) -> None:
        self._wire = wire
        self._path = path
        self._cursors = 0

    def read(
        self, layout: Layout, where: Statement, binding: Binding, *, lock: bool
    ) -> Iterator[KeyedRow]:
        """The rows for which `where` holds, ascending by `order`; locked where asked.

        A predicate with sub-queries may name tables in the search path of the script.
        """
        self._cursors += 1
        cursor = quoted(_CURSOR.format(self._cursors))
        path = () if layout.by_path else self._path
        doing = f"reading {layout.shape.table}"
        text = _selected(layout, lock=lock)
        predicate, binds = rendered(self._wire, where, binding)
        head, tail = (self._wire.encode(part, doing) for part in text.split("\0"))
        self._wire.search(self._path)
        declare = f"DECLARE {cursor} NO SCROLL CURSOR FOR ".encode()
        self._wire.execute(declare + head + predicate + tail, binds, doing=doing)
        yield from self._fetched(layout, cursor, path, doing)
        self._wire.execute(f"CLOSE {cursor}".encode(), doing=doing)

    def fetch(
        self, layout: Layout, orders: Sequence[tuple[bytes, ...]], *, lock: bool
    ) -> list[KeyedRow]:
        """Those of the rows with these orders that are there.

        The server compares the key's columns by their own index; then the bytes decide.
        """
        if not orders:
            return []
        doing = f"looking rows of {layout.shape.table} up"
        joined = " AND ".join(
            f"t.{quoted(name)} {operator} k.c{n}::{kind}"
            for n, (name, operator, kind) in enumerate(
                zip(layout.shape.key_names, layout.operators, layout.key_types, strict=True)
            )
        )
        keys = _unnested(len(layout.shape.key))
        text = (
            f"SELECT {_columns(layout, 't.')} FROM {keys}"
            f" JOIN {name_of(layout.shape.table)} AS t ON {joined}{' FOR UPDATE OF t' * lock}"
        )
        self._wire.search(())
        rows = self._wire.rows(self._wire.encode(text, doing), _arrays(orders), doing=doing)
        wanted = set(orders)
        found = (_keyed(layout, row) for row in rows)
        return [one for one in found if one.order in wanted]

    def own_rows(self, layout: Layout) -> int:
        """How many rows of the table, as it is now, this transaction wrote."""
        doing = f"counting own rows of {layout.shape.table}"
        text = f"SELECT count(*) FROM {name_of(layout.shape.table)} AS t WHERE {OWN}"
        self._wire.search(())
        return _count(self._wire.rows(self._wire.encode(text, doing), doing=doing))

    def children(self, reference: Reference, keys: Sequence[tuple[Value, ...]]) -> int:
        """How many rows of the child point at rows with these keys, as the foreign key compares."""
        doing = f"counting rows of {reference.child} that point at {reference.target}"
        self._wire.search(())
        comparing = _comparing(self._wire.session, reference, doing)
        joined = " AND ".join(
            f"k.c{n}::{kind} {operator} t.{quoted(name)}"
            for n, (name, (operator, kind)) in enumerate(
                zip(reference.columns, comparing, strict=True)
            )
        )
        text = (
            f"SELECT count(*) FROM {name_of(reference.child)} AS t WHERE EXISTS"
            f" (SELECT FROM {_unnested(len(reference.columns))} WHERE {joined})"
        )
        whole = list(dict.fromkeys(key for one in keys if (key := _without_null(one))))
        return sum(
            _count(
                self._wire.rows(
                    self._wire.encode(text, doing), _arrays(whole[n : n + _LOOKED_UP]), doing=doing
                )
            )
            for n in range(0, len(whole), _LOOKED_UP)
        )

    def _fetched(
        self, layout: Layout, cursor: str, path: Sequence[str], doing: str
    ) -> Iterator[KeyedRow]:
        most = _WIDE_ROWS if layout.wide else _BATCH_ROWS
        asked, widest = _FIRST_ROWS, 1
        while True:
            self._wire.search(path)
            rows = self._wire.rows(f"FETCH FORWARD {asked} FROM {cursor}".encode(), doing=doing)
            for row in rows:
                widest = max(widest, sum(map(len, filter(None, row))))
                yield _keyed(layout, row)
            if len(rows) < asked:
                self._wire.forget_path()  # a function in the predicate may have set another
                return
            asked = max(1, min(asked * 2, most, BATCH_BYTES // widest))


# Where no transaction id is given yet, age() counts from the next one, and no row is so young.
OWN: Final = "pg_catalog.age(t.xmin) <= 0"


def _selected(layout: Layout, *, lock: bool) -> str:
    """The query of a reading, with a zero byte where the predicate goes.

    The table keeps its own name, because the predicate may use it.
    """
    table = name_of(layout.shape.table)
    own = quoted(layout.shape.table.name)
    orders = ", ".join(_order(layout, f"{own}."))
    locking = f" FOR UPDATE OF {own}" if lock else ""
    return (
        f"SELECT {_columns(layout, f'{own}.')} FROM {table} WHERE (\0\n) ORDER BY {orders}{locking}"
    )


def _order(layout: Layout, prefix: str) -> list[str]:
    return [f'{prefix}{quoted(name)}::text COLLATE "C"' for name in layout.shape.key_names]


def _columns(layout: Layout, prefix: str) -> str:
    """Whether the row is own, its order, and its columns."""
    own = OWN.replace("t.", prefix)
    columns = [f"{prefix}{quoted(name)}" for name in layout.shape.names]
    return ", ".join([own, *_order(layout, prefix), *columns])


def _keyed(layout: Layout, row: tuple[Value, ...]) -> KeyedRow:
    width = 1 + len(layout.shape.key)
    order = row[1:width]
    parts = tuple([part for part in order if part is not None])
    return KeyedRow(parts, row[width:], row[0] == b"t")


def _unnested(width: int) -> str:
    arrays = ", ".join(f"${n + 1}" for n in range(width))
    names = ", ".join(f"c{n}" for n in range(width))
    return f"unnest({arrays}) AS k ({names})"


def _arrays(keys: Sequence[tuple[bytes, ...]]) -> list[Bind]:
    return [array(column) for column in zip(*keys, strict=True)]


def _without_null(key: tuple[Value, ...]) -> tuple[bytes, ...] | None:
    """The key, but for one with NULL, at which nothing points."""
    found = tuple(part for part in key if part is not None)
    return found if len(found) == len(key) else None


def _count(rows: list[tuple[Value, ...]]) -> int:
    ((value,),) = rows
    return int(value or 0)


def _comparing(session: Session, reference: Reference, doing: str) -> list[tuple[str, str]]:
    child = reference.child
    found = session.rows(_COMPARING, [reference.name, child.schema, child.name], doing=doing)
    if len(found) != len(reference.columns):
        raise NotFound(
            "object-missing",
            f"there is no foreign key {reference.name} on {child} any more",
            hint="run the command again; something was dropped or renamed meanwhile",
        )
    return [(operator, kind) for operator, kind in found]


def one_value(wire: Wire, query: bytes, binds: Sequence[Bind], doing: str) -> Value:
    """The one value of the one row that the query yields, read through a cursor, two rows at most.

    Raises Refused `condition-form` for another form.
    """
    wire.execute(b"DECLARE dbops_value NO SCROLL CURSOR FOR " + query, binds, doing=doing)
    result = wire.execute(b"FETCH FORWARD 2 FROM dbops_value", doing=doing)
    if (result.ntuples, result.nfields) != (1, 1):
        raise Refused(
            "condition-form",
            f"{doing}: a condition yields one row of one column",
            hint="write SELECT count(*) ..., or another query of exactly one value",
        )
    wire.execute(b"CLOSE dbops_value", doing=doing)
    value: bytes | None = result.get_value(0, 0)
    return value
