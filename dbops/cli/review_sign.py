"""`dbops review request`, `approve` and `reject`: a person reads a text and signs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from dbops.cli.options import confirm, yes_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from datetime import datetime

    from dbops.audit.entry import Draft, Event
    from dbops.cli.review_overview import Desk, Overview
    from dbops.crypto.signing import Signer
    from dbops.crypto.sshsig import Namespace, PublicKey
    from dbops.review.decide import Decided, DecideOrder
    from dbops.review.statement import Decision

Command = TypeVar("Command", bound=Callable[..., object])


def _key_option(command: Command) -> Command:
    """`--key KEY`."""
    return click.option(
        "--key",
        required=True,
        type=click.Path(dir_okay=False),
        metavar="SIGNING_KEY",
        help="Your own; a .pub file signs through ssh-agent or a hardware key.",
    )(command)


def _valid_option(command: Command) -> Command:
    return click.option(
        "--valid", metavar="DURATION", help="Such as 7d; else as long as the policy lets it count."
    )(command)


def _worktree_option(command: Command) -> Command:
    return click.option(
        "--worktree", type=click.Path(file_okay=False), help=worktree_option_text()
    )(command)


@click.command()
@click.argument("work_id", metavar="ID")
@_key_option
@_valid_option
@click.option("--note", metavar="TEXT", help="What approvers should know, in one line.")
@click.option(
    "--revert", is_flag=True, help="Ask that the change is taken back, with its down.sql."
)
@_worktree_option
@yes_option
@click.pass_obj
def request(
    estate: str | None,
    work_id: str,
    key: str,
    valid: str | None,
    note: str | None,
    revert: bool,  # noqa: FBT001 - click passes options by name
    worktree: str | None,
    yes: bool,  # noqa: FBT001
) -> None:
    """Sign the work ID as its author: these files, on these databases, within these limits.

    Every database is asked who it is, so this is done where they can be reached. A changed file
    voids the request and every answer to it. Of a change the request says whether it is to be run
    or, with --revert, taken back; nobody's answer to the one counts for the other. Commit what is
    written.

    \b
    Example: dbops review request 2026-117-lab --key ~/.ssh/id_ed25519
    Exit statuses: 0 done, 2 usage, 5 it would not count, or a change cannot be read or requires one
    that nobody knows, 10 no such work, key or policy, 11 a database cannot be reached.
    """
    from dbops.review.statement import Decision

    wanted = _Wanted(Decision.REQUEST, work_id, key, valid, note, worktree=worktree, yes=yes)
    _sign(estate, replace(wanted, takes_back=revert))


@click.command()
@click.argument("work_id", metavar="ID")
@_key_option
@click.option("--role", metavar="ROLE", help="As what; needed where you have several.")
@click.option("--note", metavar="TEXT", help="What was looked at, in one line.")
@_valid_option
@click.option("--break-glass", is_flag=True, help="Decide alone, for hours, with a --note.")
@_worktree_option
@yes_option
@click.pass_obj
def approve(
    estate: str | None,
    work_id: str,
    key: str,
    role: str | None,
    note: str | None,
    valid: str | None,
    break_glass: bool,  # noqa: FBT001 - click passes options by name
    worktree: str | None,
    yes: bool,  # noqa: FBT001
) -> None:
    """Sign that the work ID may be done as its author requested it.

    What will be signed is shown first: read it together with dbops review show. With --break-glass
    it stands in for everybody else's agreement, for hours; afterwards the others approve as well,
    and dbops review confirm records that. Commit what is written.

    \b
    Example: dbops review approve 2026-117-lab --key ~/.ssh/id_ed25519
    Exit statuses: 0 done, 2 usage, 5 it would not count, 10 no such work, key or policy.
    """
    from dbops.errors import UsageFault
    from dbops.review.statement import Decision

    decision = Decision.BREAK_GLASS if break_glass else Decision.APPROVE
    if break_glass and not note:
        raise UsageFault(
            "breakglass-note",
            "who decides alone says why",
            hint='add --note "why nobody else could be asked"',
        )
    _sign(estate, _Wanted(decision, work_id, key, valid, note, role, worktree=worktree, yes=yes))


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
@_key_option
@click.option("--role", metavar="ROLE", help="As what.")
@_worktree_option
@yes_option
@click.pass_obj
def reject(
    estate: str | None,
    work_id: str,
    reason: str,
    key: str,
    role: str | None,
    worktree: str | None,
    yes: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Sign that the work ID may not be done; it holds until you approve it yourself.

    \b
    Example: dbops review reject 2026-117-lab --reason "the ward list is old" --key KEY
    Exit statuses: 0 done, 2 usage, 5 it would not count, 10 no such work, key or policy.
    """
    from dbops.review.statement import Decision

    wanted = _Wanted(Decision.REJECT, work_id, key, None, reason, role, worktree=worktree, yes=yes)
    _sign(estate, wanted)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line says."""

    decision: Decision
    work_id: str
    key: str
    valid: str | None
    note: str | None
    role: str | None = None
    worktree: str | None = None
    yes: bool = False
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class ShownSigner:
    """Signs what a person was shown and agreed to, byte for byte."""

    signer: Signer
    agree: Callable[[bytes], None]

    @property
    def public_key(self) -> PublicKey:
        """The key that signs."""
        return self.signer.public_key

    def sign(self, message: bytes, namespace: Namespace) -> str:
        """Return the armored signature; raises what `agree` raises where nobody agrees."""
        self.agree(message)
        return self.signer.sign(message, namespace)


def _sign(estate: str | None, wanted: _Wanted) -> None:
    """Afterwards the statement lies beside the work; the ledger has it where it can."""
    from dbops.cli.change_open import open_errors
    from dbops.cli.render import say
    from dbops.cli.review_open import open_remarks
    from dbops.cli.review_overview import Asked
    from dbops.cli.reviewing import identity_of, open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.keys.recipients import load_signer
    from dbops.review.statement import Decision

    _refuse_note(wanted)
    wiring = open_wiring(estate)
    desk = open_desk(wiring, wanted.worktree)
    (folder,) = desk.folders(wanted.work_id)
    author = wanted.decision is Decision.REQUEST
    overview = desk.look(folder, Asked.THERE_OR_TO_BE if author else Asked.THERE)
    order = _order(desk, overview, wanted)
    approves = wanted.decision in {Decision.APPROVE, Decision.BREAK_GLASS}
    asks = wanted.decision is not Decision.REJECT
    stops = [
        *(open_errors(wiring, desk, overview) if approves else ()),
        *(open_remarks(overview) if asks else ()),
    ]
    signer = ShownSigner(load_signer(Path(wanted.key)), lambda text: _agree(text, stops, wanted))
    for alias in overview.identities.unchecked:
        if author:
            identity_of(wiring, alias)  # says why it cannot be asked
        say(f"remark: {alias} is not in reach of this host: its identity is as its author says")
    decided = _sign_recorded(desk, overview, order, signer, wanted)
    click.echo(f"{decided.path}")
    say(f"signed as {decided.statement.signer}; commit it with its .sig")
    _tell_rest(desk, folder)


def decide_recorded(desk: Desk, work_id: str, decision: Decision, signer: Signer) -> Decided:
    """Afterwards the signer's decision lies beside the work, and the ledger has it where it can.

    Nobody is asked, and nothing is shown: for who signs with a key of this process.
    """
    from dbops.cli.review_overview import Asked
    from dbops.review.statement import Decision

    (folder,) = desk.folders(work_id)
    author = decision is Decision.REQUEST
    overview = desk.look(folder, Asked.THERE_OR_TO_BE if author else Asked.THERE)
    wanted = _Wanted(decision, work_id, "", None, None, yes=True)
    return _sign_recorded(desk, overview, _order(desk, overview, wanted), signer, wanted)


def _sign_recorded(
    desk: Desk, overview: Overview, order: DecideOrder, signer: Signer, wanted: _Wanted
) -> Decided:
    from dbops.audit.entry import DigestOf, Label
    from dbops.cli.reviewing import recording_if_there

    with recording_if_there(desk.wiring, _draft(overview, wanted, signer)) as account:
        decided = _decide(desk, order, signer, wanted)
        account.name(Label.PRINCIPAL, decided.statement.signer)
        account.digest(DigestOf.STATEMENT, decided.sha256)
    return decided


def _refuse_note(wanted: _Wanted) -> None:
    from dbops.cli.review_new import is_plain
    from dbops.errors import UsageFault
    from dbops.review.statement import Decision, is_note

    if wanted.note is None or (is_note(wanted.note) and is_plain(wanted.note)):
        return
    option = "--reason" if wanted.decision is Decision.REJECT else "--note"
    raise UsageFault(
        "bad-note",
        f"{option} is one line of at most 300 characters, none of them hidden",
        hint=f'for example: {option} "compared with the list of the ward"',
    )


def _order(desk: Desk, overview: Overview, wanted: _Wanted) -> DecideOrder:
    from dbops.cli.review_open import refuse_unreadable
    from dbops.review.decide import DecideOrder
    from dbops.review.statement import Decision

    if overview.work is None or overview.fault is not None:
        raise overview.fault or AssertionError("unreachable")
    # What was run by break-glass may have made its database: then the request says which it was.
    answers = wanted.decision is not Decision.REQUEST
    if not answers:
        refuse_unreadable(desk, overview.work, takes_back=wanted.takes_back)
    known = None if overview.unreviewed and answers else overview.identities.known
    return DecideOrder(
        worktree=desk.worktree,
        work=overview.work,
        identities=known,
        role=wanted.role,
        not_after=_end(wanted.valid, desk.now),
        note=wanted.note,
        takes_back=wanted.takes_back,
    )


def _end(valid: str | None, now: datetime) -> datetime | None:
    from dbops.durations import DURATION_RULE, parse_duration
    from dbops.errors import UsageFault

    if valid is None:
        return None
    length = parse_duration(valid)
    if length is None:
        raise UsageFault(
            "bad-duration", f"--valid is no duration: {valid}", hint=f"allowed: {DURATION_RULE}"
        )
    return now.replace(microsecond=0) + length


def _draft(overview: Overview, wanted: _Wanted, signer: Signer) -> Draft:
    from dbops.audit.entry import DigestOf, Draft, Label
    from dbops.cli.entries import fit_ticket

    ticket = overview.manifest.ticket if overview.manifest else None
    return Draft(
        event=_event(wanted.decision),
        work=wanted.work_id,
        ticket=None if ticket is None else fit_ticket(ticket),
        names={Label.DECISION: wanted.decision.value, Label.KEY: signer.public_key.fingerprint},
        digests={DigestOf.PLAN: overview.work.plan} if overview.work else {},
    )


def _event(decision: Decision) -> Event:
    from dbops.audit.entry import Event
    from dbops.review.statement import Decision

    return {
        Decision.REQUEST: Event.REVIEW_REQUEST,
        Decision.APPROVE: Event.REVIEW_APPROVE,
        Decision.BREAK_GLASS: Event.REVIEW_APPROVE,
        Decision.REJECT: Event.REVIEW_REJECT,
    }[decision]


def _decide(desk: Desk, order: DecideOrder, signer: Signer, wanted: _Wanted) -> Decided:
    import secrets

    from dbops.review.decide import approve_work, reject_work, request_work
    from dbops.review.statement import Decision

    trust, nonce = desk.wiring.trust, secrets.token_hex(16)
    match wanted.decision:
        case Decision.REQUEST:
            return request_work(order, desk.policy, trust, signer, desk.now, nonce)
        case Decision.REJECT:
            return reject_work(order, desk.policy, trust, signer, desk.now, nonce)
        case _:
            alone = wanted.decision is Decision.BREAK_GLASS
            return approve_work(
                order, desk.policy, trust, signer, desk.now, nonce, break_glass=alone
            )


def _agree(text: bytes, stops: Iterable[str], wanted: _Wanted) -> None:
    """Show what will be signed, and what stops it still, and ask."""
    from dbops.cli.render import say
    from dbops.review.statement import parse_statement

    say(text.decode("utf-8").rstrip("\n"))
    for line in stops:
        say(line)
    if not wanted.yes:
        purpose = parse_statement(text).purpose
        what = wanted.work_id if purpose is None else f"{wanted.work_id}: {purpose.value}"
        confirm(f"Sign this ({wanted.decision.value} of {what})?")


def _tell_rest(desk: Desk, folder: Path) -> None:
    """What is still missing now, and the statements recorded as seen where there is a ledger."""
    from dbops.cli.render import say
    from dbops.cli.reviewing import open_desk, see_quietly

    after = open_desk(desk.wiring, str(desk.worktree))
    overview = after.look(folder)
    if overview.work is not None:
        remark = see_quietly(after.wiring, [overview.work], after.policy, after.memory, after.now)
        if remark is not None:
            say(f"remark: {remark}")
    if overview.unreviewed:  # what the run used up is nothing that is missing
        say(f"once it is committed, where it was run: dbops review confirm {overview.id}")
        return
    missing = overview.judgement.reasons if overview.judgement else ()
    for reason in missing:
        say(f"missing: {reason.message}")
    if not missing:
        say("nothing is missing once it is committed")
