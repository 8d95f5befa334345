"""What runs in a database: views, functions, triggers, rules, policies, event triggers."""

# Everything in these statements is a constant of this module.

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.schema import ObjectKind
from dbops.engines.postgresql.change_schema_listing import (
    TEMPORARY,
    enabled,
    in_order,
    listing,
    of_relation,
    role,
    yes,
)
from dbops.engines.postgresql.change_schema_tables import STORAGE_OPTIONS

_COLUMNS = (
    "(SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '"
    " ORDER BY a.attnum) FROM pg_attribute AS a"
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"
)
_SIGNATURE = "format('%s(%s)', p.proname, oidvectortypes(p.proargtypes))"


def program_queries() -> Iterator[str]:
    """The listings of everything that is made of code."""
    yield _views()
    yield _functions()
    yield _aggregates()
    yield _triggers()
    yield _rules()
    yield _policies()
    yield _event_triggers()


def _views() -> str:
    """Views, and materialized ones; whether one is filled is no matter of the schema."""
    kind = (
        f"CASE c.relkind WHEN 'm' THEN '{ObjectKind.MATERIALIZED_VIEW.value}'"
        f" ELSE '{ObjectKind.VIEW.value}' END"
    )
    properties = {
        "owner": role("c.relowner"),
        "definition": "pg_get_viewdef(c.oid)",
        "columns": _COLUMNS,
        "options": STORAGE_OPTIONS,
        "tablespace": "(SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace)",
        "access method": "(SELECT amname FROM pg_am WHERE oid = c.relam AND amname <> 'heap')",
    }
    source = f"""
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid >= 16384 AND n.nspname !~ {TEMPORARY} AND c.relkind IN ('v', 'm')"""
    return listing(kind, "pg_class", "c.oid", "c.relname", properties, source, schema="n.nspname")


def _functions() -> str:
    """Functions and procedures, but for the constructors that come with a range type."""
    kind = (
        f"CASE p.prokind WHEN 'p' THEN '{ObjectKind.PROCEDURE.value}'"
        f" ELSE '{ObjectKind.FUNCTION.value}' END"
    )
    properties = {"owner": role("p.proowner"), "definition": "pg_get_functiondef(p.oid)"}
    source = f"""
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE p.oid >= 16384 AND n.nspname !~ {TEMPORARY} AND p.prokind <> 'a'
            AND NOT EXISTS (SELECT FROM pg_depend AS i WHERE i.classid = 'pg_proc'::regclass
                AND i.objid = p.oid AND i.deptype = 'i' AND i.refclassid = 'pg_type'::regclass)"""
    return listing(kind, "pg_proc", "p.oid", _SIGNATURE, properties, source, schema="n.nspname")


