"""The queries behind `catalog`: each yields name and text of the objects of one section.

They run with an empty `search_path`, so that every name is printed with its schema.
"""

# Every part of these statements is a constant of this module.
# ruff: noqa: S608

from __future__ import annotations

_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _free(catalog: str, oid: str) -> str:
    """The object belongs to no extension."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend AS x WHERE x.classid = '{catalog}'::regclass"
        f" AND x.objid = {oid} AND x.deptype = 'e')"
    )


def _sorted(column: str) -> str:
    return f"(SELECT string_agg(o, ', ' ORDER BY o) FROM unnest({column}::text[]) AS o)"


def _in_schema(catalog: str, alias: str, column: str) -> str:
    """FROM and WHERE of the objects of one catalog that lie in the site's own schemas."""
    return (
        f"FROM {catalog} AS {alias} JOIN pg_namespace AS n ON n.oid = {alias}.{column}"
        f" WHERE {_OWN} AND {_free(catalog, f'{alias}.oid')}"
    )


# pg_dump gives DEFAULT NULL to a partition that was attached without its parent's default.
_HAS_DEFAULT = """EXISTS (SELECT FROM pg_attrdef AS f WHERE f.adrelid = a.attrelid
                AND f.adnum = a.attnum AND pg_get_expr(f.adbin, f.adrelid) !~ '^NULL(::|$)')"""
_NAME = "format('%I.%I', n.nspname, c.relname)"
_TABLES = _in_schema("pg_class", "c", "relnamespace")

