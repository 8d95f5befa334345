"""A value of rows that are repaired shows nowhere: only sealed files and the databases hold it.

It stands in rows, in keys, in sealed parameters, and in what drivers and triggers say of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from psycopg import sql

from tests.cli.ops import Ops, found_ops
from tests.cli.repairs import ask_no_rehearsal, change, folder, prepare, sign, write
from tests.cli.test_canary import VALUE, Heard, assert_silent
from tests.cli.test_repair_postgresql import Lab, found_lab
from tests.fix_postgresql import PgDatabase, PgServer

BACK = "2026-201-back"
SEALED = "2026-202-sealed"
UNDO = "2026-203-undo"

SQLITE = f"""
CREATE TABLE place(code TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
CREATE TABLE visit(id INTEGER PRIMARY KEY, ward TEXT NOT NULL REFERENCES place(code),
    patient TEXT UNIQUE, note TEXT CHECK (length(note) < 40), born DATE);
INSERT INTO place VALUES ('OLD', '{VALUE}'), ('ORT', '{VALUE}'), ('{VALUE}', '{VALUE}');
INSERT INTO visit VALUES (1, 'OLD', '{VALUE}', '{VALUE}', NULL),
    (2, 'OLD', '{VALUE} 2', NULL, NULL), (3, '{VALUE}', 'b', '{VALUE}', NULL);
CREATE TRIGGER talks BEFORE UPDATE OF born ON visit
BEGIN SELECT RAISE(ABORT, 'no'); END;
"""
POSTGRESQL = f"""
CREATE TABLE place(code text PRIMARY KEY, name text);
CREATE TABLE visit(id bigint PRIMARY KEY, ward text NOT NULL REFERENCES place,
    patient text UNIQUE, note text CHECK (length(note) < 40), born date);
INSERT INTO place VALUES ('OLD', '{VALUE}'), ('ORT', '{VALUE}'), ('{VALUE}', '{VALUE}');
INSERT INTO visit VALUES (1, 'OLD', '{VALUE}', '{VALUE}', NULL),
    (2, 'OLD', '{VALUE} 2', NULL, NULL), (3, '{VALUE}', 'b', '{VALUE}', NULL);
CREATE FUNCTION talk() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'patient %', new.patient USING DETAIL = new.note; END$$;
CREATE TRIGGER talks BEFORE UPDATE OF born ON visit FOR EACH ROW EXECUTE FUNCTION talk();
"""
# Each makes the driver, a constraint or a trigger say a value.
FAULTS = {
    "unique": "UPDATE visit SET patient = (SELECT patient FROM visit WHERE id = 1) WHERE id = 2",
    "foreign-key": "UPDATE visit SET ward = patient WHERE id = 2",
    "check": "UPDATE visit SET note = note || note || note || note WHERE id = 1",
    "cast": "UPDATE visit SET id = CAST(patient AS bigint) WHERE id = 1",
    "date": "UPDATE visit SET note = CAST(CAST(patient AS date) AS text) WHERE id = 1",
    "raised": "UPDATE visit SET born = NULL WHERE id = 1",
    "not-null": "UPDATE visit SET ward = NULL WHERE id = 1",
    "key": "INSERT INTO visit SELECT * FROM visit WHERE id = 1",
    "counted": "UPDATE visit SET note = NULL",
}


def run(heard: Heard, words: str, *paths: object) -> None:
    """The command, for people and for programs; it ends as it should."""
    assert heard.run(words, *paths) == 0, heard.said[-1]


def on(ops: Ops, database: str, work: str, **said: object) -> None:
    """The repair is written for that database, approved and committed."""
    write(ops, work, **said)  # type: ignore[arg-type] # checked at run time
    manifest = folder(ops, work) / "repair.yml"
    text = manifest.read_text("utf-8").replace("[example]", f"[{database}]")
    manifest.write_text(text, "utf-8")
    sign(ops, work)


def break_down(heard: Heard, ops: Ops, database: str, faults: dict[str, str]) -> None:
    """Every fault is run, for people or for programs; none of them changes anything."""
    for form, (name, script) in zip(cycle(("", " --json")), faults.items(), strict=False):
        work = f"2026-3-{name}"
        on(
            ops,
            database,
            work,
            script=f"{script};\n",
            where="id > 0",
            expect="update: 1",
            may_change="note, ward, patient",
        )
        assert heard.run(f"repair run {work} --yes{form}") in {1, 5}, heard.said[-1]


def bring_back(heard: Heard, ops: Ops, database: str, keys: tuple[str, ...]) -> None:
    """A row whose key is the canary comes back from the backup."""
    drawn = f"repair new {BACK} --database {database} --from-backup {database} --table place"
    named = [word for key in keys for word in ("--key", key)]
    said = ("--title", "back", "--author", "wei@contractor")
    run(heard, drawn, *named, *said)
    heard.both(f"repair check {BACK}")
    heard.both(f"repair rehearse {BACK} --on production-readonly")
    sign(ops, BACK)
    run(heard, f"repair run {BACK} --yes")
    heard.both(f"repair show {BACK} --run")


def sealed_story(heard: Heard, ops: Ops, database: str, place: Path) -> None:
    """A sealed parameter finds a row; it is rehearsed, run, shown, refused an undo, undone."""
    text = place / "patient.txt"
    text.write_text(VALUE, "utf-8")
    script = place / "fix.sql"
    script.write_text("UPDATE visit SET ward = 'ORT' WHERE patient = :patient;\n")
    drawn = f"repair new {SEALED} --database {database} --from"
    run(
        heard,
        drawn,
        script,
        "--seal",
        f"patient={text}",
        "--title",
        "t",
        "--author",
        "wei@contractor",
    )
    write(
        ops,
        SEALED,
        script=script.read_text(),
        where="patient = :patient",
        expect="update: 1",
        more="params: {patient: {type: text, sealed: true}}\n",
    )
    manifest = folder(ops, SEALED) / "repair.yml"
    manifest.write_text(manifest.read_text("utf-8").replace("[example]", f"[{database}]"), "utf-8")
    key = ops.key("wei")
    heard.both(f"repair check {SEALED}")
    run(heard, f"review request {SEALED} --yes --key", key)
    run(heard, f"repair rehearse {SEALED}")
    sign(ops, SEALED)
    heard.both(f"review show {SEALED}")
    run(heard, f"review show {SEALED} --identity", ops.root / "keys" / "runner")
    heard.both(f"repair show {SEALED}")
    run(heard, f"repair show {SEALED} --html", place / "page.html")
    run(heard, f"repair run {SEALED} --yes --json")
    heard.both(f"repair show {SEALED} --run")
    run(heard, f"repair new {UNDO} --undo {SEALED} --author wei@contractor")
    sign(ops, UNDO)


def look(heard: Heard) -> None:
    heard.both("repair list")
    heard.both("repair list --overdue")
    heard.both("repair bundle list")
    heard.both("repair resume")
    heard.both("repair check --all")
    heard.both("audit log")


def assert_told(heard: Heard, names: set[str]) -> None:
    """What went wrong was told by names and codes, so the commands did meet it."""
    told = "\n".join(heard.said)
    assert [name for name in names if name not in told] == []


def test_sqlite_rows_show_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Keys, values, conditions, constraints, a talking trigger, undo and a changed row."""
    ops = found_ops(tmp_path / "estate")
    ask_no_rehearsal(ops)
    change(ops, SQLITE)
    heard = Heard(ops.root, capfd)
    run(heard, "backup run --all")
    run(heard, "backup verify --all --level proven")
    prepare(ops)
    break_down(heard, ops, "example", {name: FAULTS[name] for name in FAULTS if name != "date"})
    assert heard.run("repair rehearse 2026-3-unique") == 1
    change(ops, f"UPDATE visit SET ward = 'OLD'; DELETE FROM place WHERE code = '{VALUE}'")
    bring_back(heard, ops, "example", (VALUE,))
    sealed_story(heard, ops, "example", tmp_path)
    change(ops, f"UPDATE visit SET note = '{VALUE} later' WHERE id = 1")
    assert heard.run(f"repair undo {UNDO} --yes") == 5
    change(ops, f"UPDATE visit SET note = '{VALUE}' WHERE id = 1")
    run(heard, f"repair undo {UNDO} --yes")
    look(heard)
    assert_silent(heard)
    assert_told(heard, {"SQLITE_CONSTRAINT_UNIQUE (visit.patient)", "SQLITE_CONSTRAINT_CHECK"})


@pytest.fixture
def lab(pg15: PgServer, tmp_path: Path) -> Iterator[Lab]:
    """A database full of canaries."""
    name = f"canary_{secrets.token_hex(6)}"
    pg15.create_database(name)
    yield found_lab(tmp_path / "estate", PgDatabase(pg15, name), f"mender_{name}", POSTGRESQL)
    pg15.drop_database(name)
    with pg15.connect("postgres") as connection:
        role = sql.Identifier(f"mender_{name}")
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


def test_postgresql_rows_show_nowhere(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server quotes rows in its errors and details; nobody sees them."""
    ops, heard = lab.ops, Heard(lab.ops.root, capfd)
    wanted = "--table visit --table place --author wei@contractor"
    run(heard, f"repair prepare lab --id 2026-1-prepare {wanted}")
    sign(ops, "2026-1-prepare")
    run(heard, "repair prepare lab --review 2026-1-prepare --yes")
    run(heard, "backup run lab")
    run(heard, "backup verify lab --level proven")
    break_down(heard, ops, "lab", FAULTS)
    lab.change(f"UPDATE visit SET ward = 'OLD'; DELETE FROM place WHERE code = '{VALUE}'")
    bring_back(heard, ops, "lab", (VALUE,))
    sealed_story(heard, ops, "lab", tmp_path)
    lab.change(f"UPDATE visit SET note = '{VALUE} later' WHERE id = 1")
    assert heard.run(f"repair undo {UNDO} --yes") == 5
    lab.change(f"UPDATE visit SET note = '{VALUE}' WHERE id = 1")
    run(heard, f"repair undo {UNDO} --yes")
    look(heard)
    assert_silent(heard)
    assert_told(heard, {"23505", "23503", "23514", "22P02", "22007", "P0001", "visit_patient_key"})
