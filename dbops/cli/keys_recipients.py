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


@click.group()
def recipients() -> None:
    """Show and sign the list of those who can open backups."""


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
    help="Who opens backups from now on; several times.",
)
@click.option("--remove", "removed", multiple=True, metavar="NAME", help="Who no longer does.")
@click.option(
    "--key",
    "key",
    required=True,
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
@yes_option
@click.pass_obj
def sign(
    estate: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    key: str,
    out: str | None,
    yes: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Sign a new recipients document, and put it in place of the estate's.

    The new list is the present one without those removed and with those added. Backups to come
    are sealed to it; those that exist stay sealed as they are, so keep the keys that dbops keys
    report names. The old document is kept beside the new one, as NAME.<UTC time>.

    \b
    Example:
      dbops keys recipients sign --add escrow:notary:age1… --remove verifier-2 --key /media/signing
    Exit statuses: 0 done, 1 failed, 2 usage, 5 a rule forbids it or the key is not the
    hospital's, 10 not found.
    """
    from dbops.cli.render import say
    from dbops.cli.wiring import open_wiring
    from dbops.keys.recipients import (
        change_list,
        create_document,
        load_signer,
        parse_entry,
        replace_document,
        sign_list,
    )

    wiring = open_wiring(estate)
    now = wiring.clock()
    current = _current(wiring, now)
    changed = change_list(current, [parse_entry(text) for text in added], removed, now)
    document = sign_list(changed, load_signer(Path(key)), wiring.trust, now)
    say(_difference(current, changed))
    if out is not None:
        create_document(Path(out), document)
        click.echo(f"{out} is signed; the estate's document is as it was")
        return
    if not yes:
        confirm(f"Replace {wiring.estate.recipients}?")
    kept = replace_document(wiring.estate.recipients, document, now)
    click.echo(f"{wiring.estate.recipients} is signed and in use from now on")
    if kept is not None:
        say(f"the old one is kept as {kept}")


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