QUERIES: dict[str, str] = {
    "schema": f"SELECT quote_ident(nspname), '' FROM pg_namespace AS n WHERE {_OWN}"
    f" AND {_free('pg_namespace', 'n.oid')}",
    "relation": f"""
        SELECT {_NAME}, concat_ws(' | ', c.relkind, c.relpersistence, c.relreplident,
            c.relrowsecurity, c.relforcerowsecurity, c.relispopulated, c.relispartition,
            {_sorted("c.reloptions")}, (SELECT amname FROM pg_am WHERE oid = c.relam),
            nullif(c.reloftype, 0)::regtype, pg_get_expr(c.relpartbound, c.oid),
            (SELECT partstrat FROM pg_partitioned_table WHERE partrelid = c.oid),
            (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
                FROM pg_inherits WHERE inhrelid = c.oid),
            (SELECT concat_ws(' ', srvname, {_sorted("ftoptions")}) FROM pg_foreign_table
                JOIN pg_foreign_server AS s ON s.oid = ftserver WHERE ftrelid = c.oid))
        {_TABLES} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')""",
    "column": f"""
        SELECT format('%s.%I', {_NAME}, a.attname), concat_ws(' | ',
            format_type(a.atttypid, a.atttypmod), a.attnotnull, {_HAS_DEFAULT}, a.attidentity,
            a.attgenerated, nullif(a.attcollation, 0)::regcollation, a.attstorage,
            a.attcompression, nullif(a.attstattarget, -1), {_sorted("a.attoptions")},
            {_sorted("a.attfdwoptions")})
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_OWN} AND {_free("pg_class", "c.oid")} AND a.attnum > 0 AND NOT a.attisdropped
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')""",
    "index": f"""
        SELECT {_NAME}, concat_ws(' | ', i.indrelid::regclass, m.amname, i.indisunique,
            i.indisprimary, i.indisexclusion, i.indimmediate, i.indisclustered, i.indisvalid,
            i.indisreplident, i.indnkeyatts, to_jsonb(i) ->> 'indnullsnotdistinct',
            i.indpred IS NOT NULL, {_sorted("c.reloptions")}, i.indoption::text,
            (SELECT string_agg(coalesce(quote_ident(a.attname), 'expression'), ', ' ORDER BY k.n)
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
                LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                    AND k.attnum <> 0),
            (SELECT string_agg(format('%I.%I', s.nspname, o.opcname), ', ' ORDER BY k.n)
                FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS k (class, n)
                JOIN pg_opclass AS o ON o.oid = k.class
                JOIN pg_namespace AS s ON s.oid = o.opcnamespace),
            (SELECT string_agg(nullif(k.sorted_by, 0)::regcollation::text, ', ' ORDER BY k.n)
                FROM unnest(i.indcollation::oid[]) WITH ORDINALITY AS k (sorted_by, n)))
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_am AS m ON m.oid = c.relam JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_OWN} AND {_free("pg_class", "i.indrelid")}""",
    "constraint": f"""
        SELECT format('%I on %s', o.conname, CASE WHEN o.contypid <> 0
                THEN o.contypid::regtype::text ELSE o.conrelid::regclass::text END),
            concat_ws(' | ', o.contype, o.convalidated, o.condeferrable, o.condeferred,
                CASE WHEN o.contype IN ('p', 'u', 'f') THEN pg_get_constraintdef(o.oid) END)
        {_in_schema("pg_constraint", "o", "connamespace")} AND o.contype <> 'n'
            AND {_free("pg_class", "o.conrelid")}""",
    "trigger": f"""
        SELECT format('%I on %s', t.tgname, t.tgrelid::regclass), concat_ws(' | ',
            t.tgfoid::regprocedure, t.tgtype, t.tgenabled, t.tgdeferrable, t.tginitdeferred,
            t.tgattr::text, t.tgqual IS NOT NULL, encode(t.tgargs, 'hex'), t.tgoldtable,
            t.tgnewtable)
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_OWN} AND NOT t.tgisinternal AND {_free("pg_class", "c.oid")}""",
    "function": f"""
        SELECT p.oid::regprocedure::text, concat_ws(' | ', p.prokind, l.lanname,
            pg_get_function_result(p.oid), pg_get_function_identity_arguments(p.oid),
            p.pronargdefaults, p.procost, p.prorows, p.prosecdef, p.proleakproof, p.proisstrict,
            p.provolatile, p.proparallel, {_sorted("p.proconfig")}, p.probin, p.prosrc,
            (SELECT concat_ws(' ', aggkind, aggtransfn, aggfinalfn, aggcombinefn,
                aggtranstype::regtype, agginitval) FROM pg_aggregate WHERE aggfnoid = p.oid))
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE {_OWN} AND {_free("pg_proc", "p.oid")}""",
    "rule": f"""
        SELECT format('%I on %s', r.rulename, r.ev_class::regclass),
            concat_ws(' | ', r.ev_type, r.ev_enabled, r.is_instead)
        FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_OWN} AND {_free("pg_class", "c.oid")}""",
    "policy": """
        SELECT format('%I on %s', polname, polrelid::regclass), concat_ws(' | ', polcmd,
            polpermissive, polqual IS NOT NULL, polwithcheck IS NOT NULL,
            (SELECT string_agg(CASE r WHEN 0 THEN '' ELSE pg_get_userbyid(r) END, ', '
                ORDER BY pg_get_userbyid(r)) FROM unnest(polroles) AS r))
        FROM pg_policy""",
    "type": f"""
        SELECT t.oid::regtype::text, concat_ws(' | ', t.typtype, t.typcategory, t.typlen,
            t.typalign, t.typstorage, t.typnotnull, t.typdefault IS NOT NULL,
            nullif(t.typbasetype, 0)::regtype, t.typtypmod, t.typinput, t.typoutput,
            nullif(t.typcollation, 0)::regcollation,
            (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                FROM pg_enum WHERE enumtypid = t.oid),
            (SELECT concat_ws(' ', rngsubtype::regtype, rngsubdiff, rngcanonical)
                FROM pg_range WHERE rngtypid = t.oid))
        {_in_schema("pg_type", "t", "typnamespace")} AND t.typcategory <> 'A' AND t.typtype <> 'c'
            AND NOT EXISTS (SELECT FROM pg_range AS r
                WHERE to_jsonb(r) ->> 'rngmultitypid' = t.oid::text)""",
    "operator": f"""
        SELECT o.oid::regoperator::text, concat_ws(' | ', o.oprcode, o.oprrest, o.oprjoin,
            o.oprcom::regoperator, o.oprnegate::regoperator, o.oprcanmerge, o.oprcanhash)
        {_in_schema("pg_operator", "o", "oprnamespace")}""",
    "operator class": f"""
        SELECT format('%I.%I %s', n.nspname, o.opcname,
                (SELECT amname FROM pg_am WHERE oid = o.opcmethod)),
            concat_ws(' | ', o.opcintype::regtype, o.opcdefault, nullif(o.opckeytype, 0)::regtype)
        {_in_schema("pg_opclass", "o", "opcnamespace")}""",
    "cast": f"""
        SELECT format('%s as %s', castsource::regtype, casttarget::regtype),
            concat_ws(' | ', nullif(castfunc, 0)::regprocedure, castcontext, castmethod)
        FROM pg_cast AS c WHERE c.oid >= 16384 AND {_free("pg_cast", "c.oid")}""",
    "collation": f"""
        SELECT o.oid::regcollation::text, concat_ws(' | ', o.collprovider, o.collisdeterministic,
            o.collcollate, o.collctype,
            coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale'))
        {_in_schema("pg_collation", "o", "collnamespace")}""",
    "conversion": f"""
        SELECT format('%I.%I', n.nspname, o.conname), concat_ws(' | ', o.conforencoding,
            o.contoencoding, o.conproc, o.condefault)
        {_in_schema("pg_conversion", "o", "connamespace")}""",
    "text search": f"""
        SELECT g.oid::regconfig::text, (SELECT string_agg(concat_ws(' ', maptokentype, mapseqno,
            mapdict::regdictionary), ', ' ORDER BY maptokentype, mapseqno)
            FROM pg_ts_config_map WHERE mapcfg = g.oid)
        {_in_schema("pg_ts_config", "g", "cfgnamespace")}
        UNION ALL SELECT d.oid::regdictionary::text, d.dictinitoption
        {_in_schema("pg_ts_dict", "d", "dictnamespace")}""",
    "statistics": f"""
        SELECT format('%I.%I', n.nspname, s.stxname), concat_ws(' | ', s.stxrelid::regclass,
            s.stxkind, nullif(to_jsonb(s) ->> 'stxstattarget', '-1'),
            to_jsonb(s) ->> 'stxexprs' IS NOT NULL,
            (SELECT string_agg(a.attname, ', ' ORDER BY a.attname) FROM pg_attribute AS a
                WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::int2[])))
        {_in_schema("pg_statistic_ext", "s", "stxnamespace")}""",
    "extension": """
        SELECT quote_ident(extname), concat_ws(' | ', extversion, extnamespace::regnamespace)
        FROM pg_extension""",
    "foreign server": f"""
        SELECT quote_ident(srvname), concat_ws(' | ', fdwname, srvtype, srvversion,
            {_sorted("srvoptions")})
        FROM pg_foreign_server JOIN pg_foreign_data_wrapper AS w ON w.oid = srvfdw
        UNION ALL SELECT quote_ident(fdwname), concat_ws(' | ', nullif(fdwhandler, 0)::regproc,
            nullif(fdwvalidator, 0)::regproc, {_sorted("fdwoptions")})
        FROM pg_foreign_data_wrapper""",
    "publication": f"""
        SELECT quote_ident(pubname), concat_ws(' | ', puballtables, pubinsert, pubupdate,
            pubdelete, pubtruncate, pubviaroot,
            (SELECT string_agg(prrelid::regclass::text, ', ' ORDER BY prrelid::regclass::text)
                FROM pg_publication_rel WHERE prpubid = p.oid))
        FROM pg_publication AS p WHERE {_free("pg_publication", "p.oid")}""",
    "event trigger": f"""
        SELECT quote_ident(evtname), concat_ws(' | ', evtevent, evtfoid::regprocedure, evtenabled,
            {_sorted("evttags")})
        FROM pg_event_trigger AS e WHERE {_free("pg_event_trigger", "e.oid")}""",
    "default privilege": f"""
        SELECT concat_ws(' ', pg_get_userbyid(defaclrole), nullif(defaclnamespace, 0)::regnamespace,
            defaclobjtype), {_sorted("defaclacl")}
        FROM pg_default_acl""",
    "comment": """
        SELECT concat_ws(' ', o.type, o.identity), d.description
        FROM pg_description AS d, pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
        WHERE d.classoid <> 'pg_largeobject'::regclass AND (d.objoid >= 16384 OR d.classoid IN
                ('pg_namespace'::regclass, 'pg_language'::regclass, 'pg_extension'::regclass))
            AND NOT EXISTS (SELECT FROM pg_depend AS x WHERE x.classid = d.classoid
                AND x.objid = d.objoid AND x.deptype = 'e')""",
}

