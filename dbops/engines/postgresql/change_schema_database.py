"""What lies in no schema: schemas themselves, extensions, publications, foreign servers, settings.

Of a user mapping it is read only for whom it is and on which server: its options are passwords.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_builtin import builtin_properties
from dbops.engines.postgresql.change_schema_listing import TEMPORARY, listing, options, role, yes

THIS_DATABASE: Final = "current"
"""What the database itself is called: databases of several rings have several names."""

_SETTINGS = """
    (SELECT string_agg(CASE WHEN o.setting ~* '(pass|pwd|secret|token|credential|_key)'
            THEN concat(r.prefix, split_part(o.setting, '=', 1), ' (hidden)')
            ELSE r.prefix || o.setting END, E'\\n' ORDER BY r.prefix, o.setting)
        FROM pg_db_role_setting AS s,
            LATERAL (SELECT CASE s.setrole WHEN 0 THEN ''
                ELSE quote_ident(pg_get_userbyid(s.setrole)) || ': ' END) AS r (prefix),
            unnest(s.setconfig) AS o (setting)
        WHERE s.setdatabase = d.oid AND o.setting !~ '^dbops\\.')"""
_ACTIONS = (
    "concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update'"
    " END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)"
)
_COLUMNS = (
    "' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)"
    " FROM pg_attribute AS a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')'"
)


def database_queries(major: int) -> Iterator[str]:
    """The listings of what lies in no schema, for a server of a major version."""
    yield _database()
    yield _schemas()
    yield _extensions()
    yield _publications(major)
    yield _wrappers()
    yield _servers()
    yield _user_mappings()
    yield _default_privileges()


def _database() -> str:
    """The database itself; what dbops writes into its settings while it restores is left out.

    What came with the server stands here, too.
    """
    properties = {
        "owner": role("d.datdba"),
        "encoding": "pg_encoding_to_char(d.encoding)",
        "collate": "d.datcollate",
        "ctype": "d.datctype",
        "connection limit": "nullif(d.datconnlimit, -1)",
        "template": yes("d.datistemplate"),
        "connections": yes("NOT d.datallowconn", "not allowed"),
        "settings": _SETTINGS,
        "comment": "shobj_description(d.oid, 'pg_database')",
        "security labels": "(SELECT string_agg(concat(provider, ': ', label), ', '"
        " ORDER BY provider) FROM pg_shseclabel"
        " WHERE classoid = 'pg_database'::regclass AND objoid = d.oid)",
        **builtin_properties(),
    }
    source = "FROM pg_database AS d WHERE d.datname = current_database()"
    name = f"'{THIS_DATABASE}'"
    return listing(ObjectKind.DATABASE, "pg_database", "d.oid", name, properties, source)


def _schemas() -> str:
    """Schemas that somebody made, and `public`, which is there from the beginning."""
    source = f"""
        FROM pg_namespace AS n
        WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.nspname !~ {TEMPORARY}"""
    properties = {"owner": role("n.nspowner")}
    return listing(ObjectKind.SCHEMA, "pg_namespace", "n.oid", "n.nspname", properties, source)


def _extensions() -> str:
    """Extensions; `plpgsql` is there from the beginning, and can be dropped as any other."""
    properties = {
        "owner": role("e.extowner"),
        "version": "e.extversion",
        "schema": "(SELECT nspname FROM pg_namespace WHERE oid = e.extnamespace)",
    }
    source = "FROM pg_extension AS e"
    return listing(ObjectKind.EXTENSION, "pg_extension", "e.oid", "e.extname", properties, source)


def _publications(major: int) -> str:
    filtered = major >= 15  # row filters, lists of columns, whole schemas
    table = "r.prrelid::regclass::text"
    where = "' WHERE ' || pg_get_expr(r.prqual, r.prrelid)"
    one = f"concat({table}, {_COLUMNS}, {where})" if filtered else table
    properties = {
        "owner": role("p.pubowner"),
        "all tables": yes("p.puballtables"),
        "actions": _ACTIONS,
        "via root": yes("p.pubviaroot"),
        "tables": f"(SELECT string_agg({one}, ', ' ORDER BY {table})"
        " FROM pg_publication_rel AS r WHERE r.prpubid = p.oid)",
    }
    if filtered:
        properties["schemas"] = (
            "(SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname)"
            " FROM pg_publication_namespace AS r JOIN pg_namespace AS n ON n.oid = r.pnnspid"
            " WHERE r.pnpubid = p.oid)"
        )
    if major >= 18:
        properties["generated columns"] = yes("p.pubgencols = 's'", "stored")
    source = "FROM pg_publication AS p WHERE p.oid >= 16384"
    return listing(
        ObjectKind.PUBLICATION, "pg_publication", "p.oid", "p.pubname", properties, source
    )


def _wrappers() -> str:
    properties = {
        "owner": role("w.fdwowner"),
        "handler": "nullif(w.fdwhandler, 0)::regprocedure",
        "validator": "nullif(w.fdwvalidator, 0)::regprocedure",
        "options": options("w.fdwoptions"),
    }
    source = "FROM pg_foreign_data_wrapper AS w WHERE w.oid >= 16384"
    return listing(
        ObjectKind.WRAPPER, "pg_foreign_data_wrapper", "w.oid", "w.fdwname", properties, source
    )


def _servers() -> str:
    properties = {
        "owner": role("s.srvowner"),
        "wrapper": "(SELECT fdwname FROM pg_foreign_data_wrapper WHERE oid = s.srvfdw)",
        "type": "s.srvtype",
        "version": "s.srvversion",
        "options": options("s.srvoptions"),
    }
    source = "FROM pg_foreign_server AS s WHERE s.oid >= 16384"
    return listing(ObjectKind.SERVER, "pg_foreign_server", "s.oid", "s.srvname", properties, source)


def _user_mappings() -> str:
    return listing(
        ObjectKind.USER_MAPPING, "pg_user_mapping", "m.umid", "m.usename", {},
        "FROM pg_user_mappings AS m", of=("'pg_foreign_server'", "m.srvid", "0"),
    )  # fmt: skip


def _default_privileges() -> str:
    """What new objects of a role are granted: `ROLE.tables`, or `ROLE."tables in SCHEMA"`."""
    kinds = (
        "CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'"
        " WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas'"
        " WHEN 'L' THEN 'large objects' ELSE d.defaclobjtype::text END"
    )
    schema = "(SELECT nspname FROM pg_namespace WHERE oid = d.defaclnamespace)"
    name = f"concat({kinds}, ' in ' || {schema})"
    return listing(
        ObjectKind.DEFAULT_PRIVILEGES, "pg_default_acl", "d.oid", name, {},
        "FROM pg_default_acl AS d", schema="pg_get_userbyid(d.defaclrole)",
    )  # fmt: skip
