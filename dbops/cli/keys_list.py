"""`dbops keys list` and `dbops keys report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from dbops.cli.wiring import Wiring
    from dbops.keys.host_keys import HostKeys, IdentityFile, SigningKey
    from dbops.keys.listing import RecipientUse
    from dbops.repository.chain import Backup, Damage
    from dbops.repository.recipients import RecipientList


@click.command("list")
@json_option
@click.pass_obj
def list_keys(estate: str | None, as_json: bool) -> int:  # noqa: FBT001 - click passes by name
    """List who opens backups and repairs, and the keys of this host. Never shows a secret half.

    \b
    Example: dbops keys list
    Exit statuses: 0 done, 4 something in a repository does not count, 5 the recipients document
    is not signed by the hospital, 10 not found, 11 unreachable.
    """
    from dbops.cli.render import show_json
    from dbops.cli.wiring import open_wiring
    from dbops.keys.host_keys import read_host_keys
    from dbops.keys.listing import list_recipients

    wiring = open_wiring(estate)
    listed, _ = wiring.recipients
    backups, damages = living_backups(wiring)
    held = read_host_keys(wiring.estate.host, wiring.trust)
    uses = list_recipients(listed, backups, held.identities)
    if as_json:
        show_json({"recipients": uses, "host": held, "damages": damages})
    else:
        _show_recipients(uses, len(backups))
        click.echo()
        _show_host(held, listed)
    return warn_of(damages, quiet=as_json)


@click.command()
@json_option
@click.pass_obj
def report(estate: str | None, as_json: bool) -> int:  # noqa: FBT001 - click passes by name
    """Say until when each key must be kept: as long as a backup is sealed to it.

    Answers from the signed envelopes alone, for every database in every repository.

    \b
    Example: dbops keys report
    Exit statuses: 0 done, 4 something in a repository does not count, so that a key may be needed
    for longer, 5 the recipients document is not signed by the hospital, 10 not found,
    11 unreachable.
    """
    from dbops.cli.render import moment, show_json, show_table
    from dbops.cli.wiring import open_wiring
    from dbops.keys.report import keys_needed

    wiring = open_wiring(estate)
    listed, _ = wiring.recipients
    backups, damages = living_backups(wiring)
    needs = keys_needed(backups, listed)
    zone = wiring.estate.zone
    if as_json:
        show_json({"keys": [_need_json(need) for need in needs], "damages": damages})
        return warn_of(damages, quiet=True)
    rows = [
        (
            need.role,
            need.name,
            short(need.recipient),
            need.backups,
            f"{need.oldest}, {moment(need.oldest_at, zone)}",
            f"{need.newest}, {moment(need.newest_at, zone)}",
            "still in use" if need.listed else f"{need.newest} has expired",
        )
        for need in needs
    ]
    if rows:
        headers = ("role", "name", "key", "backups", "oldest", "newest", "keep until")
        show_table(rows, headers)
    else:
        click.echo("no backups yet: no key is needed", err=True)
    return warn_of(damages, quiet=False)


def living_backups(wiring: Wiring) -> tuple[list[Backup], list[Damage]]:
    """The living backups of every database in every repository, and what does not count."""
    backups: list[Backup] = []
    damages: list[Damage] = []
    for name in wiring.estate.repositories:
        repository = wiring.repository(name)
        for database in repository.databases():
            history = wiring.history(repository, database)
            backups += history.living
            damages += history.damages
    return backups, damages


def warn_of(damages: list[Damage], *, quiet: bool) -> int:
    """The exit status; what does not count is said on standard error."""
    from dbops.errors import ExitStatus

    for damage in damages if not quiet else ():
        click.echo(f"error: {damage}", err=True)
    return ExitStatus.FINDING if damages else ExitStatus.DONE


def short(key: str) -> str:
    """A public key as far as a table has room; whole keys are in the JSON."""
    return key if len(key) <= 64 else f"{key[:40]}…{key[-16:]}"


def _show_recipients(uses: tuple[RecipientUse, ...], backups: int) -> None:
    from dbops.cli.render import show_table

    rows = [
        (
            use.role.value,
            use.name,
            short(use.recipient),
            f"{use.backups} of {backups}",
            ", ".join(str(path) for path in use.files) or "-",
        )
        for use in uses
    ]
    show_table(rows, ("role", "name", "key", "opens backups", "on this host"))


def _show_host(held: HostKeys, listed: RecipientList) -> None:
    from dbops.cli.render import show_table

    rows = [_signing_row(key) for key in held.signing]
    rows += [_identity_row(file, listed) for file in held.identities]
    show_table(rows, ("this host", "file", "key", "is"))


def _signing_row(key: SigningKey) -> tuple[str, str, str, str]:
    names = ", ".join(name.removeprefix("dbops-").removesuffix("@v1") for name in key.namespaces)
    standing = key.problem or f"{key.principal}; signs {names}"
    return key.use.value, str(key.path), key.fingerprint or "-", standing


def _identity_row(file: IdentityFile, listed: RecipientList) -> tuple[str, str, str, str]:
    from dbops.keys.host_keys import KeyUse
    from dbops.keys.listing import owner_of

    owners = [owner_of(key, listed) for key in file.recipients]
    unknown = "for catalogues" if file.use is KeyUse.CATALOGUE else "no recipient of today's list"
    standing = file.problem or ", ".join(owner or unknown for owner in owners) or unknown
    keys = ", ".join(short(key) for key in file.recipients) or "-"
    return file.use.value, str(file.path), keys, standing


def _need_json(need: object) -> dict[str, object]:
    from dbops.cli.render import plain

    known: dict[str, object] = plain(need)
    for end in ("oldest", "newest"):
        found = known[end]
        if isinstance(found, dict):
            known[end] = f"{found['database']}@{found['sequence']}"
    return known
