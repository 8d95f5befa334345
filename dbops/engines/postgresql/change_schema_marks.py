"""What can be set on an object of any kind: comment, grants, security labels, and an extension.

Grants are read so that one that nobody ever gave, and the same one given, are equal: what differs
from the server's own default (`acldefault`), and from what the object came with, is set. They are
sorted texts: `his_reader: INSERT, SELECT with grant option`; the grantor stands there where it is
not the owner.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from dbops.engines.postgresql.change_schema_kept import kept_rows
from dbops.engines.postgresql.change_schema_listing import BYTEWISE, Address
from dbops.engines.postgresql.connect import Session

# Catalogue, list of grants, owner, and the letter of `acldefault` for the object.
_GRANTED: Final = (
    ("pg_class", "relacl", "relowner", "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END"),
    ("pg_proc", "proacl", "proowner", "'f'"),
    ("pg_type", "typacl", "typowner", "'T'"),
    ("pg_namespace", "nspacl", "nspowner", "'n'"),
    ("pg_database", "datacl", "datdba", "'d'"),
    ("pg_language", "lanacl", "lanowner", "'l'"),
    ("pg_foreign_data_wrapper", "fdwacl", "fdwowner", "'F'"),
    ("pg_foreign_server", "srvacl", "srvowner", "'S'"),
)
# What everybody may do with the information schema since initdb, which notes that nowhere.
_INFORMATION: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"pg_class": ("relnamespace", "SELECT"), "pg_namespace": ("oid", "USAGE")}
)
# That of a constraint's index is read with the constraint.
_COMMENTS: Final = """
    SELECT classoid::regclass::text, objoid::bigint, objsubid, description FROM pg_description
    WHERE (objoid >= 16384 OR classoid = 'pg_namespace'::regclass
            AND objoid = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
        OR classoid = 'pg_extension'::regclass)
        AND classoid <> 'pg_largeobject'::regclass
        AND NOT (classoid = 'pg_class'::regclass AND objoid IN (
            SELECT conindid FROM pg_constraint WHERE contype IN ('p', 'u', 'x')))"""
_LABELS: Final = """
    SELECT classoid::regclass::text, objoid::bigint, objsubid,
        string_agg(concat(provider, ': ', label), ', ' ORDER BY provider)
    FROM pg_seclabel WHERE classoid <> 'pg_largeobject'::regclass GROUP BY 1, 2, 3"""
_EXTENSIONS: Final = """
    SELECT d.classid::regclass::text, d.objid::bigint, d.deptype = 'e', e.extname
    FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype IN ('e', 'x') ORDER BY 1, 2, 4"""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is set on objects, by their address; `members` are those that are an extension's.

    `extensions` has the name of the extension of each member, and `usual` what `grants` would say
    where they are said, had nobody altered them.
    """

    texts: Mapping[Address, Mapping[str, str]]
    members: frozenset[tuple[str, int]]
    extensions: Mapping[tuple[str, int], str] = field(default_factory=dict)
    usual: Mapping[Address, str] = field(default_factory=dict)


def read_marks(session: Session) -> Marks:
    """Everything that is set on any object."""
    texts: defaultdict[Address, dict[str, str]] = defaultdict(dict)
    for key, query in (("comment", _COMMENTS), ("security labels", _LABELS)):
        for catalog, oid, part, text in session.rows(query, doing=f"reading {key}"):
            texts[catalog, oid, part][key] = text
    usual: dict[Address, str] = {}
    for catalog, oid, part, text, began in kept_rows(session, _grants(), doing="reading grants"):
        texts[catalog, oid, part]["grants"] = text
        usual[catalog, oid, part] = began
    members: dict[tuple[str, int], str] = {}
    for catalog, oid, is_member, extension in session.rows(_EXTENSIONS, doing="reading extensions"):
        if is_member:
            members[catalog, oid] = extension
        else:
            found = texts[catalog, oid, 0].get("depends on extension")
            together = extension if found is None else f"{found}, {extension}"
            texts[catalog, oid, 0]["depends on extension"] = together
    return Marks(texts, frozenset(members), members, usual)


def _grants() -> str:
    lists = [_own_grants(*each) for each in _GRANTED]
    lists.append("""
        SELECT 'pg_class', a.attrelid, a.attnum, c.relowner, a.attacl, ''
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        LEFT JOIN pg_init_privs AS p ON p.classoid = 'pg_class'::regclass
            AND p.objoid = a.attrelid AND p.objsubid = a.attnum
        WHERE a.attacl IS DISTINCT FROM p.initprivs AND NOT a.attisdropped
            AND a.attacl IS NOT NULL""")
    lists.append("""
        SELECT 'pg_default_acl', oid, 0, defaclrole, defaclacl, '' FROM pg_default_acl""")
    text = explained("g.acl")
    return f"""
        SELECT catalog, oid::bigint, part, coalesce({text}, 'nobody'), usual
        FROM ({" UNION ALL ".join(lists)}) AS g (catalog, oid, part, owner, acl, usual)
        WHERE coalesce({text}, '') <> usual"""


def _own_grants(catalog: str, acl: str, owner: str, letter: str) -> str:
    """Lists of one catalogue, each with what the server's default would say."""
    default = f'acldefault(({letter})::"char", o.{owner})'
    if catalog in _INFORMATION:
        namespace, privilege = _INFORMATION[catalog]
        default = (
            f"CASE WHEN o.oid < 16384 AND o.{namespace} = 'information_schema'::regnamespace"
            f" THEN {default} || makeaclitem(0, o.{owner}, '{privilege}', false)"
            f" ELSE {default} END"
        )
    usual = explained(f"coalesce(p.initprivs, {default})", f"o.{owner}")
    here = "o.datname = current_database()" if catalog == "pg_database" else "true"
    return f"""
        SELECT '{catalog}', o.oid, 0, o.{owner}, o.{acl}, coalesce({usual}, '')
        FROM {catalog} AS o LEFT JOIN pg_init_privs AS p
            ON p.classoid = '{catalog}'::regclass AND p.objoid = o.oid AND p.objsubid = 0
        WHERE o.{acl} IS NOT NULL AND {here} AND o.{acl} IS DISTINCT FROM p.initprivs"""


def explained(acl: str, owner: str = "g.owner") -> str:
    """An expression: a list of grants for people, sorted; null where nobody may do anything."""
    return f"""
        (SELECT string_agg(line, '; ' ORDER BY line {BYTEWISE}) FROM (
            SELECT concat(CASE e.grantee WHEN 0 THEN 'PUBLIC'
                    ELSE quote_ident(pg_get_userbyid(e.grantee)) END, ': ',
                string_agg(e.privilege_type || CASE WHEN e.is_grantable
                        THEN ' with grant option' ELSE '' END,
                    ', ' ORDER BY e.privilege_type {BYTEWISE}),
                CASE WHEN e.grantor <> {owner} THEN ' (by '
                    || quote_ident(pg_get_userbyid(e.grantor)) || ')' END) AS line
            FROM aclexplode({acl}) AS e GROUP BY e.grantee, e.grantor) AS lines)"""
