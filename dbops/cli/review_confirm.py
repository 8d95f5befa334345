"""`dbops review confirm`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import confirm, yes_option
from dbops.cli.review_sign import ShownSigner, key_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.cli.review_overview import Desk
    from dbops.review.memory import Use
    from dbops.review.policy import Person


@click.command("confirm")
@click.argument("work_id", metavar="ID")
@key_option
@yes_option
@click.pass_obj
def confirm_use(estate: str | None, work_id: str, key: str, yes: bool) -> None:  # noqa: FBT001
    """Say that you have reviewed what was done about ID by break-glass.

    Where nobody has in time who neither asked for it nor broke the glass, nothing else may run. It
    stands in this host's ledger alone, so this is done where the work was run.

    \b
    Example: dbops review confirm 2026-117-lab --key ~/.ssh/id_ed25519
    Exit statuses: 0 done, 2 usage, 5 you may not, 10 nothing of ID waits for a review, 11 the
    ledger cannot be written.
    """
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.crypto.sshsig import Namespace
    from dbops.errors import NotFound
    from dbops.keys.recipients import load_signer

    wiring = open_wiring(estate)
    desk = open_desk(wiring)
    waiting = [use for use in desk.memory.unreviewed() if use.work == work_id]
    if not waiting:
        raise NotFound(
            "nothing-to-review",
            f"nothing of {work_id} was done by break-glass that waits for a review",
            hint="dbops review list",
        )
    signer = ShownSigner(load_signer(Path(key)), lambda text: _agree(text, yes=yes))
    principal = wiring.trust.judge(signer.public_key, Namespace.APPROVAL, desk.now)
    _refuse_involved(desk, waiting, principal)
    # A .pub file alone proves nothing: the key must be at hand.
    signer.sign(_text(desk, waiting, principal), Namespace.APPROVAL)
    _record(desk, waiting, principal, signer.public_key.fingerprint)
    click.echo(f"{work_id} was reviewed by {principal}")


def _record(desk: Desk, waiting: list[Use], principal: str, fingerprint: str) -> None:
    """Afterwards the ledger has a record for each use."""
    from dbops.audit.entry import DigestOf, Draft, Event, Label, Result
    from dbops.cli.ledger import checkpoint_quietly, ledger_of

    ledger = ledger_of(desk.wiring)
    for use in waiting:
        ledger.append(
            Draft(
                event=Event.REVIEW_CONFIRM,
                target=use.database,
                work=use.work,
                names={Label.PRINCIPAL: principal, Label.KEY: fingerprint},
                digests={DigestOf.STATEMENT: _broken_statement(desk, use)},
                result=Result.DONE,
            )
        )
    checkpoint_quietly(desk.wiring)


def _agree(text: bytes, *, yes: bool) -> None:
    from dbops.cli.render import say

    say(text.decode("utf-8").rstrip("\n"))
    if not yes:
        confirm("Was this right, and did you look at what it did?")


def _text(desk: Desk, waiting: list[Use], principal: str) -> bytes:
    """What the reviewer reads; its signature shows that the key is at hand."""
    uses = [
        f"  {use.at:%Y-%m-%dT%H:%M:%SZ}  ledger entry {use.sequence}"
        f"  {use.database or '-'}  {use.effect.value}"
        for use in waiting
    ]
    lines = ["dbops-confirm/v1", f"id: {waiting[0].work}", f"signer: {principal}"]
    lines += [f"signed-at: {desk.now:%Y-%m-%dT%H:%M:%SZ}", "uses:", *uses]
    return ("\n".join(lines) + "\n").encode()


def _refuse_involved(desk: Desk, waiting: list[Use], principal: str) -> None:
    """The reviewer has a role that agrees to work, and had no part in this."""
    from dbops.errors import Refused

    person = desk.policy.person_of(principal)
    roles = {role for rule in desk.policy.rules for role in rule.quorum}
    if person is None or not any(desk.policy.holds(person, role) for role in roles):
        raise Refused(
            "confirm-role",
            f"{principal} has no role whose agreement the policy asks for",
            hint="dbops trust show",
        )
    involved = {one.id for use in waiting for one in _involved(desk, use)}
    if person.id in involved:
        raise Refused(
            "confirm-involved",
            f"{person.id} asked for the work or broke the glass, and cannot review it",
            hint="somebody else reviews it: dbops trust show",
        )


def _involved(desk: Desk, use: Use) -> Iterator[Person]:
    """Everybody on whose statements the use rested; raises where somebody is not known."""
    from dbops.errors import Refused

    seen = {each.sha256: each.principal for each in desk.memory.seen if each.work == use.work}
    for sha256 in use.approvals:
        principal = seen.get(sha256)
        person = None if principal is None else desk.policy.person_of(principal)
        if person is None:
            raise Refused(
                "confirm-unknown",
                f"the ledger does not say who signed what {use.work} was run on",
                hint=f"see the entry: dbops audit show {use.sequence}",
            )
        yield person


def _broken_statement(desk: Desk, use: Use) -> str:
    """The sha256 of the statement that broke the glass."""
    from dbops.review.statement import Decision

    broken = [
        each.sha256
        for each in desk.memory.seen
        if each.sha256 in use.approvals and each.decision is Decision.BREAK_GLASS
    ]
    return broken[0] if broken else use.approvals[-1]
