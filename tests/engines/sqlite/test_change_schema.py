"""Every kind of object of a SQLite file: made, altered, dropped, and exactly as it was again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.change.schema import ObjectKind, ObjectName, refuse_unknown
from dbops.change.schema_text import parse_schema, schema_text
from dbops.engines.sqlite.repair_marker import CREATE
from dbops.errors import Refused
from tests.engines.change_suite_site import begun, order, reading
from tests.engines.sqlite.changes import SqliteChangeSite, lines, ran, schema_of

HOSPITAL = (
    "CREATE TABLE ward (code TEXT NOT NULL PRIMARY KEY, -- on the door\n name TEXT, old INT)",
    "CREATE TABLE visit (\n  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  ward TEXT REFERENCES ward (code), -- where\n  note TEXT COLLATE NOCASE DEFAULT '',\n"
    "  CONSTRAINT positive CHECK (id > 0),\n  UNIQUE (ward, note)\n)",
    "CREATE INDEX visit_ward ON visit (ward)",
    "CREATE VIEW visits AS SELECT id, ward FROM visit",
    "CREATE TRIGGER noted AFTER UPDATE ON visit BEGIN SELECT 1; SELECT 2; END",
    "CREATE VIRTUAL TABLE notes USING fts5 (text)",
    "INSERT INTO ward VALUES ('ORT', 'orthopaedics', 1)",
    "INSERT INTO visit (ward) VALUES ('ORT')",
)
REBUILD = (
    "CREATE TABLE fresh ({body}){options}",
    "INSERT INTO fresh SELECT code, name, old FROM ward",
    "DROP TABLE ward",
    "ALTER TABLE fresh RENAME TO ward",
)
BEFORE = "code TEXT NOT NULL PRIMARY KEY, -- on the door\n name TEXT, old INT"


def rebuilt(body: str, options: str = "") -> tuple[str, ...]:
    """SQLite's own procedure to alter what ALTER TABLE cannot."""
    return tuple(text.format(body=body, options=options) for text in REBUILD)


