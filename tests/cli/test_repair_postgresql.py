"""`dbops repair` on a PostgreSQL server: the role that repairs, and what is different there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import sql

from tests.cli.ops import Ops, found_ops
from tests.cli.repairs import (
    WORK,
    ask_no_rehearsal,
    done,
    folder,
    mend,
    said,
    sign,
    take_back,
    turn_to,
    undo_agreed,
    write,
)
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.postgresql_estate import add_lab, add_logins

PREPARE = "2026-101-prepare"
UNDO = "2026-118-undo"
HOSPITAL = """
CREATE TABLE place(code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE visit(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ward text NOT NULL REFERENCES place, patient text UNIQUE, note text, seen timestamptz);
CREATE TABLE visit_log(id bigserial PRIMARY KEY, visit bigint NOT NULL);
INSERT INTO place VALUES ('OLD', '旧病区'), ('ORT', '骨科'), ('ICU', '重症医学科');
INSERT INTO visit(ward, patient, note) VALUES ('OLD', '甲', NULL), ('OLD', '乙', ''),
    ('OLD', '丙', 'n'), ('ORT', '丁', 'n'), ('ICU', NULL, 'n');
CREATE FUNCTION log_visit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO visit_log(visit) VALUES (new.id); RETURN NULL; END';
CREATE TRIGGER logged AFTER UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION log_visit();
"""


@dataclass(frozen=True, slots=True)
class Lab:
    """An estate with persons, and its database `lab` on a server."""

    ops: Ops
    database: PgDatabase
    role: str

    def wards(self) -> str:
        """Which visit is booked where."""
        return self.one("SELECT string_agg(id || ward, ' ' ORDER BY id) FROM visit")

    def one(self, query: str) -> str:
        with self.database.connect() as connection:
            row = connection.execute(query.encode()).fetchone()
        return "" if row is None else str(row[0])

    def change(self, script: str) -> None:
        with self.database.connect() as connection:
            connection.execute(script.encode())


def found_lab(root: Path, database: PgDatabase, role: str, script: str) -> Lab:
    """Afterwards the estate is there, the database made by the script, its newest backup proven."""
    ops = found_ops(root)
    ask_no_rehearsal(ops)
    password = secrets.token_hex(8)
    add_lab(root, database)
    add_logins(root, database, role, password)
    lab = Lab(ops, database, role)
    lab.change(script)
    with database.connect() as connection:
        names = {"role": sql.Identifier(role), "password": sql.Literal(password)}
        connection.execute(sql.SQL("CREATE ROLE {role} LOGIN PASSWORD {password}").format(**names))
    return lab


@pytest.fixture
def lab(pg15: PgServer, tmp_path: Path) -> Iterator[Lab]:
    """Such a database, gone afterwards together with its role."""
    name = f"repaired_{secrets.token_hex(6)}"
    pg15.create_database(name)
    yield found_lab(tmp_path / "estate", PgDatabase(pg15, name), f"mender_{name}", HOSPITAL)
    pg15.drop_database(name)
    with pg15.connect("postgres") as connection:
        role = sql.Identifier(f"mender_{name}")
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


def prove(lab: Lab) -> None:
    for words in (("backup", "run", "lab"), ("backup", "verify", "lab")):
        done(lab.ops.run(*words))


def prepare(lab: Lab, *tables: str) -> None:
    """The change is drawn up, approved and run."""
    named = [word for table in tables for word in ("--table", table)]
    said = ("--id", PREPARE, "--author", "wei@contractor")
    done(lab.ops.run("repair", "prepare", "lab", *named, *said))
    sign(lab.ops, PREPARE)
    done(lab.ops.run("repair", "prepare", "lab", "--review", PREPARE, "--yes"))


def on_lab(lab: Lab, **said: str) -> None:
    """The repair is written for that database."""
    write(lab.ops, table="visit", **said)  # type: ignore[arg-type] # checked at run time
    turn_to(lab.ops, "lab")


def test_the_whole_story(lab: Lab) -> None:
    """Prepared, rehearsed as the role, run as the role, refused after an edit, and undone."""
    ops = lab.ops
    prepare(lab, "visit", "visit_log", "place")
    prove(lab)
    on_lab(lab, more="side_effects: [{table: visit_log, insert: 3}]\n")
    done(ops.run("repair", "check", WORK))
    done(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    rehearsed = done(ops.run("repair", "rehearse", WORK)).stdout
    assert rehearsed.partition("\n")[2] == (
        "public.visit: 0 inserted, 3 updated, 0 deleted (columns: ward 3)\n"
        "public.visit_log: triggers appended 3 rows\n"
        "undo restored 3 rows; a second one was refused (undo-already);"
        " counted by pg_stat_xact_all_tables (exact)\n"
        "wrote evidence.yml, evidence.yml.sig, rows.age: commit them, then"
        f" dbops review request {WORK} --key KEY\n"
    )
    sign(ops)
    before = lab.wards()
    assert done(mend(ops)).stdout.startswith(
        "lab is repaired: 3 rows (0 inserted, 3 updated, 0 deleted)\n"
        "triggers appended 3 rows to public.visit_log\n"
        f"rows before and after are sealed in {WORK}.repair.0."
    )
    assert lab.wards() == "1ORT 2ORT 3ORT 4ORT 5ICU"
    undo_agreed(ops, UNDO)
    lab.change("UPDATE visit SET note = 'seen' WHERE id = 2")
    assert said(take_back(ops, UNDO)) == (
        5,
        f"error: {WORK} cannot be undone, nothing was changed: public.visit: 1 row changed since"
        " (in note)\n"
        "hint: somebody worked on these rows since; write a new repair for what is still wrong\n",
    )
    lab.change("UPDATE visit SET note = '' WHERE id = 2")
    assert done(take_back(ops, UNDO)).stdout.startswith(
        "lab is as it was: 3 rows (0 inserted, 3 updated, 0 deleted)\n"
        "triggers appended 3 rows to public.visit_log\n"
    )
    assert lab.wards() == before
    assert said(ops.run("repair", "rehearse", UNDO)) == (
        5,
        f"error: lab@1 was taken before the run that {UNDO} takes back\n"
        "hint: take a newer backup, and verify it: dbops backup run, dbops backup verify\n",
    )


def test_rows_from_a_backup(lab: Lab) -> None:
    """Identity columns come back with their numbers; the role cannot do what it was not granted."""
    ops = lab.ops
    prepare(lab, "visit", "visit_log")
    prove(lab)
    look = "SELECT string_agg(v::text, '|' ORDER BY id) FROM visit AS v"
    before = lab.one(look)
    lab.change(
        "ALTER TABLE visit DISABLE TRIGGER logged; DELETE FROM visit WHERE id IN (1, 2);"
        " UPDATE visit SET note = 'x', seen = now() WHERE id = 3"
    )
    keys = [word for key in (1, 2, 3) for word in ("--key", key)]
    words = ("repair", "new", WORK, "--database", "lab", "--from-backup", "lab@1")
    more = ("--table", "public.visit", "--title", "t", "--author", "wei@contractor")
    done(ops.run(*words, *keys, *more))
    script = (folder(ops) / "repair.sql").read_text("utf-8")
    assert "OVERRIDING SYSTEM VALUE VALUES (:lost.id, :lost.ward" in script
    assert "note" in script
    sign(ops)
    done(mend(ops))
    assert lab.one(look) == before
    other = ("repair", "new", "2026-2", *words[3:], "--key", "ORT", "--table", "place", *more[2:])
    refused = ops.run(*other)
    assert refused.exit_code == 5
    assert "place" in refused.stderr


def test_what_a_run_meets_on_a_server(lab: Lab) -> None:
    """A lock that somebody holds, and a database that was never prepared."""
    ops = lab.ops
    on_lab(lab, more="side_effects: [{table: visit_log, insert: 3}]\n")
    manifest = folder(ops) / "repair.yml"
    text = manifest.read_text("utf-8").replace("rows: 10}", "rows: 10, lock_wait: 1s}")
    manifest.write_text(text, "utf-8")
    sign(ops)
    assert mend(ops).exit_code == 5
    prepare(lab, "visit", "visit_log")
    with lab.database.connect() as connection, connection.transaction():
        connection.execute("SELECT FROM visit FOR UPDATE")
        locked = mend(ops)
    assert locked.exit_code == 11
    done(mend(ops))
