"""What pg_dump does not say about a database: its own properties, and the roles it refers to.

They are the detail of the schema stream; `streams` says what each key holds.
"""

from __future__ import annotations

import json

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.streams import DATABASE, ENCODING, ROLES

_DATABASE = """
    SELECT json_build_object(
        'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
        'provider', to_jsonb(d) ->> 'datlocprovider',
        'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
        'rules', to_jsonb(d) ->> 'daticurules',
        'owner', pg_get_userbyid(d.datdba), 'limit', d.datconnlimit,
        'comment', shobj_description(d.oid, 'pg_database'),
        'acl', CASE WHEN d.datacl IS NOT NULL THEN (
            SELECT coalesce(json_agg(json_build_array(pg_get_userbyid(a.grantor),
                CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END,
                a.privilege_type, a.is_grantable) ORDER BY a.n), '[]')
            FROM aclexplode(d.datacl) WITH ORDINALITY
                AS a (grantor, grantee, privilege_type, is_grantable, n)) END,
        'settings', (
            SELECT coalesce(json_agg(json_build_array(
                CASE s.setrole WHEN 0 THEN '' ELSE pg_get_userbyid(s.setrole) END, o.setting)
                ORDER BY s.setrole <> 0, pg_get_userbyid(s.setrole), o.n), '[]')
            FROM pg_db_role_setting AS s, unnest(s.setconfig) WITH ORDINALITY AS o (setting, n)
            WHERE s.setdatabase = d.oid)
        )::text
    FROM pg_database AS d WHERE d.datname = current_database()"""

# Dependencies on roles are recorded in pg_shdepend, but for the bootstrap superuser's, who always
# counts, and for user mappings and settings.
_ROLES = """
    WITH RECURSIVE here AS (SELECT oid FROM pg_database WHERE datname = current_database()),
    named (role) AS (
        SELECT 10::oid
        UNION SELECT s.refobjid FROM pg_shdepend AS s, here
            WHERE s.refclassid = 'pg_authid'::regclass AND (s.dbid = here.oid
                OR s.classid = 'pg_database'::regclass AND s.objid = here.oid)
        UNION SELECT umuser FROM pg_user_mappings
        UNION SELECT setrole FROM pg_db_role_setting, here WHERE setdatabase = here.oid
    ), wanted (role) AS (
        SELECT role FROM named
        UNION SELECT m.roleid FROM pg_auth_members AS m JOIN wanted AS w ON w.role = m.member
    )
    SELECT coalesce(json_agg(json_build_object(
        'name', r.rolname, 'superuser', r.rolsuper, 'inherit', r.rolinherit,
        'bypassrls', r.rolbypassrls,
        'member_of', coalesce((SELECT json_agg(o.rolname ORDER BY o.rolname) FROM (
            SELECT DISTINCT g.rolname FROM pg_auth_members AS m
            JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid) AS o), '[]'))
        ORDER BY r.rolname), '[]')::text
    FROM wanted AS w JOIN pg_roles AS r ON r.oid = w.role WHERE r.rolname !~ '^pg_'"""


def schema_detail(session: Session) -> dict[str, str]:
    """The detail of the schema stream, under the session's snapshot."""
    return {
        ENCODING: session.encoding.name,
        DATABASE: _normal(session.value(_DATABASE, doing="reading the database's properties")),
        ROLES: _normal(session.value(_ROLES, doing="reading roles")),
    }


def _normal(text: str) -> str:
    """The same JSON without the server's line breaks."""
    return json.dumps(json.loads(text), ensure_ascii=False)
