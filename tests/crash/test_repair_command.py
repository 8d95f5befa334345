"""`dbops repair run` and `undo` killed around COMMIT: `dbops repair resume` says and records it."""

from __future__ import annotations

import hashlib
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from dbops.audit.entry import DigestOf, Effect, Event
from dbops.repair.table import TableName
from dbops.repair.transaction import Stage
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import (
    AFTER,
    BEFORE,
    WORK,
    agreed,
    done,
    found_repairs,
    mend,
    sign,
    take_back,
    turn_to,
    undo_agreed,
    wards,
    wiring_of,
    write,
)
from tests.crash.processes import wait_until
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.ledger import deeds_of
from tests.support.postgresql_estate import add_lab, add_logins

ROOT = Path(__file__).parents[2]
UNDO, ON_SERVER = "2026-118-undo", "2026-119-lab"
# The command itself, which dies at a stage, as soon as the account of the ledger has heard of it.
DYING = """
import os, signal, sys
from dbops.cli import repair_entries
from dbops.cli.root import main
from dbops.repair.transaction import Stage
last, follow = Stage(sys.argv[1]), repair_entries.follow
def follow_to_death(account):
    observe = follow(account)
    def follow_on(stage):
        observe(stage)
        if stage is last:
            os.kill(os.getpid(), signal.SIGKILL)
    return follow_on
repair_entries.follow = follow_to_death
main(sys.argv[2:])
"""


def kill_at(ops: Ops, stage: Stage, *words: str) -> None:
    """The command has died at the stage."""
    estate = str(ops.root / "dbops.toml")
    command = [sys.executable, "-c", DYING, stage, "--estate", estate, *words]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate that is ready for repairs."""
    return found_repairs(tmp_path_factory.mktemp("killed") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it, with a repair that may run."""
    ops = copy_ops(founded, tmp_path / "estate")
    agreed(ops)
    return ops


def rows_of(lab: PgDatabase) -> list[tuple[object, ...]]:
    """What is committed on the server."""
    with lab.connect() as connection:
        return connection.execute("SELECT id, ward FROM visit ORDER BY id").fetchall()


def is_at_work(lab: PgDatabase) -> bool:
    """Whether the server still has a session of the role that repairs."""
    with lab.connect() as connection:
        query = "SELECT FROM pg_stat_activity WHERE usename = %s"
        return connection.execute(query, [f"mender_{lab.name}"]).fetchone() is not None


def is_dangling(ops: Ops) -> bool:
    """Whether `dbops audit verify` finds a run that was begun and never ended."""
    verified = ops.run("audit", "verify")
    dangling = "DANGLING: entry" in verified.output
    assert verified.exit_code == (4 if dangling else 0), verified.output
    assert dangling == ("dbops repair resume" in verified.output)
    return dangling


def resumed(ops: Ops) -> list[dict[str, object]]:
    """What `dbops repair resume` says."""
    found: list[dict[str, object]] = json.loads(done(ops.run("repair", "resume", "--json")).stdout)
    return found


def hold(ops: Ops, event: Event, work: str, *, committed: bool) -> None:
    """What must hold of a run that died: before it is asked about, and afterwards."""
    (run,) = [deed for deed in deeds_of(ops.root, event) if deed.intent.work == work]
    assert run.outcome is None
    assert is_dangling(ops)
    (told,) = resumed(ops)
    assert (told["work"], told["kind"]) == (
        work,
        event.value.partition(".")[2].replace("run", "repair"),
    )
    assert told["fate"] == ("committed" if committed else "did not take place")
    assert not is_dangling(ops)
    (run,) = [deed for deed in deeds_of(ops.root, event) if deed.intent.work == work]
    assert run.outcome is not None
    assert run.outcome.effect is (Effect.COMMITTED if committed else Effect.NONE)
    bundles = [path for path in (ops.root / "state" / "bundles").iterdir() if work in path.name]
    assert len(bundles) == int(committed)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in bundles]
    named = run.outcome.digests.get(DigestOf.BUNDLE)
    assert digests == ([] if named is None else [named])
    assert resumed(ops) == []


