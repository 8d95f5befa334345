SET LOCAL search_path = pg_catalog;
SET LOCAL xmloption = content;
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = postgres;
SET LOCAL timezone = 'UTC';

CREATE TABLE his.numbers (
    id integer, small smallint, big bigint, real4 real, real8 double precision, exact numeric,
    scaled numeric(10, 4), coarse numeric(5, -2), cash money, flag boolean, bits bit(11), more_bits bit varying
);
INSERT INTO his.numbers VALUES
    (1, 32767, 9223372036854775807, 'Infinity', '-Infinity', 'NaN', 1.5, 12345, 12.34, true, B'10101010101', B''),
    (2, -32768, -9223372036854775808, 'NaN', 'NaN', 'Infinity', -0.0001, -12345, -92233720368547758.08,
        false, B'00000000000', B'1'),
    (3, 0, 0, '-0', '-0', '-Infinity', 0, 0, 0, NULL, NULL, B'0101'),
    (4, NULL, NULL, '1e-45', '5e-324', '0.00', 'NaN', 'NaN', NULL, NULL, NULL, NULL),
    (5, NULL, NULL, '3.4028235e38', '1.7976931348623157e308', '0.0', NULL, NULL, NULL, NULL, NULL, NULL),
    (6, NULL, NULL, '1.1754944e-38', '2.2250738585072014e-308', '-0.000', NULL, NULL, NULL, NULL, NULL, NULL),
    (7, NULL, NULL, 0.1, 0.1::double precision + 0.2, 1e-1000, NULL, NULL, NULL, NULL, NULL, NULL),
    (8, NULL, NULL, 16777217, 9007199254740993, (repeat('1234567890', 100) || '.' || repeat('9', 1000))::numeric,
        NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE his.times (
    id integer, day date, at timestamp, at_zone timestamptz, precise timestamp(3), clock time, clock_zone timetz, span interval
);
INSERT INTO his.times VALUES
    (1, 'infinity', 'infinity', 'infinity', NULL, '24:00', '24:00+15:59', '178000000 years'),
    (2, '-infinity', '-infinity', '-infinity', NULL, '00:00', '00:00-15:59', '-178000000 years'),
    (3, '4713-01-01 BC', '4713-01-01 BC', '4713-01-02 BC', NULL, '23:59:59.999999', '12:00+08', '1 month -1 day 00:00:00.000001'),
    (4, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '2024-02-29',
        NULL, NULL, '-1 mon +1 day -24:00'),
    (5, '0001-01-01', '0001-12-31 BC', '1901-01-01 00:00:00+08:05:43', '2026-01-01 00:00:00.4995', '04:05:06.7', '04:05:06.789-03:30',
        '25:59:59.5'),
    (6, NULL, NULL, '1988-04-10 03:30+09', NULL, NULL, NULL, '12 mons 30 days 24:00');

CREATE TABLE his.texts (id integer, body text, fixed character(8), short varchar(12), one "char", ident name);
INSERT INTO his.texts VALUES
    (1, '', '', '', '', ''),
    (2, NULL, NULL, NULL, NULL, NULL),
    (3, '\N', '\N', '\N', '\', '\N'),
    (4, E'a\tb\nc\rd\\e\bf\fg\vh\x01\x7f', E'\t', E'\r\n', 'x', 'NULL'),
    (5, '张三丰 𠮷野家 🏥 e' || U&'\0301' || ' ' || U&'\FEFF\200B', '张三', '𠮷🏥', 'y', '名字'),
    (6, '\.', '\.', '\.', '.', '\.'),
    (7, E'\\.\n\\.\n', 'ends  ', ' starts', NULL, ' '),
    (8, 'NULL', 'null', '"quoted"', '"', '{}'),
    (9, E'\\\\', E'\\t', '''', '''', '$$'),
    (10, repeat('x', 3000) || E'\n' || repeat('病历', 2000), NULL, NULL, NULL, NULL);

-- Copied as text, these rows are the end mark, an empty line and the null mark, each escaped.
CREATE TABLE his.single_text (body text);
INSERT INTO his.single_text VALUES ('\.'), (''), (NULL), ('\N'), (E'\n'), (E'\r'), (E'\\'), (' '), ('.'), (E'\\.\n');

CREATE TABLE his.bytes (id integer, body bytea);
INSERT INTO his.bytes
    SELECT 0, string_agg(decode(lpad(to_hex(b), 2, '0'), 'hex'), '' ORDER BY b) FROM generate_series(0, 255) AS b;
INSERT INTO his.bytes VALUES (1, ''), (2, NULL), (3, '\x5c2e'), (4, '\x00'), (5, '\x5c4e');

CREATE TABLE his.documents (id integer, j json, jb jsonb, path jsonpath, x xml, v tsvector, q tsquery);
INSERT INTO his.documents VALUES
    (1, E'{"b": 1,\n\t"a": 2,  "a": 3}', '{"b": 1, "a": 2, "a": 3}', '$.a[*] ? (@ > 1)', '<a b="1">&lt;张三</a>',
        'fat:1A cat:2,3B ''it''''s'':4', 'fat & (cat | !dog) <2> rat:*A'),
    (2, 'null', 'null', '$', '', '', ''),
    (3, '"\u0001\\."', '"\\."', 'strict $.x', '<?xml version="1.0"?><r/>', '', '!x'),
    (4, '1.0', '1.00', NULL, 'loose <b>text</b>', NULL, NULL),
    (5, '1e400', '1e400', NULL, NULL, NULL, NULL),
    (6, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE his.addresses (id integer, i inet, c cidr, m macaddr, m8 macaddr8, u uuid);
INSERT INTO his.addresses VALUES
    (1, '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '00000000-0000-0000-0000-000000000000'),
    (2, '::1', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00:00:00', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
    (3, '::ffff:1.2.3.4/96', '0.0.0.0/0', NULL, NULL, NULL);

CREATE TABLE his.shapes (id integer, p point, l line, s lseg, b box, open_path path, closed path, poly polygon, c circle);
INSERT INTO his.shapes VALUES
    (1, '(1.1,-0)', '{1,-1,0}', '[(0,0),(1e-300,1)]', '((0,0),(1,1))', '[(0,0),(1,2)]', '((0,0),(1,2))', '((0,0),(1,1),(1,0))', '<(0,0),0.1>'),
    (2, '(NaN,Infinity)', NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE his.system_types (
    id integer, rel regclass, proc regprocedure, typ regtype, role regrole, lsn pg_lsn, x xid, x8 xid8,
    snap pg_snapshot, t tid, v oidvector, o oid, cur refcursor
);
INSERT INTO his.system_types VALUES
    (1, 'his.numbers', 'his.blood_rank(his.blood_group)', 'his.address[]', 'his_staff', '16/B374D848', '7', '77',
        '10:20:10,14,15', '(42,7)', '1 2 3', 4294967295, 'cursor'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', 0, '');

CREATE TABLE his.collections (
    id integer, numbers integer[], words text[], square integer[][], blood his.blood_group[], people his.person[],
    one his.person, span his.lab_range, spans his.lab_ranges, days daterange, stamps tstzmultirange, doses his.dose_range, codes his.codes
);
INSERT INTO his.collections VALUES
    (1, '{}', '{}', '{}', '{}', '{}', ROW(NULL, NULL, NULL), 'empty', '{}', 'empty', '{}', 'empty', '{}'),
    (2, '{1,NULL,3}', ARRAY['', NULL, 'NULL', '"', '\', ',', '{}', E'\t\n', '\.'], '{{1,2},{3,NULL}}', '{A2,"it''s",未知}',
        ARRAY[ROW('张 "三"', ROW('a,b', 1, '{x,"y z"}', 'AB')::his.address, '2000-02-29')::his.person, NULL],
        ROW('', ROW(NULL, NULL, NULL, NULL)::his.address, 'infinity'), '[1.5,)', '{[1,2),(3,4]}', '[2026-01-01,infinity]',
        '{(,"2020-01-01 00:00+00"),["2021-01-01 00:00+00",)}', '[1,9]', '{A.1,B}'),
    (3, '[-2:0]={7,8,9}', '[5:5]={x}', '[2:3][0:1]={{1,2},{3,4}}', NULL, NULL, NULL, '(,)', NULL, '(,2026-01-01)', NULL, NULL, NULL),
    (4, NULL, NULL, '{{{1},{2}},{{3},{4}}}', NULL, NULL, ROW(NULL, ROW(NULL, NULL, '{}', 'O')::his.address, NULL),
        '[-Infinity,NaN]', '{[-0,0]}', '[0044-03-15 BC,2026-01-01)', NULL, NULL, NULL);

CREATE TABLE his.own_types (raw his.raw_text, dose his.dose, code his.code, blood his.blood_group DEFAULT '未知');
INSERT INTO his.own_types VALUES (E'\\.\t\n', 999, 'A\1.', DEFAULT), ('', 1, '', 'A2'), (NULL, 5, NULL, NULL);
