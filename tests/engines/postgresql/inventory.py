"""The queries by which a test lists everything that a PostgreSQL database is made of.

Written for tests and independent of what dbops itself asks: each query yields `name, definition`
rows, both text, for one kind of object; OIDs never appear in them,
    so two databases can be compared.
They want `search_path = pg_catalog`. Lists whose order means nothing are sorted here.
"""

from __future__ import annotations

# Schemas of the system hold no objects of the site; grants on them are listed separately.
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _acl(column: str, kind: str, owner: str) -> str:
    """Privileges as sorted text; a missing list reads as what it stands for."""
    return (
        f"(SELECT string_agg(a::text, ' ' ORDER BY a::text)"
        f" FROM unnest(coalesce({column}, acldefault('{kind}', {owner}))) AS a)"
    )


def _sorted(column: str) -> str:
    return f"(SELECT string_agg(o, ', ' ORDER BY o) FROM unnest({column}) AS o)"


_RELATION_NAME = "format('%I.%I', n.nspname, c.relname)"
_RELATION_ACL_KIND = "(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::\"char\""
_RELATIONS = "pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"

CATALOG: dict[str, str] = {
    "schema": f"""
        SELECT quote_ident(nspname), concat_ws(' | ', nspowner::regrole,
            {_acl("nspacl", "n", "nspowner")})
        FROM pg_namespace AS n WHERE {_OWN}""",
    "relation": f"""
        SELECT {_RELATION_NAME}, jsonb_build_object(
            'kind', c.relkind, 'owner', c.relowner::regrole::text, 'persistence', c.relpersistence,
            'method', (SELECT amname FROM pg_am
                WHERE oid = c.relam), 'options', {_sorted("c.reloptions")},
            'toast', (SELECT {_sorted("t.reloptions")} FROM pg_class AS t
                WHERE t.oid = c.reltoastrelid),
            'row security', ARRAY[c.relrowsecurity,
                c.relforcerowsecurity], 'identity', c.relreplident,
            'filled', c.relispopulated, 'of type', nullif(c.reloftype, 0)::regtype::text,
            'parents', (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
                        FROM pg_inherits WHERE inhrelid = c.oid),
            'bound', pg_get_expr(c.relpartbound, c.oid), 'key', pg_get_partkeydef(c.oid),
            'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace),
            'foreign', (SELECT concat_ws(' | ', srvname, {_sorted("ftoptions")})
                FROM pg_foreign_table
                        JOIN pg_foreign_server AS s ON s.oid = ftserver WHERE ftrelid = c.oid)
        )::text
        FROM {_RELATIONS} WHERE {_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')""",
    "relation privilege": f"""
        SELECT {_RELATION_NAME},
            {_acl("c.relacl", "r", "c.relowner").replace("'r'", _RELATION_ACL_KIND)}
        FROM {_RELATIONS} WHERE {_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')""",
    "column": f"""
        SELECT format('%s.%I', {_RELATION_NAME}, a.attname), jsonb_build_object(
            'place', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
            'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull,
            'default', pg_get_expr(d.adbin, d.adrelid), 'generated', ARRAY[a.attidentity,
                a.attgenerated],
            'collation', nullif(a.attcollation, 0)::regcollation::text, 'storage', a.attstorage,
            'compression', a.attcompression, 'target', nullif(a.attstattarget, -1),
            'options', {_sorted("a.attoptions")}, 'foreign', {_sorted("a.attfdwoptions")},
            'inherited', ARRAY[a.attislocal::text,
                a.attinhcount::text], 'grants', {_sorted("a.attacl::text[]")}
        )::text
        FROM {_RELATIONS} JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE {_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')""",
    "index": f"""
        SELECT {_RELATION_NAME}, concat_ws(' | ', pg_get_indexdef(c.oid), i.indisclustered,
            i.indisreplident, i.indisvalid, i.indisready, c.relkind, c.relowner::regrole,
            (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace),
            (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = c.oid),
            (SELECT string_agg(nullif(attstattarget, -1)::text, ',' ORDER BY attnum)
             FROM pg_attribute WHERE attrelid = c.oid))
        FROM {_RELATIONS} JOIN pg_index AS i ON i.indexrelid = c.oid WHERE {_OWN}""",
    "constraint": f"""
        SELECT format('%I on %s', k.conname,
            CASE WHEN k.contypid <> 0 THEN k.contypid::regtype::text
                ELSE k.conrelid::regclass::text END),
            concat_ws(' | ', pg_get_constraintdef(k.oid), k.contype, k.convalidated,
                k.condeferrable,
                k.condeferred, k.conislocal, k.coninhcount, k.contype = 'c' AND k.connoinherit)
        FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace WHERE {_OWN}""",
    "trigger": f"""
        SELECT format('%I on %s', t.tgname, t.tgrelid::regclass),
            concat_ws(' | ', pg_get_triggerdef(t.oid), t.tgenabled, t.tgparentid <> 0)
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {_OWN} AND NOT t.tgisinternal""",
    "trigger of a foreign key": f"""
        SELECT t.tgrelid::regclass::text, string_agg(format('%I %s %s', k.conname,
            t.tgfoid::regproc,
            t.tgenabled), ', ' ORDER BY k.conname, t.tgfoid::regproc::text, t.tgenabled)
        FROM pg_trigger AS t JOIN pg_constraint AS k ON k.oid = t.tgconstraint
        JOIN pg_class AS c ON c.oid = t.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_OWN} AND t.tgisinternal GROUP BY t.tgrelid""",
    "function": f"""
        SELECT p.oid::regprocedure::text, concat_ws(' | ', pg_get_functiondef(p.oid),
            p.proowner::regrole,
            {_acl("p.proacl", "f", "p.proowner")})
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE {_OWN}
            AND p.prokind <> 'a'""",
    "aggregate": f"""
        SELECT p.oid::regprocedure::text, (to_jsonb(g) - 'aggfnoid' - 'aggsortop' - 'aggtranstype'
            - 'aggmtranstype' || jsonb_build_object('sort', g.aggsortop::regoper, 'state',
            g.aggtranstype::regtype, 'moving', g.aggmtranstype::regtype,
            'owner', p.proowner::regrole,
            'parallel', p.proparallel, 'grants', {_acl("p.proacl", "f", "p.proowner")}))::text
        FROM pg_proc AS p JOIN pg_aggregate AS g ON g.aggfnoid = p.oid
        JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE {_OWN}""",
    "view": f"""
        SELECT {_RELATION_NAME}, pg_get_viewdef(c.oid)
        FROM {_RELATIONS} WHERE {_OWN} AND c.relkind IN ('v', 'm')""",
    "rule": f"""
        SELECT format('%I on %s', r.rulename, r.ev_class::regclass),
            concat_ws(' | ', pg_get_ruledef(r.oid), r.ev_enabled)
        FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {_OWN}
            AND r.rulename <> '_RETURN'""",
    "policy": """
        SELECT format('%I on %s', polname, polrelid::regclass), concat_ws(' | ', polcmd,
            polpermissive,
            (SELECT string_agg(r, ',' ORDER BY r) FROM unnest(polroles::regrole[]::text[]) AS r),
            'using ' || pg_get_expr(polqual, polrelid), 'check ' || pg_get_expr(polwithcheck,
                polrelid))
        FROM pg_policy""",
    "type": f"""
        SELECT t.oid::regtype::text, jsonb_build_object(
            'kind', ARRAY[t.typtype, t.typcategory, t.typalign, t.typstorage]::text[], 'base',
                t.typbasetype::regtype::text,
            'modifier', t.typtypmod, 'not null', t.typnotnull,
            'default', t.typdefault, 'length', t.typlen,
            'owner', t.typowner::regrole::text, 'grants', {_acl("t.typacl", "T", "t.typowner")},
            'functions', ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend]::regproc[]::text[],
            'labels', (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum
                WHERE enumtypid = t.oid),
            'range', (SELECT concat_ws(' | ', rngsubtype::regtype, rngmultitypid::regtype,
                rngcollation::regcollation,
                rngsubdiff, rngcanonical) FROM pg_range WHERE rngtypid = t.oid),
            'collation', nullif(t.typcollation, 0)::regcollation::text, 'ready', t.typisdefined
        )::text
        FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE {_OWN} AND t.typcategory <> 'A' AND t.typtype <> 'c'""",
    "operator": f"""
        SELECT o.oid::regoperator::text, concat_ws(' | ', oprcode, oprrest, oprjoin,
            oprcom::regoper,
            oprnegate::regoper, oprcanmerge, oprcanhash, oprowner::regrole)
        FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace WHERE {_OWN}""",
    "operator family": f"""
        SELECT format('%I.%I using %s', n.nspname, f.opfname, m.amname),
            concat_ws(' | ', f.opfowner::regrole,
            (SELECT string_agg(concat_ws(' ', amopstrategy, amopopr::regoperator, amoppurpose), ', '
                ORDER BY amopstrategy, amopopr::regoperator::text) FROM pg_amop
                    WHERE amopfamily = f.oid),
            (SELECT string_agg(concat_ws(' ', amprocnum, amproc::regprocedure), ', '
                ORDER BY amprocnum, amproc::regprocedure::text) FROM pg_amproc
                    WHERE amprocfamily = f.oid),
            (SELECT string_agg(concat_ws(' ', opcname, opcintype::regtype, opcdefault,
                opckeytype::regtype,
                opcowner::regrole), ', ' ORDER BY opcname) FROM pg_opclass WHERE opcfamily = f.oid))
        FROM pg_opfamily AS f JOIN pg_am AS m ON m.oid = f.opfmethod
        JOIN pg_namespace AS n ON n.oid = f.opfnamespace WHERE {_OWN}""",
    "cast": """
        SELECT format('%s as %s', castsource::regtype, casttarget::regtype),
            concat_ws(' | ', castfunc::regprocedure, castcontext, castmethod) FROM pg_cast""",
    "collation": f"""
        SELECT format('%I.%I', n.nspname, o.collname), (to_jsonb(o) - 'oid' - 'collnamespace'
            || jsonb_build_object('collowner', o.collowner::regrole))::text
        FROM pg_collation AS o JOIN pg_namespace AS n ON n.oid = o.collnamespace WHERE {_OWN}""",
    "conversion": f"""
        SELECT format('%I.%I', n.nspname, o.conname),
            concat_ws(' | ', pg_encoding_to_char(conforencoding),
            pg_encoding_to_char(contoencoding), conproc, condefault, conowner::regrole)
        FROM pg_conversion AS o JOIN pg_namespace AS n ON n.oid = o.connamespace WHERE {_OWN}""",
    "text search configuration": f"""
        SELECT g.oid::regconfig::text, concat_ws(' | ', cfgowner::regrole, (SELECT prsname
            FROM pg_ts_parser
            WHERE oid = cfgparser), (SELECT string_agg(concat_ws(' ', maptokentype, mapseqno,
            mapdict::regdictionary), ', ' ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map
                WHERE mapcfg = g.oid))
        FROM pg_ts_config AS g JOIN pg_namespace AS n ON n.oid = g.cfgnamespace WHERE {_OWN}""",
    "text search dictionary": f"""
        SELECT d.oid::regdictionary::text, concat_ws(' | ', dictowner::regrole, dictinitoption,
            t.tmplname)
        FROM pg_ts_dict AS d JOIN pg_ts_template AS t ON t.oid = d.dicttemplate
        JOIN pg_namespace AS n ON n.oid = d.dictnamespace WHERE {_OWN}""",
    "text search template": f"""
        SELECT format('%I.%I', n.nspname, tmplname), concat_ws(' | ', tmplinit, tmpllexize)
        FROM pg_ts_template AS t JOIN pg_namespace AS n ON n.oid = t.tmplnamespace WHERE {_OWN}""",
    "text search parser": f"""
        SELECT format('%I.%I', n.nspname, prsname), concat_ws(' | ', prsstart, prstoken, prsend,
            prsheadline, prslextype)
        FROM pg_ts_parser AS p JOIN pg_namespace AS n ON n.oid = p.prsnamespace WHERE {_OWN}""",
    "language": f"""
        SELECT quote_ident(lanname), concat_ws(' | ', lanowner::regrole, lanpltrusted,
            lanplcallfoid::regproc,
            laninline::regproc, lanvalidator::regproc, {_acl("lanacl", "l", "lanowner")})
                FROM pg_language""",
    "access method": "SELECT quote_ident(amname), concat_ws(' | ', amtype, amhandler) FROM pg_am",
    "extension": """
        SELECT quote_ident(extname), concat_ws(' | ', extversion, extnamespace::regnamespace,
            extowner::regrole,
            extcondition, (SELECT string_agg(t::regclass::text, ', ' ORDER BY i)
            FROM unnest(extconfig) WITH ORDINALITY AS u (t, i))) FROM pg_extension""",
    "foreign data wrapper": f"""
        SELECT quote_ident(fdwname), concat_ws(' | ', fdwowner::regrole, fdwhandler::regproc,
            fdwvalidator::regproc,
            {_sorted("fdwoptions")}, {_acl("fdwacl", "F", "fdwowner")})
                FROM pg_foreign_data_wrapper""",
    "foreign server": f"""
        SELECT quote_ident(srvname), concat_ws(' | ', srvowner::regrole, fdwname, srvtype,
            srvversion,
            {_sorted("srvoptions")}, {_acl("srvacl", "S", "srvowner")})
        FROM pg_foreign_server JOIN pg_foreign_data_wrapper AS w ON w.oid = srvfdw""",
    "user mapping": f"""
        SELECT format('%I on %I', usename, srvname), {_sorted("umoptions")}
            FROM pg_user_mappings""",
    "publication": """
        SELECT quote_ident(pubname),
            (to_jsonb(p) - 'oid' || jsonb_build_object('pubowner', pubowner::regrole,
            'tables', (SELECT string_agg(concat_ws(' ', prrelid::regclass, prattrs,
                pg_get_expr(prqual, prrelid)), ', '
                ORDER BY prrelid::regclass::text) FROM pg_publication_rel WHERE prpubid = p.oid),
            'schemas', (SELECT string_agg(pnnspid::regnamespace::text, ', '
                ORDER BY pnnspid::regnamespace::text)
                FROM pg_publication_namespace WHERE pnpubid = p.oid)))::text FROM pg_publication
                    AS p""",
    "event trigger": """
        SELECT quote_ident(evtname), concat_ws(' | ', evtevent, evtowner::regrole,
            evtfoid::regproc, evtenabled, evttags)
        FROM pg_event_trigger""",
    "statistics": f"""
        SELECT format('%I.%I', n.nspname, stxname), concat_ws(' | ', pg_get_statisticsobjdef(s.oid),
            nullif(stxstattarget, -1), stxowner::regrole)
        FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace WHERE {_OWN}""",
    "default privilege": f"""
        SELECT concat_ws(' ', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace,
            defaclobjtype),
            {_sorted("defaclacl::text[]")} FROM pg_default_acl""",
    "system privilege": f"""
        SELECT format('%s %s', o.type, o.identity), {_sorted("a.acl")} FROM (
            SELECT 'pg_class'::regclass, oid, relacl::text[] FROM pg_class
                WHERE relnamespace IN (
                    'pg_catalog'::regnamespace, 'information_schema'::regnamespace)
            UNION ALL SELECT 'pg_proc'::regclass, oid, proacl::text[] FROM pg_proc
                WHERE pronamespace = 'pg_catalog'::regnamespace
        ) AS a (catalog, object, acl), pg_identify_object(catalog, object, 0) AS o
            WHERE a.acl IS NOT NULL""",
    "comment": """
        SELECT concat_ws(' ', o.type, o.identity), d.description
        FROM pg_description AS d, pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
        WHERE d.objoid >= 16384 OR d.objoid = 'public'::regnamespace""",
    "security label": """
        SELECT concat_ws(' ', o.type, o.identity, l.provider), l.label
        FROM pg_seclabel AS l, pg_identify_object(l.classoid, l.objoid, l.objsubid) AS o""",
    "sequence": f"""
        SELECT {_RELATION_NAME}, concat_ws(' | ', seqtypid::regtype, seqstart, seqincrement,
            seqmax, seqmin, seqcache,
            seqcycle, (SELECT format('%s.%I %s', refobjid::regclass, attname, deptype)
                FROM pg_depend
                JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
                WHERE classid = 'pg_class'::regclass AND objid = c.oid AND refobjsubid > 0
                    AND deptype IN ('a', 'i')))
        FROM {_RELATIONS} JOIN pg_sequence ON seqrelid = c.oid WHERE {_OWN}""",
    "large object": f"""
        SELECT oid::text, concat_ws(' | ', lomowner::regrole, {_acl("lomacl", "L", "lomowner")},
            md5(lo_get(oid)))
        FROM pg_largeobject_metadata""",
    "database": f"""
        SELECT 'itself', jsonb_build_object('encoding', encoding, 'collate', datcollate,
            'type', datctype,
            'owner', datdba::regrole::text, 'grants', {_acl("datacl", "d", "datdba")},
            'limit', datconnlimit, 'template', datistemplate, 'open', datallowconn,
            'comment', shobj_description(oid, 'pg_database')
        )::text FROM pg_database WHERE datname = current_database()""",
    "database setting": """
        SELECT concat_ws(' of ', split_part(setting, '=', 1), nullif(setrole, 0)::regrole), setting
        FROM pg_db_role_setting, unnest(setconfig) AS setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())""",
}
