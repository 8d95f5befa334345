-- Roles belong to the whole cluster: a second build on the same server finds them there.
DO $do$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[
        'his_owner', 'his_staff', 'his_reader', 'his_writer', 'his_auditor', '检验科 "张三"'
    ] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$do$;

ALTER ROLE his_owner NOLOGIN NOINHERIT;
ALTER ROLE his_writer LOGIN PASSWORD 'made-up' CONNECTION LIMIT 7 VALID UNTIL '2099-12-31 00:00+00';
ALTER ROLE his_auditor BYPASSRLS;
ALTER ROLE his_reader SET statement_timeout = '90s';
ALTER ROLE "检验科 ""张三""" LOGIN;
COMMENT ON ROLE his_staff IS 'everyone''s group: 全体职工';
GRANT his_staff TO his_reader, his_writer;
GRANT his_reader TO "检验科 ""张三""" WITH ADMIN OPTION;
GRANT pg_read_all_stats TO his_auditor;

CREATE SCHEMA his AUTHORIZATION his_owner;
CREATE SCHEMA lab AUTHORIZATION his_owner;
CREATE SCHEMA ops;
CREATE SCHEMA "检验 科.""A"";\b";
COMMENT ON SCHEMA his IS E'it''s the "hospital" schema\n\ton two lines \\ 医院';
