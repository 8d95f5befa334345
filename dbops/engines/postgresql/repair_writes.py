"""What the server counted of this transaction's writes, and what else it shows of its doings.

Rows come from `pg_stat_xact_all_tables`, less what stood there when the transaction began (counts
of earlier transactions of a session can still stand there). Attempts that were rolled back to a
savepoint stay counted. Definitions, grants, TRUNCATE, LOCK TABLE and large objects show as writes
to the catalogue and as locks; declared temporary tables are the only thing that may be made.

Not seen: NOTIFY, what a function does through another connection (dblink), in files or in other
programs, and what a function that runs as a superuser hides by switching settings off and on.
https://www.postgresql.org/docs/current/monitoring-stats.html
"""

# Every part of these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from psycopg.rows import TupleRow

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.repair_marker import TABLE as MARKERS
from dbops.repair.ports import Writes
from dbops.repair.table import TableName
from dbops.sql.written import Written

_COUNTERS = """
    SELECT s.relid, n.nspname, c.relname, c.relkind, c.relnamespace = pg_my_temp_schema(),
        n.nspname IN ('pg_catalog', 'information_schema'),
        s.n_tup_ins, s.n_tup_upd, s.n_tup_del
    FROM pg_catalog.pg_stat_xact_all_tables AS s
    JOIN pg_catalog.pg_class AS c ON c.oid = s.relid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind <> 't' AND s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0"""
_ANCESTORS = """
    SELECT u.relid, n.nspname, c.relname
    FROM unnest(%s::oid[]) AS u (relid),
        pg_partition_ancestors(u.relid) WITH ORDINALITY AS a (oid, n)
    JOIN pg_catalog.pg_class AS c ON c.oid = a.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    ORDER BY u.relid, a.n"""
_LOCKS = """
    SELECT l.relation, n.nspname, c.relname, c.relkind, array_agg(DISTINCT l.mode ORDER BY l.mode)
    FROM pg_catalog.pg_locks AS l
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
        AND l.database = (SELECT oid FROM pg_catalog.pg_database
            WHERE datname = current_database())
        AND c.relpersistence IS DISTINCT FROM 't'
    GROUP BY 1, 2, 3, 4 ORDER BY 2, 3"""
_MADE = """
    SELECT relname FROM pg_catalog.pg_class
    WHERE relnamespace = pg_my_temp_schema() AND relkind NOT IN ('i', 'I', 't', 'S')
        AND relname <> ALL (%s) ORDER BY 1"""

_HELD = "SELECT count(*) FROM pg_catalog.pg_cursors WHERE is_holdable"

_READING = frozenset({"AccessShareLock", "RowShareLock"})
_WRITING = "RowExclusiveLock"
_SEQUENCE, _FOREIGN = "S", "f"

# Rows of this transaction in the catalogues that making a temporary table writes, but for those
# that belong to one. Each query names the table as `t` and says what belongs.
_OF_TEMPORARY = "IN (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't')"
_TYPE_OF_TEMPORARY = (
    "IN (SELECT oid FROM pg_catalog.pg_type WHERE typnamespace = pg_my_temp_schema()"
    f" OR typrelid {_OF_TEMPORARY})"
)
_DEPENDENT = (
    f"(t.classid = 'pg_catalog.pg_class'::regclass AND t.objid {_OF_TEMPORARY}"
    f" OR t.classid = 'pg_catalog.pg_type'::regclass AND t.objid {_TYPE_OF_TEMPORARY}"
    " OR t.classid = 'pg_catalog.pg_attrdef'::regclass AND t.objid IN (SELECT oid"
    f" FROM pg_catalog.pg_attrdef WHERE adrelid {_OF_TEMPORARY})"
    " OR t.classid = 'pg_catalog.pg_constraint'::regclass AND t.objid IN (SELECT oid"
    f" FROM pg_catalog.pg_constraint WHERE conrelid {_OF_TEMPORARY}))"
)
_BELONGS: Final[Mapping[str, str]] = {
    "pg_class": f"t.oid {_OF_TEMPORARY}",
    "pg_type": f"t.oid {_TYPE_OF_TEMPORARY}",
    "pg_attribute": f"t.attrelid {_OF_TEMPORARY}",
    "pg_depend": _DEPENDENT,
    "pg_shdepend": _DEPENDENT,
    "pg_index": f"t.indrelid {_OF_TEMPORARY}",
    "pg_attrdef": f"t.adrelid {_OF_TEMPORARY}",
    "pg_constraint": f"t.conrelid {_OF_TEMPORARY}",
    "pg_sequence": f"t.seqrelid {_OF_TEMPORARY}",
    "pg_namespace": "t.nspname ~ '^pg_(toast_)?temp_[0-9]+$'",
}
_DOING = "counting what was written"

