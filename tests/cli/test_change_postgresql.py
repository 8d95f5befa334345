"""`dbops change` on a PostgreSQL server: schemas, steps outside of a transaction, locks, drift."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbops.audit.entry import Count, Effect, Event
from dbops.cli.rehearsal_ground import of_copy
from dbops.engines.postgresql import change_faults
from dbops.errors import Failed
from tests.cli import changes
from tests.cli.changes import WORK, request, write
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import done, said
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.ledger import deeds_of
from tests.support.postgresql_estate import add_lab

HOSPITAL = """
CREATE SCHEMA his;
CREATE TABLE his.ward(code varchar(8) PRIMARY KEY, name text NOT NULL);
CREATE TABLE his.visit(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ward_code varchar(8) NOT NULL, note text, CHECK (length(note) < 100));
CREATE VIEW his.visit_now AS SELECT id, ward_code FROM his.visit WHERE note IS NOT NULL;
INSERT INTO his.ward VALUES ('ORT', '骨科'), ('ICU', '重症医学科');
INSERT INTO his.visit(ward_code, note) SELECT 'ORT', 'n' FROM generate_series(1, 100);
ALTER FUNCTION pg_catalog.reverse(text) COST 5;
"""
# The last of it no restore brings back: a run is held against the source, and not against a copy.
UP = """\
-- step: the key, not yet for old rows
ALTER TABLE his.visit ADD CONSTRAINT visit_ward_fk
    FOREIGN KEY (ward_code) REFERENCES his.ward (code) NOT VALID;

-- step: find visits by ward
CREATE INDEX CONCURRENTLY visit_ward_ix ON his.visit (ward_code);

-- step: now for old rows too
ALTER TABLE his.visit VALIDATE CONSTRAINT visit_ward_fk;

-- part: who asks about today
CREATE OR REPLACE VIEW his.visit_now AS
    SELECT id, ward_code FROM his.visit WHERE note IS NOT NULL AND id > 0;
"""
DOWN = """\
CREATE OR REPLACE VIEW his.visit_now AS
    SELECT id, ward_code FROM his.visit WHERE note IS NOT NULL;
DROP INDEX CONCURRENTLY his.visit_ward_ix;
ALTER TABLE his.visit DROP CONSTRAINT visit_ward_fk;
"""
VERIFY = """\
SELECT count(*) = 0 FROM his.visit AS v
    WHERE NOT EXISTS (SELECT FROM his.ward AS w WHERE w.code = v.ward_code);
