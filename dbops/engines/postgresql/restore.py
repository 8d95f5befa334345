"""A backup back into an empty database, in the order that pg_dump's sections prescribe.

1. `mark`: the database says that a restore has begun, and lets nobody in but superusers;
2. pre-data: pg_restore makes schemas, types, functions, tables without indexes;
3. rows by COPY on several connections, then sequences and large objects;
4. post-data: pg_restore makes indexes, constraints, triggers, rules, policies;
5. materialized views are filled again, and event triggers made: those would see all before;
6. the database's own owner, grants and settings; in the same transaction the mark goes.

A crash anywhere leaves the mark (`database.mark_unfinished`): applications cannot log in, and
`obstacles` names the backup whose restore did not end. With single tables named, the database is
in use: it stays open and keeps its settings, and the mark says only that something is unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dbops.backup.ports import Advance, Contents, RestoreOrder
from dbops.engines.postgresql.archive import RestoreClient, run_pg_restore
from dbops.engines.postgresql.binaries import client_for
from dbops.engines.postgresql.connect import Session, connect, quoted
from dbops.engines.postgresql.database import (
    apply_properties,
    mark_unfinished,
    unmark,
)
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.large_objects import load_large_objects, load_metadata
from dbops.engines.postgresql.loading import load_sequences, load_tables, sessions, told
from dbops.engines.postgresql.opening import OpenedSchema, Target, opened_schema, refuse_unfit
from dbops.engines.postgresql.selection import (
    NOT_IN_SCRATCH,
    Selection,
    select_all,
    select_tables,
)
from dbops.engines.postgresql.streams import (
    LARGE_OBJECT_METADATA,
    LARGE_OBJECTS,
    SEQUENCES,
)
from dbops.engines.postgresql.target import obstacles, refuse_obstacles
from dbops.engines.postgresql.toc import Entry
from dbops.errors import DbopsError, Failed, Refused
from dbops.repository.ranges import Stream

_TANGLED = frozenset({"INDEX ATTACH", "FK CONSTRAINT"})

Reads = Callable[[Stream], Iterator[bytes]]

_READS_FOREIGN = """
    WITH RECURSIVE used (oid) AS (
        SELECT to_regclass(%s)::oid
        UNION
        SELECT next.oid FROM used, LATERAL (
            SELECT d.refobjid FROM pg_rewrite AS r JOIN pg_depend AS d
                ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                AND d.refclassid = 'pg_class'::regclass
            WHERE r.ev_class = used.oid
            UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = used.oid
        ) AS next (oid)
    )
    SELECT EXISTS (SELECT FROM used JOIN pg_class USING (oid) WHERE relkind = 'f')"""


def restore(target: Target, contents: Contents, order: RestoreOrder) -> None:
    """Afterwards the database holds what the backup holds, or those of its tables that are named.

    Raises Refused before anything is changed where the target is not fit: not empty, too old, in
    another encoding, without a role or tablespace that the backup names. Raises Failed, with the
    mark left in place, where something goes wrong later.
    """
    with opened_schema(contents) as schema, connect(target.parameters) as session:
        refuse_unfit(session, contents, schema, target)
        selection = _select(session, contents, schema, order, target)
        mark_unfinished(session, contents.title, closed=order.tables is None)
        _restore_schema(target, schema, selection, "pre-data", order.jobs)
        _load(target, session, contents, selection, order)
        _restore_schema(target, schema, selection, "post-data", order.jobs)
        empty = _refresh(session, selection, scratch=target.scratch)
        client = _client(target, schema, 1)
        run_pg_restore(client, schema.archive, selection.event_triggers, "restoring event triggers")
        if order.tables is None:
            apply_properties(session, schema.properties)
        else:
            unmark(session)
    if empty:
        raise Failed(
            "views-not-filled",
            f"{len(empty)} materialized view{'s' if len(empty) > 1 else ''} could not be filled: "
            f"{', '.join(empty)}; everything else is restored",
            hint=f"REFRESH MATERIALIZED VIEW {empty[0]}",
        )


def refuse_unrestorable(target: Target, contents: Contents) -> None:
    """Raises what `restore` would raise before it changes anything, but for what lies there."""
    with opened_schema(contents) as schema, connect(target.parameters) as session:
        refuse_unfit(session, contents, schema, target)
        _client(target, schema, 1)


def restore_schema_only(target: Target, contents: Contents) -> None:
    """Afterwards the database holds the backup's definitions and no row."""
    with opened_schema(contents) as schema:
        selection = _all(contents, schema, target)
        for section in ("pre-data", "post-data"):
            _restore_schema(target, schema, selection, section, 1)
        run_pg_restore(
            _client(target, schema, 1),
            schema.archive,
            selection.event_triggers,
            "restoring event triggers",
        )


