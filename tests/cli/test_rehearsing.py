"""A repair rehearsed on the newest proven backup, from the author's signature to the evidence."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbops.cli.rehearsal_ground import rehearsal_directory
from dbops.cli.rehearsing import plan_rehearsal, rehearse_work
from dbops.cli.reviewing import policy_of
from dbops.cli.wiring import Wiring
from dbops.crypto.age import load_identities
from dbops.errors import DbopsError, Failed, NotFound, Refused, UsageFault
from dbops.estate.load import load_estate
from dbops.repair.rehearsed import rehearsed_rows
from dbops.repair.table import TableName
from dbops.review.folder import read_work
from dbops.review.judge import judge
from dbops.review.memory import Memory
from dbops.review.work import read_manifest
from dbops.sql.written import Written
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import run_sql
from tests.support.postgresql_estate import add_lab

ID = "2026-118-note"
MANIFEST = f"""\
dbops: repair/v1
id: {ID}
title: notes of two samples
author: wei@contractor
risk: low
databases: [DATABASE]
watch:
  - table: TABLE
    where: id IN (7, 8)
    expect: {{update: 2}}
    may_change: [note]
limits: {{rows: 5}}
"""
SCRIPT = "UPDATE TABLE SET note = 'canary-4711' WHERE id IN (7, 8);\n"


def wiring_of(root: Path) -> Wiring:
    return Wiring(load_estate(root / "dbops.toml"), {})


def ask(
    ops: Ops, *, database: str = "example", table: str = "sample", script: str = SCRIPT
) -> None:
    """The repair lies in the folder, and its author has signed it."""
    folder = ops.tree / "repairs" / ID
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("repair.yml", MANIFEST), ("repair.sql", script)):
        (folder / name).write_text(text.replace("DATABASE", database).replace("TABLE", table))
    signed = ops.review("request", ID, "--key", ops.key("wei"), "--yes")
    assert signed.exit_code == 0, signed.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A proven backup, then a later change, and a repair that its author asks for."""
    ops = found_ops(tmp_path_factory.mktemp("rehearsing") / "estate")
    assert ops.run("backup", "verify", "example").exit_code == 0
    run_sql(ops.root / "example.db", "UPDATE sample SET note = 'later' WHERE id = 7")
    ask(ops)
    return ops


@pytest.fixture
def ops(made: Ops, tmp_path: Path) -> Ops:
    return copy_ops(made, tmp_path / "estate")


def test_the_folder_gets_evidence_and_rows(ops: Ops) -> None:
    """The rows are those of the backup, not of the database, which nobody touched."""
    wiring = wiring_of(ops.root)
    before = (ops.root / "example.db").read_bytes()
    found = rehearse_work(wiring, plan_rehearsal(wiring, ID)).evidence
    assert (found.backup, found.proof, found.host) == ("example@1", "proven", "backup-1")
    assert found.tables[TableName("", "sample")].ops == Written(updated=2)
    folder = ops.tree / "repairs" / ID
    work = read_work(ops.tree, folder)
    assert sorted(work.files) == [
        "evidence.yml",
        "evidence.yml.sig",
        "repair.sql",
        "repair.yml",
        "rows.age",
    ]
    rows = rehearsed_rows(work, load_identities(ops.root / "keys" / "runner"))
    assert rows is not None
    notes = [change.before[-1] for _, change in rows if change.before is not None]
    assert notes == ["标本7".encode(), "标本8".encode()]
    assert rehearsed_rows(work, load_identities(ops.root / "hospital" / "recovery")) is not None
    assert (ops.root / "example.db").read_bytes() == before
    assert list((ops.root / "state" / "scratch").iterdir()) == []


