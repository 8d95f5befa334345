"""`dbops repair new`."""

from __future__ import annotations

import click

from dbops.cli.options import identities_option


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--database", metavar="DB", help="The database to repair; of --undo it is known.")
@click.option("--title", metavar="TEXT", help="What it is, in one line.")
@click.option("--author", required=True, metavar="PRINCIPAL", help="Who asks for it.")
@click.option("--ticket", metavar="TEXT", help="The ticket that tells it at length.")
@click.option(
    "--risk", type=click.Choice(["low", "high"]), help="Else low, or what the playbook says."
)
@click.option("--opened", metavar="DATE", help="The day the ticket was opened; else today.")
@click.option("--clock", "clocks", multiple=True, metavar="NAME", help="A deadline; repeatable.")
@click.option("--cause", metavar="TEXT", help="Why the data were wrong, once that is known.")
@click.option("--fix", metavar="TICKET", help="What keeps it from happening again.")
@click.option(
    "--from",
    "script",
    type=click.Path(dir_okay=False),
    metavar="FILE.sql",
    help="Begin with this script, and propose its watch sets.",
)
@click.option("--playbook", metavar="NAME", help="Use a ready-made repair.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="K=V",
    help="A parameter of the playbook; repeatable.",
)
@click.option(
    "--seal",
    "sealings",
    multiple=True,
    metavar="K=FILE",
    help="A sealed parameter: its value is the file's text; - reads standard input.",
)
@click.option(
    "--from-backup", "backup", metavar="DB|DB@N", help="Bring rows back as this backup has them."
)
@click.option("--table", metavar="TABLE", help="With --from-backup: the table of the rows.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="With --from-backup: the key of a row; repeatable.",
)
@click.option(
    "--keys",
    "keys_file",
    metavar="FILE",
    help="The same, one a line, out of sight of other processes; - reads standard input.",
)
@click.option("--undo", metavar="ID", help="Take the run of this repair back.")
@identities_option("With --from-backup: an identity that opens backups.")
@click.pass_obj
def new(
    estate: str | None,
    work_id: str,
    database: str | None,
    title: str | None,
    author: str,
    ticket: str | None,
    risk: str | None,
    opened: str | None,
    clocks: tuple[str, ...],
    cause: str | None,
    fix: str | None,
    script: str | None,
    playbook: str | None,
    settings: tuple[str, ...],
    sealings: tuple[str, ...],
    backup: str | None,
    table: str | None,
    keys: tuple[str, ...],
    keys_file: str | None,
    undo: str | None,
    identities: tuple[str, ...],
) -> None:
    """Draw up the repair ID in the ops repository: manifest, script and sealed values.

    Alone it writes a manifest to be filled in. --from proposes watch sets for a script;
    --playbook uses a ready-made repair; --from-backup writes the repair that brings rows back,
    keys and values sealed; --undo writes the work that takes a run back. Nothing is replaced.

    \b
    Examples:
      dbops repair new 2026-117-ward --database his --from fix.sql --author wei@vendor \\
        --title "38 visits booked to a closed ward"
      dbops repair new 2026-118-ward --database his --playbook move-visits-to-ward \\
        --set visits_moved=38 --author wei@vendor
      dbops repair new 2026-119-items --database his --from-backup his@12 --table order_item \\
        --key 1001 --key 1002 --author wei@vendor --title "Two order items deleted by mistake"
      dbops repair new 2026-120-undo --undo 2026-117-ward --author wei@vendor
    Exit statuses: 0 done, 2 usage, 5 the id is taken, or no repair comes of it, 10 no such
    database, playbook, backup, row or run, 11 unreachable, 12 no identity opens the backup.
    """
    from dbops.cli.render import say
    from dbops.cli.repair_drawing import Said, Source, draw
    from dbops.cli.typed_values import read_keys
    from dbops.cli.wiring import open_wiring

    said = Said(work_id, database, title, author, ticket, risk, opened, clocks, cause, fix)
    every = (*keys, *(() if keys_file is None else read_keys(keys_file)))
    source = Source(script, playbook, settings, sealings, backup, table, every, undo, identities)
    folder = draw(open_wiring(estate), said, source)
    for path in sorted(folder.iterdir()):
        click.echo(f"{path}")
    if backup is not None:
        say("remark: a rehearsal needs a backup of the database as it is now, without these rows")
    say(f"next: look at it, then dbops repair check {work_id}")
