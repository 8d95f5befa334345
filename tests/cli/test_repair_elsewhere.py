"""`dbops repair resume` asks the database that the run was on, not whatever its alias leads to."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Event, Label, Phase
from dbops.cli.ledger import ledger_of
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import WORK, done, prepare, said, wiring_of
from tests.cli.settling import DEAD, killed
from tests.support.estate import run_sql
from tests.support.ledger import entries_of


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    """An estate whose ledger has a run that died, and nobody knows the end of."""
    ops = found_ops(tmp_path / "estate")
    run_sql(ops.root / "example.db", "CREATE TABLE visit(id INTEGER PRIMARY KEY)")
    prepare(ops)
    wiring = wiring_of(ops)
    identity = wiring.engine(wiring.database("example")).identity()
    names = {Label.RUN: "0" * 32, Label.IDENTITY: identity}
    event, phase = Event.REPAIR_RUN, Phase.INTENT

    def dies() -> None:
        ledger_of(wiring).append(
            Draft(event=event, phase=phase, target="example", work=WORK, names=names)
        )
        os._exit(DEAD)

    killed(dies)
    return ops


def test_an_alias_that_leads_elsewhere(ops: Ops) -> None:
    """A database that the run was never on says nothing about it, and nothing is recorded."""
    shutil.move(ops.root / "example.db", ops.root / "moved.db")
    (ops.root / "example.db").symlink_to("moved.db")
    found = ops.run("repair", "resume")
    assert found.exit_code == 5
    assert f"example is another database now than the one that {WORK} ran on" in found.output
    (ops.root / "example.db").unlink()
    shutil.move(ops.root / "moved.db", ops.root / "example.db")
    (told,) = json.loads(ops.run("repair", "resume", "--json").stdout)
    assert told["fate"] == "did not take place"


def test_a_person_explains_only_what_the_database_cannot(ops: Ops, tmp_path: Path) -> None:
    """As long as it is there, the hint is what asks it."""
    entry = entries_of(ops.root)[-1].sequence
    words = ("audit", "close", entry, "--reason", "the host lost power, ticket 311")
    assert said(ops.run(*words)) == (
        5,
        f"error: entry {entry} is not for a person to explain: example can be asked what became of"
        f" {WORK}\nhint: the database knows what became of it: dbops repair resume {WORK}\n",
    )
    moved = copy_ops(ops, tmp_path / "moved")
    assert done(moved.run(*words)).stdout.startswith(f"entry {entry} is closed by entry ")
