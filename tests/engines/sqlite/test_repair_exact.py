"""Rows of SQLite through a repair's images: read, deleted, changed, and back to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbops.engines.sqlite.repair_values import Plain
from dbops.errors import NotFound, Refused
from dbops.repair.table import Change, KeyedRow
from tests.engines.repair_site import NOTHING, begun, bound, integers, read, rows_of, sql, texts
from tests.engines.sqlite.repairs import SqliteSite, made

LONG = "'" + "病历 😀" * 700_000 + "'"
VALUES = [
    "NULL",
    "''",
    "'OLD'",
    "'12'",
    "12",
    "12.0",
    "0.1 + 0.2",
    "1e308 * 10",
    "-1e308 * 10",
    "-0.0",
    "4.9e-324",
    "1.7976931348623157e308",
    "9223372036854775807",
    "-9223372036854775808",
    "'中文 😀 ''quoted'''",
    "'~x:00'",
    "'2026-11-20 10:00'",
    "CAST(x'61ff62' AS TEXT)",
    "CAST(x'610062' AS TEXT)",
    "x''",
    "x'00ff'",
    "zeroblob(100000)",
]
COLUMNS = "t TEXT, i INTEGER, r REAL, n NUMERIC, d DATETIME, b BLOB, x"


def everything(path: Path, *before: str) -> SqliteSite:
    """A table with a row of each value in each kind of column."""
    site = made(path, *before, f"CREATE TABLE v (id INTEGER PRIMARY KEY, {COLUMNS})")
    for value in VALUES:
        site.run(f"INSERT INTO v (t, i, r, n, d, b, x) VALUES ({', '.join([value] * 7)})")
    return site


def stored(site: SqliteSite, table: str = "v") -> list[tuple[object, ...]]:
    """What lies in the file: of each value its type and its bytes."""
    names = ("t", "i", "r", "n", "d", "b", "x")
    shown = ", ".join(
        f"typeof({name}), hex(CAST({name} AS BLOB)),"
        f" CASE typeof({name}) WHEN 'real' THEN {name} END"
        for name in names
    )
    return [tuple(map(repr, row)) for row in site.rows(f"SELECT id, {shown} FROM {table}")]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_rows_come_back_to_the_byte(tmp_path: Path, encoding: str) -> None:
    """Rows that were deleted, and rows that were changed, are as they were."""
    site = everything(tmp_path / "lab.db", f"PRAGMA encoding = '{encoding}'")
    before = stored(site)
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        old = read(session, shape)
        session.run(sql("DELETE FROM v WHERE id % 2 = 0"), NOTHING)
        everywhere = "UPDATE v SET t = 'x', i = 5, r = 7.5, n = x'', d = NULL, b = 'b', x = 'x'"
        session.run(sql(everywhere), NOTHING)
        new = {
            one.order: one for one in session.fetch(shape, [one.order for one in old], lock=True)
        }
        session.commit()
    assert stored(site) != before
    with begun(site) as session:
        assert session.apply(shape, [undone(one, new) for one in old]) == len(VALUES)
        assert rows_of(read(session, shape)) == rows_of(old)
        session.commit()
    assert stored(site) == before


def undone(row: KeyedRow, new: dict[tuple[bytes, ...], KeyedRow]) -> Change:
    """The change that takes a row back."""
    return Change(row.order, new[row.order].row if row.order in new else None, row.row)


def test_a_text_of_ten_megabytes(tmp_path: Path) -> None:
    """Long texts are written back whole."""
    site = made(tmp_path / "lab.db", "CREATE TABLE v (id INTEGER PRIMARY KEY, t)")
    site.run(f"INSERT INTO v VALUES (1, {LONG})")
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        (row,) = read(session, shape)
        session.run(sql("DELETE FROM v"), NOTHING)
        session.apply(shape, [Change(row.order, None, row.row)])
        session.commit()
    assert len(row.row[1] or b"") > 7_000_000
    assert site.rows("SELECT t FROM v") == [(LONG[1:-1],)]


CELLS = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=20),
)
KEYS = st.one_of(st.integers(-5, 5), st.floats(-5, 5), st.text(max_size=3), st.binary(max_size=3))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(KEYS, KEYS, st.lists(CELLS, min_size=7, max_size=7)), max_size=8),
    without=st.booleans(),
    data=st.data(),
)
def test_any_rows_come_back(
    tmp_path: Path,
    rows: list[tuple[Plain, Plain, list[Plain]]],
    without: bool,
    data: st.DataObject,
) -> None:
    """Whatever lies in a table with a composite key: readings ascend, and each row comes back."""
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    tail = "WITHOUT ROWID" if without else ""
    site = made(
        path,
        f"CREATE TABLE v (k NOT NULL, l NUMERIC NOT NULL, {COLUMNS}, PRIMARY KEY (k, l)) {tail}",
    )
    marks = ", ".join("?" * 9)
    site.put(
        f"INSERT OR IGNORE INTO v VALUES ({marks})", [(key, two, *rest) for key, two, rest in rows]
    )
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        before = read(session, shape)
        orders = [one.order for one in before]
        assert orders == sorted(set(orders))
        lost = data.draw(st.sets(st.sampled_from(orders))) if orders else set()
        gone = [one for one in before if one.order in lost]
        assert session.apply(shape, [Change(o.order, o.row, None) for o in gone]) == len(gone)
        assert session.fetch(shape, sorted(lost), lock=True) == []
        assert session.apply(shape, [Change(o.order, None, o.row) for o in gone]) == len(gone)
        after = read(session, shape)
        assert [one.row for one in after] == [one.row for one in before]
        assert {one.order for one in after if one.own} == lost
        assert session.own_rows(shape) == len(lost)


def test_keys_that_differ_in_case_only(tmp_path: Path) -> None:
    """A key whose collation folds case is told by its bytes all the same."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE v (k TEXT COLLATE NOCASE PRIMARY KEY, x)",
        "INSERT INTO v VALUES ('b', 1), ('A', 2), ('a ', 3)",
    )
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        before = read(session, shape)
        assert [one.row[0] for one in before] == [b"A", b"a ", b"b"]
        session.run(sql("UPDATE v SET k = 'a' WHERE k = 'A'"), NOTHING)
        assert len(session.fetch(shape, [one.order for one in before], lock=True)) == 2
        with pytest.raises(Refused) as caught:
            session.apply(shape, [Change(before[0].order, before[0].row, None)])
    assert caught.value.code == "row-count"


