"""Values survive to the byte, from before through the bundle to undo."""

from __future__ import annotations

import pytest

from tests.repair.bench import Bench, repair, watch

LONG = "长" * 3_500_000  # 10 MB of UTF-8
TEXTS = ("", " ", "中文", "😀👩‍👩‍👧", "a\nb\r\tc", "'\"\\;--", "é", "é", "\x01\x7f")
POSTGRESQL = {
    "numeric": ["NaN", "-0.0000000000000000000000001", "123456789012345678901234567890.10", "1.00"],
    "float8": ["5e-324", "1.7976931348623157e308", "-0", "NaN", "Infinity", "0.1"],
    "float4": ["1e-45", "3.4028235e38", "-Infinity", "5592405.5"],
    "timestamptz": ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "2026-01-01 00:00:00.1"],
    "timestamp": ["infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999"],
    "date": ["infinity", "0001-12-31 BC", "2024-02-29"],
    "timetz": ["24:00:00+15:59", "00:00:00.000001-12"],
    "interval": ["1 year -1 day 00:00:00.000001", "-178000000 years", "00:00:00"],
    "json": ['{"a": 1, "a":  2}', "[1.0, 1e400]", '"\\u4e2d"'],
    "jsonb": ['{"b": 1.10, "a": null}'],
    "text[]": ['{NULL,"NULL","","a,b"}', "[5:6]={x,y}", "{}"],
    "bytea": ["\\x", "\\x00ff0a"],
    "character(6)": ["ab", "", "中 "],
    "character varying(6)": ["ab  ", ""],
    '"char"': ["a", ""],
    "bit varying": ["", "10110"],
    "int4range": ["empty", "[1,5)", "(,)"],
    "inet": ["10.0.0.1/8", "::1"],
    "uuid": ["00000000-0000-0000-0000-000000000001"],
    "xml": ["<a>&amp;</a>"],
    "tsvector": ["'a':1A 'b c':2"],
    "point": ["(0.1,1e-300)"],
    "money": ["$1.00"],
}
SQLITE = (
    "''",
    "x''",
    "x'00ff'",
    "CAST(x'e4b8' AS TEXT)",
    "'a' || char(0) || 'b'",
    "9223372036854775807",
    "-9223372036854775808",
    "1.0",
    "0.1",
    "5e-324",
    "1.7976931348623157e308",
    "9e999",
    "-9e999",
    "-0.0",
    "'1'",
    "1",
    "NULL",
    "'中文 😀'",
    "1e15",
    "123456789.123456789",
)


def test_every_type_of_postgresql(postgresql_bench: Bench) -> None:
    """NaN, extremes, infinity, BC, doubled keys, NULL in arrays, padding: nothing is lost."""
    site, tables = postgresql_bench.site, []
    for number, (type_, values) in enumerate(POSTGRESQL.items()):
        rows = [f"({place}, $v${value}$v$::{type_})" for place, value in enumerate(values)]
        rows.append(f"({len(rows)}, NULL)")
        table = f"t{number}"
        tables.append(table)
        site.run(
            f"CREATE TABLE {table} (id integer PRIMARY KEY, v {type_})",
            f"INSERT INTO {table} VALUES {', '.join(rows)}",
        )
    site.prepare(*tables)
    exact = " UNION ALL ".join(
        f"SELECT '{table}', id, v::text, pg_column_size(v) FROM {table}" for table in tables
    )
    before = sorted(site.rows(exact), key=repr)
    lists = zip(tables, POSTGRESQL.values(), strict=True)
    counts = {table: len(values) + 1 for table, values in lists}
    gone = repair(*(watch(table, delete=rows) for table, rows in counts.items()))
    run = postgresql_bench.run(gone, "; ".join(f"DELETE FROM {table}" for table in tables))
    assert site.rows(exact) == []
    postgresql_bench.undo(run)
    assert sorted(site.rows(exact), key=repr) == before
    emptied = repair(
        *(watch(table, update=rows - 1, may_change=["v"]) for table, rows in counts.items()),
        work="w-2",
    )
    sql = "; ".join(f"UPDATE {table} SET v = NULL WHERE v IS NOT NULL" for table in tables)
    run = postgresql_bench.run(emptied, sql)
    postgresql_bench.undo(run)
    assert sorted(site.rows(exact), key=repr) == before


def test_every_kind_of_sqlite_value(sqlite_bench: Bench) -> None:
    """A column without a type holds anything, and its kind comes back with its bytes."""
    site = sqlite_bench.site
    rows = ", ".join(f"({place}, {value})" for place, value in enumerate(SQLITE))
    site.run("CREATE TABLE t (id integer PRIMARY KEY, v)", f"INSERT INTO t VALUES {rows}")
    site.prepare()
    exact = (
        "SELECT id, typeof(v), hex(v), CASE typeof(v) WHEN 'real' THEN printf('%!.20e', v) END"
        " FROM t ORDER BY id"
    )
    before = site.rows(exact)
    run = sqlite_bench.run(repair(watch("t", delete=len(SQLITE))), "DELETE FROM t")
    sqlite_bench.undo(run)
    assert site.rows(exact) == before
    update = watch("t", "id <> 2", update=len(SQLITE) - 1, may_change=["v"])
    run = sqlite_bench.run(repair(update, work="w-2"), "UPDATE t SET v = x'99' WHERE id <> 2")
    sqlite_bench.undo(run)
    assert site.rows(exact) == before


def test_texts_on_both_engines(bench: Bench) -> None:
    """Chinese, emoji, control characters, NULL and the empty text, and 10 MB of it."""
    values = [LONG, *TEXTS]
    bench.site.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
    for place, value in enumerate(values):
        quoted = value.replace("'", "''")
        bench.site.run(f"INSERT INTO t VALUES ({place}, '{quoted}')")
    bench.site.run(f"INSERT INTO t VALUES ({len(values)}, NULL)")
    bench.site.prepare("t")
    before = bench.rows("t")
    assert [row[1] for row in before] == [*values, None]
    half = len(values) // 2 + 1
    manifest = repair(
        watch("t", delete=half, update=len(before) - half, may_change=["v"]),
    )
    sql = f"DELETE FROM t WHERE id < {half}; UPDATE t SET v = coalesce(v, '') || 'x'"
    run = bench.run(manifest, sql)
    bench.undo(run)
    assert bench.rows("t") == before


@pytest.mark.parametrize("first", ["NULL", "''"])
def test_null_is_not_the_empty_text(bench: Bench, first: str) -> None:
    """A change from one to the other is a change, and is taken back as such."""
    then = "''" if first == "NULL" else "NULL"
    bench.site.run(
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)",
        f"INSERT INTO t VALUES (1, {first})",
    )
    bench.site.prepare("t")
    before = bench.rows("t")
    run = bench.run(repair(watch("t", update=1, may_change=["v"])), f"UPDATE t SET v = {then}")
    assert bench.rows("t") != before
    bench.undo(run)
    assert bench.rows("t") == before
