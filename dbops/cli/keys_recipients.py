"""`dbops keys recipients`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import confirm, json_option, yes_option

if TYPE_CHECKING:
    from datetime import datetime

    from dbops.cli.wiring import Wiring
    from dbops.repository.recipients import RecipientList
    from dbops.review.authorize import Authorization


@click.group()
def recipients() -> None:
    """Show and sign the list of those who can open backups and the rows of repairs."""


@recipients.command()
@json_option
@click.pass_obj
def show(estate: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show the signed recipients document, and who signed it.

    \b
    Example: dbops keys recipients show
    Exit statuses: 0 done, 5 the hospital did not sign it, 10 there is none.
    """
    from dbops.cli.keys_list import short
    from dbops.cli.render import moment, show_json, show_table
    from dbops.cli.wiring import open_wiring
    from dbops.keys.recipients import read_signed_recipients

    wiring = open_wiring(estate)
    path = wiring.estate.recipients
    found = read_signed_recipients(path, wiring.trust, wiring.clock())
    if as_json:
        show_json(
            {
                "path": path,
                "issued": found.listed.issued,
                "signed_by": found.principal,
                "fingerprint": found.fingerprint,
                "recipients": found.listed.recipients,
            }
        )
        return
    issued = moment(found.listed.issued, wiring.estate.zone)
    click.echo(f"{path}, issued {issued}, signed by {found.principal} ({found.fingerprint})\n")
    rows = [
        (entry.role.value, entry.name, short(entry.recipient)) for entry in found.listed.recipients
    ]
    show_table(rows, ("role", "name", "key"))


