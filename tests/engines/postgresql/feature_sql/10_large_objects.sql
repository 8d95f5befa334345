SELECT lo_from_bytea(16500000 + n, substr(decode(repeat(md5(n::text), 4000), 'hex'), 1, size))
    FROM unnest(ARRAY[0, 1, 2047, 2048, 2049, 60000]) WITH ORDINALITY AS sizes (size, n);
-- Pages that were never written read as zero bytes.
SELECT lo_create(16500100);
SELECT lo_put(16500100, 100000, '\x5c2e0a00ff');
SELECT lo_from_bytea(4294967290, '\x00');
ALTER LARGE OBJECT 16500002 OWNER TO his_owner;
ALTER LARGE OBJECT 16500006 OWNER TO "检验科 ""张三""";
GRANT SELECT ON LARGE OBJECT 16500001, 16500002 TO his_reader;
GRANT SELECT, UPDATE ON LARGE OBJECT 16500003 TO his_writer WITH GRANT OPTION;
GRANT SELECT ON LARGE OBJECT 16500003 TO PUBLIC;
COMMENT ON LARGE OBJECT 16500002 IS E'a scan of ''a'' letter\n扫描';
COMMENT ON LARGE OBJECT 16500001 IS 'empty';
CREATE TABLE his.scan (id integer PRIMARY KEY, picture oid);
INSERT INTO his.scan SELECT n, 16500000 + n FROM generate_series(1, 6) AS n;
