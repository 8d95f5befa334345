"""`dbops init`."""

from __future__ import annotations

import socket

import click

_NEXT = """\
{path} is ready, with new keys and an empty repository. Next:

  1. Write your systems and databases into {path}
  2. dbops doctor                     checks connections, tools, keys and disks
  3. dbops backup run --all           takes the first backups
  4. dbops backup verify --all        restores and compares them

Then give the keys to whom they belong:

  {hospital}   opens every backup: to the hospital, offline, two copies
  {verifier}   opens backups for drills: to the verifying host, if it is another one
"""


@click.command()
@click.argument("directory", type=click.Path(file_okay=False), default=".")
@click.option("--hospital", default="示范医院", metavar="NAME", help="Stands on reports.")
@click.option("--timezone", default="Asia/Shanghai", show_default=True, metavar="ZONE")
@click.option("--host", metavar="NAME", help="This host's name in the records; else its own.")
def init(directory: str, hospital: str, timezone: str, host: str | None) -> None:
    """Make a new estate in DIRECTORY: dbops.toml, keys, trust root, repository.

    Nothing that exists is changed.

    \b
    Example: dbops init /etc/dbops --hospital 第一人民医院
    Exit statuses: 0 done, 1 failed, 2 wrong time zone, 5 something is there already.
    """
    import secrets
    from pathlib import Path

    from dbops.cli.wiring import utc_now
    from dbops.estate.names import as_name
    from dbops.estate.zones import find_zone
    from dbops.founding import Founding, found_estate
    from dbops.stores.local import LocalStore

    place = Path(directory).absolute()
    founding = Founding(
        place,
        hospital,
        find_zone(timezone).key,
        host or as_name(socket.gethostname(), otherwise="backup"),
        secrets.token_hex(16),
    )
    path = found_estate(founding, lambda root: LocalStore(root, "repository main"), utc_now())
    click.echo(
        _NEXT.format(path=path, hospital=place / "hospital", verifier=place / "verifier"), nl=False
    )
