"""Values of every kind, from the server and back to it, to the byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from dbops.engines.postgresql.connect import connect
from dbops.engines.postgresql.repair_sets import read_carriers
from dbops.engines.postgresql.repair_shape import read_layout
from dbops.errors import Failed, Refused
from dbops.repair.ports import RepairSession
from dbops.repair.table import Change
from tests.engines.postgresql.processes import memory
from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.engines.repair_site import ALL, CANARY, NOTHING, begun, bound, read, rows_of, sql, texts
from tests.fix_postgresql import PgServer

# Types, and values that are easily lost on the way; each as an SQL expression.
VALUES: dict[str, tuple[str, ...]] = {
    "numeric": ("'NaN'", "'Infinity'", "'-Infinity'", "1.10", "1.1000", "1e-300", "9e1000"),
    "numeric(10,2)": ("-0.01", "12345678.90"),
    "real": ("'NaN'", "'-0'", "1.17549435e-38", "3.40282347e+38", "5592405.5", "1e-45"),
    "double precision": ("'NaN'", "'-Infinity'", "5e-324", "1.7976931348623157e308", "0.1", "'-0'"),
    "timestamp": ("'infinity'", "'-infinity'", "'0044-03-15 12:00:00.123456 BC'", "'294276-12-31'"),
    "timestamptz": ("'infinity'", "'4713-01-01 00:00:00+00 BC'", "'2026-03-29 02:30:00+08'"),
    "timestamptz(0)": ("'2026-11-20 23:59:59.9+00'",),
    "date": ("'infinity'", "'0001-12-31 BC'", "'5874897-12-31'"),
    "time": ("'24:00:00'", "'23:59:59.999999'"),
    "timetz": ("'24:00:00-15:59'", "'00:00:00.000001+08'"),
    "interval": ("'-1 year 2 days -03:04:05.678901'", "'178000000 years'", "'1 mon -1 day'", "'0'"),
    "json": ("""'{"a": 1, "a" : 2,\t"b":[ ]}'""", "'  null '", "'1e400'"),
    "jsonb": ("""'{"b": 1.10, "a": "\\u4e2d"}'""",),
    "integer[]": ("'{1,NULL,3}'", "'{}'", "'[0:1]={7,8}'", "'{{1,2},{3,4}}'"),
    "text[]": ("""'{NULL,"NULL","","a\\"b\\\\c","中 文"}'""",),
    "bytea": ("''", r"'\x00ff5c27'", "decode(repeat('00', 70000), 'hex')"),
    "text": ("''", "'中文 😀 \u0301'", "E'\\n\\r\\t\\\\ '' \"'", "repeat('x', 3)"),
    "varchar(5)": ("''", "'é  '"),
    "char(4)": ("'a'", "''", "'中'"),
    '"char"': ("'x'", "''"),
    "boolean": ("true", "false"),
    "uuid": ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'",),
    "inet": ("'10.0.0.1'", "'10.0.0.1/8'", "'::1'"),
    "int4range": ("'empty'", "'(,5)'", "'[1,10]'"),
    "tstzrange": ("""'["2026-01-01 00:00:00+08",infinity)'""",),
    "money": ("'-12.34'",),
    "xml": ("'<a>\n <b/></a>'",),
    "bit varying": ("B''", "B'0101'"),
    "point": ("'(0.1,-0)'",),
    "tsvector": ("'a:1A b'",),
    "regclass": ("'public.kinds'",),
    "mood": ("'不安'",),
    "pair": ("""ROW(1, 'a,"b')""", "ROW(NULL, '')"),
    "small": ("7",),
    "oid": ("4294967295",),
    "box": ("'(1,2),(0.5,-1)'",),
    "name": ("'中 文'",),
    "bit(3)": ("B'010'",),
    "daterange": ("'[2026-01-01,infinity)'",),
    "nummultirange": ("'{[1.10,2.0),(3,)}'",),
    "smalls": ("'{1,NULL}'", "'{}'"),
    "tag": ("""'  x,\"\\{}NULL;'""", "'NULL'"),
    "boxed": ("ROW(7, 'x')",),
    "path": ("'[(0,0),(1,1)]'",),
    "regtype": ("'pair'", "'integer'"),
    "int2vector": ("'1 2 3'",),
    "varchar(3)[]": ("""'{"a b",NULL,"中"}'""",),
    "pair[]": ("""ARRAY[ROW(1, 'a,"b'), NULL]""",),
}


@pytest.fixture(scope="module", params=[15, 17], ids=lambda major: f"pg{major}")
def kinds(request: pytest.FixtureRequest) -> Iterator[PgSite]:
    """A table `kinds` with a column of each type, a row for each value, and a row of NULLs."""
    server = request.getfixturevalue(f"pg{request.param}")
    with pg_site(server) as site:
        columns = ", ".join(f"c{n} {kind}" for n, kind in enumerate(VALUES))
        site.run(
            "CREATE TYPE mood AS ENUM ('好', '不安')",
            "CREATE TYPE pair AS (a integer, b text)",
            "CREATE DOMAIN small AS integer CHECK (value < 10)",
            "CREATE DOMAIN smalls AS small[]",
            "CREATE DOMAIN tag AS varchar(16)",
            "CREATE DOMAIN boxed AS pair",
            f"CREATE TABLE kinds (id serial PRIMARY KEY, {columns})",
            *(
                f"INSERT INTO kinds (c{n}) VALUES ({value}::{kind})"
                for n, (kind, values) in enumerate(VALUES.items())
                for value in values
            ),
            "INSERT INTO kinds DEFAULT VALUES",
            "CREATE SEQUENCE statements",
            "CREATE FUNCTION count_statements() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM nextval('public.statements'); RETURN NULL; END $$",
            "CREATE TRIGGER count_statements AFTER INSERT OR UPDATE OR DELETE ON kinds"
            " FOR EACH STATEMENT EXECUTE FUNCTION count_statements()",
            f"GRANT ALL ON statements TO {site.engine.repair_role}",
        )
        site.prepare("kinds")
        yield site


@contextmanager
def alone(kinds: PgSite) -> Iterator[None]:
    """A cast from text to a composite type that somebody made: rows are written one by one."""
    kinds.run(
        "CREATE FUNCTION wrong(text) RETURNS pair LANGUAGE sql AS"
        " $$ SELECT ROW(0, 'cast')::public.pair $$",
        "CREATE CAST (text AS pair) WITH FUNCTION wrong(text)",
    )
    try:
        yield
    finally:
        kinds.run("DROP FUNCTION wrong CASCADE")


def statements(session: RepairSession) -> int:
    """How many statements have written the table so far, and this one."""
    return int(session.check(sql("SELECT nextval('statements')"), NOTHING) or 0)


@pytest.mark.parametrize("together", [True, False])
def test_values_come_back_from_deletion(kinds: PgSite, together: bool) -> None:
    """Rows that were deleted and inserted from their images are the same to the byte.

    So they are in one statement, and one by one where the types forbid that.
    """
    with nullcontext() if together else alone(kinds):
        _come_back_from_deletion(kinds, together=together)


def _come_back_from_deletion(kinds: PgSite, *, together: bool) -> None:
    with begun(kinds) as session:
        shape = session.shape(kinds.table("kinds"))
        before = read(session, shape, lock=True)
        session.run(sql("DELETE FROM kinds"), NOTHING)
        written = statements(session)
        changes = [Change(one.order, None, one.row) for one in before]
        assert session.apply(shape, changes) == len(before)
        assert statements(session) - written - 1 == (1 if together else len(before))
        session.settle()
        after = read(session, shape)
    assert len(before) == 1 + sum(map(len, VALUES.values()))
    assert rows_of(after) == rows_of(before)
    assert all(one.own for one in after)


@pytest.mark.parametrize("together", [True, False])
def test_values_come_back_from_changes(kinds: PgSite, together: bool) -> None:
    """So are rows whose every column was set to NULL, a statement for each column or row."""
    with nullcontext() if together else alone(kinds):
        _come_back_from_changes(kinds, together=together)


def _come_back_from_changes(kinds: PgSite, *, together: bool) -> None:
    wiped = ", ".join(f"c{n} = NULL" for n in range(len(VALUES)))
    with begun(kinds) as session:
        shape = session.shape(kinds.table("kinds"))
        before = read(session, shape)
        session.run(sql(f"UPDATE kinds SET {wiped}"), NOTHING)
        middle = {one.order: one.row for one in read(session, shape)}
        changes = [
            Change(one.order, middle[one.order], one.row)
            for one in before
            if middle[one.order] != one.row
        ]
        written = statements(session)
        mixed = [changes[n * 7 % len(changes)] for n in range(len(changes))]
        assert len({one.key for one in mixed}) == len(changes) == len(before) - 1
        assert session.apply(shape, mixed) == len(changes)
        sent = len(VALUES) if together else len(changes)
        assert statements(session) - written - 1 == sent
        after = read(session, shape)
    assert rows_of(after) == rows_of(before)


def test_values_travel_together(kinds: PgSite) -> None:
    """A column travels as an array of its type; only arrays and composite types are cast."""
    with connect(kinds.engine.parameters()) as session:
        layout = read_layout(session, kinds.table("kinds"), ())
        carriers = read_carriers(session, layout)
    assert carriers is not None
    names = ["id", *VALUES]
    cast = {name: one.cast for name, one in zip(names, carriers.columns, strict=True) if one.cast}
    assert cast == {
        "integer[]": "::pg_catalog._int4",
        "text[]": "::pg_catalog._text",
        "pair": "::public.pair",
        "boxed": "::public.boxed",
        "varchar(3)[]": "::pg_catalog._varchar",
        "pair[]": "::public._pair",
    }
    assert carriers.unique == {0}


def test_every_value_is_told_from_every_other(kinds: PgSite) -> None:
    """An image is the server's output: padding stays, 1.10 is not 1.1000, '' is not NULL."""
    with begun(kinds) as session:
        shape = session.shape(kinds.table("kinds"))
        rows = rows_of(read(session, shape))
    held: dict[str, list[bytes | None]] = {
        kind: [row[n + 1] for row in rows if row[n + 1] is not None]
        for n, kind in enumerate(VALUES)
    }
    assert {kind: len(found) for kind, found in held.items()} == {
        kind: len(values) for kind, values in VALUES.items()
    }
    assert sorted(held["char(4)"], key=str) == sorted([b"a   ", b"    ", "中   ".encode()], key=str)
    assert b"1.10" in held["numeric"]
    assert b"1.1000" in held["numeric"]
    assert held["boolean"] == [b"t", b"f"] or held["boolean"] == [b"f", b"t"]
    assert held["regclass"] == [b"public.kinds"]