@pytest.fixture
def site(tmp_path: Path) -> SqliteChangeSite:
    """A file with objects of every kind."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(*HOSPITAL)
    return site


# What goes up, what comes down again, and every difference in between.
CASES = {
    "a table": (
        ["CREATE TABLE bed (no INT, ward TEXT, FOREIGN KEY (ward) REFERENCES ward)"],
        ["DROP TABLE bed"],
        [
            "create table bed",
            "create column bed.no",
            "create column bed.ward",
            "create constraint bed.foreign key (ward)",
        ],
    ),
    "a table without rowid": (
        ["CREATE TABLE bed (no INT PRIMARY KEY) STRICT, WITHOUT ROWID"],
        ["DROP TABLE bed"],
        ["create table bed", "create column bed.no"],
    ),
    "a column": (
        ["ALTER TABLE visit ADD COLUMN phone TEXT"],
        ["ALTER TABLE visit DROP COLUMN phone"],
        ["create column visit.phone"],
    ),
    "a column with a foreign key": (
        ["ALTER TABLE visit ADD COLUMN old INT CONSTRAINT chain REFERENCES visit"],
        ["ALTER TABLE visit DROP COLUMN old"],
        ["create column visit.old", "create constraint visit.chain"],
    ),
    "a generated column": (
        ["ALTER TABLE ward ADD COLUMN short AS (substr(name, 1, 3))"],
        ["ALTER TABLE ward DROP COLUMN short"],
        ["create column ward.short"],
    ),
    "a column renamed": (
        ["ALTER TABLE visit RENAME COLUMN ward TO place"],
        ["ALTER TABLE visit RENAME COLUMN place TO ward"],
        [
            "create column visit.place",
            "drop column visit.ward",
            "create constraint visit.foreign key (place)",
            "drop constraint visit.foreign key (ward)",
            "create constraint visit.unique (place, note)",
            "drop constraint visit.unique (ward, note)",
            "alter index visit_ward (definition)",
            "alter view visits (definition)",
        ],
    ),
    "a type": (
        rebuilt(BEFORE.replace("old INT", "old TEXT")),
        rebuilt(BEFORE),
        ["alter column ward.old (definition, type)"],
    ),
    "a default and a collation": (
        rebuilt(BEFORE.replace("name TEXT", "name TEXT COLLATE NOCASE DEFAULT 'x'")),
        rebuilt(BEFORE),
        ["alter column ward.name (collation, default, definition)"],
    ),
    "a column that must not be empty": (
        ["ALTER TABLE ward ALTER COLUMN name SET NOT NULL"],
        ["ALTER TABLE ward ALTER COLUMN name DROP NOT NULL"],
        ["alter column ward.name (definition, not null)"],
    ),
    "a primary key": (
        rebuilt(BEFORE.replace(" PRIMARY KEY", "") + ", PRIMARY KEY (code, name)"),
        rebuilt(BEFORE),
        [
            "alter column ward.code (definition)",
            "alter column ward.name (primary key)",
            'create constraint ward."primary key"',
        ],
    ),
    "the options of a table": (
        rebuilt(BEFORE, " STRICT, WITHOUT ROWID"),
        rebuilt(BEFORE),
        ["alter table ward (options)"],
    ),
    "a comment": (
        rebuilt(BEFORE.replace("on the door", "on the wall")),
        rebuilt(BEFORE),
        ["alter table ward (remarks)"],
    ),
    "a check": (
        ["ALTER TABLE ward ADD CONSTRAINT named CHECK (name <> '')"],
        ["ALTER TABLE ward DROP CONSTRAINT named"],
        ["create constraint ward.named"],
    ),
    "a foreign key": (
        rebuilt(BEFORE + ", FOREIGN KEY (old) REFERENCES visit (id) ON UPDATE CASCADE"),
        rebuilt(BEFORE),
        ["create constraint ward.foreign key (old)"],
    ),
    "a table renamed": (
        ["ALTER TABLE ward RENAME TO unit"],
        ["ALTER TABLE unit RENAME TO ward"],
        [
            "create table unit",
            "drop table ward",
            "create column unit.code",
            "create column unit.name",
            "create column unit.old",
            "alter column visit.ward (definition)",
            "drop column ward.code",
            "drop column ward.name",
            "drop column ward.old",
            "alter constraint visit.foreign key (ward) (references)",
        ],
    ),
    "an index": (
        ["CREATE UNIQUE INDEX one ON ward (name) WHERE old > 0"],
        ["DROP INDEX one"],
        ["create index one"],
    ),
    "an index altered": (
        ["DROP INDEX visit_ward", "CREATE UNIQUE INDEX visit_ward ON visit (ward)"],
        ["DROP INDEX visit_ward", "CREATE INDEX visit_ward ON visit (ward)"],
        ["alter index visit_ward (definition, unique)"],
    ),
    "an index of another table": (
        ["DROP INDEX visit_ward", "CREATE INDEX visit_ward ON ward (name)"],
        ["DROP INDEX visit_ward", "CREATE INDEX visit_ward ON visit (ward)"],
        ["alter index visit_ward (definition, of)"],
    ),
    "a view": (
        ["CREATE VIEW wards AS SELECT code FROM ward"],
        ["DROP VIEW wards"],
        ["create view wards"],
    ),
    "a view altered": (
        ["DROP VIEW visits", "CREATE VIEW visits AS SELECT id FROM visit"],
        ["DROP VIEW visits", HOSPITAL[3]],
        ["alter view visits (definition)"],
    ),
    "a trigger": (
        ["CREATE TRIGGER stop INSTEAD OF INSERT ON visits BEGIN SELECT 1; END"],
        ["DROP TRIGGER stop"],
        ["create trigger stop"],
    ),
    "a trigger altered": (
        ["DROP TRIGGER noted", "CREATE TRIGGER noted AFTER DELETE ON visit BEGIN SELECT 1; END"],
        ["DROP TRIGGER noted", HOSPITAL[4]],
        ["alter trigger noted (definition)"],
    ),
    "a virtual table": (
        ["CREATE VIRTUAL TABLE places USING rtree (id, a, b)"],
        ["DROP TABLE places"],
        ["create virtual table places"],
    ),
    "a virtual table altered": (
        ["DROP TABLE notes", "CREATE VIRTUAL TABLE notes USING fts5 (text, title)"],
        ["DROP TABLE notes", HOSPITAL[5]],
        ["alter virtual table notes (definition)"],
    ),
    "the header": (
        ["PRAGMA user_version = 7"],
        ["PRAGMA user_version = 0"],
        ["alter database main (user_version)"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_up_and_down(site: SqliteChangeSite, case: str) -> None:
    """What differs afterwards is just this; dropped or altered back, the digest is as before."""
    up, down, expected = CASES[case]
    with begun(site) as session:
        before = session.schema()
        ran(session, *up)
        after = session.schema()
        assert sorted(lines(before, after)) == sorted(expected)
        assert sorted(lines(after, before)) == sorted(map(_reversed, expected))
        ran(session, *down)
        assert session.settle() == ()
        assert session.schema().digest == before.digest
        session.commit()
    assert schema_of(site).digest == before.digest


def _reversed(line: str) -> str:
    verb, _, rest = line.partition(" ")
    return f"{ {'create': 'drop', 'drop': 'create'}.get(verb, verb) } {rest}"


def test_what_a_table_says(site: SqliteChangeSite) -> None:
    """Every column and constraint has its own properties, and no two things say the same."""
    objects = schema_of(site).objects
    column = objects[site.column("visit", "note")]
    assert column.properties == {
        "type": "TEXT",
        "collation": "NOCASE",
        "default": "''",
        "position": "3",
        "definition": "note TEXT COLLATE NOCASE DEFAULT ''",
    }
    assert objects[site.column("visit", "id")].properties["autoincrement"] == "yes"
    assert objects[site.table("visit")].properties == {"remarks": "-- where"}
    key = objects[ObjectName(ObjectKind.CONSTRAINT, ("visit", "foreign key (ward)"))]
    assert key.of == site.column("visit", "ward")
    assert key.properties == {"columns": "ward", "references": "ward (code)"}
    check = objects[ObjectName(ObjectKind.CONSTRAINT, ("visit", "positive"))]
    assert check.properties == {"definition": "CONSTRAINT positive CHECK (id > 0)"}


def test_another_application_id_is_seen(site: SqliteChangeSite) -> None:
    """No change may set it, and whoever did differs from what was recorded."""
    before = schema_of(site)
    site.run("PRAGMA application_id = 8")
    assert lines(before, schema_of(site)) == ["alter database main (application_id)"]


def test_what_is_left_out(site: SqliteChangeSite) -> None:
    """What SQLite, a virtual table or dbops keeps for itself is no object."""
    before = schema_of(site)
    site.run(CREATE)
    with site.engine.session(order()):
        pass
    site.run("ANALYZE")
    assert lines(before, schema_of(site)) == []
    names = {name.path[-1] for name in before.objects}
    assert not any(name.startswith(("sqlite_", "notes_", "dbops_")) for name in names)


def test_constraints_without_names_are_told_apart(site: SqliteChangeSite) -> None:
    """Each has a name of its own, whatever somebody called another."""
    site.run(
        "CREATE TABLE odd (a REFERENCES ward, CHECK (a > 1), CHECK (a > 2), CHECK (a > 3),"
        ' CONSTRAINT "check #2" CHECK (a > 4), FOREIGN KEY (a) REFERENCES visit (id) CHECK (a))'
    )
    found = {name.written for name in schema_of(site).objects if name.path[0] == "odd"}
    assert {
        "odd.check",
        'odd."check #2"',
        'odd."check #3"',
        'odd."check #2 #2"',
        "odd.foreign key (a)",
        'odd."foreign key (a) #2"',
    } <= found


def test_an_unknown_module_blocks(site: SqliteChangeSite) -> None:
    """A virtual table whose module only the application has is named, and not compared."""
    site.run(
        "PRAGMA writable_schema = ON",
        "INSERT INTO sqlite_schema VALUES ('table', 'sounds', 'sounds', 0,"
        " 'CREATE VIRTUAL TABLE sounds USING spellfix1')",
    )
    with begun(site) as session:
        ran(session, "CREATE TABLE beside (a)")
        assert session.settle() == ()
        schema = session.schema()
    assert schema.unknown == ("virtual table sounds (module spellfix1)",)
    with pytest.raises(Refused) as caught:
        refuse_unknown(schema, "lab")
    assert caught.value.code == "schema-unknown"


def test_a_trigger_hides_behind_no_name(site: SqliteChangeSite) -> None:
    """Whoever writes past SQLite can call a trigger or a view as its own tables: it is seen."""
    before = schema_of(site)
    site.run(
        "PRAGMA writable_schema = ON",
        "INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_stat9', 'ward', 0,"
        " 'CREATE TRIGGER sqlite_stat9 AFTER UPDATE ON ward BEGIN DELETE FROM visit; END')",
        "INSERT INTO sqlite_schema VALUES ('view', 'sqlite_all', 'sqlite_all', 0,"
        " 'CREATE VIEW sqlite_all AS SELECT * FROM ward')",
    )
    assert lines(before, schema_of(site)) == [
        "create trigger sqlite_stat9",
        "create view sqlite_all",
    ]
    site.run("UPDATE ward SET old = 2")
    assert site.rows("SELECT count(*) FROM visit") == [(0,)]


def test_what_only_the_application_has(site: SqliteChangeSite) -> None:
    """Collations and functions of its own are read like any, though nobody here can use them."""
    site.run(
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'name TEXT', 'name TEXT COLLATE pinyin')"
        " WHERE name = 'ward'",
        "UPDATE sqlite_schema SET sql = sql || ' WHERE soundex(ward) > 1'"
        " WHERE name = 'visit_ward'",
    )
    schema = schema_of(site)
    assert schema.objects[site.column("ward", "name")].properties["collation"] == "pinyin"
    index = schema.objects[ObjectName(ObjectKind.INDEX, ("visit_ward",))]
    assert index.properties["definition"].endswith("WHERE soundex(ward) > 1")
    assert schema.unknown == ()


def test_a_text_of_another_form(site: SqliteChangeSite) -> None:
    """Where a text cannot be cut, all of it is the table's, and its keys are known all the same."""
    site.run(
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'TABLE', 'TABLE IF NOT EXISTS')"
        " WHERE name = 'visit'",
    )
    objects = schema_of(site).objects
    whole = objects[site.table("visit")].properties["definition"]
    assert whole.startswith("CREATE TABLE IF NOT EXISTS visit (")
    assert "definition" not in objects[site.column("visit", "id")].properties
    assert objects[site.column("visit", "id")].properties["type"] == "INTEGER"
    key = objects[ObjectName(ObjectKind.CONSTRAINT, ("visit", "foreign key (ward)"))]
    assert key.of == site.table("visit")


