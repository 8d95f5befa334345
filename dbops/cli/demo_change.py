"""The demo's change of schema: drawn up, stopped by a rule, mended, rehearsed, signed and run.

Afterwards somebody alters a table by hand, and drift is found. All of it goes through the functions
that the commands use, and all of it is in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dbops.change.draw_up import NewChange, draw_up_change
from dbops.change.report import ChangeReport
from dbops.change.rules.lint import blocking
from dbops.change.step import VERIFY, Direction
from dbops.cli.change_drift import look_for_drift
from dbops.cli.change_lint import lint_change
from dbops.cli.change_rehearse import rehearse_change_recorded
from dbops.cli.change_run import run_reviewed_change
from dbops.cli.changing import read_change, told
from dbops.cli.demo_office import ENGINEER, Office
from dbops.demo.hospital import act_in_hospital
from dbops.demo.wrong_ward import DATABASE, Act
from dbops.review.new_work import create_work
from dbops.review.work import DOWN, UP, Kind, Work

CHANGE: Final = "2026-121-visit-referrer"
TICKET: Final = "T-2026-121"

_MANIFEST_REST: Final = """\
touches:
  - create column visit.referred_by
  - create index visit_referred_by
data_loss: none
personal: {visit.referred_by: physician}
"""
_HASTY: Final = """\
-- step: who referred the patient
ALTER TABLE visit ADD COLUMN referred_by TEXT NOT NULL;
"""
_UP: Final = """\
-- step: who referred the patient
ALTER TABLE visit ADD COLUMN referred_by TEXT NOT NULL DEFAULT '';

-- step: find visits by who referred them
CREATE INDEX visit_referred_by ON visit (referred_by);
"""
_DOWN: Final = """\
-- step: the index first
DROP INDEX visit_referred_by;

-- step: the column
ALTER TABLE visit DROP COLUMN referred_by;
"""
_VERIFY: Final = """\
SELECT count(*) = 0 FROM visit WHERE referred_by IS NULL;
"""


@dataclass(frozen=True, slots=True)
class Changed:
    """What the demo shows of changes.

    `stopped` are the rules that stopped the hasty version, `words` what the change came to, `drift`
    what was found after somebody's ALTER.
    """

    work: str
    database: str
    stopped: tuple[str, ...]
    rehearsed: str
    steps: int
    words: tuple[str, ...]
    drift: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether the rule stopped it, the change came to what it says, and the drift was found."""
        return "DDL-NN" in self.stopped and len(self.words) == len(self.drift) + 1 == 2


def change_and_drift(
    office: Office, databases: Path, announce: Callable[[str], None], *, quiet: bool
) -> Changed:
    """Afterwards the database has a new column and index, and one column that nobody signed for."""
    announce("a change of schema is drawn up; a rule stops it; mended, it is rehearsed and signed")
    stopped = _draw_up(office)
    backup = _rehearse(office, quiet=quiet)
    office.request(CHANGE)
    office.approve(CHANGE)
    wiring = office.wiring
    report = run_reviewed_change(wiring, read_change(wiring, CHANGE), DATABASE, Direction.UP)
    announce("somebody alters the same table by hand, past every signature")
    act_in_hospital(databases, Act.ALTER_BY_HAND)
    _, drift = look_for_drift(wiring, DATABASE)
    return _told(report, stopped, backup, tuple(told(drift)))


def _draw_up(office: Office) -> tuple[str, ...]:
    """Afterwards the change lies in the work tree, mended; returns the rules that stopped it."""
    wiring = office.wiring
    new = NewChange(
        id=CHANGE,
        title="Visits say who referred the patient",
        author=ENGINEER,
        databases=(DATABASE,),
        ticket=TICKET,
        why="the insurance asks for it on every claim",
    )
    drawn = draw_up_change(new)
    head = drawn.files[Kind.CHANGE.manifest].decode().partition("touches:")[0]
    files = {
        Kind.CHANGE.manifest: (head + _MANIFEST_REST).encode(),
        UP: _HASTY.encode(),
        DOWN: _DOWN.encode(),
        VERIFY: _VERIFY.encode(),
    }
    create_work(office.worktree, Work(Kind.CHANGE, CHANGE, drawn.folder, files))
    found = read_change(wiring, CHANGE)
    stops = blocking(lint_change(wiring, found, ask=True), found.change.accepted)
    (office.worktree / found.work.folder / UP).write_text(_UP, "utf-8")
    return tuple(dict.fromkeys(each.rule for each in stops))


def _rehearse(office: Office, *, quiet: bool) -> str:
    """Afterwards the evidence lies beside the change; returns the backup that it is of."""
    office.request(CHANGE)
    (found,) = rehearse_change_recorded(office.wiring, CHANGE, jobs=1, quiet=quiet)
    return found.backup


def _told(
    report: ChangeReport, stopped: tuple[str, ...], backup: str, drift: tuple[str, ...]
) -> Changed:
    return Changed(
        work=report.work,
        database=report.database,
        stopped=stopped,
        rehearsed=backup,
        steps=len(report.steps),
        words=tuple(told(report.differences)),
        drift=drift,
    )