def test_generated_columns_are_left_out(tmp_path: Path) -> None:
    """They are named, not read and not written, and their row comes back."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE v (g AS (x * 2), id INTEGER PRIMARY KEY, s AS (x + 1) STORED, x INTEGER)",
        "INSERT INTO v (id, x) VALUES (7, 20)",
    )
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        (row,) = read(session, shape, sql("g = 40"))
        session.run(sql("DELETE FROM v"), NOTHING)
        session.apply(shape, [Change(row.order, None, row.row)])
        session.commit()
    assert (shape.names, shape.generated, shape.key_names) == (("id", "x"), ("g", "s"), ("id",))
    assert shape.columns[0].assigned
    assert not shape.columns[1].assigned
    assert site.rows("SELECT * FROM v") == [(40, 7, 21, 20)]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("id INTEGER PRIMARY KEY, x", ("id",)),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, x", ("id",)),
        ("id INT PRIMARY KEY, x", ("id",)),
        ("a, b, PRIMARY KEY (b, a)", ("b", "a")),
        ("a TEXT NOT NULL UNIQUE, b TEXT NOT NULL, UNIQUE (b, a)", ("a",)),
        ("a TEXT UNIQUE, b", ()),
        ("rowid TEXT, _rowid_ TEXT, oid TEXT, id INTEGER NOT NULL UNIQUE", ("id",)),
    ],
)
def test_which_key_a_table_has(tmp_path: Path, table: str, key: tuple[str, ...]) -> None:
    """The primary key in its own order, else the shortest unique key without NULL, else none."""
    site = made(tmp_path / "lab.db", f"CREATE TABLE v ({table})")
    with begun(site) as session:
        assert session.shape(site.table("v")).key_names == key


def test_indexes_that_are_no_key(tmp_path: Path) -> None:
    """A unique index of some rows, or of an expression, identifies nothing."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE v (a TEXT NOT NULL, b TEXT NOT NULL)",
        "CREATE UNIQUE INDEX part ON v (a) WHERE a > 'm'",
        "CREATE UNIQUE INDEX made ON v (lower(b))",
    )
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        assert shape.key == ()
        with pytest.raises(Refused) as caught:
            read(session, shape)
    assert caught.value.code == "no-key"


