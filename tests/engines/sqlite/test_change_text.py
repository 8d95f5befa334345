"""Definitions as SQLite keeps them, cut where their parts end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dbops.change.schema import Schema
from dbops.engines.sqlite.change_schema import read_change_schema
from dbops.engines.sqlite.change_text import canonical, module_of, parse_table


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        ('CREATE INDEX i ON "visit" (ward)', "CREATE INDEX i ON visit (ward)"),
        ('x "Ward_2"', "x Ward_2"),
        ('x "select", "true", "a b", "2a", "病区"', 'x "select", "true", "a b", "2a", 病区'),
        ('x [visit], `visit`, [a b], `a``b`, [a"b]', 'x visit, visit, "a b", "a`b", "a""b"'),
        ("x 'say \"visit\"', '[visit]'", "x 'say \"visit\"', '[visit]'"),
        ('x -- "visit"\n/* "visit" */ y', 'x -- "visit"\n/* "visit" */ y'),
        ('AS"visit"', 'AS"visit"'),
        ("AS[visit]", 'AS"visit"'),
        ('"a""b"', '"a""b"'),
        ('x \'never closed "visit"', 'x \'never closed "visit"'),
    ],
)
def test_names_without_needless_quotes(sql: str, bare: str) -> None:
    """A plain name stands without its quotes; no other text, and no keyword, changes."""
    assert canonical(sql) == bare
    assert canonical(bare) == bare


def test_a_table_is_cut_into_its_parts() -> None:
    """Columns, constraints, comments between them, and the options behind."""
    text = parse_table(
        'CREATE TABLE "visit" /* of a patient */ (\n'
        "  id INTEGER PRIMARY KEY, -- the key, (\n"
        "  [ward no] TEXT DEFAULT ',)' CONSTRAINT fk REFERENCES ward (code) -- where\n"
        "  , CONSTRAINT one UNIQUE (id, [ward no] COLLATE NOCASE), CHECK (id IN (1, 2))\n"
        ") /* so */ WITHOUT ROWID, STRICT"
    )
    assert text is not None
    assert [(item.kind, item.name, item.columns, item.keys) for item in text.items] == [
        (None, "id", (), ()),
        (None, "ward no", (), ("fk",)),
        ("unique", "one", ("id", "ward no"), ()),
        ("check", None, (), ()),
    ]
    assert text.items[1].text.endswith("-- where")
    assert text.remarks == "/* of a patient */\n-- the key, ("
    assert text.options == "/* so */ WITHOUT ROWID, STRICT"


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE t", "CREATE TABLE t (a", "CREATE VIRTUAL TABLE t USING m(a)", "", "(a)"]
)
def test_what_is_no_table(sql: str) -> None:
    """Nothing is made of a text that does not have the form."""
    assert parse_table(sql) is None


def test_the_module_of_a_virtual_table() -> None:
    """It is the word behind USING, without quotes and comments."""
    assert module_of('CREATE VIRTUAL TABLE "using" USING /**/ "fts5"(a)') == "fts5"
    assert module_of("CREATE TABLE t (a)") == ""


_NAMES = st.lists(
    st.one_of(
        st.from_regex(r"c[a-z]{1,5}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6).map(
            lambda name: '"' + name.replace('"', '""') + '"'
        ),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda name: name.strip('"').replace('""', '"').lower(),
)
_REST = st.sampled_from(
    [
        "",
        " TEXT",
        " varchar (8, 2) NOT NULL",
        " DEFAULT ')' COLLATE NOCASE",
        " DEFAULT (1 + (2))",
        " CHECK (1 IN (1, ')'))",
        " CONSTRAINT k REFERENCES p (a) ON DELETE CASCADE",
        " /* , ( */ INT",
        " INT -- ) , '\n",
    ]
)
_BEHIND = st.lists(
    st.sampled_from(["CHECK (1, ) -- (\n", "CONSTRAINT \"a,b\" CHECK (')' <> '(')"]).map(
        lambda text: text.replace("1, ", "1")
    ),
    max_size=2,
)
_BLANK = st.sampled_from(["", " ", "\n  "])


@contextmanager
def _made(sql: str) -> Iterator[apsw.Connection]:
    """A database in memory with that table, and one that it may point at."""
    connection = apsw.Connection(":memory:")
    try:
        connection.execute("CREATE TABLE p (a TEXT PRIMARY KEY)")
        connection.execute(sql)
        yield connection
    finally:
        connection.close()


@given(_NAMES, st.lists(_REST, min_size=5, max_size=5), _BEHIND, _BLANK)
def test_every_part_is_found(
    names: list[str], rests: list[str], behind: list[str], blank: str
) -> None:
    """Whatever SQLite takes for a table has a column in the text for each that SQLite has."""
    parts = [name + rest for name, rest in zip(names, rests, strict=False)] + behind
    with _made(f"CREATE TABLE t ({blank}{f'{blank},{blank}'.join(parts)}{blank})") as connection:
        kept = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 't'").get
        listed = connection.execute("SELECT name FROM pragma_table_xinfo('t')")
        columns = [str(name) for (name,) in listed]
    text = parse_table(str(kept))
    assert text is not None
    assert [column.name for column in text.columns] == columns
    assert [item.text for item in text.items] == [canonical(part) for part in parts]


_THERE_AND_BACK = [
    ("ALTER TABLE t RENAME TO u", "ALTER TABLE u RENAME TO t"),
    ("ALTER TABLE p RENAME TO 病区", "ALTER TABLE 病区 RENAME TO p"),
    ("ALTER TABLE t ADD COLUMN z TEXT REFERENCES p", "ALTER TABLE t DROP COLUMN z"),
    ("ALTER TABLE t ADD CONSTRAINT z CHECK (1)", "ALTER TABLE t DROP CONSTRAINT z"),
    ("ALTER TABLE t RENAME COLUMN {0} TO z", "ALTER TABLE t RENAME COLUMN z TO {0}"),
]


@given(
    names=_NAMES,
    rests=st.lists(_REST, min_size=5, max_size=5),
    behind=_BEHIND,
    blank=_BLANK,
    there_and_back=st.sampled_from(_THERE_AND_BACK),
)
def test_there_and_back(
    names: list[str],
    rests: list[str],
    behind: list[str],
    blank: str,
    there_and_back: tuple[str, str],
) -> None:
    """What SQLite alters in a text, and alters back, reads as before to the last byte."""
    assume(names[0].strip('"`[]').lower() != "z")  # that is what it is renamed to
    parts = [name + rest for name, rest in zip(names, rests, strict=False)] + behind
    with _made(f"CREATE TABLE t ({blank}{f'{blank},{blank}'.join(parts)}{blank})") as connection:
        connection.execute(f"CREATE INDEX i ON t ({names[0]}) WHERE {names[0]} > 'p'")
        before = read_change_schema(connection)
        for sql in there_and_back:
            assume(_ran(connection, sql.format(names[0])))
            assert read_change_schema(connection) != before or sql == there_and_back[1]
        assert _differing(before, read_change_schema(connection)) == []


def _ran(connection: apsw.Connection, sql: str) -> bool:
    try:
        connection.execute(sql)
    except apsw.SQLError:
        return False
    return True


def _differing(before: Schema, after: Schema) -> list[str]:
    names = before.objects.keys() | after.objects.keys()
    return [n.title for n in names if before.objects.get(n) != after.objects.get(n)]
