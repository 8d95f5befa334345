"""`dbops systems`."""

from __future__ import annotations

import click

from dbops.cli.options import json_option


@click.group()
def systems() -> None:
    """Show what the estate consists of."""


@systems.command("list")
@json_option
@click.pass_obj
def list_systems(estate: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List systems and their databases.

    \b
    Example: dbops systems list
    Exit statuses: 0 done, 2 the estate file is wrong, 10 no estate.
    """
    from dbops.cli.render import age, show_json, show_table
    from dbops.cli.wiring import open_wiring

    known = open_wiring(estate).estate
    databases = known.databases.values()
    if as_json:
        show_json({"systems": list(known.systems.values()), "databases": list(databases)})
        return
    rows = [
        (
            system.name,
            system.name_zh,
            system.name_en,
            system.tier,
            age(system.rpo),
            age(system.rto),
            ", ".join(item.name for item in databases if item.system == system.name) or "-",
        )
        for system in known.systems.values()
    ]
    show_table(rows, ("system", "名称", "name", "tier", "RPO", "RTO", "databases"))