def test_a_wide_row_comes_and_goes(pg15: PgServer) -> None:
    """Ten megabytes in one value, and rows of a megabyte each, are read and written whole."""
    with pg_site(pg15) as site:
        site.run(
            "CREATE TABLE wide (id integer PRIMARY KEY, v text)",
            "INSERT INTO wide SELECT n, repeat(md5(n::text), 32768)"
            " FROM generate_series(1, 20) AS n",
            "INSERT INTO wide SELECT 99, repeat('中文😀x', 1000000)",
        )
        site.prepare("wide")
        with begun(site) as session:
            shape = session.shape(site.table("wide"))
            before = read(session, shape)
            session.run(sql("DELETE FROM wide WHERE id > 10"), NOTHING)
            gone = [one for one in before if int(one.row[0] or 0) > 10]
            session.apply(shape, [Change(one.order, None, one.row) for one in gone])
            after = read(session, shape)
        assert [len(one.row[1] or b"") for one in before if one.row[0] == b"99"] == [11_000_000]
        assert rows_of(after) == rows_of(before)


def test_wide_rows_are_streamed(pg15: PgServer) -> None:
    """Two hundred rows of a megabyte are read in a few of them at a time."""
    with pg_site(pg15) as site:
        site.run(
            "CREATE TABLE wide (id integer PRIMARY KEY, v text)",
            "INSERT INTO wide SELECT n, repeat(md5(n::text), 32768)"
            " FROM generate_series(1, 200) AS n",
        )
        site.prepare("wide")
        with begun(site) as session:
            shape = session.shape(site.table("wide"))
            start, most, count = memory(os.getpid()), 0, 0
            for one in session.read(shape, ALL, NOTHING, lock=True):
                count += len(one.row[1] or b"") >> 20
                most = max(most, memory(os.getpid()))
    assert count == 200
    assert most - start < 80 << 20


