"""What the server prints otherwise once it has been restored: read alike before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.backup.ports import RestoreOrder
from dbops.change.schema import ObjectName, Schema
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.change_schema_printed import as_restored
from dbops.engines.postgresql.connect import connect
from tests.engines.postgresql.collecting import parameters
from tests.engines.postgresql.sealed import (
    back_up,
    engine_of,
    fresh_database,
    scratch_directory,
)
from tests.fix_postgresql import PgDatabase, PgServer

VARCHAR = "'a'::character varying, 'b'::character varying"
MOVED = "('a'::character varying)::text, ('b'::character varying)::text"
ANY = f"((v)::text = ANY ((ARRAY[{VARCHAR}])::text[]))"
ANY_RESTORED = f"((v)::text = ANY (ARRAY[{MOVED}]))"
CONDITIONS = (
    "v IN ('a', 'b')",
    "v NOT IN ('a', 'b')",
    "v IN ('a', x)",
    "c IN ('a', 'b')",
    "n IN (1, 2.5)",
    "i IN (1, s)",
    "m IN ('low', 'high')",
    "k IN ('x', 'y')",
    "v COLLATE \"C\" IN ('a', 'b')",
    "upper(v) IN ('A', 'B')",
    "CASE WHEN v IN ('a', 'b') THEN v IN ('c', 'd') ELSE i = ANY (ARRAY[1, 2]) END",
    "coalesce(v, 'a') IN ('it''s', '(ARRAY[''a''])::text[]')",
    "w[1] IN ('a', 'b') AND w && ARRAY['a', 'b']::varchar[]",
    "(i, v) IN ((1, 'a'), (2, 'b'))",
    "v = (ARRAY['a', 'b'])[i]",
    "v LIKE 'a%' AND x ~ '^(ARRAY)' AND v BETWEEN 'a' AND 'b'",
    "d BETWEEN DATE '2020-01-01' AND '2021-01-01' AND i IN (-1, -2)",
    "(i = 1 AND s = 2) AND (i = 3 OR (s = 4 OR v = 'x')) AND ((i = 5 OR s = 6) OR v = 'y')",
    "NOT (i = 1 AND s = 2 AND v IN ('a', 'b')) OR (b AND i BETWEEN SYMMETRIC 1 AND 2 AND g)",
    "j ->> 'a' IN ('a', 'b') AND j @> '{\"a\": [1]}'",
)
TABLE = """
CREATE TYPE level AS ENUM ('low', 'high');
CREATE DOMAIN code AS varchar(5) DEFAULT 'x' CHECK (VALUE IN ('x', 'y'));
CREATE TABLE t (id bigint PRIMARY KEY, v varchar(10), c char(3), x text, n numeric(10, 2), i int,
    s smallint, d date, m level, j jsonb, w varchar(10)[], k code,
    g boolean GENERATED ALWAYS AS (v IN ('a', 'b')) STORED,
    b boolean DEFAULT ('a'::varchar IN ('a', 'b')),
    EXCLUDE USING btree (v WITH =) WHERE (v IN ('a', 'b')));
CREATE INDEX expressions ON t ((v IN ('a', 'b')), lower(v));
CREATE STATISTICS st ON (v IN ('a', 'b')), id FROM t;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN IF NEW.v = ANY ((ARRAY['a'::varchar])::text[]) THEN RETURN NEW; END IF; END$$;
CREATE FUNCTION standard(v varchar DEFAULT 'a') RETURNS boolean LANGUAGE sql
    BEGIN ATOMIC SELECT v IN ('a', 'b'); END;
CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.v IN ('a', 'b'))
    EXECUTE FUNCTION noted();
CREATE POLICY po ON t USING (v IN ('a', 'b')) WITH CHECK (v NOT IN ('a', 'b'));
CREATE RULE ru AS ON UPDATE TO t WHERE OLD.v IN ('a', 'b') DO ALSO
    UPDATE t SET x = 'a' WHERE v IN ('a', 'b') AND id = OLD.id + 1;
CREATE TABLE part (v varchar(5), n int) PARTITION BY LIST ((v || 'a'));
CREATE TABLE part_ab PARTITION OF part FOR VALUES IN ('a', 'b');
CREATE TABLE range (n int) PARTITION BY RANGE (n);
CREATE TABLE range_5 PARTITION OF range FOR VALUES FROM (-5) TO (5);
CREATE MATERIALIZED VIEW mv AS SELECT v, count(*) FILTER (WHERE v IN ('a', 'b')) AS q FROM t
    GROUP BY v HAVING max(v) IN ('a', 'b');
CREATE VIEW joined AS SELECT a.v FROM t a LEFT JOIN t b ON a.v = b.x AND b.v IN ('a', 'b')
    WHERE EXISTS (SELECT FROM t z WHERE z.v IN ('a', 'b')) UNION ALL VALUES ('a'), ('b');
