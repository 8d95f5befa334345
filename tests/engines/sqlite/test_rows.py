"""Proofs of SQLite rows: equal for equal rows, different for anything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.engines.sqlite.rows import count_rows, list_tables, prove_table
from dbops.repository.ranges import Proof
from tests.engines.sqlite.files import engine
from tests.support.estate import run_sql

KEY = b"k" * 32
Value = None | int | float | str | bytes

values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
    st.binary(max_size=20),
)


@contextmanager
def memory(script: str) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    try:
        connection.execute(script)
        yield connection
    finally:
        connection.close()


def proofs(connection: apsw.Connection, key: bytes = KEY) -> dict[str, Proof]:
    return {table.name: prove_table(connection, table, key) for table in list_tables(connection)}


def proof_of(script: str, key: bytes = KEY) -> Proof:
    with memory("CREATE TABLE t(a, b);" + script) as connection:
        return proofs(connection, key)["t"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1, 2", "2, 1"),
        ("1, NULL", "1, ''"),
        ("1, NULL", "1, 0"),
        ("1, 1", "1, 1.0"),
        ("1, '1'", "1, 1"),
        ("1, 'a'", "1, x'61'"),
        ("'ab', 'c'", "'a', 'bc'"),
        ("1, 1e300", "1, 1.0000000000000002e300"),
        ("1, x'00'", "1, x'0000'"),
        ("1, 'a'", "1, 'a' || char(0)"),
        ("1, 9007199254740993", "1, 9007199254740992"),
    ],
)
def test_values_that_look_alike_are_told_apart(one: str, other: str) -> None:
    """Type, length and every bit of a value count."""
    assert proof_of(f"INSERT INTO t VALUES ({one})") != proof_of(f"INSERT INTO t VALUES ({other})")


@given(rows=st.lists(st.tuples(values, values), max_size=5), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_proof_is_that_of_the_rows_and_nothing_else(
    rows: list[tuple[Value, Value]], data: st.DataObject
) -> None:
    """The order in which rows were written does not matter; any other row does."""

    def prove(items: list[tuple[int, Value, Value]]) -> Proof:
        with memory("CREATE TABLE t(a, b)") as connection:
            connection.executemany("INSERT INTO t(rowid, a, b) VALUES (?, ?, ?)", items)
            return proofs(connection)["t"]

    numbered = [(number, *row) for number, row in enumerate(rows, start=1)]
    whole = prove(numbered)
    assert whole == prove(data.draw(st.permutations(numbered)))
    assert whole.records == len(rows)
    if numbered:
        assert whole != prove(numbered[1:])
        number, first, second = numbered[0]
        assert whole != prove([(number + 99, first, second), *numbered[1:]])


def test_a_proof_depends_on_its_key() -> None:
    """Without the key nobody can compare a guessed row with a sum."""
    assert proof_of("INSERT INTO t VALUES (1, 2)") != proof_of(
        "INSERT INTO t VALUES (1, 2)", b"q" * 32
    )


def test_text_that_is_no_text_is_proven_like_any_other() -> None:
    """Bytes that are not valid UTF-8 are stored, and must be there again."""
    one = proof_of("INSERT INTO t VALUES (1, CAST(x'ff41' AS TEXT))")
    other = proof_of("INSERT INTO t VALUES (1, CAST(x'fe41' AS TEXT))")
    assert one != other
    assert one.records == 1


UNUSUAL = '''
CREATE TABLE "a ""quoted"" name"("col ""x""" INTEGER, "列" TEXT);
INSERT INTO "a ""quoted"" name" VALUES (1, '一'), (2, '二');
CREATE TABLE "血库"(id TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
INSERT INTO "血库" VALUES ('b', 1), ('a', 2), ('c', 3);
CREATE TABLE generated(a INTEGER, b INTEGER AS (a * 2) STORED, c TEXT AS ('x' || a) VIRTUAL);
INSERT INTO generated(a) VALUES (1), (2);
CREATE TABLE shadowed(rowid TEXT, _rowid_ TEXT, oid TEXT);
INSERT INTO shadowed VALUES ('a', 'b', 'c');
CREATE TABLE half_shadowed(rowid TEXT);
INSERT INTO half_shadowed VALUES ('a');
CREATE TABLE strictly(id INTEGER PRIMARY KEY AUTOINCREMENT, v ANY) STRICT;
INSERT INTO strictly(v) VALUES (x'00'), ('t');
CREATE VIRTUAL TABLE report USING fts5(body);
INSERT INTO report VALUES ('血型 O'), ('血型 A');
CREATE VIRTUAL TABLE place USING rtree(id, x0, x1);
INSERT INTO place VALUES (1, 0.0, 1.0);
CREATE VIEW seen AS SELECT * FROM generated;
'''


def test_every_kind_of_table_is_proven_and_counted(tmp_path: Path) -> None:
    """Quoted names, tables without rowid, generated columns, shadow tables; views are none."""
    path = tmp_path / "lab.db"
    run_sql(path, UNUSUAL)
    with engine(path).snapshot() as snapshot:
        found = {name: proof.records for name, proof in snapshot.tables(KEY).items()}
        counted = {name: int(n) for name, n in snapshot.facts(witness=False)["count"].items()}
    assert found == counted
    named = {name: rows for name, rows in found.items() if not name.startswith(("report", "place"))}
    assert named == {
        'a "quoted" name': 2,
        "血库": 3,
        "generated": 2,
        "shadowed": 1,
        "half_shadowed": 1,
        "strictly": 2,
        "sqlite_sequence": 1,
    }
    assert found["report_content"] == 2
    assert found["place_rowid"] == 1
    assert not {"report", "place", "seen"} & found.keys()


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_text_counts_as_it_is_stored(encoding: str) -> None:
    """Each encoding is proven by its own bytes."""
    with memory(f"PRAGMA encoding = '{encoding}'; CREATE TABLE t(a)") as connection:
        connection.execute("INSERT INTO t VALUES ('血库')")
        (table,) = list_tables(connection)
        width = 6 if encoding == "UTF-8" else 4
        # R and the rowid, T and the length, the text
        assert prove_table(connection, table, KEY).bytes == 1 + 8 + 1 + 8 + width
        assert count_rows(connection, table) == 1
