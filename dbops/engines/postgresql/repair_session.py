"""One PostgreSQL transaction of a repair: the parts, assembled into the port."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

from dbops.engines.postgresql import repair_apply, repair_marker
from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.repair_end import refuse_deferred
from dbops.engines.postgresql.repair_faults import repair_fault
from dbops.engines.postgresql.repair_opening import (
    Opened,
    open_transaction,
    pin,
    refuse_changed_pins,
    refuse_changed_state,
    refuse_names,
)
from dbops.engines.postgresql.repair_read import Reader, one_value
from dbops.engines.postgresql.repair_script import (
    Cells,
    place,
    refuse_kind,
    refuse_no_query,
    rendered,
)
from dbops.engines.postgresql.repair_sets import Carriers, read_carriers
from dbops.engines.postgresql.repair_shape import Layout, read_layout, read_loose
from dbops.engines.postgresql.repair_wire import Wire, transaction_lost
from dbops.engines.postgresql.repair_writes import Ledger
from dbops.errors import Failed, NotFound, Refused
from dbops.repair.ports import Binding, CommitUnknown, Marker, SessionOrder, Writes
from dbops.repair.table import Change, KeyedRow, Reference, Shape, TableName, Value
from dbops.sql.statement import Statement

_PUBLIC = ("public",)
# Neither search path nor styles of output can change what this yields.
_WHOSE = (
    b"SELECT pg_catalog.txid_current_if_assigned(), pg_catalog.to_char("
    b"pg_catalog.timezone('UTC', pg_catalog.now()), 'YYYYMMDDHH24MISSUS')"
)
_DOING = "watching the transaction"


class _Transaction(NamedTuple):
    """What tells one transaction from another; `xid` is None before the first write."""

    xid: Value
    began: Value


class _Begun(NamedTuple):
    """`marks` are the numbers of the commands that wrote the markers."""

    opened: Opened
    ledger: Ledger
    marks: list[int]


class PostgresqlRepairSession:
    """Implements the `RepairSession` port.

    A statement of the script sees the search path of the order, and so do conditions, predicates,
    and the triggers of rows that are written back; images are read with an empty one.
    """

    def __init__(self, session: Session, order: SessionOrder) -> None:
        self._session = session
        self._order = order
        self._path = order.search_path or _PUBLIC
        self._wire = Wire(session)
        self._reader = Reader(self._wire, self._path)
        self._layouts: dict[TableName, Layout] = {}
        self._carriers: dict[int, Carriers | None] = {}
        self._begun: _Begun | None = None
        self._transaction: _Transaction | None = None

    @property
    def server(self) -> str:
        return self._session.server

    @property
    def encoding(self) -> str:
        return self._session.encoding.codec

    @property
    def began(self) -> datetime:
        return self._open.opened.began

    def begin(self) -> None:
        self._wire.forget_path()
        opened = open_transaction(self._session, self._order)
        refuse_names(self._session, self._order, self._path)
        ledger = Ledger(self._session, self._order.temporary)
        self._begun = _Begun(opened, ledger, [])
        self._transaction = self._whose()

    def shape(self, table: TableName) -> Shape:
        self._wire.search(())  # types are named in full
        layout = read_layout(self._session, table, self._path)
        self._layouts[layout.shape.table] = layout
        return layout.shape

    def column(self, table: TableName, name: str) -> str:
        shape = self.shape(table)
        if name not in (*shape.names, *shape.generated):
            raise NotFound(
                "no-column",
                f"table {table} has no column {name}",
                hint="write the name exactly as the catalogue spells it",
            )
        return name

    def loose(self, shape: Shape) -> frozenset[str]:
        layout = self._layout(shape)
        self._wire.search(())
        return read_loose(self._session, layout.oid)

    def read(
        self, shape: Shape, where: Statement, binding: Binding, *, lock: bool
    ) -> Iterator[KeyedRow]:
        locking = lock and not self._order.read_only
        yield from self._reader.read(self._keyed(shape), where, binding, lock=locking)
        refuse_changed_pins(self._session, self._open.opened)

    def fetch(
        self, shape: Shape, orders: Sequence[tuple[bytes, ...]], *, lock: bool
    ) -> list[KeyedRow]:
        locking = lock and not self._order.read_only
        return self._reader.fetch(self._keyed(shape), orders, lock=locking)

    def check(self, sql: Statement, binding: Binding) -> bytes | None:
        refuse_no_query(sql)
        query, binds = rendered(self._wire, sql, binding)
        self._wire.search(self._path)
        found = one_value(self._wire, query, binds, f"the condition at line {sql.line}")
        self._wire.forget_path()
        refuse_changed_pins(self._session, self._open.opened)
        return found

    def run(self, statement: Statement, binding: Binding) -> int:
        refuse_kind(statement, self._order.temporary)
        touched = self._run(statement, binding, None)
        self._refuse_other_transaction(place(statement))
        return touched

    def run_rows(
        self, statement: Statement, binding: Binding, name: str, rows: Iterable[Mapping[str, Value]]
    ) -> int:
        refuse_kind(statement, self._order.temporary)
        if statement.rows != name:
            raise Failed(
                "parameter-missing",
                f"{place(statement)}: it does not run for each row of {name}",
                hint="one statement takes the rows of one parameter",
            )
        touched = sum(self._run(statement, binding, cells) for cells in rows)
        self._refuse_other_transaction(place(statement))
        return touched

    def settle(self) -> None:
        """Raises Refused `session-changed` and `transaction-lost`."""
        doing = "checking deferred constraints"
        self._wire.search(self._path)
        self._wire.fire_deferred(doing)
        self._wire.forget_path()
        pin(self._session, self._open.opened.pins)
        self._refuse_other_transaction(doing)
        refuse_changed_state(self._session, self._open.opened)

    def writes(self, declared: Collection[TableName]) -> Writes:
        self._wire.search(())
        return self._open.ledger.writes(declared)

    def own_rows(self, shape: Shape) -> int:
        return self._reader.own_rows(self._layout(shape))

    def apply(self, shape: Shape, changes: Iterable[Change]) -> int:
        layout = self._keyed(shape)
        return repair_apply.apply(
            self._wire, layout, self._carriers_of(layout), changes, self._path
        )

    def children(self, reference: Reference, keys: Sequence[tuple[Value, ...]]) -> int:
        return self._reader.children(reference, keys)

    def markers(self, work: str) -> tuple[Marker, ...]:
        self._wire.search(())
        return repair_marker.read_markers(self._session, work)

    def mark(self, marker: Marker) -> None:
        self._wire.search(())
        self._open.marks.extend(repair_marker.mark(self._wire, marker))
        self._open.ledger.marked += 1

    def commit(self) -> None:
        """Raises CommitUnknown where the connection was lost, what `repairing` raises elsewhere.

        Raises Refused `repair-deferred` where it would do more than was judged.
        """
        doing = "committing"
        self._refuse_other_transaction(doing)
        refuse_deferred(self._session, self._open.marks, f"{doing} {self._order.work}")
        try:
            status = self._session.connection.execute(b"COMMIT").statusmessage
        except psycopg.Error as error:
            if self._answers(error):
                raise repair_fault(error, doing) from None
            raise CommitUnknown(
                "commit-unknown",
                f"committing {self._order.work}: the connection was lost before the answer came",
                hint="dbops repair resume tells whether it took place",
            ) from None
        if status != "COMMIT":
            raise transaction_lost(doing)
        self._begun = None

    def rollback(self) -> None:
        self._begun = None
        if self._session.connection.closed:
            return
        self._session.run("ROLLBACK", doing="rolling back")

    @property
    def _open(self) -> _Begun:
        if self._begun is None:
            raise transaction_lost("using the session")
        return self._begun

    def _run(self, statement: Statement, binding: Binding, cells: Cells | None) -> int:
        query, binds = rendered(self._wire, statement, binding, cells)
        self._wire.search(self._path)
        self._wire.forget_path()
        result = self._wire.execute(query, binds, doing=place(statement))
        self._wire.refuse_misread(place(statement))
        return result.command_tuples or 0

    def _refuse_other_transaction(self, doing: str) -> None:
        """Raises Refused `transaction-lost` where this is not the transaction that was begun."""
        known = self._transaction
        if known is None or not self._in_transaction:
            raise transaction_lost(doing)
        now = self._whose()
        if now.began != known.began or known.xid not in (None, now.xid):
            raise transaction_lost(doing)
        self._transaction = now

    def _whose(self) -> _Transaction:
        ((xid, began),) = self._wire.rows(_WHOSE, doing=_DOING)
        return _Transaction(xid, began)

    @property
    def _in_transaction(self) -> bool:
        status = self._session.connection.pgconn.transaction_status
        return status == TransactionStatus.INTRANS

    def _answers(self, error: psycopg.Error) -> bool:
        """Whether an error is the server's answer, and not the loss of the connection."""
        connection = self._session.connection
        alive = not connection.closed and connection.pgconn.status == ConnStatus.OK
        return alive and error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P"))

    def _layout(self, shape: Shape) -> Layout:
        if shape.table not in self._layouts:
            self.shape(shape.table)
        return self._layouts[shape.table]

    def _carriers_of(self, layout: Layout) -> Carriers | None:
        if layout.oid not in self._carriers:
            self._wire.search(())
            self._carriers[layout.oid] = read_carriers(self._session, layout)
        return self._carriers[layout.oid]

    def _keyed(self, shape: Shape) -> Layout:
        layout = self._layout(shape)
        if not layout.shape.key:
            raise Refused(
                "no-key",
                f"table {shape.table} has no key that tells its rows apart",
                hint="give it a primary key, or a unique key whose columns are NOT NULL",
            )
        return layout
