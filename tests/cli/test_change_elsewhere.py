"""`dbops change resume` asks the database that the run was on, not whatever its alias leads to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Event, Label, Phase
from dbops.cli.ledger import ledger_of
from tests.cli import changes
from tests.cli.changes import WORK
from tests.cli.ops import Ops, found_ops
from tests.cli.repairs import done, said, wiring_of
from tests.crash.change_lab import ask_nothing
from tests.support.estate import run_sql


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    """An estate whose ledger has a run that nobody knows the end of."""
    ops = found_ops(tmp_path / "estate")
    run_sql(ops.root / "example.db", changes.HOSPITAL)
    ask_nothing(ops)
    changes.write(ops)
    ops.commit()
    wiring = wiring_of(ops)
    identity = wiring.engine(wiring.database("example")).identity()
    names = {Label.RUN: "0" * 32, Label.IDENTITY: identity}
    event, phase = Event.CHANGE_RUN, Phase.INTENT
    ledger_of(wiring).append(
        Draft(event=event, phase=phase, target="example", work=WORK, names=names)
    )
    return ops


def test_an_alias_that_leads_elsewhere(ops: Ops) -> None:
    """A database that the run was never on says nothing about it, and nothing is recorded."""
    shutil.move(ops.root / "example.db", ops.root / "moved.db")
    (ops.root / "example.db").symlink_to("moved.db")
    assert said(ops.run("change", "resume", WORK)) == (
        5,
        f"error: example is another database now than the one that {WORK} ran on\n"
        "hint: let the name in dbops.toml lead to that one, and ask again\n",
    )
    (ops.root / "example.db").unlink()
    shutil.move(ops.root / "moved.db", ops.root / "example.db")
    told = done(ops.run("change", "resume", WORK)).stdout
    assert told.endswith("): it did not take place\n")
