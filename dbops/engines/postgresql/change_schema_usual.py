"""What is granted of an object of which nobody ever granted anything: by the server's own rule.

An object without grants and one of which just these were granted are equal; only whoever tells
people what an ALTER brought needs to know them.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from dbops.change.schema import OWNER, ObjectKind, ObjectName, SchemaObject
from dbops.engines.postgresql.change_schema_marks import explained
from dbops.engines.postgresql.connect import Session

# The letter of `acldefault` for each kind that has grants.
_LETTER: Final[Mapping[ObjectKind, str]] = MappingProxyType(
    {
        ObjectKind.TABLE: "r",
        ObjectKind.FOREIGN_TABLE: "r",
        ObjectKind.VIEW: "r",
        ObjectKind.MATERIALIZED_VIEW: "r",
        ObjectKind.SEQUENCE: "s",
        ObjectKind.FUNCTION: "f",
        ObjectKind.PROCEDURE: "f",
        ObjectKind.AGGREGATE: "f",
        ObjectKind.TYPE: "T",
        ObjectKind.DOMAIN: "T",
        ObjectKind.SCHEMA: "n",
        ObjectKind.DATABASE: "d",
        ObjectKind.LANGUAGE: "l",
        ObjectKind.WRAPPER: "F",
        ObjectKind.SERVER: "S",
    }
)
_PUBLIC: Final = ObjectName(ObjectKind.SCHEMA, ("public",))
# `public` is the one object that somebody's schema has from initdb, with grants from there.
_USUAL: Final = f"""
    SELECT k.letter, o.name, {explained('acldefault(k.letter::"char", r.oid)', "r.oid")}
    FROM unnest(%s::text[]) AS k (letter), unnest(%s::text[]) AS o (name),
        LATERAL (SELECT to_regrole(quote_ident(o.name))::oid) AS r (oid)
    UNION ALL
    SELECT '', 'public', {explained("i.initprivs", "n.nspowner")}
    FROM pg_namespace AS n JOIN pg_init_privs AS i
        ON i.classoid = 'pg_namespace'::regclass AND i.objoid = n.oid
    WHERE n.nspname = 'public'"""


def read_usual(session: Session, objects: Iterable[SchemaObject]) -> Mapping[ObjectName, str]:
    """What `grants` would say of each of the objects that can have any, had nobody set them."""
    owned = {
        each.name: (_LETTER[each.name.kind], each.properties[OWNER])
        for each in objects
        if each.name.kind in _LETTER and OWNER in each.properties
    }
    letters, owners = sorted(set(_LETTER.values())), sorted({owner for _, owner in owned.values()})
    texts = {
        (letter, owner): text
        for letter, owner, text in session.rows(_USUAL, [letters, owners], doing="reading grants")
        if text is not None
    }
    if ("", "public") in texts and _PUBLIC in owned:
        owned[_PUBLIC] = ("", "public")
    return {name: texts[key] for name, key in owned.items() if key in texts}
