"""What a database holds as rows: which relations, with which columns, and which it cannot give.

A relation that is listed is backed up, or it is a gap with its reason; temporary ones belong to
their session and are neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dbops.engines.postgresql.connect import Session, quoted
from dbops.repository.manifest import Gap

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

# `OUTSIDE` are the schemas whose objects pg_dump leaves out.
OUTSIDE = "(n.nspname ~ '^pg_' OR n.nspname = 'information_schema')"
OF_EXTENSION = (
    "EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '{catalog}'::regclass"
    " AND d.objid = {oid} AND d.deptype = 'e')"
)
FIRST_OWN_OID = 16384

_RELATIONS = f"""
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, c.relname, c.relkind,
        c.relkind = 'r' AND (c.relpersistence <> 'u'
            OR c.relispartition AND NOT pg_is_in_recovery()),
        c.relkind IN ('r', 'm') AND c.relfilenode <> pg_relation_filenode(c.oid),
        coalesce((SELECT amhandler::text = 'heap_tableam_handler' FROM pg_am WHERE oid = c.relam),
            false),
        coalesce((SELECT array_agg(quote_ident(attname) ORDER BY attname) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
            '{{}}'),
        coalesce((SELECT a.relid FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS a (relid, n)
            JOIN pg_partitioned_table AS p ON p.partrelid = a.relid
            WHERE p.partstrat = 'h' ORDER BY a.n DESC LIMIT 1), 0)::oid,
        e.extname, e.condition
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN (SELECT extname, u.relid, u.condition FROM pg_extension,
        unnest(extconfig, extcondition) AS u (relid, condition)) AS e ON e.relid = c.oid
    WHERE c.relkind IN ('r', 'p', 'f', 'm', 'S') AND c.relpersistence <> 't' AND NOT {OUTSIDE}
        AND (e.relid IS NOT NULL OR NOT {OF_EXTENSION.format(catalog="pg_class", oid="c.oid")})
    ORDER BY n.nspname, c.relname"""  # noqa: S608 - constants of this module

_MISPLACED = f"""
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE {OUTSIDE} AND c.oid >= {FIRST_OWN_OID} AND c.relkind IN ('r', 'p', 'f', 'm')
        AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)' AND c.relpersistence <> 't'
        AND NOT {OF_EXTENSION.format(catalog="pg_class", oid="c.oid")}
    ORDER BY 1"""  # noqa: S608 - constants of this module

_MISPLACED_GRANTS = """
    SELECT DISTINCT format('grants on %I.%I', n.nspname, c.relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
        aclexplode(c.relacl) AS a
    WHERE n.nspname = 'information_schema' AND a.grantee <> c.relowner
        AND (a.grantee, a.privilege_type) <> (0, 'SELECT') ORDER BY 1"""  # initdb: SELECT to PUBLIC

_SUBSCRIPTIONS = """
    SELECT quote_ident(subname) FROM pg_subscription
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1"""
_MAPPINGS = """
    SELECT format('user mapping of %I on %I', usename, srvname) FROM pg_user_mappings
    WHERE umoptions IS NULL ORDER BY 1"""


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation as the catalog has it.

    `name` is quoted where SQL needs it. `has_rows` says that rows of its own are backed up: those
    of an unlogged table are not, unless it is a partition, because a foreign key may point there.
    `columns` are quoted names of what can be copied in, by name: a restored table that inherits
    can have another order of its own. `hashed` is the topmost ancestor that is partitioned by
    hash, or 0. `moved` says that its file is not the one that the snapshot knows.
    """

    oid: int
    name: str
    schema: str
    relname: str
    kind: str
    has_rows: bool
    moved: bool
    heap: bool
    columns: tuple[str, ...]
    hashed: int
    extension: str | None
    condition: str | None

    @property
    def lockable(self) -> bool:
        """Whether LOCK TABLE takes it."""
        return self.kind in ("r", "p")

    @property
    def sql(self) -> str:
        """The name with quotes around both parts."""
        return f"{quoted(self.schema)}.{quoted(self.relname)}"


@dataclass(frozen=True, slots=True)
class RowStream:
    """A stream of rows: a table, or all local leaves of one that is partitioned by hash.

    `columns` are those of the table that names the stream.
    """

    name: str
    columns: tuple[str, ...]
    parts: tuple[Relation, ...]
    condition: str
    blocks: Mapping[int, int] = field(default_factory=dict, compare=False)


def list_relations(session: Session) -> tuple[Relation, ...]:
    """Every relation that concerns a backup, by schema and name, under the session's snapshot."""
    found = session.rows(_RELATIONS, doing="listing tables")
    return tuple(_relation(row) for row in found)


def _relation(row: TupleRow) -> Relation:
    return Relation(
        oid=row[0],
        name=row[1],
        schema=row[2],
        relname=row[3],
        kind=row[4],
        has_rows=row[5],
        moved=row[6],
        heap=row[7],
        columns=tuple(row[8]),
        hashed=row[9],
        extension=row[10],
        condition=row[11],
    )


def list_gaps(session: Session, relations: Sequence[Relation]) -> tuple[Gap, ...]:
    """What the database holds and the backup will not, with the reason."""
    gaps = [Gap(one.name, reason) for one in relations if (reason := _reason(one)) is not None]
    for query in (_MISPLACED, _MISPLACED_GRANTS):
        for (name,) in session.rows(query):
            gaps.append(Gap(name, "in a system schema, which pg_dump leaves out"))
    superuser = session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if not superuser:
        for (name,) in session.rows(_MAPPINGS):
            gaps.append(Gap(name, "its options are readable for a superuser only"))
        for (name,) in session.rows(_SUBSCRIPTIONS):
            gaps.append(Gap(f"subscription {name}", "readable for a superuser only"))
    return tuple(gaps)


def _reason(relation: Relation) -> str | None:
    if relation.kind == "f":
        return "a foreign table: its rows are kept elsewhere, its definition is backed up"
    if relation.kind == "m":
        return "a materialized view: its definition is backed up, its rows are made again"
    if relation.kind == "r" and not relation.has_rows:
        return "an unlogged table: a crash empties it; its definition is backed up, not its rows"
    return None


def row_streams(relations: Sequence[Relation]) -> tuple[RowStream, ...]:
    """The streams that hold every row exactly once."""
    by_oid = {one.oid: one for one in relations}
    leaves: defaultdict[int, list[Relation]] = defaultdict(list)
    for one in relations:
        if one.has_rows:
            leaves[one.hashed or one.oid].append(one)
    return tuple(
        RowStream(by_oid[oid].name, by_oid[oid].columns, tuple(parts), by_oid[oid].condition or "")
        for oid, parts in leaves.items()
    )


def with_blocks(session: Session, streams: Sequence[RowStream]) -> tuple[RowStream, ...]:
    """The same streams, with the number of heap blocks of every part as it is now."""
    oids = [part.oid for stream in streams for part in stream.parts]
    found = session.rows(
        "SELECT u, pg_relation_size(u::oid, 'main') / current_setting('block_size')::bigint"
        " FROM unnest(%s::bigint[]) AS u",
        [oids],
    )
    blocks = {int(oid): int(count or 0) for oid, count in found}
    return tuple(
        replace(stream, blocks={part.oid: blocks[part.oid] for part in stream.parts})
        for stream in streams
    )
