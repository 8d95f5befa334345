"""Steps that the server runs only outside of a transaction: what they leave, and how it goes away.

An index that was being built CONCURRENTLY stays behind when that fails, not valid and still kept
up to date by every write, and so does one that was being dropped. A lost connection is no end: the
server may still be at work, and then cleaning up waits for its lock and gives up in time.
https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from dbops.change.ports import Remains
from dbops.change.step import Step
from dbops.engines.postgresql.change_wire import ask, command
from dbops.engines.postgresql.change_words import Alone, Named, Target, place, target_of
from dbops.engines.postgresql.connect import Session, quoted
from dbops.errors import Failed

_DETACH_SINCE: Final = 14

_NAMED: Final = """
    SELECT c.oid FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s::pg_catalog.name AND c.relname = %s::pg_catalog.name"""
_INDEX: Final = f"""
    SELECT i.indexrelid, i.indisvalid AND i.indisready AND i.indislive, n.nspname, t.relname, t.oid
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
    WHERE i.indexrelid = ({_NAMED})"""  # noqa: S608 - constants
# What REINDEX leaves: https://www.postgresql.org/docs/current/sql-reindex.html
_LEFT: Final = """
    SELECT n.nspname, c.relname
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i'
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
    LEFT JOIN pg_catalog.pg_class AS m ON m.reltoastrelid = t.oid
    WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
        AND (%s::pg_catalog.oid[] IS NULL OR coalesce(m.oid, t.oid) = ANY (%s::pg_catalog.oid[]))
        AND (%s::pg_catalog.name IS NULL
            OR coalesce(m.relnamespace, t.relnamespace) = pg_catalog.to_regnamespace(%s))
    ORDER BY 1, 2"""
_TREE: Final = f"""
    SELECT coalesce(i.indrelid, r.oid)
    FROM (SELECT oid FROM ({_NAMED}) AS o
        UNION SELECT p.relid FROM ({_NAMED}) AS o, pg_catalog.pg_partition_tree(o.oid) AS p) AS r
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = r.oid"""  # noqa: S608 - constants
_PARTITION: Final = f"""
    SELECT i.inhdetachpending FROM pg_catalog.pg_inherits AS i
    WHERE i.inhrelid = ({_NAMED}) AND i.inhparent = ({_NAMED})"""  # noqa: S608 - constants


class _Index(NamedTuple):
    oid: int
    valid: bool
    schema: str
    table: str
    table_oid: int


def remains_of(session: Session, step: Step, invalid: Collection[int] = frozenset()) -> Remains:
    """What the step has left, as the catalogue says now.

    `invalid` are indexes that were not valid before it: dropping one of them is not half done. What
    can run again without harm (VACUUM, REINDEX that left nothing) has left nothing. Raises
    Failed `change-step` where another object bears the name.
    """
    target = target_of(step)
    match target.kind:
        case Alone.CREATE_INDEX:
            return _created(session, step, target)
        case Alone.DROP_INDEX:
            found = _index(session, target.name, place(step))
            if found is None:
                return Remains.DONE
            return _half_unless(found.valid or found.oid in invalid, Remains.NOTHING)
        case Alone.REINDEX:
            return Remains.HALF if _left(session, target, place(step)) else Remains.NOTHING
        case Alone.DETACH:
            return _detached(session, target, place(step))
        case Alone.VACUUM:
            return Remains.NOTHING


def clean_up(session: Session, step: Step, invalid: Collection[int] = frozenset()) -> bool:
    """Afterwards what the step left half done is gone; returns whether that was to finish it.

    So it is with an index that was being dropped and a partition that was being detached: there is
    no way back from there. `invalid` is as in `remains_of`.
    """
    if remains_of(session, step, invalid) is not Remains.HALF:
        return False
    target, doing = target_of(step), f"cleaning up after {place(step)}"
    match target.kind:
        case Alone.CREATE_INDEX | Alone.DROP_INDEX:
            _drop(session, target.name, doing)
        case Alone.REINDEX:
            for name in _left(session, target, doing):
                _drop(session, name, doing)
        case Alone.DETACH:
            parent, part = _sql(target.table), _sql(target.name)
            command(session, f"ALTER TABLE {parent} DETACH PARTITION {part} FINALIZE", doing=doing)
        case Alone.VACUUM:
            pass
    return target.kind in {Alone.DROP_INDEX, Alone.DETACH}


def refuse_unfinished(session: Session, step: Step) -> None:
    """Raises Failed `change-step` where a step that ended well has not made what it says."""
    target = target_of(step)
    found = remains_of(session, step)
    repeatable = target.kind in {Alone.REINDEX, Alone.VACUUM}
    if found is Remains.DONE or (repeatable and found is Remains.NOTHING):
        return
    raise Failed(
        "change-step",
        f"{place(step)}: the server ended it, and {target.name.written or 'its work'} is not as it"
        " should be: half done, or skipped by IF EXISTS",
        hint="look at it in psql: an index must be valid",
    )


def _created(session: Session, step: Step, target: Target) -> Remains:
    found = _index(session, target.name, place(step))
    if found is None:
        return Remains.NOTHING
    ((table,),) = ask(session, f"SELECT ({_NAMED})", _names(target.table), doing=place(step))
    if table != found.table_oid:
        raise Failed(
            "change-step",
            f"{place(step)}: an index {target.name.written} stands on another table",
            hint="give the index another name",
        )
    return _half_unless(found.valid, Remains.DONE)


def _detached(session: Session, target: Target, doing: str) -> Remains:
    if session.major < _DETACH_SINCE:
        return Remains.NOTHING
    names = [*_names(target.name), *_names(target.table)]
    rows = ask(session, _PARTITION, names, doing=doing)
    if rows:
        return Remains.HALF if rows[0][0] else Remains.NOTHING
    there = ask(session, _NAMED, _names(target.name), doing=doing)
    return Remains.DONE if there else Remains.NOTHING


def _half_unless(whole: bool, then: Remains) -> Remains:  # noqa: FBT001
    return then if whole else Remains.HALF


def _index(session: Session, name: Named, doing: str) -> _Index | None:
    """The index of that name; None where it is not there."""
    rows = ask(session, _INDEX, _names(name), doing=doing)
    return _Index(*rows[0]) if rows else None


def _left(session: Session, target: Target, doing: str) -> Sequence[Named]:
    """The indexes that a REINDEX of this scope left behind, by their names."""
    tables: list[int] | None = None
    if target.scope in {"INDEX", "TABLE"}:
        names = _names(target.name)
        tables = [oid for (oid,) in ask(session, _TREE, [*names, *names], doing=doing)]
    schema = target.name.name if target.scope == "SCHEMA" else None
    literal = None if schema is None else quoted(schema)
    rows = ask(session, _LEFT, [tables, tables, schema, literal], doing=doing)
    return [Named(*row) for row in rows]


def _drop(session: Session, index: Named, doing: str) -> None:
    command(session, f"DROP INDEX CONCURRENTLY IF EXISTS {_sql(index)}", doing=doing)


def _names(name: Named) -> list[str]:
    return [name.schema, name.name]


def _sql(name: Named) -> str:
    return f"{quoted(name.schema)}.{quoted(name.name)}"
