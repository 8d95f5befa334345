"""What must be so before a snapshot is taken: every row that is there can be read.

A backup from which rows are missing is worse than none, so a role that cannot read something is
refused, with everything that it lacks named at once. Row-level security is refused even where it
would hide nothing today.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.tables import Relation
from dbops.errors import Refused

_UNREADABLE = """
    SELECT c.oid, NOT (has_schema_privilege(c.relnamespace, 'USAGE') AND CASE c.relkind
            WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')
            ELSE has_table_privilege(c.oid, 'SELECT') END),
        c.relkind IN ('r', 'p') AND row_security_active(c.oid)
    FROM unnest(%s::bigint[]) AS u (relid) JOIN pg_class AS c ON c.oid = u.relid"""

_SEES_ALL_PAGES = "SELECT has_table_privilege('pg_largeobject', 'SELECT')"
_HIDDEN_OBJECTS = """
    SELECT m.oid::text FROM pg_largeobject_metadata AS m
    WHERE NOT pg_has_role(m.lomowner, 'USAGE') AND NOT EXISTS (
        SELECT FROM aclexplode(m.lomacl) AS a WHERE a.privilege_type = 'SELECT'
            AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
    ORDER BY m.oid"""


def refuse_unreadable(session: Session, relations: Sequence[Relation]) -> None:
    """Raises Refused where the role cannot read every row, sequence and large object.

    Codes: `tables-unreadable`, `row-security`, `large-objects-unreadable`.
    """
    wanted = {one.oid: one for one in relations if one.has_rows or one.kind in ("p", "S")}
    found = session.rows(_UNREADABLE, [list(wanted)], doing="checking privileges")
    unreadable = [wanted[oid].name for oid, hidden, _ in found if hidden]
    filtered = [wanted[oid].name for oid, hidden, active in found if active and not hidden]
    _refuse(session, "tables-unreadable", "cannot read", "tables or sequences", unreadable)
    _refuse(session, "row-security", "sees by row security only some rows of", "tables", filtered)
    _refuse_hidden_objects(session)


def _refuse_hidden_objects(session: Session) -> None:
    if session.value(_SEES_ALL_PAGES):
        return
    hidden = [oid for (oid,) in session.rows(_HIDDEN_OBJECTS, doing="checking large objects")]
    _refuse(session, "large-objects-unreadable", "cannot read", "large objects", hidden)


_HINTS = {
    "tables-unreadable": "GRANT pg_read_all_data TO {role}",
    "row-security": "ALTER ROLE {role} BYPASSRLS",
    "large-objects-unreadable": "GRANT SELECT ON TABLE pg_catalog.pg_largeobject TO {role}",
}


def _refuse(session: Session, code: str, verb: str, things: str, names: Sequence[str]) -> None:
    if not names:
        return
    role = session.value("SELECT quote_ident(current_user)")
    ordered = ", ".join(sorted(names))
    raise Refused(
        code,
        f"role {role} {verb} {len(names)} {things}: {ordered}",
        hint=_HINTS[code].format(role=role),
    )
