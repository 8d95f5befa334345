"""A change drawn up of what another database has already: what its author finds in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import changes
from tests.cli.changes import WORK
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import done, said
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import run_sql
from tests.support.postgresql_estate import add_lab

BEFORE = """
CREATE TABLE place(code TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE visit(id INTEGER PRIMARY KEY, ward TEXT NOT NULL, note TEXT);
CREATE TABLE old_visit(id INTEGER PRIMARY KEY, note TEXT);
CREATE VIEW visit_now AS SELECT id, ward FROM visit;
"""
UP = """
ALTER TABLE visit ADD COLUMN phone TEXT;
CREATE INDEX visit_ward ON visit (ward);
DROP VIEW visit_now;
CREATE VIEW visit_now AS
    SELECT id, ward FROM visit
    WHERE note IS NOT NULL;
DROP TABLE old_visit;
"""
DOWN = """
CREATE TABLE old_visit(id INTEGER PRIMARY KEY, note TEXT);
DROP VIEW visit_now;
CREATE VIEW visit_now AS SELECT id, ward FROM visit;
DROP INDEX visit_ward;
ALTER TABLE visit DROP COLUMN phone;
"""
HEAD = """\
-- The statements that change the database, each ended by a semicolon.
-- A comment on a line of its own names the next one: -- step: what it does
-- To be made:
"""
MANIFEST = f"""\
dbops: change/v1
id: {WORK}
title: "What the vendor changed"
author: wei@contractor
risk: low
databases: [example]
why: "?"                       # what it is good for, in one line
# requires: [2026-029-ward-key]  # changes that must have run before
# window: {{days: [sat, sun], from: "22:00", to: "02:00", zone: Asia/Shanghai}}
touches:
  - create column visit.phone
  - create index visit_ward
  - drop table old_visit
  - alter view visit_now (definition)
data_loss: "?"                 # none, recoverable or permanent
# limits: {{lock_wait: 3s, statement: 15m, attempts: 5, pause: 10s}}
personal:                        # what sort of personal data new columns hold, or none
  visit.phone: "?"
# accepted:                      # findings of dbops change check that may stand
#   - {{rule: PG-IDX, at: "up.sql line 3", why: "the table has 40 rows"}}
"""
SAID = ("--title", "What the vendor changed", "--author", "wei@contractor")
BLANKS = (
    ('why: "?"', "why: the vendor needs it"),
    ('data_loss: "?"', "data_loss: permanent"),
    ('phone: "?"', "phone: contact"),
)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with two databases, the second of which a vendor has changed."""
    ops = found_ops(tmp_path_factory.mktemp("pair") / "estate")
    for name in ("example", "second"):
        (ops.root / f"{name}.db").unlink(missing_ok=True)
        run_sql(ops.root / f"{name}.db", BEFORE)
    run_sql(ops.root / "second.db", UP)
    add_second(ops, "example", lambda table: table.replace("example.db", "second.db"))
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def add_second(ops: Ops, name: str, other: Callable[[str], str]) -> None:
    """The estate's databases end with `second`, which is like that one but for its place."""
    config = ops.root / "dbops.toml"
    text = config.read_text("utf-8")
    head = f"[databases.{name}]"
    table = text[text.index(f"\n{head}\n") :].lstrip("\n").partition("\n\n")[0]
    config.write_text(f"{text}\n{other(table.replace(head, '[databases.second]'))}\n", "utf-8")


def draw_up(ops: Ops, *pair: str) -> None:
    done(ops.run("change", "new", WORK, "--from-diff", *pair, *SAID))


def complete(ops: Ops, up: str, down: str, verify: str, *blanks: tuple[str, str]) -> str:
    """What `change check` says once the author has filled the blanks and written the SQL."""
    place = changes.folder(ops)
    for name, text in (("up.sql", up), ("down.sql", down), ("verify.sql", verify)):
        (place / name).write_text((place / name).read_text("utf-8") + text, "utf-8")
    manifest = (place / "change.yml").read_text("utf-8")
    for blank, answer in blanks:
        assert manifest.count(blank) == 1
        manifest = manifest.replace(blank, answer)
    (place / "change.yml").write_text(manifest, "utf-8")
    return ops.run("change", "check", WORK).stdout


def test_the_draft_names_everything(ops: Ops) -> None:
    """What differs, what only its author knows, and the definitions that are wanted."""
    draw_up(ops, "example", "second")
    files = {each.name: each.read_text("utf-8") for each in changes.folder(ops).iterdir()}
    assert files["change.yml"] == MANIFEST
    assert files["up.sql"] == HEAD + (
        "-- column `phone` of `visit` is new: TEXT\n"
        "--   phone TEXT\n"
        "-- index `visit_ward` on `visit` is new\n"
        "--   CREATE INDEX visit_ward ON visit (ward)\n"
        "-- table `old_visit` is gone\n"
        "-- view `visit_now`: definition differs\n"
        "--   CREATE VIEW visit_now AS\n"
        "--       SELECT id, ward FROM visit\n"
        "--       WHERE note IS NOT NULL\n"
    )
    assert files["down.sql"].endswith(
        "-- view `visit_now`: definition differs\n"
        "--   CREATE VIEW visit_now AS SELECT id, ward FROM visit\n"
    )


def test_the_draft_passes_once_it_is_completed(ops: Ops) -> None:
    """Nothing is missing but the blanks and the SQL, and the touches are those of the script."""
    draw_up(ops, "example", "second")
    verify = "SELECT count(*) = 0 FROM visit WHERE phone IS NOT NULL;\n"
    checked = complete(ops, UP, DOWN, verify, *BLANKS)
    assert "error" not in checked
    assert "DDL-TOUCH" not in checked
    assert "DDL-PHI" not in checked


@pytest.mark.parametrize(
    ("words", "status", "error", "hint"),
    [
        (
            ("--from-diff", "example", "example"),
            2,
            "--from-diff names example twice",
            "name the database as it is, and one as it is to be: --from-diff his his-test",
        ),
        (
            ("--database", "second", "--from-diff", "example", "second"),
            2,
            "second is as it is to be already: --from-diff makes example into it",
            "change example, and others that are like it: --database example",
        ),
        (
            ("--from-diff", "example"),
            2,
            "--from-diff names two databases, and one is missing",
            "name both: --from-diff his his-test",
        ),
        (
            ("--from-diff", "example", "thrid"),
            10,
            'the estate has no database "thrid"',
            "there are: example, second",
        ),
    ],
)
def test_two_databases_of_which_nothing_comes(
    founded: Ops, words: tuple[str, ...], status: int, error: str, hint: str
) -> None:
    """The mistake is said, with what to type, and nothing is drawn up."""
    refused = founded.run("change", "new", WORK, *words, *SAID)
    assert said(refused) == (status, f"error: {error}\nhint: {hint}\n")
    assert not changes.folder(founded).exists()


def test_databases_that_are_alike_need_no_change(ops: Ops) -> None:
    """An empty change would be no answer."""
    run_sql(ops.root / "example.db", UP)
    refused = ops.run("change", "new", WORK, "--from-diff", "example", "second", *SAID)
    assert said(refused) == (
        5,
        "error: example and second have the same schema: there is nothing to change\n"
        "hint: leave --from-diff out, and name what is to be changed: --database example\n",
    )
    assert not changes.folder(ops).exists()


def test_nothing_is_drawn_up_beside_what_nobody_can_compare(ops: Ops) -> None:
    """The other database may differ in it, and the draft would not say so."""
    run_sql(
        ops.root / "second.db",
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES"
        " ('table', 'sounds', 'sounds', 0, 'CREATE VIRTUAL TABLE sounds USING spellfix1');",
    )
    refused = ops.run("change", "new", WORK, "--from-diff", "example", "second", *SAID)
    assert said(refused) == (
        5,
        "error: second has objects of kinds that dbops does not compare: virtual table sounds"
        " (module spellfix1)\n"
        "hint: changes of this database cannot be judged; docs/reference/change-yml.md lists"
        " kinds\n",
    )
    assert not changes.folder(ops).exists()


PG_BEFORE = """
CREATE SCHEMA his;
CREATE TABLE his.visit(id bigint PRIMARY KEY, old integer, ward varchar(8), note varchar(99));
CREATE TABLE his.part(id integer, day date) PARTITION BY RANGE (day);
CREATE TABLE his.part_1 PARTITION OF his.part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE FUNCTION his.next(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + 1';
"""
PG_UP = """
ALTER TABLE his.visit DROP COLUMN old;
ALTER TABLE his.visit ALTER COLUMN ward TYPE varchar(12);
ALTER TABLE his.part ADD COLUMN "备 注" text;
CREATE OR REPLACE FUNCTION his.next(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + 2';
"""
PG_DOWN = """
CREATE OR REPLACE FUNCTION his.next(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + 1';
ALTER TABLE his.part DROP COLUMN "备 注";
ALTER TABLE his.visit ALTER COLUMN ward TYPE varchar(8);
ALTER TABLE his.visit ADD COLUMN old integer;
"""
PG_DRAFT = """\
touches:
  - "create column his.part.\\"备 注\\""
  - drop column his.visit.old
  - alter column his.visit.ward (position, type)
  - "alter function his.next(integer) (definition)"
data_loss: "?"                 # none, recoverable or permanent
"""


def test_on_postgresql_columns_that_follow_others_are_not_asked_for(
    pg17: PgServer, tmp_path: Path
) -> None:
    """Neither places that others left, nor what partitions have from their table."""
    ops = found_ops(tmp_path / "estate")
    names = [f"drawn_{secrets.token_hex(6)}" for _ in range(2)]
    for name in names:
        pg17.create_database(name)
    try:
        add_lab(ops.root, PgDatabase(pg17, names[0]))
        add_second(ops, "lab", lambda table: table.replace(names[0], names[1]))
        for name, script in zip(names, (PG_BEFORE, PG_BEFORE + PG_UP), strict=True):
            with PgDatabase(pg17, name).connect() as connection:
                connection.execute(script.encode())
        draw_up(ops, "lab", "second")
        manifest = (changes.folder(ops) / "change.yml").read_text("utf-8")
        assert PG_DRAFT in manifest
        blank = '  "his.part.\\"备 注\\"": "?"\n'
        assert f"or none\n{blank}# accepted" in manifest
        script = (changes.folder(ops) / "up.sql").read_text("utf-8")
        assert "--   AS $function$SELECT a + 2$function$\n" in script
        verify = "SELECT count(*) = 0 FROM his.part;\n"
        filled = (*BLANKS[:2], (blank, blank.replace('"?"', "none")))
        checked = complete(ops, PG_UP, PG_DOWN, verify, *filled)
        assert "DDL-TOUCH" not in checked
        assert "DDL-PHI" not in checked
        mixed = ops.run("change", "new", "2026-9-x", "--from-diff", "lab", "example", *SAID)
        assert said(mixed) == (
            5,
            "error: lab and example are of different engines, whose schemas cannot be compared\n"
            "hint: name two databases of one engine\n",
        )
    finally:
        for name in names:
            pg17.drop_database(name)
