"""What came with the server, as digests: whoever alters one of its functions is seen.

OIDs below 12000 are the same on every server of a major version (`FirstUnpinnedObjectId`); above,
names stand for them. A minor upgrade changes none of these rows. Who may use what is read by name
(`change_schema_system`). The server's views and types are not read.
"""

# Everything in these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dbops.engines.postgresql.change_schema_listing import BYTEWISE

_FIRST_OWN: Final = 16384
_FUNCTION: Final = """
    concat_ws('|', CASE WHEN p.oid < 12000 THEN p.oid::text ELSE p.oid::regprocedure::text END,
        p.proname, p.proowner, p.prolang, p.procost, p.prorows, p.prosupport, p.prokind,
        p.prosecdef, p.proleakproof, p.proisstrict, p.proretset, p.provolatile, p.proparallel,
        p.proargdefaults, p.prosrc, p.probin, p.proconfig,
        CASE WHEN p.prosqlbody IS NOT NULL THEN pg_get_function_sqlbody(p.oid) END)"""
_LANGUAGE: Final = """
    concat_ws('|', l.lanname, l.lanowner, l.lanpltrusted, l.lanplcallfoid::regproc,
        l.laninline::regproc, l.lanvalidator::regproc)"""
_MAPPING: Final = """
    concat_ws('|', m.mapcfg::regconfig, m.maptokentype, m.mapseqno, m.mapdict::regdictionary)"""
_DICTIONARY: Final = """
    concat_ws('|', d.oid::regdictionary, d.dictowner, d.dictinitoption)"""
_LINES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "system functions": (
            f"SELECT {_FUNCTION} FROM pg_proc AS p WHERE p.oid < {_FIRST_OWN}",
            f"SELECT concat('operator', o::text) FROM pg_operator AS o WHERE o.oid < {_FIRST_OWN}",
            f"SELECT concat('aggregate', a::text) FROM pg_aggregate AS a"
            f" WHERE a.aggfnoid::oid < {_FIRST_OWN}",
            f"SELECT {_LANGUAGE} FROM pg_language AS l WHERE l.oid < {_FIRST_OWN}",
            f"SELECT concat('cast', c::text) FROM pg_cast AS c WHERE c.oid < {_FIRST_OWN}",
        ),
        "system text search": (
            f"SELECT {_MAPPING} FROM pg_ts_config_map AS m WHERE m.mapcfg < {_FIRST_OWN}",
            f"SELECT {_DICTIONARY} FROM pg_ts_dict AS d WHERE d.oid < {_FIRST_OWN}",
        ),
    }
)


def builtin_properties() -> Mapping[str, str]:
    """Expressions for the properties of a database, each of the form of `digest_text`."""
    return {key: _digest(lines) for key, lines in _LINES.items()}


def _digest(lines: tuple[str, ...]) -> str:
    every = " UNION ALL ".join(lines)
    return f"""
        (SELECT concat('PostgreSQL ', current_setting('server_version_num')::integer / 10000,
            ', sha256 ', encode(sha256(convert_to(
                string_agg(line, E'\\n' ORDER BY line {BYTEWISE}), getdatabaseencoding())), 'hex'))
        FROM ({every}) AS every (line))"""