def test_values_in_another_encoding(pg15: PgServer) -> None:
    """In a database in EUC_CN values are its bytes, and parameters are sent in it."""
    with pg_site(pg15, encoding="EUC_CN") as site:
        site.run("CREATE TABLE t (k text PRIMARY KEY, v text)")
        site.prepare("t")
        with begun(site) as session:
            shape = session.shape(site.table("t"))
            insert = sql("INSERT INTO t VALUES ('键', ", bound("v"), ")")
            session.run(insert, texts(v="值"))
            found = read(session, shape)
            assert session.encoding == "gb2312"
            assert rows_of(found) == [("键".encode("gb2312"), "值".encode("gb2312"))]
            assert session.fetch(shape, [found[0].order], lock=True) == found
            with pytest.raises(Refused) as caught:
                session.run(insert, texts(v="😀"))
        assert caught.value.code == "name-not-encodable"


def test_a_zero_byte_is_refused(kinds: PgSite) -> None:
    """It would cut the value short on its way; nothing of it is said."""
    change = sql("SELECT ", bound("v"), "::text")
    with begun(kinds) as session, pytest.raises(Failed) as caught:
        session.run(change, texts(v=f"{CANARY}\0"))
    assert caught.value.code == "value-refused"
    assert CANARY not in caught.value.message


