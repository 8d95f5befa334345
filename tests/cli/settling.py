"""An estate in which the run of a change of three parts broke off, and what is known of it then."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Event, Phase
from dbops.change.resume import Onward
from dbops.change.stage import Moment, Stage
from dbops.change.step import Direction
from dbops.cli.change_run import run_reviewed_change
from dbops.cli.change_settling import settle
from dbops.cli.change_unsettled import unsettled_here
from dbops.cli.changing import read_change
from tests.cli.changes import WORK, agreed, approve, found_changes, record, request
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, rows, wiring_of
from tests.support.ledger import Deed, deeds_of, entries_of

UP = """\
-- step: rooms
CREATE TABLE room (code TEXT PRIMARY KEY);
-- part: index
CREATE INDEX visit_note ON visit (note);
-- part: phones
ALTER TABLE place ADD COLUMN phone TEXT;
"""
DOWN = """\
DROP INDEX IF EXISTS visit_note;
-- part: the rooms
DROP TABLE IF EXISTS room;
"""
TOUCHES = ("create table room", "create index visit_note", "create column place.phone")
DEAD = 9  # an exit status


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a change of three parts that everybody agreed to."""
    ops = found_changes(tmp_path_factory.mktemp("settled") / "estate")
    record(ops)
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    down = f"ALTER TABLE place DROP COLUMN phone;\n-- part: index\n{DOWN}"
    agreed(ops, up=UP, down=down, touches=TOUCHES, verify="SELECT 1 = 1;\n", more="")
    return ops


def broken_off(signed: Ops, folder: Path, stage: Stage) -> Ops:
    """A copy of the estate, in which an approved run was killed at the stage."""
    found = copy_ops(signed, folder)
    request(found)
    approve(found)
    killed(lambda: run_watched(found, at(stage)))
    return found


def void(_: object) -> None:
    """Nobody wants it."""


def killed(act: Callable[[], None]) -> None:
    """Afterwards a process has died in the middle of it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DEAD


def at(stage: Stage) -> Callable[[Moment], None]:
    def observe(moment: Moment) -> None:
        if moment.stage is stage:
            os._exit(DEAD)

    return observe


def run_watched(ops: Ops, watch: Callable[[Moment], None]) -> None:
    wiring = wiring_of(ops)
    run_reviewed_change(wiring, read_change(wiring, WORK), "example", Direction.UP, watch)


def resume_watched(ops: Ops, watch: Callable[[Moment], None]) -> None:
    wiring = wiring_of(ops)
    (left,) = unsettled_here(wiring)
    settle(wiring, left, Onward.FINISH, watch)


def resumes(ops: Ops) -> list[Deed]:
    """The attempts to settle it that the ledger has."""
    return deeds_of(ops.root, Event.CHANGE_RESUME)


def outcome(deed: Deed) -> Draft:
    assert deed.outcome is not None
    return deed.outcome


def runs_of_journal(ops: Ops) -> list[str]:
    """The runs that wrote into the journal, in its order."""
    found = json.loads(rows(ops, "SELECT run FROM dbops_change ORDER BY sequence"))
    return [row[0] for row in found]


def open_intents(ops: Ops) -> list[Event]:
    """What the ledger has no end of."""
    entries = entries_of(ops.root)
    answered = {entry.draft.of for entry in entries}
    return [
        entry.draft.event
        for entry in entries
        if entry.draft.phase is Phase.INTENT and entry.sequence not in answered
    ]


def forget(ops: Ops) -> None:
    """Another host, or a new ledger: nothing is known of any run."""
    shutil.rmtree(ops.root / "audit")
    done(ops.run("audit", "heartbeat"))
