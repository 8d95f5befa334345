CREATE TABLE "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1" (
    "列 ""一""" integer, "a.b;c" text, "	tab" text, "\" text, " " text, "select" text, "%(x)s" text,
    "Ünïcödé 🏥" text DEFAULT 'q', "一二三四五六七八九十一二三四五六七八九十一" text
);
INSERT INTO "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1" VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', DEFAULT, '六十三'), (2, NULL, '', '\.', '', '', '', '', NULL);
CREATE SEQUENCE "检验 科.""A"";\b"."序列 ""s"";
" START 5;
SELECT nextval(E'"检验 科.""A"";\\b"."序列 ""s"";\n"') FROM generate_series(1, 3);
CREATE UNIQUE INDEX "索引 ""i"";\ 
x" ON "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1" ("列 ""一""", ("a.b;c" || "\"));
CREATE VIEW "检验 科.""A"";\b"."视图 'v'" AS SELECT "列 ""一""" AS "一 ""." FROM "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1";
COMMENT ON TABLE "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1" IS E'-- not a comment; DROP TABLE x;\n\\.\n\\connect nowhere';
COMMENT ON COLUMN "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1"."列 ""一""" IS '';
COMMENT ON COLUMN "检验 科.""A"";\b"."表 ""x"".y;
\.'z' %s {0} $1"."a.b;c" IS E'line\r\nline\t''quoted''';
CREATE TABLE "检验 科.""A"";\b"."父 ""p""" ("键 k" integer, CONSTRAINT "约束 ""c""" CHECK ("键 k" > 0)) PARTITION BY LIST ("键 k");
CREATE TABLE "检验 科.""A"";\b"."子;1" PARTITION OF "检验 科.""A"";\b"."父 ""p""" FOR VALUES IN (1, 2);
CREATE TABLE "检验 科.""A"";\b"."CON" PARTITION OF "检验 科.""A"";\b"."父 ""p""" DEFAULT;
INSERT INTO "检验 科.""A"";\b"."父 ""p""" VALUES (1), (2), (3);
-- The same name in two schemas, in another case, with dots that look like a schema, and as a path.
CREATE TABLE his.same (a integer);
CREATE TABLE lab.same (a integer);
CREATE TABLE lab."SAME" (a integer);
CREATE TABLE public."lab.same" (a integer);
CREATE TABLE public."../../etc/passwd" (a integer);
CREATE TABLE public."-Fc --help" (a integer);
CREATE TABLE public."user" (a integer, "order" integer);
CREATE TABLE public."六十三字节的名字六十三字节的名字六十三字节" (a integer);
INSERT INTO his.same VALUES (1);
INSERT INTO lab.same VALUES (2);
INSERT INTO lab."SAME" VALUES (3);
INSERT INTO public."lab.same" VALUES (4);
INSERT INTO public."../../etc/passwd" VALUES (5);
INSERT INTO public."-Fc --help" VALUES (6);
INSERT INTO public."user" VALUES (7, 8);
INSERT INTO public."六十三字节的名字六十三字节的名字六十三字节" VALUES (9);
