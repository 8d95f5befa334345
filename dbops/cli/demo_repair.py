"""The demo's repair: drawn up from a playbook, rehearsed, signed, run, and taken back.

Visits were booked to a ward that is closed. All of it goes through the functions that the commands
use, and all of it is in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dbops.cli.demo_office import ENGINEER, Office
from dbops.cli.demo_signoff import SignOff, refusal, sign_off
from dbops.cli.rehearsing import plan_rehearsal
from dbops.cli.repair_drawing import Said, Source, draw
from dbops.cli.repair_entries import shown
from dbops.cli.repair_lint import lint_repair
from dbops.cli.repair_prepare import prepare_reviewed
from dbops.cli.repair_rehearse import rehearse_recorded
from dbops.cli.repair_rows import differences
from dbops.cli.repair_run import run_reviewed
from dbops.cli.repairing import bundle_place, last_bundle, read_repair, row_identities
from dbops.cli.reviewing import recording_if_there
from dbops.demo.hospital import act_in_hospital, digest_of_visits
from dbops.demo.wrong_ward import CLOSED, DATABASE, RIGHT, SINCE, VISITS, Act
from dbops.repair.difference import RowDifference
from dbops.repair.prepare import Preparation, draw_up_preparation
from dbops.repair.report import RunReport
from dbops.repair.rules.lint import blocking
from dbops.review.grounds import Reason
from dbops.review.new_work import create_work
from dbops.review.work import Risk

PREPARE: Final = "2026-116-prepare"
REPAIR: Final = "2026-117-visit-ward"
UNDO: Final = "2026-118-visit-ward-undo"
TICKET: Final = "T-2026-117"
PLAYBOOK: Final = "move-visits-to-ward"
SETTINGS: Final = (
    "visits=visit",
    "ward=department_code",
    "admitted=admitted_at",
    "wards=department",
    "ward_key=code",
    "ward_closed=closed_at",
    f"from_ward={CLOSED}",
    f"to_ward={RIGHT}",
    f"since={SINCE}",
    f"visits_moved={VISITS}",
)


@dataclass(frozen=True, slots=True)
class Run:
    """The repair as it ran. `rows` are those of the sealed bundle, before and after.

    `rehearsed` is the backup on which it was rehearsed, `blocked` how many rules stopped it.
    """

    work: str
    database: str
    rehearsed: str
    blocked: int
    updated: int
    rows: tuple[RowDifference, ...]

    @property
    def good(self) -> bool:
        """Whether exactly the rows that were wrong were changed."""
        return self.blocked == 0 and self.updated == len(self.rows) == VISITS


@dataclass(frozen=True, slots=True)
class Undone:
    """The undo: why it was refused while a row was another, and what it restored afterwards."""

    work: str
    refused: Reason | None
    restored: int
    equal: bool

    @property
    def good(self) -> bool:
        """Whether it was refused when it had to be, and then put every row back."""
        conflict = self.refused is not None and self.refused.code == "undo-conflict"
        return conflict and self.equal and self.restored == VISITS


@dataclass(frozen=True, slots=True)
class Repaired:
    """What the demo shows of repairs: the signatures, the run, and the way back."""

    sign_off: SignOff
    run: Run
    undo: Undone

    @property
    def good(self) -> bool:
        """Whether all of it went as it should."""
        signed = self.sign_off.approved and self.sign_off.refused is not None
        return signed and self.run.good and self.undo.good


def repair_and_undo(
    office: Office, databases: Path, announce: Callable[[str], None], *, quiet: bool
) -> Repaired:
    """Afterwards the rows are as before: repaired, and taken back again.

    `databases` is where the hospital's files lie. Raises DbopsError where something does not go
    as it should.
    """
    before = digest_of_visits(databases)
    announce(f"{VISITS} visits stand in a closed ward; a repair of them is rehearsed on a backup")
    _prepare(office)
    blocked, backup = _draw_and_rehearse(office, quiet=quiet)
    announce("two people sign it; one byte of its script changes, and it is refused; then it runs")
    signed = sign_off(office, REPAIR)
    run = _run(office, blocked, backup)
    announce("an undo is signed; somebody edits a row, so it is refused; the row is put back")
    undone = _undo(office, databases, before)
    return Repaired(signed, run, undone)


def _prepare(office: Office) -> None:
    """Afterwards the database has the table in which dbops marks what it committed."""
    wanted = Preparation(
        id=PREPARE,
        title=f"Make {DATABASE} ready for repairs",
        author=ENGINEER,
        ticket=TICKET,
        risk=Risk.LOW,
        database=DATABASE,
        tables=(),
    )
    wiring = office.wiring
    engine = wiring.repair_engine(wiring.database(DATABASE))
    create_work(office.worktree, draw_up_preparation(wanted, engine))
    office.request(PREPARE)
    office.approve(PREPARE)
    prepare_reviewed(wiring, DATABASE, PREPARE)


def _draw_and_rehearse(office: Office, *, quiet: bool) -> tuple[int, str]:
    """Return how many rules stop the repair, and the backup on which it was rehearsed."""
    wiring = office.wiring
    draw(wiring, _said(REPAIR, f"{VISITS} visits booked to a closed ward"), _source(PLAYBOOK))
    found = read_repair(wiring, REPAIR)
    blocked = blocking(lint_repair(wiring, found, ask=True), found.repair.accepted)
    office.request(REPAIR)
    plan = plan_rehearsal(wiring, REPAIR)
    rehearse_recorded(wiring, plan, jobs=1, quiet=quiet)
    return len(blocked), str(plan.backup.id)


def _run(office: Office, blocked: int, backup: str) -> Run:
    wiring = office.wiring
    found, reports = run_reviewed(wiring, read_repair(wiring, REPAIR), undo=False)
    with recording_if_there(wiring, shown(REPAIR, DATABASE, reports[-1].run)):
        bundle = last_bundle(bundle_place(wiring), REPAIR, row_identities(wiring, ()))
        rows = tuple(differences(bundle, found.repair.show, None))
    return Run(REPAIR, DATABASE, backup, blocked, _updated(reports), rows)


def _undo(office: Office, databases: Path, before: str) -> Undone:
    """A nurse moves one of the patients to another bed, and later back."""
    wiring = office.wiring
    draw(wiring, _said(UNDO, None), _source(None))
    office.request(UNDO)
    office.approve(UNDO)
    act_in_hospital(databases, Act.MOVE_TO_ANOTHER_BED)
    refused = refusal(office, UNDO, undo=True)
    if refused is None:
        return Undone(UNDO, None, 0, equal=False)
    act_in_hospital(databases, Act.MOVE_BACK)
    _, reports = run_reviewed(wiring, read_repair(wiring, UNDO), undo=True)
    return Undone(UNDO, refused, _updated(reports), digest_of_visits(databases) == before)


def _said(work_id: str, title: str | None) -> Said:
    return Said(
        id=work_id,
        database=DATABASE,
        title=title,
        author=ENGINEER,
        ticket=TICKET,
        risk=None,
        opened=None,
        clocks=(),
        cause="the interface of the registration desk kept the old map of wards",
        fix="T-2026-120",
    )


def _source(playbook: str | None) -> Source:
    """The playbook with what this hospital fills in; without one, the undo of the repair."""
    return Source(
        script=None,
        playbook=playbook,
        settings=() if playbook is None else SETTINGS,
        sealings=(),
        backup=None,
        table=None,
        keys=(),
        undo=REPAIR if playbook is None else None,
        identities=(),
    )


def _updated(reports: tuple[RunReport, ...]) -> int:
    return sum(effect.ops.updated for report in reports for effect in report.tables)