_OWNED = (
    ("pg_class", "relowner", "o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"),
    ("pg_proc", "proowner", "true"),
    ("pg_type", "typowner", "o.typcategory <> 'A' AND (o.typrelid = 0 OR o.typrelid IN"
     " (SELECT oid FROM pg_class WHERE relkind = 'c'))"),
    ("pg_namespace", "nspowner", "o.nspname !~ '^pg_(temp|toast)'"),
    ("pg_operator", "oprowner", "true"),
    ("pg_opclass", "opcowner", "true"),
    ("pg_opfamily", "opfowner", "true"),
    ("pg_collation", "collowner", "true"),
    ("pg_conversion", "conowner", "true"),
    ("pg_ts_dict", "dictowner", "true"),
    ("pg_ts_config", "cfgowner", "true"),
    ("pg_foreign_data_wrapper", "fdwowner", "true"),
    ("pg_foreign_server", "srvowner", "true"),
    ("pg_language", "lanowner", "true"),
    ("pg_event_trigger", "evtowner", "true"),
    ("pg_publication", "pubowner", "true"),
    ("pg_statistic_ext", "stxowner", "true"),
)  # fmt: skip

OWNERS = " UNION ALL ".join(
    f"SELECT concat_ws(' ', i.type, i.identity), pg_get_userbyid(o.{owner})"
    f" FROM {catalog} AS o, pg_identify_object('{catalog}'::regclass, o.oid, 0) AS i"
    f" WHERE (o.oid >= 16384 OR i.identity = 'public') AND {which}"
    f" AND {_free(catalog, 'o.oid')}"
    for catalog, owner, which in _OWNED
)