Counts = Mapping[int, Written]


class Ledger:
    """The counters of one transaction, from its beginning on."""

    def __init__(self, session: Session, temporary: Sequence[str]) -> None:
        """Afterwards the counters as they are now are the zero from which `writes` counts."""
        self._session = session
        self._temporary = list(temporary)
        self._zero: Counts = {row[0]: Written(*row[6:]) for row in self._rows()}
        self.marked = 0

    def writes(self, declared: Collection[TableName]) -> Writes:
        """What was written since, partitions counted at the declared table above them.

        `marked` rows of dbops' own table are left out; any other write there is an objection.
        """
        tables: dict[int, tuple[TableName, Written]] = {}
        catalogues: dict[str, Written] = {}
        for relid, schema, name, _, temporary, system, *counts in self._rows():
            ops = Written(*counts) - self._zero.get(relid, Written())
            if ops.total and system:
                catalogues[name] = ops
            elif ops.total and not temporary:
                tables[relid] = (TableName(schema, name), ops)
        counted = self._at_declared(tables, declared)
        sequences, objections = self._locks()
        objections = [*self._catalogue_objections(catalogues), *objections]
        if self._session.value(_HELD, doing=_DOING):
            objections.append("it left a cursor WITH HOLD, whose query COMMIT would run")
        if counted.pop(MARKERS, Written()) != Written(inserted=self.marked):
            objections.append(f"it wrote to {MARKERS}, which only dbops may write")
        return Writes(counted, tuple(objections), tuple(sequences))

    def _rows(self) -> list[TupleRow]:
        return self._session.rows(_COUNTERS, doing=_DOING)

    def _at_declared(
        self, tables: Mapping[int, tuple[TableName, Written]], declared: Collection[TableName]
    ) -> dict[TableName, Written]:
        wanted = set(declared)
        names = {relid: name for relid, (name, _) in tables.items()}
        found = self._session.rows(_ANCESTORS, [list(tables)], doing=_DOING) if tables else []
        for relid, schema, name in reversed(found):  # the nearest last, so that it stays
            if TableName(schema, name) in wanted:
                names[relid] = TableName(schema, name)
        counted: defaultdict[TableName, Written] = defaultdict(Written)
        for relid, (_, ops) in tables.items():
            counted[names[relid]] += ops
        return dict(counted)

    def _locks(self) -> tuple[list[str], list[str]]:
        sequences, objections = [], []
        for _, schema, name, kind, modes in self._session.rows(_LOCKS, doing=_DOING):
            if name is None:
                objections.append("it dropped a relation")
                continue
            relation = TableName(schema, name)
            strong = set(modes) - _READING - {_WRITING}
            if strong and schema not in ("pg_catalog", "pg_toast"):
                objections.append(f"it locked {relation} as only definitions do ({min(strong)})")
            elif _WRITING in modes and kind == _SEQUENCE:
                sequences.append(str(relation))
            elif _WRITING in modes and kind == _FOREIGN:
                objections.append(f"it may have written to the foreign table {relation}")
        return sequences, objections

    def _catalogue_objections(self, catalogues: Mapping[str, Written]) -> Iterator[str]:
        undeclared = self._session.rows(_MADE, [self._temporary], doing=_DOING)
        for (name,) in undeclared:
            yield f"it made the temporary table {TableName('', name)}, which is not declared"
        for name, ops in sorted(catalogues.items()):
            if ops.deleted or not self._temporary or self._strange(name):
                yield f"it wrote to the catalogue {name} ({ops})"

    def _strange(self, catalogue: str) -> bool:
        """Whether a row of this transaction there belongs to no temporary table."""
        belongs = _BELONGS.get(catalogue)
        return belongs is None or bool(
            self._session.value(
                f"SELECT EXISTS (SELECT FROM pg_catalog.{catalogue} AS t"
                f" WHERE pg_catalog.age(t.xmin) <= 0 AND NOT {belongs})",
                doing=_DOING,
            )
        )