def test_every_difference_in_a_text_is_seen(site: SqliteChangeSite) -> None:
    """A blank inside a part, the case of a word, a comment: each is drift."""
    before = schema_of(site)
    for body in (
        BEFORE.replace("name TEXT", "name  TEXT"),
        BEFORE.replace("name TEXT", "name text"),
        BEFORE.replace("old INT", "old INT /* ! */"),
        BEFORE.replace("name TEXT", "name TEXT CHECK (name <> 'x')"),
    ):
        with begun(site) as session:
            ran(session, *rebuilt(body))
            assert len(lines(before, session.schema())) == 1, body


def test_the_schema_as_text(site: SqliteChangeSite) -> None:
    """It is written and read again, whatever names look like."""
    site.run('CREATE TABLE "a.b "" 病" ("c d" TEXT DEFAULT \'"\' CHECK ("c d" <> \'(\'))')
    schema = schema_of(site)
    assert parse_schema(schema_text(schema), "source.schema") == schema


def test_sizes_are_about_right(site: SqliteChangeSite) -> None:
    """A small table is counted, a large one is estimated, and ANALYZE is believed."""
    many = "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 12000)"
    site.run(
        f"INSERT INTO visit (id) {many} SELECT n * 3 FROM g",
        "CREATE TABLE flat (n INTEGER PRIMARY KEY) WITHOUT ROWID",
        f"INSERT INTO flat {many} SELECT n FROM g",
    )
    with reading(site) as session:
        sizes = session.sizes()
        assert sizes[site.table("ward")].rows == 1
        assert sizes[site.table("visit")].rows == 36000
        assert 12000 <= sizes[site.table("flat")].rows <= site.path.stat().st_size
        assert sum(size.bytes for size in sizes.values()) <= 2 * site.path.stat().st_size
        assert session.counts()[site.table("visit")] == 12001
        assert session.counts()[ObjectName(ObjectKind.VIRTUAL_TABLE, ("notes",))] == 0
    site.run("ANALYZE")
    with reading(site) as session:
        assert session.sizes()[site.table("flat")].rows == 12000