def test_keys_of_every_kind_are_found_again(pg15: PgServer) -> None:
    """A row is found by its order whatever the key's type, its padding or its collation."""
    kinds = {
        "numeric": ("1.10", "'NaN'", "-5"),
        "char(5)": ("'a'", "'b '", "''"),
        "text COLLATE folded": ("'Abc'", "'é'", "'中'"),
        "bytea": (r"'\x00'", "''"),
        "timestamptz": ("'infinity'", "'2026-01-01 00:00+08'"),
        "boolean": ("true", "false"),
        "mood": ("'好'",),
        "double precision": ("0.1", "'-Infinity'"),
        "integer[]": ("'{1,2}'", "'{}'"),
        '"char"': ("'x'",),
        "public.citext": ("'Abc'",),
    }
    with pg_site(pg15) as site:
        site.run(
            "CREATE EXTENSION citext SCHEMA public",
            "CREATE TYPE mood AS ENUM ('好')",
            "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2',"
            " deterministic = false)",
        )
        for n, (kind, values) in enumerate(kinds.items()):
            rows = ", ".join(f"({value})" for value in values)
            site.run(
                f"CREATE TABLE k{n} (k {kind} PRIMARY KEY, v text)",
                f"INSERT INTO k{n} VALUES {rows}",
            )
        site.prepare(*(f"k{n}" for n in range(len(kinds))))
        with begun(site) as session:
            for n in range(len(kinds)):
                shape = session.shape(site.table(f"k{n}"))
                found = read(session, shape, ALL)
                assert [one.order for one in found] == sorted(one.order for one in found)
                again = session.fetch(shape, [one.order for one in found], lock=True)
                assert sorted(again) == found, shape.columns[0].type
                changes = [Change(one.order, one.row, (one.row[0], b"x")) for one in found]
                assert session.apply(shape, changes) == len(found)
            folded = session.shape(site.table("k2"))
            assert session.fetch(folded, [(b"ABC",)], lock=False) == []