@recipients.command()
@click.option(
    "--add",
    "added",
    multiple=True,
    metavar="ROLE:NAME:RECIPIENT",
    help="Who opens backups or rows of repairs from now on; several times.",
)
@click.option("--remove", "removed", multiple=True, metavar="NAME", help="Who no longer does.")
@click.option(
    "--key",
    "key",
    type=click.Path(dir_okay=False),
    metavar="SIGNING_KEY",
    help="The hospital's; a .pub file signs through ssh-agent or a hardware key.",
)
@click.option(
    "--out",
    "out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="A new file, instead of replacing the estate's document.",
)
@click.option(
    "--review", "work_id", metavar="ID", help="Put the document of this approved work in place."
)
@yes_option
@click.pass_obj
def sign(
    estate: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    key: str | None,
    out: str | None,
    work_id: str | None,
    yes: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Sign a new recipients document, and put it in place of the estate's.

    The new list is the present one without those removed and with those added. Backups to come
    are sealed to its recovery, drill and escrow keys, rows of repairs to its recovery, escrow,
    reviewer and runner keys. What exists stays sealed as it is, so keep the keys that dbops keys
    report names. The old document is kept beside the new one, as NAME.<UTC time>.

    Where the hospital's policy wants a new list approved, sign it with --out into the folder of
    the work, and once that is approved name it with --review and nothing else.

    \b
    Example:
      dbops keys recipients sign --add escrow:notary:age1… --remove verifier-2 --key /media/signing
    Exit statuses: 0 done, 1 failed, 2 usage, 3 done but not recorded, 5 it is not approved, a rule
    forbids it or the key is not the hospital's, 10 not found, 11 the ledger cannot be written.
    """
    from dbops.cli.render import say
    from dbops.cli.wiring import open_wiring
    from dbops.keys.recipients import create_document

    _refuse_mixed(key, work_id, mixed=bool(added or removed or out or key))
    wiring = open_wiring(estate)
    now = wiring.clock()
    if work_id is not None:
        _replace(wiring, work_id, None, now, yes=yes)
        return
    document, difference = _signed(wiring, added, removed, str(key), now)
    say(difference)
    if out is not None:
        create_document(Path(out), document)
        click.echo(f"{out} is signed; the estate's document is as it was")
        return
    _replace(wiring, None, document, now, yes=yes)


def _refuse_mixed(key: str | None, work_id: str | None, *, mixed: bool) -> None:
    from dbops.errors import UsageFault

    if work_id is not None and mixed:
        raise UsageFault(
            "review-alone",
            "--review puts a signed document in place as it was approved: nothing is signed",
            hint=f"dbops keys recipients sign --review {work_id}",
        )
    if work_id is None and key is None:
        raise UsageFault(
            "no-signing-key",
            "missing option --key: who signs the list",
            hint="dbops keys recipients sign --help",
        )


def _signed(
    wiring: Wiring, added: tuple[str, ...], removed: tuple[str, ...], key: str, now: datetime
) -> tuple[bytes, str]:
    """The new document, and how its list differs from the present one."""
    from dbops.keys.recipients import change_list, load_signer, parse_entry, sign_list

    current = _current(wiring, now)
    changed = change_list(current, [parse_entry(text) for text in added], removed, now)
    document = sign_list(changed, load_signer(Path(key)), wiring.trust, now)
    return document, _difference(current, changed)


def _replace(
    wiring: Wiring, work_id: str | None, document: bytes | None, now: datetime, *, yes: bool
) -> None:
    """Afterwards the document, or the approved one, is the estate's, and the ledger says so."""
    import hashlib

    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase
    from dbops.cli.entries import allowed_by
    from dbops.cli.gates import gate
    from dbops.cli.ledger import recording
    from dbops.cli.render import say
    from dbops.keys.recipients import open_recipients, replace_document
    from dbops.review.work import Kind

    path = wiring.estate.recipients
    with gate(wiring, Kind.RECIPIENTS, None, work_id) as allowed:
        if document is None:
            document, difference = _reviewed(wiring, allowed, now)
            say(difference)
        if not yes:
            confirm(f"Replace {path}?")
        found = open_recipients(document, wiring.trust, now)
        draft = Draft(
            event=Event.KEYS_RECIPIENTS,
            phase=Phase.INTENT,
            names={Label.KEY: found.fingerprint, Label.PRINCIPAL: found.principal},
            counts={Count.RECIPIENTS: len(found.listed.recipients)},
            digests={DigestOf.DOCUMENT: hashlib.sha256(document).hexdigest()},
        )
        with recording(wiring, allowed_by(draft, allowed)):
            kept = replace_document(path, document, now)
    click.echo(f"{path} is signed and in use from now on")
    if kept is not None:
        say(f"the old one is kept as {kept}")


def _reviewed(wiring: Wiring, allowed: Authorization | None, now: datetime) -> tuple[bytes, str]:
    """The document that stands in the approved folder, and how its list differs."""
    from dbops.errors import UsageFault
    from dbops.keys.recipients import open_recipients

    if allowed is None:
        raise UsageFault(
            "review-not-asked",
            "the policy asks no approval for a recipients list, so there is no approved one",
            hint="sign a new list: dbops keys recipients sign --help",
        )
    document = allowed.work.files["recipients"]
    listed = open_recipients(document, wiring.trust, now).listed
    return document, _difference(_current(wiring, now), listed)


def _current(wiring: Wiring, now: datetime) -> RecipientList | None:
    """The list in use; None only where there is no document at all."""
    from dbops.errors import NotFound, Refused
    from dbops.keys.recipients import read_signed_recipients

    path, trust = wiring.estate.recipients, wiring.trust
    try:
        return read_signed_recipients(path, trust, now).listed
    except NotFound:
        return None
    except Refused as failure:
        raise Refused(
            failure.code,
            f"the present recipients document does not count: {failure.message}",
            hint=f"move {path} away, then name every recipient with --add",
        ) from None


def _difference(current: RecipientList | None, changed: RecipientList) -> str:
    before = current.recipients if current is not None else ()
    lines = [f"- {e.role.value} {e.name} {e.recipient}" for e in before]
    marked = {line[2:] for line in lines}
    after = [f"{e.role.value} {e.name} {e.recipient}" for e in changed.recipients]
    gone = [line for line in lines if line[2:] not in after]
    return "\n".join([*gone, *(f"{' ' if line in marked else '+'} {line}" for line in after)])
