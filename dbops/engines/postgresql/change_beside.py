"""What the steps of a change must leave alone, whatever its `touches` say.

Roles, tablespaces and other databases belong to the whole server, and dbops' own tables are left
out: no comparison of two schemas sees them, so a change that alters such a thing would pass every
judgement. Of the functions of extensions, and of the server itself, a comparison sees that they
were altered; but no restore brings that back, so it is no part of what can be rehearsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from psycopg.rows import TupleRow

from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.connect import Session
from dbops.errors import Refused

ROLES: Final = "roles, or who is a member of them"
OWN: Final = "dbops' own tables"
FUNCTIONS: Final = "functions that came with the server"
SEARCH: Final = "text search that came with the server"

_EXTENSION: Final = "extension "
_DATABASE: Final = """
    (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
"""
_OWN: Final = """
    SELECT c.oid, c.relname, c.relowner, c.relacl FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'dbops' AND c.relname IN ('dbops_change', 'dbops_run')"""
# The server keeps these locks until the transaction ends, whoever's statement took them: a
# function's or a block's too.
_LOCKED: Final = f"""
    SELECT DISTINCT CASE l.database WHEN 0 THEN '{ROLES}' ELSE '{OWN.replace("'", "''")}' END
    FROM pg_catalog.pg_locks AS l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
        AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
        AND CASE l.database WHEN 0 THEN l.relation IN (
                pg_catalog.to_regclass('pg_catalog.pg_authid'),
                pg_catalog.to_regclass('pg_catalog.pg_auth_members'),
                pg_catalog.to_regclass('pg_catalog.pg_parameter_acl'))
            ELSE l.database = {_DATABASE} AND l.relation IN (SELECT o.oid FROM ({_OWN}) AS o) END
    ORDER BY 1"""  # noqa: S608 - constants
_FUNCTION: Final = """
    pg_catalog.concat_ws('|', p.oid, p.proname, p.proowner, p.prolang, p.procost, p.prorows,
        p.prosupport, p.prokind, p.prosecdef, p.proleakproof, p.proisstrict, p.proretset,
        p.provolatile, p.proparallel, p.prorettype, p.proargtypes, p.proargdefaults, p.prosrc,
        p.probin, p.prosqlbody, p.proconfig)"""
_SEARCH: Final = """
    pg_catalog.concat_ws('|', c.mapcfg, c.maptokentype, c.mapseqno, c.mapdict,
        w.oid, w.dictinitoption)"""
_MEMBER: Final = f"pg_catalog.concat_ws('|', m.classid, m.objid, {_FUNCTION}, {_SEARCH})"
_DIGEST: Final = """
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        coalesce(pg_catalog.string_agg({0}, '|' ORDER BY {0}), ''),
        pg_catalog.getdatabaseencoding())), 'hex')"""
# Of what others may alter meanwhile: a row that can be seen, and was written by a transaction that
# is still at work, was written by this one, or by a part of it that was nested.
_OURS: Final = """
    ({0}.xmin::pg_catalog.text::bigint >= pg_catalog.txid_current_if_assigned() & 4294967295
    AND pg_catalog.txid_status(pg_catalog.txid_current_if_assigned() >> 32 << 32
        | {0}.xmin::pg_catalog.text::bigint) = 'in progress') IS TRUE"""
_SETTING: Final = """
    EXISTS (SELECT FROM pg_catalog.pg_locks AS l WHERE l.pid = pg_catalog.pg_backend_pid()
        AND l.relation = 'pg_catalog.pg_db_role_setting'::pg_catalog.regclass
        AND l.mode = 'RowExclusiveLock')"""
_BESIDE: Final = f"""
    SELECT 'database ' || d.datname, pg_catalog.concat_ws('|', d.oid, d.datdba, d.datistemplate,
            d.datallowconn, d.datconnlimit, d.datacl), {_OURS.format("d")}
        FROM pg_catalog.pg_database AS d WHERE d.oid <> {_DATABASE}
    UNION ALL SELECT 'tablespace ' || t.spcname,
            pg_catalog.concat_ws('|', t.oid, t.spcowner, t.spcacl, t.spcoptions),
            {_OURS.format("t")}
        FROM pg_catalog.pg_tablespace AS t
    UNION ALL SELECT 'settings of roles or of other databases',
            {_DIGEST.format("s::pg_catalog.text")}, {_SETTING}
        FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase <> {_DATABASE}
    UNION ALL SELECT 'rights on {OWN.replace("'", "''")}', {_DIGEST.format("o::pg_catalog.text")},
            true
        FROM ({_OWN} UNION ALL SELECT n.oid, n.nspname, n.nspowner, n.nspacl
            FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'dbops') AS o
    UNION ALL SELECT pg_catalog.concat('{_EXTENSION}', e.extname, ' of version ', e.extversion),
            {_DIGEST.format(_MEMBER)}, true
        FROM pg_catalog.pg_extension AS e
        JOIN pg_catalog.pg_depend AS m ON m.refobjid = e.oid AND m.deptype = 'e'
            AND m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        LEFT JOIN pg_catalog.pg_proc AS p ON p.oid = m.objid
            AND m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        LEFT JOIN pg_catalog.pg_ts_config_map AS c ON c.mapcfg = m.objid
            AND m.classid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass
        LEFT JOIN pg_catalog.pg_ts_dict AS w ON w.oid = m.objid
            AND m.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass
        GROUP BY e.extname, e.extversion
    UNION ALL SELECT '{FUNCTIONS}', {_DIGEST.format(_FUNCTION)}, true
        FROM pg_catalog.pg_proc AS p WHERE p.oid < 16384
    UNION ALL SELECT '{SEARCH}', {_DIGEST.format(_SEARCH)}, true
        FROM pg_catalog.pg_ts_dict AS w FULL JOIN pg_catalog.pg_ts_config_map AS c ON false
        WHERE coalesce(w.oid, c.mapcfg) < 16384"""  # noqa: S608 - constants


class Beside:
    """How all of that is when a transaction begins."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._noted = False
        rows = self._read("looking at the server")
        self._before: Mapping[str, str] = {what: text for what, text, _ in rows}

    def refuse_reached(self, doing: str) -> None:
        """Raises Refused `change-statement` where a step of the open transaction reached for it."""
        for (what,) in ask(self._session, _LOCKED, doing=doing):
            if what != OWN or not self._noted:
                raise _reached(doing, what)

    def note(self, doing: str) -> None:
        """Afterwards dbops itself may write to its tables; raises as `refuse_reached`."""
        self.refuse_reached(doing)
        self._noted = True

    def refuse_altered(self, doing: str) -> None:
        """Raises Refused `change-statement` where it is not as it was.

        What somebody else alters in this database just now cannot be told from what a step does.
        """
        for what, text, counts in self._read(doing):
            if counts and self._before.get(what, text) != text:
                raise _reached(doing, what)

    def _read(self, doing: str) -> list[TupleRow]:
        return ask(self._session, _BESIDE, doing=doing)


def _reached(doing: str, what: str) -> Refused:
    is_lost = what in {FUNCTIONS, SEARCH} or what.startswith(_EXTENSION)
    why = "what no restore brings back" if is_lost else "what no comparison of schemas sees"
    return Refused(
        "change-statement",
        f"{doing}: it changes {why}: {what}",
        hint="take it out of the script; where somebody else did that just now, run it again",
    )
