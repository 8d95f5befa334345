"""How one kind of object is listed: a query whose rows name an object and say its properties.

Every row has the same ten columns, so that what reads them knows no kind: the object's address in
the catalogues (catalogue, OID, part), the address of what it belongs to, kind, schema and name, and
its properties as one JSON text. A JSON text because it carries any bytes in any server encoding.
"""

# Everything in these statements is a constant of the modules that list kinds.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from psycopg.rows import TupleRow

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_printed import PRINTED, as_restored

TEMPORARY: Final = "'^pg_(temp|toast)'"
"""What the schemas of temporary tables and of TOAST are called, as a pattern."""

BYTEWISE: Final = 'COLLATE "C"'
"""The order of bytes, the same in every database."""

Address = tuple[str, int, int]
"""Catalogue, OID and part (a column's number, else 0): as pg_depend names any object."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object as the catalogue lists it.

    Its path is `schema` and `name`; without a schema, what it belongs to (`of`) comes in front.
    """

    address: Address
    of: Address | None
    kind: ObjectKind
    schema: str | None
    name: str
    properties: Mapping[str, str]


def listing(
    kind: ObjectKind | str,
    catalog: str,
    oid: str,
    name: str,
    properties: Mapping[str, str],
    source: str,
    *,
    part: str = "0",
    schema: str = "NULL",
    of: tuple[str, str, str] = ("NULL", "NULL", "NULL"),
) -> str:
    """Return the query that lists a kind, made of SQL expressions.

    `kind` is an expression too where it is not an ObjectKind. A property that is null is not set.
    """
    kinds = f"'{kind.value}'" if isinstance(kind, ObjectKind) else kind
    texts = ", ".join(f"'{key}', ({text})::text" for key, text in properties.items())
    return (
        f"SELECT '{catalog}', {oid}::bigint, {part}::integer, {of[0]}, {of[1]}::bigint,"
        f" {of[2]}::integer, {kinds}, {schema}, {name}, json_build_object({texts})::text {source}"
    )


def of_relation(oid: str) -> tuple[str, str, str]:
    """The address of a relation, as `of`."""
    return ("'pg_class'", oid, "0")


def rows_of(listed: Iterable[TupleRow]) -> Iterator[Row]:
    """Each row of a listing; what the server prints of expressions is as a restored copy has it."""
    for catalog, oid, part, of_catalog, of_oid, of_part, kind, schema, name, texts in listed:
        properties = {
            key: as_restored(text) if key in PRINTED else text
            for key, text in json.loads(texts).items()
            if text is not None
        }
        of = None if of_oid is None else (of_catalog, of_oid, of_part)
        yield Row((catalog, oid, part), of, ObjectKind(kind), schema, name, properties)


def yes(condition: str, word: str = "yes") -> str:
    """An expression for a property that is set where the condition holds."""
    return f"CASE WHEN {condition} THEN '{word}' END"


def in_order(column: str) -> str:
    """An array of texts as one, sorted by bytes: for options, whose order means nothing."""
    return f"(SELECT string_agg(o, ', ' ORDER BY o {BYTEWISE}) FROM unnest({column}::text[]) AS o)"


def options(column: str) -> str:
    """Options of foreign objects as one text, sorted; what smells of a secret keeps its value.

    Only the name of such an option is shown, so another value is no difference.
    """
    hidden = "'(pass|pwd|secret|token|credential|private|api_?key|access_?key)'"
    return (
        f"(SELECT string_agg(CASE WHEN o ~* {hidden} THEN split_part(o, '=', 1) || ' (hidden)'"
        f" ELSE o END, ', ' ORDER BY o {BYTEWISE}) FROM unnest({column}::text[]) AS o)"
    )


def role(oid: str) -> str:
    """The name of a role."""
    return f"pg_get_userbyid({oid})"


def enabled(column: str) -> str:
    """When a trigger or a rule fires, unless it is as it was made."""
    return (
        f"CASE {column} WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END"
    )