"""


def statements() -> Iterator[str]:
    """Each condition as a view, a column of a view, a check, and an index on some rows."""
    yield TABLE
    for number, condition in enumerate(CONDITIONS):
        yield f"CREATE VIEW where_{number} AS SELECT id FROM t WHERE {condition};"
        yield f"CREATE VIEW column_{number} AS SELECT ({condition}) AS found FROM t;"
        yield f"ALTER TABLE t ADD CONSTRAINT check_{number} CHECK ({condition});"
        yield f"CREATE INDEX index_{number} ON t (id) WHERE {condition};"


def schema_of(database: PgDatabase) -> Schema:
    with connect(parameters(database)) as session:
        return read_schema(session)


def texts(schema: Schema) -> dict[ObjectName, dict[str, str]]:
    return {name: dict(each.properties) for name, each in schema.objects.items()}


def test_a_restored_copy_reads_as_its_source(pg_server: PgServer) -> None:
    """Whatever an expression stands in, its text is the same once it was dumped and restored."""
    with ExitStack() as stack:
        source = stack.enter_context(fresh_database(pg_server, "printed"))
        copy = stack.enter_context(fresh_database(pg_server, "printed_again"))
        directory = stack.enter_context(scratch_directory())
        with source.connect() as connection:
            connection.execute("".join(statements()).encode())
            (raw,) = (
                connection.execute("SELECT pg_get_viewdef('where_0'::regclass)").fetchone() or ()
            )
        assert "(ARRAY[" in raw, "the server prints it as restored at once: nothing is tested"
        sealed = back_up(engine_of(pg_server, "printed"), directory)
        engine_of(pg_server, "printed_again").restore(sealed.contents, RestoreOrder())
        found, wanted = texts(schema_of(copy)), texts(schema_of(source))
        assert found.keys() == wanted.keys()
        assert [(found[name], each) for name, each in wanted.items() if found[name] != each] == []


@pytest.mark.parametrize(
    ("printed", "restored"),
    [
        (ANY, ANY_RESTORED),
        (f"NOT {ANY} AND {ANY}", f"NOT {ANY_RESTORED} AND {ANY_RESTORED}"),
        (
            f"(ARRAY[CASE WHEN {ANY} THEN v END, c])::character varying(5)[]",
            f"ARRAY[(CASE WHEN {ANY_RESTORED} THEN v END)::character varying(5),"
            " (c)::character varying(5)]",
        ),
        ("(ARRAY[f(a, b), c[1]])::text[]", "ARRAY[(f(a, b))::text, (c[1])::text]"),
        ("(((a) AND (b)) AND (c))", "((a) AND (b) AND (c))"),
        ("((((a) OR (b)) OR c) OR (d))", "((a) OR (b) OR c OR (d))"),
        ("FROM ( VALUES ('a'))", "FROM (VALUES ('a'))"),
        ('(ARRAY[a])::"His".level[]', 'ARRAY[(a)::"His".level]'),
        (
            "(ARRAY[d])::timestamp(3) with time zone[]",
            "ARRAY[(d)::timestamp(3) with time zone]",
        ),
        (
            "(v::text = ANY (ARRAY['a'::character varying, x]::text[]))",
            "(v::text = ANY (ARRAY['a'::character varying::text, x::text]))",
        ),
    ],
)
def test_what_the_parser_does(printed: str, restored: str) -> None:
    """Types move into the elements of arrays, and lists of AND and of OR become one."""
    assert as_restored(printed) == restored


@pytest.mark.parametrize(
    "printed",
    [
        ANY_RESTORED,
        f"x = 'a {ANY}'",
        f"x = E'\\' {ANY}'",
        f'"{ANY}" = 1',
        f"CREATE FUNCTION f() AS $function$ {ANY} $function$",
        "(ARRAY[ARRAY['a'::character varying]])::text[]",
        "(ARRAY['a'::character varying])::text[][]",
        "(ARRAY[])::text[]",
        "(ARRAY[1, 2])[1]",
        "((a) AND ((b) AND (c)))",
        "(((a) AND (b)) OR (c))",
        "(PARTITION BY v ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        "ARRAY[1, 2]",
        "(ARRAY[(a || b)",
        "ARRAY[a || b]::text[]",
    ],
)
def test_all_else_stays(printed: str) -> None:
    """Texts, names, bodies, arrays of arrays, and what nobody prints."""
    assert as_restored(printed) == printed


_leaves = st.sampled_from(["a", "'b'::text", "'it''s'", '"c d"', "1", "'(ARRAY['", "$$]$$"])
_expressions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(
            lambda each: f"(ARRAY[{', '.join(each)}])::text[]"
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"f({', '.join(each)})"),
        inner.map(lambda each: f"({each})::character varying(5)"),
        inner.map(lambda each: f"({each} = ANY (a[1]))"),
    ),
    max_leaves=12,
)


@given(_expressions)
def test_the_restored_form_is_restored_as_it_is(printed: str) -> None:
    """Once more changes nothing, and no leaf of the expression is lost."""
    restored = as_restored(printed)
    assert as_restored(restored) == restored
    for leaf in ("'it''s'", '"c d"', "'(ARRAY['", "$$]$$"):
        assert restored.count(leaf) == printed.count(leaf)


@given(st.text(alphabet="(ARRAY[]):,'\"$ex \\", max_size=60))
def test_any_text_is_read(text: str) -> None:
    """Whatever stands there, it ends with a text, and at once."""
    assert isinstance(as_restored(text), str)
