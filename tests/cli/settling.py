"""An estate in which the run of a change of three parts broke off, and what is known of it then."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.cli.changes import WORK, agreed, approve, found_changes, record, request, run
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
    down = f"ALTER TABLE place DROP COLUMN phone;\n-- part: index\n{DOWN}"
    return agreed_to(tmp_path_factory.mktemp("settled") / "estate", UP, down, TOUCHES)


def agreed_to(root: Path, up: str, down: str, touches: tuple[str, ...]) -> Ops:
    """An estate whose schema is recorded, and a change that was rehearsed, asked for, approved."""
    ops = found_changes(root)
    record(ops)
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    agreed(ops, up=up, down=down, touches=touches, verify="SELECT 1 = 1;\n", more="")
    return ops


def broken_off(signed: Ops, folder: Path, stage: Stage) -> Ops:
    """A copy of the estate, in which an approved run was killed at the stage."""
    found = copy_ops(signed, folder)
    request(found)
    approve(found)
    killed(lambda: run_watched(found, at(stage)))
    return found


def has_run(signed: Ops, folder: Path) -> Ops:
    """A copy of the estate, in which an approved run came to its end."""
    found = copy_ops(signed, folder)
    request(found)
    approve(found)
    done(run(found))
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


def at(stage: Stage, number: int = 1) -> Callable[[Moment], None]:
    """An observer that dies at a stage, told for the how-manieth time."""
    left = number

    def observe(moment: Moment) -> None:
        nonlocal left
        left -= moment.stage is stage
        if moment.stage is stage and not left:
            os._exit(DEAD)

    return observe


def run_watched(
    ops: Ops, watch: Callable[[Moment], None], direction: Direction = Direction.UP
) -> None:
    wiring = wiring_of(ops)
    run_reviewed_change(wiring, read_change(wiring, WORK), "example", direction, watch)


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


def state(ops: Ops) -> str:
    """How `list` says that the change stands."""
    changes = json.loads(done(ops.run("change", "list", "--json")).stdout)["changes"]
    (change,) = (each for each in changes if each["id"] == WORK)
    (place,) = change["databases"]
    return str(place["state"])


def open_intents(ops: Ops) -> list[Event]:
    """What the ledger has no end of."""
    entries = entries_of(ops.root)
    answered = {entry.draft.of for entry in entries}
    return [
        entry.draft.event
        for entry in entries
        if entry.draft.phase is Phase.INTENT and entry.sequence not in answered
    ]


@contextmanager
def elsewhere(ops: Ops) -> Iterator[None]:
    """In the context another host's ledger is there, which knows nothing; then this one's again."""
    here, aside = ops.root / "audit", ops.root / "aside"
    shutil.copytree(here, aside)
    forget(ops)
    yield
    shutil.rmtree(here)
    aside.rename(here)


def forget(ops: Ops) -> None:
    """Another host, or a new ledger: nothing is known of any run."""
    shutil.rmtree(ops.root / "audit")
    done(ops.run("audit", "heartbeat"))
