"""`dbops playbook`: repairs that are ready but for their parameters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from dbops.repair.playbook import Playbook
    from dbops.repair.shelf import Found


@click.group()
def playbook() -> None:
    """Look at ready-made repairs; dbops repair new --playbook uses one."""


@playbook.command("list")
@json_option
@click.pass_obj
def list_(estate: str | None, as_json: bool) -> int:  # noqa: FBT001
    """List the playbooks: the hospital's own, and those that come with dbops.

    Those of [repair] playbooks in dbops.toml stand before those of dbops. One that cannot be read
    is listed with the reason.

    \b
    Example: dbops playbook list
    Exit statuses: 0 done, 1 a directory cannot be read, 4 a playbook is not as it should be.
    """
    from dbops.cli.render import show_json, show_table
    from dbops.errors import ExitStatus
    from dbops.repair.shelf import list_playbooks

    found = list_playbooks(shelves(estate))
    if as_json:
        show_json([_summary(each) for each in found])
    else:
        show_table([_row(each) for each in found], ("playbook", "名称", "title", "engines"))
    for each in found:
        if each.fault is not None:
            click.echo(f"error: {each.fault.message}", err=True)
    bad = any(each.fault is not None for each in found)
    return ExitStatus.FINDING if bad else ExitStatus.DONE


@playbook.command()
@click.argument("name", metavar="NAME")
@click.option("--script", "with_script", is_flag=True, help="Print its repair.sql as well.")
@json_option
@click.pass_obj
def show(estate: str | None, name: str, with_script: bool, as_json: bool) -> None:  # noqa: FBT001
    """Show what the playbook NAME does, its parameters, and its page.

    \b
    Example: dbops playbook show move-visits-to-ward
    Exit statuses: 0 done, 5 it is not as it should be, 10 there is none of that name.
    """
    from dbops.cli.render import show_json
    from dbops.repair.shelf import find_playbook

    found = find_playbook(name, shelves(estate))
    chosen = found.playbook
    assert chosen is not None  # noqa: S101 - else finding it raises its fault
    if as_json:
        show_json(_summary(found) | {"page": found.page, "script": chosen.script.decode()})
        return
    click.echo(f"{chosen.name}: {chosen.title} ({chosen.title_zh})")
    click.echo(f"engines: {', '.join(chosen.engines)}; risk: {chosen.risk}\n")
    _show_parameters(chosen)
    if found.page:
        click.echo(f"\n{found.page.rstrip()}")
    if with_script:
        click.echo(f"\n--- repair.sql\n{chosen.script.decode().rstrip()}")


def shelves(estate: str | None) -> tuple[Path, ...]:
    """Where playbooks lie: the estate's directory, where there is an estate, and dbops' own."""
    from dbops.errors import NotFound
    from dbops.estate.load import find_estate, load_estate
    from dbops.repair.shelf import shipped_playbooks

    own: Path | None = None
    try:
        path = find_estate(Path(estate) if estate else None, os.environ, Path.cwd())
        own = load_estate(path).repair.playbooks
    except NotFound:
        if estate:
            raise
    return tuple(each for each in (own, shipped_playbooks()) if each is not None)


def _row(found: Found) -> tuple[str, str, str, str]:
    chosen = found.playbook
    if chosen is None:
        return (found.name, "-", "cannot be read", "-")
    return (chosen.name, chosen.title_zh, chosen.title, ", ".join(chosen.engines))


def _summary(found: Found) -> dict[str, object]:
    chosen, fault = found.playbook, found.fault
    return {
        "name": found.name,
        "folder": found.folder,
        "title": None if chosen is None else chosen.title,
        "title_zh": None if chosen is None else chosen.title_zh,
        "engines": () if chosen is None else chosen.engines,
        "risk": None if chosen is None else chosen.risk,
        "parameters": () if chosen is None else list(chosen.parameters.values()),
        "fault": None if fault is None else {"code": fault.code, "message": fault.message},
    }


def _show_parameters(chosen: Playbook) -> None:
    from dbops.cli.render import show_table

    rows = [
        (
            each.name,
            each.type.value,
            "sealed" if each.sealed else (each.default if each.default is not None else "required"),
            each.description,
        )
        for each in chosen.parameters.values()
    ]
    show_table(rows, ("parameter", "type", "value", "what it is"))