def left_out(contents: Contents, order: RestoreOrder) -> tuple[str, ...]:
    """What a restore of these tables leaves out, because it ties them to others."""
    if order.tables is None:
        return ()
    with opened_schema(contents) as schema:
        entries = schema.archive.contents
        return select_tables(entries, (), order.tables, with_needs=False).left_out


def _select(
    session: Session, contents: Contents, schema: OpenedSchema, order: RestoreOrder, target: Target
) -> Selection:
    """What to restore; refuses a target in which any of it stands already."""
    if order.tables is None:
        refuse_obstacles(session)
        return _all(contents, schema, target)
    empty = not obstacles(session)
    selection = select_tables(
        schema.archive.contents, contents.streams, order.tables, with_needs=empty
    )
    names = [f"{quoted(schema)}.{quoted(name)}" for schema, name in sorted(selection.chosen or ())]
    found = [name for name in names if session.value("SELECT to_regclass(%s) IS NOT NULL", [name])]
    if found:
        raise Refused(
            "table-exists",
            f"{len(found)} of the tables exist in the target: {', '.join(found)}",
            hint="rename or drop them there, or restore into another database",
        )
    return selection


def _all(contents: Contents, schema: OpenedSchema, target: Target) -> Selection:
    without = NOT_IN_SCRATCH if target.scratch else ()
    return select_all(schema.archive.contents, contents.streams, without)


def _client(target: Target, schema: OpenedSchema, jobs: int) -> RestoreClient:
    with connect(target.parameters) as session:
        server = session.major
    programs = client_for(schema.archive.contents.major, target.programs)
    return RestoreClient(
        programs.tool("pg_restore"),
        target.parameters,
        Encoding(schema.properties.encoding),
        max(jobs, 1),
        tablespaces=not target.scratch,
        newer=programs.major > server,
    )


def _restore_schema(
    target: Target, schema: OpenedSchema, selection: Selection, section: str, jobs: int
) -> None:
    doing = f"restoring {section}"
    entries = selection.part(section)
    side_by_side = _before_tangled(entries) if section == "post-data" and jobs > 1 else 0
    run_pg_restore(_client(target, schema, jobs), schema.archive, entries[:side_by_side], doing)
    run_pg_restore(_client(target, schema, 1), schema.archive, entries[side_by_side:], doing)


def _before_tangled(entries: Sequence[Entry]) -> int:
    """How many entries can be restored side by side; the rest goes one after another.

    Parallel jobs of pg_restore can deadlock with each other where one attaches an index to that of
    a partitioned table or adds a foreign key: it does not know that these lock other tables too.
    The archive's order is one in which each entry comes after what it needs, so a cut is safe.
    """
    tangled = (number for number, entry in enumerate(entries) if entry.kind in _TANGLED)
    return next(tangled, len(entries))


def _load(
    target: Target,
    session: Session,
    contents: Contents,
    selection: Selection,
    order: RestoreOrder,
) -> None:
    opener = sessions(target.parameters)
    load_tables(opener, contents, selection.tables, order.jobs, order.advance)
    with contents.open() as reader:
        sequences = {
            (entry.schema or "", entry.name)
            for entry in selection.entries
            if entry.kind == "SEQUENCE"
        }
        only = None if selection.chosen is None else sequences
        for stream in contents.streams:
            if stream.name == SEQUENCES:
                load_sequences(session, told(reader.read(stream), order.advance), only)
        _load_objects(session, reader.read, selection, order.advance)


def _load_objects(session: Session, read: Reads, selection: Selection, advance: Advance) -> None:
    pages = selection.special(LARGE_OBJECTS)
    if pages is not None:
        load_large_objects(session, told(read(pages), advance))
    metadata = selection.special(LARGE_OBJECT_METADATA)
    if metadata is not None:
        load_metadata(session, told(read(metadata), advance))


def reads_foreign(session: Session, view: Entry) -> bool:
    """Whether the view reads a foreign table, itself or through other views and partitions."""
    name = f"{quoted(view.schema or '')}.{quoted(view.name)}"
    return bool(session.value(_READS_FOREIGN, [name]))


def _refresh(session: Session, selection: Selection, *, scratch: bool) -> list[str]:
    """The materialized views that could not be filled again.

    A scratch copy reaches no other server: there a view over foreign tables is left empty, and
    is no failure.
    """
    empty = []
    for entry in selection.refreshes:
        name = f"{quoted(entry.schema or '')}.{quoted(entry.name)}"
        if scratch and reads_foreign(session, entry):
            continue
        try:
            session.run(f"REFRESH MATERIALIZED VIEW {name}", doing=f"filling {name}")
        except DbopsError:
            empty.append(name)
    return empty
