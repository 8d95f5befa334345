"""In the demo a repair is signed by two people; then one byte of its script changes."""

from __future__ import annotations

from dataclasses import dataclass

from dbops.cli.demo_office import Office
from dbops.cli.repair_run import run_reviewed
from dbops.cli.repairing import read_repair
from dbops.errors import Refused
from dbops.review.grounds import Reason
from dbops.review.work import SCRIPT, Kind


@dataclass(frozen=True, slots=True)
class SignOff:
    """A repair of the demo: whether it was approved, and why not after one byte changed."""

    work: str
    approved: bool
    refused: Reason | None


def sign_off(office: Office, work_id: str) -> SignOff:
    """Afterwards the repair is approved, and was refused meanwhile, when one byte was another."""
    office.request(work_id)
    office.approve(work_id)
    approved = office.approved(work_id)
    script = office.worktree / Kind.REPAIR.folder / work_id / SCRIPT
    text = script.read_bytes()
    script.write_bytes(text.replace(b">", b"<", 1))
    office.commit("Change one byte")
    refused = refusal(office, work_id, undo=False)
    script.write_bytes(text)
    office.commit("Change it back")
    return SignOff(work_id, approved, refused)


def refusal(office: Office, work_id: str, *, undo: bool) -> Reason | None:
    """Why the repair or the undo was not run; None where it was."""
    found = read_repair(office.wiring, work_id)
    try:
        run_reviewed(office.wiring, found, undo=undo)
    except Refused as refused:
        return Reason(refused.code, refused.message)
    return None
