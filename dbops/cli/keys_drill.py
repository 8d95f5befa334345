"""`dbops keys drill`: headers out, a signed receipt in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import databases_argument
from dbops.cli.reading import read_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.estate.values import Database

_ROLES = ("recovery", "drill", "escrow")
_LARGEST = 256 << 20


@click.group()
def drill() -> None:
    """Show that offline keys still open the backups: headers out, a signed receipt in.

    \b
      1. here:           dbops keys drill headers --all --out headers.json
      2. at the holder:  dbops keys drill answer headers.json --identity recovery
                           --role recovery --name hospital --key signing --out receipt
      3. here:           dbops keys drill record receipt
    """


@drill.command()
@databases_argument
@click.option(
    "--out", "out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="New file."
)
@click.pass_obj
def headers(
    estate: str | None,
    names: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes options by name
    out: str,
) -> None:
    """Write the age headers of the newest backup of each database into FILE.

    Headers hold nothing of the data: the file may travel on any medium.

    \b
    Example: dbops keys drill headers --all --out headers.json
    Exit statuses: 0 done, 1 a pack has no header, 2 usage, 5 FILE exists, 10 not found,
    11 unreachable.
    """
    from dbops.cli.tasks import pick_backup
    from dbops.cli.wiring import open_wiring
    from dbops.keys.drill_repository import collect_headers
    from dbops.keys.recipients import create_document
    from dbops.repository.codec import encode

    wiring = open_wiring(estate)
    databases = wiring.choose(names, every=every)
    repository = wiring.repository(_single_repository(databases))
    backups = [pick_backup(wiring.history(repository, one.name), None) for one in databases]
    request = collect_headers(repository, backups, wiring.clock())
    create_document(Path(out), encode(request))
    click.echo(f"{out} holds {len(request.headers)} headers; backups: {len(backups)}")


@drill.command()
@click.argument("request", metavar="FILE", type=click.Path(dir_okay=False))
@click.option(
    "--identity", "identity", required=True, type=click.Path(dir_okay=False), metavar="FILE"
)
@click.option("--role", "role", required=True, type=click.Choice(_ROLES))
@click.option("--name", "name", required=True, metavar="NAME", help="As in the recipients list.")
@click.option(
    "--key",
    "key",
    required=True,
    type=click.Path(dir_okay=False),
    metavar="SIGNING_KEY",
    help="Signs the receipt; a .pub file signs through ssh-agent or a hardware key.",
)
@click.option("--out", "out", required=True, type=click.Path(dir_okay=False), metavar="RECEIPT")
def answer(request: str, identity: str, role: str, name: str, key: str, out: str) -> None:
    """Try an identity on the headers in FILE; write a signed RECEIPT if it opens all of them.

    Needs no estate and no network. Where a header does not open, there is no receipt.

    \b
    Example:
      dbops keys drill answer headers.json --identity recovery --role recovery --name hospital \\
        --key signing --out receipt
    Exit statuses: 0 all opened, 1 FILE is damaged, 2 usage, 4 packs cannot be opened,
    5 RECEIPT exists or a key file is open to others, 10 not found.
    """
    from dbops.cli.wiring import utc_now
    from dbops.crypto.age import load_identities
    from dbops.crypto.signed import sign_document
    from dbops.crypto.sshsig import Namespace
    from dbops.errors import UsageFault
    from dbops.estate.names import NAME_RULE, is_name
    from dbops.keys.drill import answer_request, read_request
    from dbops.keys.recipients import create_document, load_signer
    from dbops.repository.codec import encode
    from dbops.repository.recipients import Role

    if not is_name(name):
        raise UsageFault("key-name", "--name is not a name", hint=f"it takes {NAME_RULE}")
    asked = read_request(read_named(Path(request), _LARGEST), request)
    identities = load_identities(Path(identity))
    receipt = answer_request(asked, identities, Role(role), name, utc_now())
    document = sign_document(encode(receipt), Namespace.RECEIPT, load_signer(Path(key)))
    create_document(Path(out), document)
    click.echo(
        f"all {len(asked.headers)} headers open; backups: {len(asked.backups)};"
        f" the receipt is {out}"
    )


@drill.command()
@click.argument("receipt", metavar="RECEIPT", type=click.Path(dir_okay=False))
@click.option("--to", "repository", metavar="REPOSITORY", help="Else the only one there is.")
@click.pass_obj
def record(estate: str | None, receipt: str, repository: str | None) -> None:
    """Check a receipt and keep it in the repository, where dbops backup status shows its age.

    It must be signed by somebody who may, for a recipient of the present list, over headers of
    living backups, and over all those of one backup at least.

    \b
    Example: dbops keys drill record receipt
    Exit statuses: 0 done, 1 it is damaged, 2 usage, 3 kept but not recorded, 5 it is refused,
    10 not found, 11 repository or ledger unreachable.
    """
    import hashlib

    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase
    from dbops.cli.ledger import recording
    from dbops.cli.wiring import open_wiring
    from dbops.keys.drill_repository import record_receipt

    wiring = open_wiring(estate)
    document = read_named(Path(receipt), _LARGEST)
    opened = wiring.repository(_named_repository(repository, tuple(wiring.estate.repositories)))
    listed, _ = wiring.recipients
    backups = [
        backup
        for database in opened.databases()
        for backup in wiring.history(opened, database).living
    ]
    digests = {DigestOf.DOCUMENT: hashlib.sha256(document).hexdigest()}
    with recording(
        wiring, Draft(event=Event.KEYS_DRILL, phase=Phase.INTENT, digests=digests)
    ) as account:
        done = record_receipt(opened, document, listed, backups, wiring.clock())
        account.name(Label.ROLE, done.receipt.role)
        account.name(Label.PRINCIPAL, done.principal)
        account.count(Count.HEADERS, done.receipt.opened)
        account.count(Count.BACKUPS, len(done.covered))
    word = "recorded" if done.fresh else "was recorded before"
    covered = ", ".join(str(backup) for backup in done.covered)
    click.echo(
        f"{word}: {done.receipt.role} ({done.receipt.name}) opened {done.receipt.opened} headers,"
        f" signed by {done.principal}; it covers {covered}"
    )


def _single_repository(databases: Sequence[Database]) -> str:
    from dbops.errors import UsageFault

    names = sorted({database.repository for database in databases})
    if len(names) != 1:
        raise UsageFault(
            "several-repositories",
            f"a drill is about one repository, and these databases use {len(names)}:"
            f" {', '.join(names)}",
            hint="name the databases of one repository",
        )
    return names[0]


def _named_repository(chosen: str | None, known: tuple[str, ...]) -> str:
    from dbops.errors import UsageFault

    if chosen is not None:
        return chosen
    if len(known) != 1:
        raise UsageFault(
            "which-repository",
            f"the estate has {len(known)} repositories",
            hint=f"add --to with one of: {', '.join(known)}",
        )
    return known[0]
