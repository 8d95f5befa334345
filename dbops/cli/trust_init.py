"""`dbops trust init`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dbops.cli.options import confirm, yes_option

if TYPE_CHECKING:
    from dbops.cli.wiring import Wiring
    from dbops.crypto.sshsig import PublicKey
    from dbops.review.trust_init import NewPerson

SIGNERS_FILE: Final = "allowed_signers"


@click.command()
@click.option(
    "--person",
    "persons",
    multiple=True,
    metavar="ID:NAME:PRINCIPAL:KEYFILE.pub:ROLE[,ROLE]",
    help="Somebody who signs, and as what; several times.",
)
@click.option(
    "--countersigns",
    "countersigning",
    multiple=True,
    metavar="ID",
    help="One of them who also countersigns the ledger for the hospital; several times.",
)
@yes_option
@click.pass_obj
def init(
    estate: str | None,
    persons: tuple[str, ...],
    countersigning: tuple[str, ...],
    yes: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Add persons to the trust root; write the default policy where there is none.

    Each person's key gets a line in allowed_signers that names what the person's roles sign in
    the policy, and the policy gets the person. Nothing that stands there is replaced or taken
    away. What will be written is shown first.

    \b
    Example:
      dbops trust init --person li-na:李娜:li.na@hospital:li-na.pub:it-department
    Exit statuses: 0 done, 2 usage, 3 done but not recorded, 5 a line that stands there says
    something else, 10 a file is missing, 11 the ledger cannot be written.
    """
    from dbops.cli.render import say
    from dbops.cli.wiring import open_wiring
    from dbops.review.trust_init import parse_person

    wiring = open_wiring(estate)
    added = [parse_person(text, _read_key) for text in persons]
    change = _plan(wiring, added, frozenset(countersigning))
    if not change.parts:
        say(f"{wiring.estate.trust} says all of that already; nothing was changed")
        return
    for part in change.parts:
        say(f"{part.path}: {'to be written' if part.before is None else 'to be added'}")
        say("".join(f"  {line}\n" for line in part.shown).rstrip("\n"))
    if not yes:
        confirm(f"Write this to {wiring.estate.trust}?")
    _write(wiring, change)
    for part in change.parts:
        click.echo(f"{part.path} {'is written' if part.before is None else 'has new lines'}")
    say("see what is still missing: dbops trust lint")


@dataclass(frozen=True, slots=True)
class _Part:
    """One file: what stands there, None for nothing, and what will."""

    path: Path
    before: str | None
    after: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    """The files that change, in the order in which they are written."""

    parts: tuple[_Part, ...]


def _read_key(path: Path) -> PublicKey:
    from dbops.crypto.signing import SshKeygenSigner

    return SshKeygenSigner(path).public_key


def _plan(wiring: Wiring, persons: list[NewPerson], countersigning: frozenset[str]) -> _Change:
    """What is to be written; raises where the present files cannot be read or added to."""
    from dbops.cli.reviewing import policy_path
    from dbops.crypto.trust import read_trust_file
    from dbops.review.policy import parse_policy
    from dbops.review.policy_default import default_policy_text
    from dbops.review.trust_init import add_persons, add_signers, refuse_unknown, signs_for

    signers_path, place = wiring.estate.trust / SIGNERS_FILE, policy_path(wiring)
    present = read_trust_file(place)
    policy_text = default_policy_text() if present is None else present
    policy = parse_policy(policy_text, str(place))
    refuse_unknown(policy, persons, countersigning)
    wanted = add_persons(policy_text, persons, source=str(place))
    parse_policy(wanted, str(place))
    before = read_trust_file(signers_path)
    signers, lines = add_signers(
        before or "",
        persons,
        lambda person: signs_for(policy, person, countersigning),
        source=str(signers_path),
        zone=wiring.estate.zone,
    )
    parts = (
        _Part(signers_path, before, signers, tuple(line.rstrip("\n") for line in lines)),
        _Part(place, present, wanted, _new_lines(present, wanted)),
    )
    return _Change(tuple(part for part in parts if part.after != (part.before or "")))


def _new_lines(before: str | None, after: str) -> tuple[str, ...]:
    """The lines that were not there, as a person compares them."""
    import difflib

    if before is None:
        return tuple(after.splitlines())
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return tuple(line for line in lines if line[:1] in "+-")


def _write(wiring: Wiring, change: _Change) -> None:
    """Afterwards both files are there, durable, and the ledger says so; the policy comes last."""
    import hashlib

    from dbops.audit.entry import DigestOf, Draft, Event
    from dbops.cli.ledger import recording
    from dbops.cli.reviewing import policy_path
    from dbops.keys.recipients import create_document, replace_document

    digests = {
        DigestOf.POLICY if part.path == policy_path(wiring) else DigestOf.DOCUMENT: hashlib.sha256(
            part.after.encode()
        ).hexdigest()
        for part in change.parts
    }
    with recording(wiring, Draft(event=Event.TRUST_INIT, digests=digests)):
        for part in change.parts:
            _refuse_changed(part)
            if part.before is None:
                create_document(part.path, part.after.encode())
            else:
                replace_document(part.path, part.after.encode(), wiring.clock())


def _refuse_changed(part: _Part) -> None:
    """Somebody else may have written while a person read the question."""
    from dbops.crypto.trust import read_trust_file
    from dbops.errors import Refused

    if read_trust_file(part.path) != part.before:
        raise Refused(
            "trust-changed",
            f"{part.path} was changed meanwhile; it was left as it is",
            hint="run the command again, and look at what it shows",
        )