def test_null_in_a_key(tmp_path: Path) -> None:
    """SQLite lets NULL into a primary key: such a row is not one that can be told."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE v (k TEXT PRIMARY KEY, x)",
        "INSERT INTO v VALUES (NULL, 1), ('a', 2)",
    )
    with begun(site) as session:
        shape = session.shape(site.table("v"))
        assert len(read(session, shape, sql("x = 2"))) == 1
        with pytest.raises(Refused) as caught:
            read(session, shape)
    assert caught.value.code == "null-key"
    assert str(caught.value) == "a row of v has NULL in its key (k)"


@pytest.mark.parametrize(
    "table", ["sqlite_schema", "dbops_run", "sqlite_sequence", "notes", "notes_data", "seen"]
)
def test_what_is_no_table_to_repair(tmp_path: Path, table: str) -> None:
    """SQLite's own tables, dbops' own, virtual tables and views are refused."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE v (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE VIRTUAL TABLE notes USING fts5 (t)",
        "CREATE VIEW seen AS SELECT * FROM v",
    )
    with begun(site) as session, pytest.raises(Refused) as caught:
        session.shape(site.table(table))
    assert caught.value.code == "table-kind"


def test_a_name_in_another_case(tmp_path: Path) -> None:
    """The catalogue's spelling is asked for, and told."""
    site = made(tmp_path / "lab.db", "CREATE TABLE Visit (id INTEGER PRIMARY KEY)")
    with begun(site) as session, pytest.raises(NotFound) as caught:
        session.shape(site.table("visit"))
    assert caught.value.message == "lab has no table visit"
    assert caught.value.hint == "names are spelled as the catalogue has them: Visit"


def test_references_of_several_columns(tmp_path: Path) -> None:
    """Composite keys, keys that name no column, and children with another spelling are found."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE p (a, b TEXT COLLATE NOCASE, PRIMARY KEY (a, b))",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x, y, FOREIGN KEY (x, y) REFERENCES P)",
        "INSERT INTO p VALUES (1, 'k'), (2, 'k')",
        "INSERT INTO c VALUES (1, 1, 'K'), (2, 1, NULL), (3, 2, 'k')",
    )
    with begun(site) as session:
        (reference,) = session.shape(site.table("p")).incoming
        assert (reference.columns, reference.target_columns) == (("x", "y"), ("a", "b"))
        assert session.children(reference, [(b"1", b"k")]) == 1
        assert session.children(reference, [(b"1", b"k"), (b"2", b"k"), (b"1", None)]) == 2


def test_arguments_of_every_type(tmp_path: Path) -> None:
    """Numbers compare as numbers, whatever the column's affinity."""
    site = made(tmp_path / "lab.db", "CREATE TABLE v (x)", "INSERT INTO v VALUES (1), ('1'), (2.5)")
    with begun(site) as session:
        count = "SELECT count(*) FROM v WHERE x = "
        assert session.check(sql(count, bound("n")), integers(n=1)) == b"1"
        assert session.check(sql(count, bound("n")), texts(n="1")) == b"1"
        assert session.check(sql("SELECT x FROM v WHERE x > 2 AND x < 3"), NOTHING) == b"2.5"


def test_columns_that_take_different_texts_for_equal(tmp_path: Path) -> None:
    """By the collation that they are declared with, generated ones too; no others."""
    site = made(
        tmp_path / "lab.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT COLLATE nocase, c TEXT COLLATE"
        " RTRIM, d TEXT COLLATE binary, e TEXT COLLATE NOCASE AS (a || 'x'))",
    )
    with begun(site) as session:
        assert session.loose(session.shape(site.table("t"))) == set("bce")
