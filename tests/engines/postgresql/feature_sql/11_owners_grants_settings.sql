ALTER TABLE his.patient OWNER TO his_owner;
ALTER TABLE his.visit OWNER TO his_owner;
ALTER VIEW his.guarded OWNER TO his_owner;
ALTER MATERIALIZED VIEW lab.not_yet OWNER TO his_owner;
ALTER TYPE his.address OWNER TO his_owner;
ALTER DOMAIN his.code OWNER TO "检验科 ""张三""";
ALTER FUNCTION ops.full_name(text, text, text[]) OWNER TO his_owner;
ALTER AGGREGATE ops.joined(text) OWNER TO his_owner;
ALTER SEQUENCE his.standalone OWNER TO his_writer;
ALTER STATISTICS his."统计" OWNER TO his_owner;
ALTER COLLATION his.plain OWNER TO his_owner;
ALTER TEXT SEARCH CONFIGURATION his.records OWNER TO his_owner;
ALTER PUBLICATION no_tables OWNER TO his_owner;
ALTER SERVER files OWNER TO his_owner;
ALTER SCHEMA "检验 科.""A"";\b" OWNER TO "检验科 ""张三""";
ALTER TABLE lab.order_2026 OWNER TO his_owner;

GRANT USAGE ON SCHEMA his, lab TO his_staff;
GRANT CREATE, USAGE ON SCHEMA ops TO his_owner WITH GRANT OPTION;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT SELECT ON his.patient TO his_reader WITH GRANT OPTION;
SET LOCAL ROLE his_reader;
GRANT SELECT ON his.patient TO his_writer;
RESET ROLE;
GRANT SELECT (id, name), UPDATE (name, note), REFERENCES (id) ON his.patient TO "检验科 ""张三""";
GRANT INSERT (born) ON his.patient TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA lab TO his_writer;
REVOKE TRUNCATE ON lab.result FROM his_writer;
REVOKE ALL ON his.visit FROM his_owner;
GRANT SELECT ON his.visit TO PUBLIC;
GRANT USAGE ON SEQUENCE his.standalone TO his_staff;
GRANT SELECT, UPDATE ON SEQUENCE his.patient_id_seq TO his_reader;
REVOKE EXECUTE ON FUNCTION ops.risky(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.risky(integer) TO his_auditor WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE ops.tidy(integer, interval) TO his_staff;
REVOKE USAGE ON TYPE his.blood_group FROM PUBLIC;
GRANT USAGE ON TYPE his.blood_group TO his_staff;
REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO his_owner;
GRANT SELECT ON "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1" TO his_reader, "检验科 ""张三""";
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO his_auditor;
REVOKE SELECT ON pg_catalog.pg_views FROM PUBLIC;
GRANT SELECT ON information_schema.sql_parts TO his_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE his_owner GRANT SELECT ON TABLES TO his_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE his_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA lab GRANT INSERT, UPDATE ON TABLES TO his_writer WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE "检验科 ""张三""" IN SCHEMA ops GRANT USAGE ON SEQUENCES TO his_staff;
ALTER DEFAULT PRIVILEGES FOR ROLE his_owner GRANT USAGE ON TYPES TO his_staff;

COMMENT ON TABLE his.patient IS '病人; "patients" it''s \';
COMMENT ON COLUMN his.patient.name IS '姓名';
COMMENT ON CONSTRAINT name_given ON his.patient IS 'nobody is nameless';
COMMENT ON CONSTRAINT is_positive ON DOMAIN his.positive IS 'over zero';
COMMENT ON INDEX his.patient_lower IS 'index';
COMMENT ON SEQUENCE his.standalone IS 'numbers';
COMMENT ON VIEW his.guarded IS 'view';
COMMENT ON FUNCTION ops.risky(integer) IS 'function';
COMMENT ON AGGREGATE ops.joined(text) IS 'aggregate';
COMMENT ON PROCEDURE ops.tidy(integer, interval) IS 'procedure';
COMMENT ON TYPE his.blood_group IS 'type';
COMMENT ON DOMAIN his.code IS 'domain';
COMMENT ON CAST (his.blood_group AS integer) IS 'cast';
COMMENT ON COLLATION his.plain IS 'collation';
COMMENT ON CONVERSION his.to_latin IS 'conversion';
COMMENT ON POLICY auditors ON ops.audit IS 'policy';
COMMENT ON LANGUAGE plpgsql IS 'language';
COMMENT ON ACCESS METHOD hospital_heap IS 'access method';
COMMENT ON COLUMN his.address.street IS 'attribute of a composite type';
COMMENT ON FOREIGN TABLE his.remote IS 'elsewhere';

-- What the sessions of this database are told at their start: a reader that does not pin its own
-- settings reads other text, in another encoding, rounded.
DO $do$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY[
        $$DateStyle = 'German, DMY'$$, $$IntervalStyle = 'sql_standard'$$, $$bytea_output = 'escape'$$,
        $$extra_float_digits = -3$$, $$TimeZone = 'Asia/Shanghai'$$, $$xmloption = 'document'$$,
        $$search_path = 'his', '检验 科."A";\b', 'public'$$, $$quote_all_identifiers = on$$, $$statement_timeout = '2h'$$,
        $$client_encoding = 'GBK'$$, $$standard_conforming_strings = off$$, $$row_security = off$$,
        $$default_text_search_config = 'his.records'$$, $$default_statistics_target = 77$$, $$hospital.name = '第一''医院'$$
    ] LOOP
        EXECUTE format('ALTER DATABASE %I SET ', current_database()) || setting;
    END LOOP;
    EXECUTE format('ALTER ROLE his_reader IN DATABASE %I SET work_mem = ''9MB''', current_database());
    EXECUTE format('ALTER ROLE his_writer IN DATABASE %I SET search_path = lab, "$user"', current_database());
    EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), E'hospital''s\n医院 "db"');
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO his_writer WITH GRANT OPTION', current_database());
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO his_staff', current_database());
    EXECUTE format('ALTER DATABASE %I OWNER TO his_owner', current_database());
    EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 60', current_database());
END
$do$;
