CREATE SCHEMA raw;
CREATE TABLE raw.text (id integer PRIMARY KEY, body text);
INSERT INTO raw.text VALUES (1, '病人'), (2, NULL), (3, ''), (4, 'plain');
CREATE TABLE raw."病人" ("姓名" text DEFAULT '无名');
INSERT INTO raw."病人" VALUES ('张三'), (DEFAULT);
COMMENT ON TABLE raw."病人" IS '住院';
CREATE SEQUENCE raw."序列";
CREATE FUNCTION raw.hello() RETURNS text LANGUAGE sql AS $$ SELECT '你好'::text $$;
SELECT lo_from_bytea(16600002, '\x80ff005c');