USED = "it was used for a run already, and is for one only"


def test_killed_before_commit(ops: Ops) -> None:
    """Nothing took place; the same approvals allow the run, once that is known, and its undo."""
    kill_at(ops, Stage.COMMITTING, "repair", "run", WORK, "--yes")
    assert wards(ops) == BEFORE
    refused = mend(ops).output
    assert USED in refused
    assert (
        f"hint: nobody knows yet whether that run took place: dbops repair resume {WORK}" in refused
    )
    hold(ops, Event.REPAIR_RUN, WORK, committed=False)
    done(mend(ops))
    assert wards(ops) == AFTER
    undo_agreed(ops, UNDO)
    kill_at(ops, Stage.COMMITTING, "repair", "undo", UNDO, "--yes")
    assert wards(ops) == AFTER
    hold(ops, Event.REPAIR_UNDO, UNDO, committed=False)
    done(take_back(ops, UNDO))
    assert wards(ops) == BEFORE


def test_killed_after_commit(ops: Ops) -> None:
    """It took place; its approvals are used up, and its bundle takes it back."""
    kill_at(ops, Stage.COMMITTED, "repair", "run", WORK, "--yes")
    assert wards(ops) == AFTER
    hold(ops, Event.REPAIR_RUN, WORK, committed=True)
    refused = mend(ops)
    assert refused.exit_code == 5
    assert USED in refused.output
    undo_agreed(ops, UNDO)
    kill_at(ops, Stage.COMMITTED, "repair", "undo", UNDO, "--yes")
    assert wards(ops) == BEFORE
    hold(ops, Event.REPAIR_UNDO, UNDO, committed=True)
    assert USED in take_back(ops, UNDO).output
    assert wards(ops) == BEFORE


@pytest.fixture
def lab(pg15: PgServer) -> Iterator[PgDatabase]:
    """The same visits on a server, and a role that repairs; both gone afterwards."""
    name = f"killed_{secrets.token_hex(6)}"
    role = sql.Identifier(f"mender_{name}")
    pg15.create_database(name)
    found = PgDatabase(pg15, name)
    with found.connect() as connection:
        connection.execute(LAB)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'mend'").format(role))
    yield found
    pg15.drop_database(name)
    with pg15.connect("postgres") as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


LAB = """
CREATE TABLE visit(id bigint PRIMARY KEY, ward text NOT NULL);
INSERT INTO visit SELECT n, 'OLD' FROM generate_series(1, 3) AS n;
"""


def moved_in(ops: Ops, lab: PgDatabase) -> None:
    """Afterwards the estate's repair is one of the database on the server, approved."""
    add_lab(ops.root, lab)
    add_logins(ops.root, lab, f"mender_{lab.name}", "mend")
    wiring = wiring_of(ops)
    engine = wiring.repair_engine(wiring.database("lab"))
    engine.install(engine.prepare_sql([TableName("public", "visit")]))
    write(ops, ON_SERVER)
    turn_to(ops, "lab", ON_SERVER)
    sign(ops, ON_SERVER)


@pytest.mark.parametrize("stage", [Stage.COMMITTING, Stage.COMMITTED])
def test_killed_on_a_server(ops: Ops, lab: PgDatabase, stage: Stage) -> None:
    """The same on PostgreSQL, where the server ends what its client left open."""
    moved_in(ops, lab)
    kill_at(ops, stage, "repair", "run", ON_SERVER, "--yes")
    committed = stage is Stage.COMMITTED
    assert wait_until(lambda: not is_at_work(lab)), "the server does not notice"
    assert {ward for _, ward in rows_of(lab)} == ({"ORT"} if committed else {"OLD"})
    hold(ops, Event.REPAIR_RUN, ON_SERVER, committed=committed)
    again = mend(ops, ON_SERVER)
    assert again.exit_code == (5 if committed else 0), again.output
    assert (USED in again.output) is committed
    assert {ward for _, ward in rows_of(lab)} == {"ORT"}
