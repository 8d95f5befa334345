CREATE TYPE his.blood_group AS ENUM ('A', 'B', 'AB', 'O', '未知', 'it''s');
ALTER TYPE his.blood_group ADD VALUE 'A2' AFTER 'A';

CREATE DOMAIN his.positive AS integer DEFAULT 1 CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE DOMAIN his.dose AS his.positive NOT NULL CONSTRAINT is_small CHECK (VALUE < 1000);
CREATE DOMAIN his.code AS varchar(20) COLLATE "C" CHECK (VALUE ~ '^[A-Z0-9\\.]*$');
ALTER DOMAIN his.code ADD CONSTRAINT not_x CHECK (VALUE <> 'X') NOT VALID;
CREATE DOMAIN his.codes AS his.code[];

CREATE TYPE his.address AS (street text, "no." integer, tags text[], blood his.blood_group);
CREATE TYPE his.person AS (name text COLLATE "C", home his.address, "外号" text);
ALTER TYPE his.person ADD ATTRIBUTE born date;
ALTER TYPE his.person DROP ATTRIBUTE "外号";

CREATE FUNCTION his.float_distance(a double precision, b double precision)
    RETURNS double precision LANGUAGE sql IMMUTABLE STRICT RETURN a - b;
CREATE TYPE his.lab_range AS RANGE (
    subtype = double precision, subtype_diff = his.float_distance, multirange_type_name = his.lab_ranges
);
CREATE TYPE his.dose_range AS RANGE (subtype = his.dose);

-- A base type made of functions that every server has.
CREATE TYPE his.raw_text;
CREATE FUNCTION his.raw_text_in(cstring) RETURNS his.raw_text
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION his.raw_text_out(his.raw_text) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE TYPE his.raw_text (
    INPUT = his.raw_text_in, OUTPUT = his.raw_text_out, INTERNALLENGTH = VARIABLE, STORAGE = extended
);
CREATE TYPE his.only_a_shell;

CREATE CAST (his.raw_text AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS his.raw_text) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION his.blood_rank(his.blood_group) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT array_position(enum_range(NULL::his.blood_group), $1)';
CREATE CAST (his.blood_group AS integer) WITH FUNCTION his.blood_rank(his.blood_group);

-- An operator class that orders text backwards, used by an index further on.
CREATE FUNCTION his.back_lt(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT RETURN $1 > $2;
CREATE FUNCTION his.back_le(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT RETURN $1 >= $2;
CREATE FUNCTION his.back_ge(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT RETURN $1 <= $2;
CREATE FUNCTION his.back_gt(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT RETURN $1 < $2;
CREATE FUNCTION his.back_cmp(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT pg_catalog.bttextcmp($2, $1)';
CREATE OPERATOR his.<# (
    FUNCTION = his.back_lt, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(his.#>),
    NEGATOR = OPERATOR(his.#>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR his.<=# (
    FUNCTION = his.back_le, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(his.#>=), NEGATOR = OPERATOR(his.#>)
);
CREATE OPERATOR his.#>= (
    FUNCTION = his.back_ge, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(his.<=#), NEGATOR = OPERATOR(his.<#)
);
CREATE OPERATOR his.#> (
    FUNCTION = his.back_gt, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(his.<#), NEGATOR = OPERATOR(his.<=#)
);
CREATE OPERATOR FAMILY his.backwards USING btree;
CREATE OPERATOR CLASS his.text_backwards FOR TYPE text USING btree FAMILY his.backwards AS
    OPERATOR 1 his.<#, OPERATOR 2 his.<=#, OPERATOR 3 pg_catalog.=,
    OPERATOR 4 his.#>=, OPERATOR 5 his.#>, FUNCTION 1 his.back_cmp(text, text);
COMMENT ON OPERATOR his.<# (text, text) IS 'before, backwards';
COMMENT ON OPERATOR CLASS his.text_backwards USING btree IS 'text, backwards';

CREATE COLLATION his.plain (provider = libc, locale = 'C');
CREATE COLLATION his."C 拷贝" FROM "C";
-- Equal is not the same here: three spellings of one name may not stand beside each other.
DO $do$
BEGIN
    CREATE COLLATION his.ignore_case (
        provider = icu, locale = 'und-u-ks-level2', deterministic = false
    );
    CREATE TABLE his.loose_names (name text COLLATE his.ignore_case PRIMARY KEY);
    INSERT INTO his.loose_names VALUES ('Zhang'), ('LI'), ('wang');
EXCEPTION WHEN feature_not_supported THEN
    NULL;  -- a server built without ICU
END
$do$;
CREATE CONVERSION his.to_latin FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;

CREATE TEXT SEARCH TEMPLATE his.plain_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY his.plain_words (TEMPLATE = his.plain_template, accept = 'true');
CREATE TEXT SEARCH DICTIONARY his.stemmed (TEMPLATE = snowball, language = 'english', stopwords = 'english');
CREATE TEXT SEARCH PARSER his.plain_parser (
    START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,
    LEXTYPES = prsd_lextype, HEADLINE = prsd_headline
);
CREATE TEXT SEARCH CONFIGURATION his.records (PARSER = his.plain_parser);
ALTER TEXT SEARCH CONFIGURATION his.records
    ADD MAPPING FOR asciiword, word WITH his.stemmed, his.plain_words;
COMMENT ON TEXT SEARCH CONFIGURATION his.records IS '病历';

CREATE ACCESS METHOD hospital_heap TYPE TABLE HANDLER heap_tableam_handler;
