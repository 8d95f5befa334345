"""`dbops keys new`."""

from __future__ import annotations

import click

_PURPOSES = ("recovery", "drill", "escrow", "reviewer", "runner", "catalogue", "signing")


@click.command()
@click.argument("purpose", metavar="ROLE", type=click.Choice(_PURPOSES))
@click.option(
    "--out",
    "path",
    required=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where the secret half goes; a file that is there is never replaced.",
)
@click.option("--name", metavar="NAME", help="Whose key it is; else the role, or ROLE@host.")
def new(purpose: str, path: str, name: str | None) -> None:
    """Make a new key in FILE, mode 0600, and print its public half.

    ROLE is recovery, drill or escrow (identities that open backups), reviewer (reads the rows of
    repairs), runner (the same for the host that runs them), catalogue (what a backup host needs
    itself) or signing (an OpenSSH key). Needs no estate, so an offline machine will do.

    \b
    Example: dbops keys new recovery --out /media/safe/recovery --name hospital
    Exit statuses: 0 done, 1 the file cannot be written, 2 usage, 5 the file is there already.
    """
    import socket
    from pathlib import Path

    from dbops.cli.render import say
    from dbops.cli.wiring import utc_now
    from dbops.estate.names import as_name
    from dbops.keys.new import KeyPurpose, make_key

    wanted = KeyPurpose(purpose)
    if name is None:
        host = as_name(socket.gethostname(), otherwise="host")
        name = f"{purpose}@{host}" if wanted is KeyPurpose.SIGNING else purpose
    made = make_key(wanted, Path(path).absolute(), name, utc_now())
    click.echo(made.public)
    if wanted is KeyPurpose.SIGNING:
        say("The hospital adds this key, with the namespaces it may sign for, to allowed_signers.")
    elif wanted.is_recipient:
        say(
            "The hospital adds it to its list of recipients:\n"
            f"  dbops keys recipients sign --add {purpose}:{name}:{made.public} --key SIGNING_KEY"
        )
    if wanted in {KeyPurpose.CATALOGUE, KeyPurpose.RUNNER}:
        say(f'Name it in dbops.toml, under [host]: {purpose}_identity = "{made.path}"')