def test_the_evidence_counts_for_the_approval(ops: Ops) -> None:
    """Where the policy asks for evidence, what is missing afterwards are signatures only."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    policy.write_text(text.replace('longest = "14d"', 'longest = "14d"\nevidence = true', 1))
    assert "evidence-missing" in _reasons(ops)
    wiring = wiring_of(ops.root)
    rehearse_work(wiring, plan_rehearsal(wiring, ID))
    assert {code for code in _reasons(ops) if code.startswith("evidence")} == set()
    for verb, person in (("request", "wei"), ("approve", "li")):
        signed = ops.review(verb, ID, "--key", ops.key(person), "--yes")
        assert signed.exit_code == 0, signed.output
    assert _reasons(ops) == set()
    # It may be rehearsed once more, and what was signed then is of other evidence.
    rehearse_work(wiring, plan_rehearsal(wiring, ID))
    assert "file-changed" in _reasons(ops)


def _reasons(ops: Ops) -> set[str]:
    wiring = wiring_of(ops.root)
    work = read_work(ops.tree, ops.tree / "repairs" / ID)
    manifest, now = read_manifest(work), wiring.clock()
    judged = judge(work, manifest, policy_of(wiring), wiring.trust, Memory(), None, None, now)
    return {reason.code for reason in judged.reasons}


def test_offline_bundles_are_not_for_the_runner(ops: Ops) -> None:
    """With bundle = "offline" the host that runs repairs cannot read what was rehearsed."""
    policy = ops.root / "trust" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace('"runner"\n', '"offline"\n'), "utf-8")
    wiring = wiring_of(ops.root)
    rehearse_work(wiring, plan_rehearsal(wiring, ID))
    work = read_work(ops.tree, ops.tree / "repairs" / ID)
    with pytest.raises(DbopsError) as caught:
        rehearsed_rows(work, load_identities(ops.root / "keys" / "runner"))
    assert caught.value.code == "no-identity"


def test_without_the_authors_signature_nothing_is_opened(ops: Ops) -> None:
    """A script that was changed after it was signed is not run, not even on a copy."""
    script = ops.tree / "repairs" / ID / "repair.sql"
    script.write_text(script.read_text().replace("7, 8", "7, 9"))
    with pytest.raises(Refused) as caught:
        plan_rehearsal(wiring_of(ops.root), ID)
    assert caught.value.code == "file-changed"


def test_without_a_proven_backup_nothing_is_rehearsed(ops: Ops) -> None:
    """A backup that was only read is no copy of anything."""
    shutil.rmtree(ops.root / "backups" / "db" / "example" / "certificate")
    with pytest.raises(NotFound) as caught:
        plan_rehearsal(wiring_of(ops.root), ID)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "no-proven-backup",
        "no backup of example was restored and found equal, so there is nothing to rehearse on",
        "dbops backup verify example --level proven",
    )


def test_a_host_without_a_verifiers_key_rehearses_nothing(ops: Ops) -> None:
    """Nobody could sign what it found."""
    config = ops.root / "dbops.toml"
    config.write_text(config.read_text().replace('verifier_key = "verifier/signing"', ""))
    with pytest.raises(UsageFault) as caught:
        plan_rehearsal(wiring_of(ops.root), ID)
    assert caught.value.code == "no-host-key"


def test_a_repair_that_is_refused_leaves_the_folder_alone(ops: Ops) -> None:
    """What does not hold is said, and no evidence is there."""
    folder = ops.tree / "repairs" / ID
    manifest = folder / "repair.yml"
    manifest.write_text(manifest.read_text().replace("update: 2", "update: 3"))
    assert ops.review("request", ID, "--key", ops.key("wei"), "--yes").exit_code == 0
    wiring = wiring_of(ops.root)
    with pytest.raises(Refused) as caught:
        rehearse_work(wiring, plan_rehearsal(wiring, ID))
    assert caught.value.code == "expect-differs"
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "repair.sql",
        "repair.yml",
    ]
    assert list((ops.root / "state" / "scratch").iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from dbops.cli.rehearsal_ground import rehearsal_directory
from dbops.cli.wiring import Wiring
from dbops.estate.load import load_estate
with rehearsal_directory(Wiring(load_estate(Path(sys.argv[1])), {})) as place:
    (place / "rows.age").write_bytes(b"")
    os._exit(9)
"""