"""
# Nobody signs it, and a way back does not make it right.
BY_HAND = """\
ALTER TABLE his.ward ALTER name TYPE varchar(40);
CREATE FUNCTION his.evil() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
GRANT ALL ON his.visit TO PUBLIC;
"""
TOUCHES = (
    "create constraint his.visit.visit_ward_fk",
    "create index his.visit_ward_ix",
    "alter view his.visit_now (definition)",
)


@pytest.fixture(scope="module")
def founded(
    pg17: PgServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ops, PgDatabase]]:
    """An estate whose database `lab` lies on a server, and is proven; gone afterwards."""
    name = f"changed_{secrets.token_hex(6)}"
    pg17.create_database(name)
    database = PgDatabase(pg17, name)
    ops = found_ops(tmp_path_factory.mktemp("lab") / "estate")
    add_lab(ops.root, database)
    alter(database, HOSPITAL)
    for words in (("backup", "run", "lab"), ("backup", "verify", "lab")):
        done(ops.run(*words))
    yield ops, database
    pg17.drop_database(name)


@pytest.fixture
def lab(founded: tuple[Ops, PgDatabase], tmp_path: Path) -> tuple[Ops, PgDatabase]:
    """A copy of the estate, and its database as it was."""
    ops, database = founded
    alter(database, f"DROP SCHEMA his CASCADE; DROP SCHEMA IF EXISTS dbops CASCADE;{HOSPITAL}")
    return copy_ops(ops, tmp_path / "estate"), database


def alter(database: PgDatabase, script: str) -> None:
    with database.connect() as connection:
        connection.execute(script.encode())


def is_locked_out(ops: Ops, database: PgDatabase) -> None:
    """While somebody has visits locked it ends in time, is recorded, and nothing was changed.

    The table is asked for before the first step: as the rehearsal has it.
    """
    with database.connect() as reader, reader.transaction():
        reader.execute("LOCK TABLE his.visit IN SHARE MODE")
        assert said(changes.run(ops)) == (
            11,
            f"error: {WORK} waited once for a lock, 1s each, and did not get it: locking his.visit"
            " before the first step of the part: a lock was not to be had in time (55P03)\n"
            "hint: run the same command again once it is free; whose transactions are open: select"
            " pid, usename, xact_start from pg_stat_activity where xact_start is not null\n",
        )
    deed = deeds_of(ops.root, Event.CHANGE_RUN)[-1]
    assert deed.outcome is not None
    assert (deed.outcome.code, deed.outcome.effect) == ("change-locked", Effect.NONE)


def test_the_whole_story(lab: tuple[Ops, PgDatabase]) -> None:
    """Rehearsed with its locks, locked out, run with an index built aside, drift, taken back."""
    ops, database = lab
    why = "why: the map error of May could not have been stored\n"
    why += "limits: {lock_wait: 1s, attempts: 1}"
    write(ops, up=UP, down=DOWN, verify=VERIFY, touches=TOUCHES, databases="lab", more=why)
    assert done(ops.run("change", "check", WORK)).stdout == f"{WORK}: nothing stops it\n"
    request(ops)
    rehearsed = json.loads(done(ops.run("change", "rehearse", WORK, "--json")).stdout)
    (found,) = rehearsed["databases"]
    assert found["down"] == "the schema was exactly as before"
    assert sorted(found["touched"]) == sorted(TOUCHES)
    locks = [lock for step in found["steps"] for lock in step["locks"]]
    assert {"object": "his.ward", "mode": "ShareRowExclusiveLock", "blocks": "writes"} in locks
    held = [(part["direction"], part["first"], part["last"]) for part in found["held"]]
    assert held == [
        *(("up", n, n) for n in (1, 2, 3, 4)),
        *(("down", n, n) for n in (1, 2, 3)),
    ]
    tables = [line.split() for line in done(ops.run("change", "show", WORK)).stdout.splitlines()]
    assert [each[:4] for each in tables if each[5:] == ["kB"]] == [
        ["his.visit", "100", "100", "100"],
        ["his.ward", "2", "2", "2"],  # it is locked, for the sake of its key
    ]
    request(ops)
    changes.approve(ops)
    alter(database, "CREATE FUNCTION his.by_hand() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    assert said(changes.run(ops)) == (
        5,
        f"error: lab is not as {WORK} was rehearsed on: 1 difference:"
        " function `his.by_hand()` is new\n"
        "hint: take a new backup, verify it and rehearse again, or bring the database back\n",
    )
    alter(database, "DROP FUNCTION his.by_hand()")
    is_locked_out(ops, database)
    ran = done(changes.run(ops))
    assert "lab is changed: 4 steps" in ran.stdout
    assert "constraint `visit_ward_fk` of `his.visit` is new" in ran.stdout
    assert done(ops.run("change", "drift", "lab")).exit_code == 0
    alter(database, BY_HAND)
    drifted = ops.run("change", "drift", "lab")
    assert drifted.exit_code == 4
    assert "  column `name` of `his.ward`: text → varchar(40)\n" in drifted.stdout
    request(ops, takes_back=True)
    changes.approve(ops)
    back = done(changes.revert(ops))
    assert "lab is as it was" in back.stdout
    assert back.stderr == (
        "remark: lab also differs from what was recorded before: dbops change drift lab\n"
    )
    still = ops.run("change", "drift", "lab")
    assert still.exit_code == 4
    assert still.stdout.splitlines()[1:] == drifted.stdout.splitlines()[1:]


REPRINTED = """
ALTER TABLE his.visit ADD status varchar(10) CHECK (status IN ('open', 'closed'));
CREATE VIEW his.visit_open AS SELECT id, ward_code FROM his.visit WHERE status IN ('open', 'new');
CREATE VIEW his.visit_old AS SELECT id FROM his.visit
    WHERE id BETWEEN 1 AND 9 AND status NOT IN ('open', 'new');
CREATE INDEX visit_open_ix ON his.visit (ward_code) WHERE status IN ('open', 'new');
"""
OLD = """CREATE OR REPLACE VIEW his.visit_old AS SELECT id FROM his.visit
    WHERE id BETWEEN 1 AND {} AND {} NOT IN ('open', 'new');
