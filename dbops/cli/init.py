"""`dbops init`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

_NEXT = """\
{path} is ready, with new keys and an empty repository. Next:

  1. Write your systems and databases into {path}
  2. dbops doctor                     checks connections, tools, keys and disks
  3. dbops backup run --all           takes the first backups
  4. dbops backup verify --all        restores and compares them
  5. dbops trust init --person …      names who asks and who agrees: restores wait for that
  6. dbops audit heartbeat            every day from cron: the ledger is never silent

Then give the keys to whom they belong:

  {hospital}   opens every backup: to the hospital, offline, two copies
  {verifier}   opens backups for drills: to the verifying host, if it is another one
"""


@click.command()
@click.argument("directory", type=click.Path(file_okay=False), default=".")
@click.option("--hospital", default="示范医院", metavar="NAME", help="Stands on reports.")
@click.option("--timezone", default="Asia/Shanghai", show_default=True, metavar="ZONE")
@click.option("--host", metavar="NAME", help="This host's name in the records; else its own.")
@click.option("--demo", is_flag=True, help="To try dbops out: nothing in it needs approval.")
def init(
    directory: str,
    hospital: str,
    timezone: str,
    host: str | None,
    demo: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Make a new estate in DIRECTORY: dbops.toml, keys, trust root, policy, repository, ledger.

    Nothing that exists is changed. The policy wants restores, releases of holds and recipient
    lists approved by the hospital; with --demo it asks nothing, and counts in DIRECTORY only.

    \b
    Example: dbops init /etc/dbops --hospital 第一人民医院
    Exit statuses: 0 done, 1 failed, 2 wrong time zone, 3 made but not recorded, 5 something is
    there already.
    """
    import secrets
    from pathlib import Path

    from dbops.cli.ops import make_work_tree
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
        demo=demo,
    )
    path = found_estate(founding, lambda root: LocalStore(root, "repository main"), utc_now())
    make_work_tree(place / "ops")
    _record(path)
    click.echo(
        _NEXT.format(path=path, hospital=place / "hospital", verifier=place / "verifier"), nl=False
    )


def _record(path: Path) -> None:
    """Afterwards the first entries of the new ledger say that the estate was made."""
    from dbops.audit.entry import Draft, Event, Label, Result
    from dbops.cli.entries import fit
    from dbops.cli.ledger import checkpoint_quietly, ledger_of
    from dbops.cli.wiring import open_wiring
    from dbops.errors import DbopsError, Partly

    wiring = open_wiring(str(path))
    draft = Draft(event=Event.ESTATE_INIT, names={Label.PATH: fit(str(path))}, result=Result.DONE)
    try:
        ledger_of(wiring).append(draft)
    except DbopsError as fault:
        raise Partly(
            "ledger-outcome",
            f"{path} is ready, but its ledger could not record that ({fault.message})",
            hint=fault.hint,
        ) from fault
    checkpoint_quietly(wiring)