def test_what_a_killed_rehearsal_leaves_is_swept(ops: Ops) -> None:
    """By the next command, whatever it is; what a living one is at stays."""
    command = [sys.executable, "-c", KILLED, str(ops.root / "dbops.toml")]
    assert subprocess.run(command, check=False).returncode == 9
    scratch = ops.root / "state" / "scratch"
    (left,) = scratch.glob("rehearsal-*/rows.age")
    with rehearsal_directory(wiring_of(ops.root)) as place:
        assert ops.run("systems", "list").exit_code == 0
        assert not left.parent.exists()
        assert set(scratch.iterdir()) == {place, place.with_suffix(".lock")}
    assert list(scratch.iterdir()) == []


@pytest.fixture(scope="module")
def lab(pg17: PgServer) -> Iterator[PgDatabase]:
    """A database on one server, its repair role known there and without a right."""
    name = f"test_{secrets.token_hex(6)}"
    pg17.create_database(name)
    database = PgDatabase(pg17, name)
    with database.connect() as connection:
        connection.execute("CREATE TABLE public.sample (id int PRIMARY KEY, note text)")
        connection.execute("INSERT INTO public.sample VALUES (7, '一'), (8, '二'), (9, '三')")
    yield database
    pg17.drop_database(name)


@pytest.fixture(scope="module")
def made_with_lab(made: Ops, lab: PgDatabase, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """The estate has the database as well, and a proven backup of it."""
    ops = copy_ops(made, tmp_path_factory.mktemp("lab") / "estate")
    add_lab(ops.root, lab, jobs=2)
    with (ops.root / "dbops.toml").open("a") as file:
        file.write('[databases.lab.repair]\nuser = "mender"\n')
    for words in (("backup", "run", "lab"), ("backup", "verify", "lab")):
        done = ops.run(*words)
        assert done.exit_code == 0, done.output
    return ops


def test_postgresql_is_rehearsed_as_the_repair_role(
    made_with_lab: Ops, lab: PgDatabase, tmp_path: Path
) -> None:
    """The role that repairs is made in the copy, may write the named tables, and is no superuser.

    It ends with its server; the source has no such role, and was not asked.
    """
    ops = copy_ops(made_with_lab, tmp_path / "estate")
    ask(ops, database="lab", table="public.sample")
    wiring = wiring_of(ops.root)
    found = rehearse_work(wiring, plan_rehearsal(wiring, ID)).evidence
    assert found.server.startswith("PostgreSQL 17")
    assert found.counted_by == "pg_stat_xact_all_tables"
    assert found.tables[TableName("public", "sample")].columns == {"note": 2}
    with lab.connect() as connection:
        known = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = 'mender'")
        assert known.fetchall() == []
    with pytest.raises(psycopg.errors.UndefinedTable), lab.connect() as connection:
        connection.execute("SELECT FROM dbops.dbops_run")


def test_a_rehearsal_points_to_no_log_that_is_gone(made_with_lab: Ops, tmp_path: Path) -> None:
    """The server of the copy, whose log had the words of a function, went with it."""
    ops = copy_ops(made_with_lab, tmp_path / "estate")
    raises = "DO $$ BEGIN RAISE 'canary-4711'; END $$;\n"
    ask(ops, database="lab", table="public.sample", script=raises)
    wiring = wiring_of(ops.root)
    with pytest.raises(Failed) as caught:
        rehearse_work(wiring, plan_rehearsal(wiring, ID))
    assert (caught.value.code, caught.value.message) == (
        "refused-by-database",
        "the statement at line 1: a trigger or function of the database raised an error;"
        " nothing was changed (P0001)",
    )
    assert caught.value.hint == (
        "its words went with the server of the rehearsal: try the statement in psql on a copy of"
        " lab"
    )