"""
RENAME = "ALTER TABLE his.visit RENAME COLUMN {} TO {};\n"
RENAMED = (
    "drop column his.visit.status",
    "create column his.visit.state",
    "alter constraint his.visit.visit_status_check (definition)",
    "alter index his.visit_open_ix (definition)",
    "alter view his.visit_open (definition)",
    "alter view his.visit_old (definition)",
)


def test_what_a_restore_prints_otherwise_is_no_difference(lab: tuple[Ops, PgDatabase]) -> None:
    """Rehearsed on a copy that the server prints in other words, run, and taken back."""
    ops, database = lab
    alter(database, REPRINTED)
    for words in (("backup", "run", "lab"), ("backup", "verify", "lab")):
        done(ops.run(*words))
    write(
        ops,
        up=RENAME.format("status", "state") + OLD.format(99, "state"),
        down=OLD.format(9, "state") + RENAME.format("state", "status"),
        verify="SELECT true;\n",
        touches=RENAMED,
        databases="lab",
        more="why: its name\npersonal: {his.visit.state: none}\n"
        'accepted: [{rule: DDL-RENAME, at: "up.sql line 1", why: "nobody reads it"}]',
    )
    request(ops)
    assert "the schema was exactly as before" in done(changes.rehearse(ops)).stdout
    request(ops)
    changes.approve(ops)
    assert "lab is changed: 2 steps" in done(changes.run(ops)).stdout
    request(ops, takes_back=True)
    changes.approve(ops)
    assert "lab is as it was" in done(changes.revert(ops)).stdout


def test_a_rehearsal_points_to_no_log_that_is_gone() -> None:
    """The server of the copy, whose log had the words, went with it."""
    fault = of_copy(Failed("change-step", "step 1 at line 1", hint=change_faults._LOG), "lab")
    assert (type(fault), fault.code, fault.message) == (Failed, "change-step", "step 1 at line 1")
    assert fault.hint == (
        "its words went with the server of the rehearsal: try the statement in psql on a copy of"
        " lab"
    )
    other = Failed("change-step", "step 1", hint="correct the script")
    assert of_copy(other, "lab") is other


def test_a_change_that_broke_off_is_taken_back(lab: tuple[Ops, PgDatabase]) -> None:
    """Rows came that its key does not allow: what is done is taken back, and can be done anew."""
    ops, database = lab
    write(
        ops,
        up=UP.partition("-- part: who asks")[0],
        down="DROP INDEX CONCURRENTLY IF EXISTS his.visit_ward_ix;\n"
        "ALTER TABLE his.visit DROP CONSTRAINT IF EXISTS visit_ward_fk;\n",
        verify=VERIFY,
        touches=TOUCHES[:2],
        databases="lab",
        more="why: the map error of May could not have been stored",
    )
    request(ops)
    done(changes.rehearse(ops))
    request(ops)
    changes.approve(ops)
    alter(database, "INSERT INTO his.visit(ward_code) VALUES ('NONE')")
    broken = changes.run(ops)
    assert broken.exit_code == 3
    assert broken.stderr.startswith(f"error: {WORK} is half done on lab: ")
    deed = deeds_of(ops.root, Event.CHANGE_RUN)[-1]
    assert deed.outcome is not None
    assert (deed.outcome.effect, deed.outcome.counts[Count.STEPS]) == (Effect.COMMITTED, 2)
    assert broken.stderr.endswith(
        f"hint: finish it: dbops change resume {WORK}, or take it back:"
        f" dbops change resume {WORK} --revert\n"
    )
    back = done(ops.run("change", "resume", WORK, "--revert"))
    assert back.stdout.endswith("): 2 of 3 steps were done; they are taken back\n")
    alter(database, "DELETE FROM his.visit WHERE ward_code = 'NONE'")
    request(ops)
    changes.approve(ops)
    assert "lab is changed: 3 steps" in done(changes.run(ops)).stdout


def test_a_rehearsal_runs_as_the_role_that_runs_it(lab: tuple[Ops, PgDatabase]) -> None:
    """No superuser: it owns what it makes, on the copy as on the database itself."""
    ops, database = lab
    role = f"builder_{database.name}"
    config = ops.root / "dbops.toml"
    secret = ops.root / "secrets" / "lab-admin"
    secret.write_text("geheim")
    secret.chmod(0o600)
    login = f'user = "{role}"\npassword = {{ file = "secrets/lab-admin" }}\n'
    config.write_text(f"{config.read_text('utf-8')}\n[databases.lab.admin]\n{login}", "utf-8")
    alter(database, f"CREATE ROLE {role} LOGIN PASSWORD 'geheim'")
    try:
        for thing in (
            f"DATABASE {database.name}",
            "SCHEMA his",
            "TABLE his.ward",
            "TABLE his.visit",
        ):
            alter(database, f"ALTER {thing} OWNER TO {role}")
        for words in (("backup", "run", "lab"), ("backup", "verify", "lab")):
            done(ops.run(*words))
        write(
            ops,
            up="CREATE TABLE his.bed(no integer PRIMARY KEY);\n",
            down="DROP TABLE his.bed;\n",
            verify="SELECT count(*) = 0 FROM his.bed;\n",
            touches=("create table his.bed",),
            databases="lab",
            more="why: beds are counted on paper\npersonal: {his.bed.no: none}",
        )
        request(ops)
        done(ops.run("change", "rehearse", WORK))
        request(ops)
        changes.approve(ops)
        assert "table `his.bed` is new" in done(changes.run(ops)).stdout
    finally:
        alter(database, f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}")
        alter(database, f"DROP ROLE {role}")
