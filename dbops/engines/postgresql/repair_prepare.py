"""The SQL text that makes a database ready for repairs, and the text that takes that back.

People read and approve it, so it is plain, and each statement can run again without harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbops.engines.postgresql.connect import literal, quoted
from dbops.engines.postgresql.repair_script import name_of
from dbops.repair.table import TableName

_MARKERS = """\
CREATE SCHEMA IF NOT EXISTS dbops;

CREATE TABLE IF NOT EXISTS dbops.dbops_run (
    run text NOT NULL PRIMARY KEY,
    work text NOT NULL,
    plan text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('repair', 'undo')),
    batch integer NOT NULL CHECK (batch >= 0),
    bundle text NOT NULL,
    undoes text UNIQUE,
    upto text,
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (work, plan, kind, batch)
);

COMMENT ON TABLE dbops.dbops_run IS 'One row for each transaction of dbops that committed here.';
"""

_ROLE = """\
-- The repair role logs in with a password that an administrator sets, or as pg_hba.conf says.
DO $dbops$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
        CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
            CONNECTION LIMIT 5;
    END IF;
    EXECUTE pg_catalog.format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I',
        pg_catalog.current_database(), {literal});
END $dbops$;

GRANT USAGE ON SCHEMA dbops TO {role};
GRANT SELECT, INSERT ON dbops.dbops_run TO {role};
"""

# Triggers and defaults draw from the sequences that belong to the tables' columns.
_SEQUENCES = """\
DO $dbops$ DECLARE one record; BEGIN
    FOR one IN SELECT DISTINCT s.oid::pg_catalog.regclass AS name
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.deptype IN ('a', 'i')
            AND d.refobjid = ANY (ARRAY[{tables}]::pg_catalog.regclass[]::pg_catalog.oid[])
    LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON SEQUENCE %s TO %I', one.name, {literal});
    END LOOP;
END $dbops$;
"""

_REMOVE = """\
DO $dbops$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
        IF EXISTS (SELECT FROM pg_catalog.pg_shdepend AS d
            JOIN pg_catalog.pg_roles AS r ON r.oid = d.refobjid
            WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                AND r.rolname = {literal} AND d.deptype = 'o') THEN
            RAISE EXCEPTION 'the repair role owns objects: give them to another role first';
        END IF;
        DROP OWNED BY {role};
        BEGIN
            DROP ROLE {role};
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'the repair role has rights in other databases and stays';
        END;
    END IF;
END $dbops$;

DROP TABLE IF EXISTS dbops.dbops_run;
DROP SCHEMA IF EXISTS dbops;
"""


def prepare_sql(role: str, tables: Sequence[TableName], read: Sequence[TableName] = ()) -> str:
    """Makes the marker table and the role, and lets the role read and write these tables.

    A table without schema is one of `public`. Rows can be read, inserted, updated and deleted,
    nothing else; those of the tables `read` can be read only, and markers be appended to as well.
    """
    full = _in_full(tables)
    only_read = sorted(set(_in_full(read)) - set(full))
    named = quoted(role)
    parts = [_MARKERS, _ROLE.format(role=named, literal=literal(role))]
    for schema in sorted({table.schema for table in (*full, *only_read)}):
        parts.append(f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {named};\n")
    for table in full:
        parts.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name_of(table)} TO {named};\n")
    for table in only_read:
        parts.append(f"GRANT SELECT ON {name_of(table)} TO {named};\n")
    if full:
        names = ", ".join(literal(name_of(table)) for table in full)
        parts.append(_SEQUENCES.format(tables=names, literal=literal(role)))
    return "\n".join(parts)


def _in_full(tables: Sequence[TableName]) -> list[TableName]:
    """Each once, with its schema."""
    return sorted({TableName(table.schema or "public", table.name) for table in tables})


def remove_sql(role: str) -> str:
    """Removes marker table, schema and role, with all markers.

    The role stays where it has rights in other databases; owning anything it stops the removal.
    """
    return _REMOVE.format(role=quoted(role), literal=literal(role))