def _aggregates() -> str:
    """Aggregates, which no function of the server prints: their parts as CREATE AGGREGATE has
    them.
    """
    parts = {
        "ARGUMENTS": "pg_get_function_arguments(p.oid)",
        "RETURNS": "pg_get_function_result(p.oid)",
        "KIND": "CASE g.aggkind WHEN 'o' THEN 'ordered set' WHEN 'h' THEN 'hypothetical set' END",
        "SFUNC": "g.aggtransfn::regprocedure",
        "STYPE": "format_type(g.aggtranstype, NULL)",
        "SSPACE": "nullif(g.aggtransspace, 0)",
        "FINALFUNC": "nullif(g.aggfinalfn, 0)::regprocedure",
        "FINALFUNC_EXTRA": yes("g.aggfinalextra"),
        "FINALFUNC_MODIFY": "g.aggfinalmodify",
        "COMBINEFUNC": "nullif(g.aggcombinefn, 0)::regprocedure",
        "SERIALFUNC": "nullif(g.aggserialfn, 0)::regprocedure",
        "DESERIALFUNC": "nullif(g.aggdeserialfn, 0)::regprocedure",
        "INITCOND": "quote_literal(g.agginitval)",
        "MSFUNC": "nullif(g.aggmtransfn, 0)::regprocedure",
        "MINVFUNC": "nullif(g.aggminvtransfn, 0)::regprocedure",
        "MSTYPE": "format_type(nullif(g.aggmtranstype, 0), NULL)",
        "MSSPACE": "nullif(g.aggmtransspace, 0)",
        "MFINALFUNC": "nullif(g.aggmfinalfn, 0)::regprocedure",
        "MFINALFUNC_EXTRA": yes("g.aggmfinalextra"),
        "MFINALFUNC_MODIFY": "g.aggmfinalmodify",
        "MINITCOND": "quote_literal(g.aggminitval)",
        "SORTOP": "nullif(g.aggsortop, 0)::regoperator",
        "PARALLEL": "p.proparallel",
    }
    lines = ", ".join(f"'{name} = ' || ({text})::text" for name, text in parts.items())
    properties = {"owner": role("p.proowner"), "definition": f"concat_ws(E'\\n', {lines})"}
    source = f"""
        FROM pg_proc AS p JOIN pg_aggregate AS g ON g.aggfnoid = p.oid
        JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE p.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.AGGREGATE, "pg_proc", "p.oid", _SIGNATURE, properties, source,
        schema="n.nspname",
    )  # fmt: skip


def _triggers() -> str:
    """Triggers, those that a partition has from its parent too (before 15 they count as internal);
    never those by which the server keeps keys.
    """
    properties = {
        "definition": "pg_get_triggerdef(t.oid)",
        "enabled": enabled("t.tgenabled"),
        "partition of": "(SELECT concat(above.tgrelid::regclass, '.', quote_ident(above.tgname))"
        " FROM pg_trigger AS above WHERE above.oid = t.tgparentid)",
    }
    source = f"""
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE t.oid >= 16384 AND n.nspname !~ {TEMPORARY}
            AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)"""
    return listing(
        ObjectKind.TRIGGER, "pg_trigger", "t.oid", "t.tgname", properties, source,
        of=of_relation("t.tgrelid"),
    )  # fmt: skip


def _rules() -> str:
    properties = {"definition": "pg_get_ruledef(r.oid)", "enabled": enabled("r.ev_enabled")}
    source = f"""
        FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE r.oid >= 16384 AND n.nspname !~ {TEMPORARY} AND r.rulename <> '_RETURN'"""
    return listing(
        ObjectKind.RULE, "pg_rewrite", "r.oid", "r.rulename", properties, source,
        of=of_relation("r.ev_class"),
    )  # fmt: skip


def _policies() -> str:
    properties = {
        "command": "CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN"
        " 'update' WHEN 'd' THEN 'delete' ELSE 'all' END",
        "restrictive": yes("NOT p.polpermissive"),
        "roles": "(SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE"
        " quote_ident(pg_get_userbyid(r)) END, ', ' ORDER BY r <> 0, pg_get_userbyid(r))"
        " FROM unnest(p.polroles) AS r)",
        "using": "pg_get_expr(p.polqual, p.polrelid)",
        "check": "pg_get_expr(p.polwithcheck, p.polrelid)",
    }
    source = f"""
        FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE p.oid >= 16384 AND n.nspname !~ {TEMPORARY}"""
    return listing(
        ObjectKind.POLICY, "pg_policy", "p.oid", "p.polname", properties, source,
        of=of_relation("p.polrelid"),
    )  # fmt: skip


def _event_triggers() -> str:
    properties = {
        "owner": role("e.evtowner"),
        "event": "e.evtevent",
        "function": "e.evtfoid::regprocedure",
        "tags": in_order("e.evttags"),
        "enabled": enabled("e.evtenabled"),
    }
    source = "FROM pg_event_trigger AS e WHERE e.oid >= 16384"
    return listing(
        ObjectKind.EVENT_TRIGGER, "pg_event_trigger", "e.oid", "e.evtname", properties, source
    )
