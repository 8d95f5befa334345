"""Text search: configurations with their mappings, dictionaries, parsers and templates.

The names of token types are what the parser itself says, as in pg_dump; that of an extension's own
configuration is not asked.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_listing import BYTEWISE, TEMPORARY, listing, role

_MAPPINGS = f"""
    (SELECT string_agg(line, E'\\n' ORDER BY line {BYTEWISE}) FROM (
        SELECT concat(coalesce(t.alias, m.maptokentype::text), ': ',
            string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno)) AS line
        FROM pg_ts_config_map AS m
        LEFT JOIN ts_token_type(s.cfgparser) AS t ON t.tokid = m.maptokentype
        WHERE m.mapcfg = s.oid GROUP BY t.alias, m.maptokentype) AS lines)"""
_IN = "FROM {0} AS s JOIN pg_namespace AS n ON n.oid = s.{1} WHERE s.oid >= 16384 AND n.nspname !~ "


def search_queries() -> Iterator[str]:
    """The listings of what text search is made of."""
    yield _configurations()
    yield _dictionaries()
    yield _parsers()
    yield _templates()


def _configurations() -> str:
    properties = {
        "owner": role("s.cfgowner"),
        "parser": "(SELECT format('%I.%I', x.nspname, p.prsname) FROM pg_ts_parser AS p"
        " JOIN pg_namespace AS x ON x.oid = p.prsnamespace WHERE p.oid = s.cfgparser)",
        "mappings": _MAPPINGS,
    }
    source = f"""
        {_IN.format("pg_ts_config", "cfgnamespace")} {TEMPORARY}
            AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.deptype = 'e'
                AND e.classid = 'pg_ts_config'::regclass AND e.objid = s.oid)"""
    return listing(
        ObjectKind.SEARCH_CONFIGURATION, "pg_ts_config", "s.oid", "s.cfgname", properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _dictionaries() -> str:
    properties = {
        "owner": role("s.dictowner"),
        "template": "(SELECT format('%I.%I', x.nspname, t.tmplname) FROM pg_ts_template AS t"
        " JOIN pg_namespace AS x ON x.oid = t.tmplnamespace WHERE t.oid = s.dicttemplate)",
        "options": "s.dictinitoption",
    }
    source = f"{_IN.format('pg_ts_dict', 'dictnamespace')} {TEMPORARY}"
    return listing(
        ObjectKind.SEARCH_DICTIONARY, "pg_ts_dict", "s.oid", "s.dictname", properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _parsers() -> str:
    properties = {
        "start": "s.prsstart::regprocedure",
        "token": "s.prstoken::regprocedure",
        "end": "s.prsend::regprocedure",
        "headline": "nullif(s.prsheadline, 0)::regprocedure",
        "token types": "s.prslextype::regprocedure",
    }
    source = f"{_IN.format('pg_ts_parser', 'prsnamespace')} {TEMPORARY}"
    return listing(
        ObjectKind.SEARCH_PARSER, "pg_ts_parser", "s.oid", "s.prsname", properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _templates() -> str:
    properties = {
        "init": "nullif(s.tmplinit, 0)::regprocedure",
        "lexize": "s.tmpllexize::regprocedure",
    }
    source = f"{_IN.format('pg_ts_template', 'tmplnamespace')} {TEMPORARY}"
    return listing(
        ObjectKind.SEARCH_TEMPLATE, "pg_ts_template", "s.oid", "s.tmplname", properties, source,
        schema="n.nspname",
    )  # fmt: skip
