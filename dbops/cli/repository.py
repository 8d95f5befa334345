"""`dbops repository`."""

from __future__ import annotations

import click


@click.group()
def repository() -> None:
    """Make a repository."""


@repository.command()
@click.argument("name")
@click.pass_obj
def create(estate: str | None, name: str) -> None:
    """Make an empty repository where dbops.toml says that NAME is.

    For a second repository, or in place of one that is lost: its backups are gone, and this host
    no longer asks for them.

    \b
    Example: dbops repository create main
    Exit statuses: 0 done, 5 one is there already, 10 not found, 11 the place or the ledger
    cannot be used.
    """
    import secrets

    from dbops.audit.entry import Draft, Event, Label, Phase
    from dbops.cli.ledger import recording
    from dbops.cli.wiring import open_wiring
    from dbops.repository.reader import create_repository

    wiring = open_wiring(estate)
    store = wiring.store(name)
    names = {Label.REPOSITORY: name}
    draft = Draft(event=Event.REPOSITORY_CREATE, phase=Phase.INTENT, names=names)
    with recording(wiring, draft):
        mark = create_repository(store, secrets.token_hex(16))
        wiring.state.forget_repository(store.title)
        wiring.state.remember_repository(store.title, mark.id)
    click.echo(f"{store.title} is ready in {store.root}")
