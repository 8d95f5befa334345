"""One transaction of a repair on a SQLite file: implements the `RepairSession` port.

SQLite has one writer at a time: from `begin` on nobody else writes, so rows need no locks of their
own, and no two repairs run at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import apsw

from dbops.engines.sqlite.connect import quoted
from dbops.engines.sqlite.repair_apply import change_text, children_text, refuse_count
from dbops.engines.sqlite.repair_catalog import BINARY, Catalog, Facts
from dbops.engines.sqlite.repair_counters import Counters
from dbops.engines.sqlite.repair_faults import Place, code_name
from dbops.engines.sqlite.repair_guard import Guard, Mode
from dbops.engines.sqlite.repair_marker import (
    is_prepared,
    read_markers,
    refuse_unprepared,
    write_marker,
)
from dbops.engines.sqlite.repair_read import Found, LookUp, RowReader, refuse_keyless, select_where
from dbops.engines.sqlite.repair_script import Rendering
from dbops.engines.sqlite.repair_values import Plain
from dbops.errors import Failed, Refused
from dbops.repair.ports import Binding, CommitUnknown, Marker, SessionOrder, Writes
from dbops.repair.table import Change, KeyedRow, Reference, Shape, TableName, Value
from dbops.sql.statement import Statement

SERVER = f"SQLite {apsw.sqlite_lib_version()}"


class SqliteRepairSession:
    """Implements `RepairSession`; whoever opened the connection closes it."""

    def __init__(
        self,
        connection: apsw.Connection,
        guard: Guard,
        place: Place,
        order: SessionOrder,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._place = place
        self._order = order
        self._clock = clock
        self._began = clock()
        self._codec = "utf-8"
        self._catalog: Catalog | None = None
        self._counters: Counters | None = None
        self._open = False

    @property
    def server(self) -> str:
        return SERVER

    @property
    def encoding(self) -> str:
        """UTF-8, whatever the file is in."""
        return "utf-8"

    @property
    def began(self) -> datetime:
        return self._began

    def begin(self) -> None:
        with self._doing("the transaction"):
            self._connection.execute("BEGIN" if self._order.read_only else "BEGIN IMMEDIATE")
            self._connection.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018
            self._codec = str(self._connection.execute("PRAGMA encoding").get).lower()
            if not self._order.read_only:
                refuse_unprepared(self._connection, self._place.name)
            self._catalog = Catalog(self._connection, self._place.name)
            self._guard.know_virtual(self._catalog.virtual)
            self._refuse_shadows(self._catalog)
            self._counters = Counters(self._connection, self._catalog.keyed())
        self._began, self._open = self._clock(), True

    def shape(self, table: TableName) -> Shape:
        return self._facts(table).shape

    def column(self, table: TableName, name: str) -> str:
        with self._doing(f"the catalogue of {table}"):
            return self._known().column(table, name)

    def loose(self, shape: Shape) -> frozenset[str]:
        facts = self._facts(shape.table)
        names = (*shape.names, *shape.generated)
        with self._doing(f"the catalogue of {shape.table}"):
            return frozenset(
                name for name in names if self._collation(facts, name).upper() != BINARY
            )

    def read(
        self,
        shape: Shape,
        where: Statement,
        binding: Binding,
        *,
        lock: bool,  # noqa: ARG002 - the whole file is
    ) -> Iterator[KeyedRow]:
        facts = self._facts(shape.table)
        refuse_keyless(facts)
        rendering = Rendering(binding)
        text = select_where(facts, rendering.text(where))
        doing = f"the predicate at line {where.line}"
        return self._rows(facts, self._query(text, rendering, doing), doing)

    def fetch(
        self,
        shape: Shape,
        orders: Sequence[tuple[bytes, ...]],
        *,
        lock: bool,  # noqa: ARG002 - the whole file is
    ) -> list[KeyedRow]:
        facts = self._facts(shape.table)
        refuse_keyless(facts)
        look_up, reader = LookUp(facts), RowReader(facts, self._counters, self._codec)
        found: dict[tuple[bytes, ...], KeyedRow] = {}
        doing = f"looking up rows of {shape.table}"
        with self._doing(doing), self._guard.timed():
            for order in orders:
                text, values = look_up.statement(order)
                self._guard.arm()  # each has its own time
                for one in self._connection.execute(text, values):
                    row = reader.row(one)
                    if row.order == order:
                        found[order] = row
        return list(found.values())

    def check(self, sql: Statement, binding: Binding) -> bytes | None:
        rendering = Rendering(binding)
        doing = f"the condition at line {sql.line}"
        rows = self._query(rendering.text(sql), rendering, doing)
        first, second = self._step(rows, doing), self._step(rows, doing)
        if first is None or second is not None or len(first) != 1:
            raise Refused(
                "condition-form",
                f"{doing} yields no single value",
                hint="write a query of one column that has exactly one row",
            )
        return self._printed(first[0])

    def run(self, statement: Statement, binding: Binding) -> int:
        return self._run(statement, Rendering(binding))

    def run_rows(
        self, statement: Statement, binding: Binding, name: str, rows: Iterable[Mapping[str, Value]]
    ) -> int:
        if statement.rows not in {None, name}:
            raise Failed(
                "parameter-missing",
                f"the statement at line {statement.line} names other rows than {name}",
                hint="give each statement the rows that it names",
            )
        return sum(self._run(statement, Rendering(binding, row)) for row in rows)

    def settle(self) -> None:
        self._require_open()
        if self._connection.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
            with self._doing("the foreign keys"):
                tables = ", ".join(self._orphaned()) or "a table"
            raise Failed(
                "constraint-violated",
                f"{self._place.name}: a deferred foreign key is broken: {tables}",
                hint="the rows or the script contradict the schema; nothing was changed",
            )

    def writes(self, declared: Collection[TableName]) -> Writes:  # noqa: ARG002 - all are known
        counters = self._counting()
        with self._doing("the counters"):
            return Writes(counters.writes(), counters.objections(), counters.sequences())

    def own_rows(self, shape: Shape) -> int:
        return self._counting().own_rows(shape.table.name)

    def apply(self, shape: Shape, changes: Iterable[Change]) -> int:
        facts = self._facts(shape.table)
        refuse_keyless(facts)
        written = 0
        for change in changes:
            made = change_text(facts, change)
            if made is not None:
                with self._writing(f"writing rows of {shape.table}", Mode.SCRIPT):
                    before = self._connection.total_changes()
                    self._connection.execute(*made)
                    is_new = self._connection.total_changes() > before
                    refuse_count(facts, self._connection.changes() if is_new else 0)
                written += 1
        return written

    def children(self, reference: Reference, keys: Sequence[tuple[Value, ...]]) -> int:
        parent = self._facts(reference.target)
        total = 0
        with self._doing(f"counting rows of {reference.child}"), self._guard.timed():
            collations = [self._collation(parent, name) for name in reference.target_columns]
            for key in keys:
                query = children_text(reference, parent, collations, key)
                if query is not None:
                    total += int(str(self._connection.execute(*query).get))
        return total

    def markers(self, work: str) -> tuple[Marker, ...]:
        with self._doing("the markers"):
            return read_markers(self._connection, work) if is_prepared(self._connection) else ()

    def mark(self, marker: Marker) -> None:
        with self._writing("the marker", Mode.OWN):
            write_marker(self._connection, marker, self._clock())

    def commit(self) -> None:
        self._require_open()
        self._open = False
        try:
            with self._guard.ending():
                self._connection.execute("COMMIT")
        except (apsw.BusyError, apsw.ConstraintError) as failure:
            self.rollback()  # both leave the transaction open
            raise self._place.fault(failure, "the COMMIT") from None
        except apsw.Error as failure:
            self._connection.close(force=True)
            raise CommitUnknown(
                "commit-unknown",
                f"{self._place.name}: COMMIT ended with {code_name(failure)}:"
                " it took place, or it did not",
                hint="dbops repair resume finds out",
            ) from None

    def rollback(self) -> None:
        self._open = False
        with self._doing("the ROLLBACK"), self._guard.ending():
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _run(self, statement: Statement, rendering: Rendering) -> int:
        text = rendering.text(statement)
        before = self._connection.total_changes()
        with self._writing(f"the statement at line {statement.line}", Mode.SCRIPT):
            cursor = self._connection.cursor()
            cursor.exec_trace = self._guard.trace_one(text)
            for _ in cursor.execute(text, rendering.values, can_cache=False):
                pass
        wrote = self._connection.total_changes() > before
        return self._connection.changes() if wrote else 0

    def _query(self, text: str, rendering: Rendering, doing: str) -> Iterator[Found]:
        """Run a query of the repair's; its first row is there when this returns."""
        with self._doing(doing), self._guard.mode(Mode.READING):
            cursor = self._connection.cursor()
            cursor.exec_trace = self._guard.trace_one(text)
            return iter(cursor.execute(text, rendering.values, can_cache=False))

    def _rows(self, facts: Facts, rows: Iterator[Found], doing: str) -> Iterator[KeyedRow]:
        make = RowReader(facts, self._counters, self._codec).row
        guard = self._guard
        try:
            while True:  # each row has its own time; what is done with it between does not count
                guard.arm()
                found = next(rows, None)
                guard.disarm()
                if found is None:
                    return
                yield make(found)
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise self._place.fault(failure, doing) from None
        finally:
            guard.disarm()

    def _step(self, rows: Iterator[Found], doing: str) -> Found | None:
        with self._doing(doing), self._guard.timed():
            return next(rows, None)

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise self._place.fault(failure, what) from None

    @contextmanager
    def _writing(self, what: str, mode: Mode) -> Iterator[None]:
        """What fails here ends the transaction: its rows were counted, and are gone."""
        self._require_open()
        self._open = False
        with self._doing(what), self._guard.mode(mode):
            yield
        self._open = True
        self._require_open()

    def _require_open(self) -> None:
        lost = self._guard.ended or not self._connection.in_transaction
        if self._open and lost:
            self._open = False
        if not self._open:
            raise Refused(
                "transaction-lost",
                f"{self._place.name}: the transaction is no longer the one that was begun",
                hint="nothing was changed; take out what ends it (ROLLBACK, OR ROLLBACK)",
            )

    def _facts(self, table: TableName) -> Facts:
        with self._doing(f"the catalogue of {table}"):
            return self._known().facts(table)

    def _known(self) -> Catalog:
        if self._catalog is None:
            self._require_open()
        assert self._catalog is not None  # noqa: S101 - begun
        return self._catalog

    def _counting(self) -> Counters:
        if self._counters is None:
            self._require_open()
        assert self._counters is not None  # noqa: S101 - begun
        return self._counters

    def _refuse_shadows(self, catalog: Catalog) -> None:
        taken = {name.lower() for name in catalog.names}
        if shadows := sorted(n for n in self._order.temporary if n.lower() in taken):
            raise Refused(
                "temporary-taken",
                f"{self._place.name} has a table {shadows[0]} that a temporary one would hide",
                hint="give the temporary table another name",
            )

    def _orphaned(self) -> list[str]:
        """Tables with rows that point at nothing, among those that this transaction may break."""
        written = {table.name for table in self._counting().writes()}
        found = []
        for name in self._known().names:
            keys = self._known().outgoing(name)
            near = name in written or any(key.target.name in written for key in keys)
            if keys and near:
                check = self._connection.execute(f"PRAGMA main.foreign_key_check({quoted(name)})")
                found += [name] if check.fetchone() else []
        return found

    def _collation(self, facts: Facts, column: str) -> str:
        return self._connection.column_metadata("main", facts.name, column)[1]

    def _printed(self, value: Plain) -> bytes | None:
        """The value as SQLite prints it."""
        if isinstance(value, float):
            value = self._connection.execute("SELECT CAST(? AS TEXT)", (value,)).get
        return None if value is None else _bytes(value)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
