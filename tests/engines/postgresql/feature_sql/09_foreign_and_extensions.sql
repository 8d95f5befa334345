CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION ltree SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION pgcrypto SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
COMMENT ON EXTENSION hstore IS 'changed by the hospital';
REVOKE EXECUTE ON FUNCTION ext.digest(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ext.digest(text, text) TO his_staff;

CREATE TABLE his.extension_types (id integer, h ext.hstore, path ext.ltree, q ext.lquery, c ext.citext PRIMARY KEY);
INSERT INTO his.extension_types VALUES
    (1, 'a=>1, "b c"=>NULL, "名"=>"\"\\."', 'Top.Science.Astronomy', '*{1,2}.Sci*@|a', 'Case'), (2, '', '', '*', 'other');
CREATE INDEX ON his.extension_types USING gist (path);
CREATE INDEX ON his.extension_types USING gin (h);
CREATE INDEX patient_trigram ON his.patient USING gin (note ext.gin_trgm_ops);
CREATE TABLE his.room_use (room integer, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&));
INSERT INTO his.room_use VALUES (1, '[2026-01-01,2026-01-02)'), (2, '[2026-01-01,2026-01-02)');

CREATE FOREIGN DATA WRAPPER nothing_wrapper OPTIONS (debug 'true');
CREATE SERVER "远 程" TYPE 'pg' VERSION '9' FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '127.0.0.1', port '1', dbname 'no such database', fetch_size '7');
CREATE USER MAPPING FOR his_writer SERVER "远 程" OPTIONS (user 'someone', password 'made-up ''\');
CREATE USER MAPPING FOR PUBLIC SERVER "远 程";
CREATE FOREIGN TABLE his.remote (
    id integer OPTIONS (column_name 'ID "x"') NOT NULL, name text DEFAULT 'x' COLLATE "C", CHECK (id > 0)
) SERVER "远 程" OPTIONS (schema_name 'public', table_name '表');
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE his.hosts (line text) SERVER files OPTIONS (filename '/etc/hosts', format 'text', delimiter E'\x01');
CREATE FOREIGN TABLE lab.order_archive PARTITION OF lab.no_partitions FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER "远 程";
CREATE FOREIGN TABLE his.remote_staff (phone text) INHERITS (his.staff) SERVER "远 程";
ALTER FOREIGN TABLE his.remote_staff NO INHERIT his.staff;
GRANT USAGE ON FOREIGN SERVER "远 程" TO his_staff;
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO his_owner WITH GRANT OPTION;
COMMENT ON SERVER "远 程" IS 'is never there';

CREATE PUBLICATION some_tables FOR TABLE his.patient (id, name, born, sex) WHERE (id > 5), lab.order_, his.legacy
    WITH (publish = 'insert, update', publish_via_partition_root = true);
CREATE PUBLICATION "全 部" FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION one_schema FOR TABLES IN SCHEMA "检验 科.""A"";\b" WITH (publish = 'insert');
CREATE PUBLICATION no_tables;
COMMENT ON PUBLICATION some_tables IS 'to the warehouse';