_GRANTED = (
    ("pg_class", "relacl", "relowner", "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END"),
    ("pg_proc", "proacl", "proowner", "'f'"),
    ("pg_type", "typacl", "typowner", "'T'"),
    ("pg_namespace", "nspacl", "nspowner", "'n'"),
    ("pg_language", "lanacl", "lanowner", "'l'"),
    ("pg_foreign_data_wrapper", "fdwacl", "fdwowner", "'F'"),
    ("pg_foreign_server", "srvacl", "srvowner", "'S'"),
)


def _grants(catalog: str, acl: str, owner: str, kind: str) -> str:
    """Grants of the objects whose list is neither the default nor the one that they came with."""
    return f"""
    SELECT '{catalog}'::regclass AS catalog, o.oid AS object, 0 AS part, o.{owner} AS owner,
        o.{acl} AS acl
    FROM {catalog} AS o LEFT JOIN pg_init_privs AS p
        ON p.classoid = '{catalog}'::regclass AND p.objoid = o.oid AND p.objsubid = 0
    WHERE o.{acl} IS NOT NULL AND o.{acl} IS DISTINCT FROM p.initprivs
        AND {_sorted(f"o.{acl}")}
            IS DISTINCT FROM {_sorted(f'acldefault(({kind})::"char", o.{owner})')}"""


_COLUMN_GRANTS = """
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, c.relowner, a.attacl
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_init_privs AS p ON p.classoid = 'pg_class'::regclass AND p.objoid = a.attrelid
        AND p.objsubid = a.attnum
    WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attacl IS DISTINCT FROM p.initprivs"""

GRANTS = f"""
    SELECT concat_ws(' ', i.type, i.identity), (
        SELECT string_agg(one, ', ' ORDER BY one) FROM (
            SELECT concat_ws(' ', CASE e.grantee WHEN 0 THEN 'PUBLIC' WHEN g.owner
                    THEN '(owner)' ELSE pg_get_userbyid(e.grantee) END, e.privilege_type,
                e.is_grantable, CASE e.grantor WHEN g.owner THEN '(owner)'
                    ELSE pg_get_userbyid(e.grantor) END) AS one
            FROM aclexplode(g.acl) AS e) AS explained)
    FROM ({" UNION ALL ".join([*(_grants(*each) for each in _GRANTED), _COLUMN_GRANTS])}) AS g,
        pg_identify_object(g.catalog, g.object, g.part) AS i
    WHERE i.schema IS DISTINCT FROM 'information_schema'"""
