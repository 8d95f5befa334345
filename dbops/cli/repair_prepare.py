"""`dbops repair prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import confirm, review_option, yes_option

if TYPE_CHECKING:
    from dbops.cli.wiring import Wiring
    from dbops.repair.prepare import Preparation
    from dbops.review.authorize import Authorization


@click.command()
@click.argument("name", metavar="DB")
@click.option(
    "--table", "tables", multiple=True, metavar="T", help="What may be repaired; repeatable."
)
@click.option(
    "--read", "read_only", multiple=True, metavar="T", help="What it only looks up; repeatable."
)
@click.option("--id", "new_id", metavar="ID", help="Draw up the change of this id.")
@click.option("--title", metavar="TEXT", help="What it is, in one line.")
@click.option("--author", metavar="PRINCIPAL", help="Who asks for it.")
@click.option("--ticket", metavar="TEXT", help="Where it is told at length.")
@click.option("--risk", type=click.Choice(["low", "high"]), default="low", show_default=True)
@review_option
@yes_option
@click.pass_obj
def prepare(
    estate: str | None,
    /,
    name: str,
    tables: tuple[str, ...],
    read_only: tuple[str, ...],
    new_id: str | None,
    title: str | None,
    author: str | None,
    ticket: str | None,
    risk: str,
    work_id: str | None,
    yes: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Make DB ready for repairs: a table of what dbops committed there, and a role that repairs.

    With --id a change is drawn up in the ops repository: up.sql makes the table, and lets the role
    of [databases.DB.repair] write the tables named by --table, read those named by --read, and
    nothing else; down.sql takes that back. Read it, commit it, have it approved. With --review
    exactly its up.sql runs, in one transaction, as the role of [databases.DB.admin].

    \b
    Example:
      dbops repair prepare his --table his.visit --read his.ward --id 2026-101-prepare \\
        --author zhang.wei@contractor
      dbops repair prepare his --review 2026-101-prepare
    Exit statuses: 0 done, 1 failed and nothing was changed, 2 usage, 3 done but not recorded,
    5 not approved, 10 no such database or work, 11 unreachable.
    """
    from dbops.cli.wiring import open_wiring
    from dbops.errors import UsageFault
    from dbops.repair.prepare import Preparation, tables_of
    from dbops.review.work import Risk

    wiring = open_wiring(estate)
    database = wiring.database(name).name
    typed = bool(tables or read_only or title or author or ticket)
    if work_id is not None and new_id is None and not typed:
        _apply(wiring, database, work_id, yes=yes)
    elif new_id is not None and work_id is None and author is not None:
        wanted = Preparation(
            id=new_id,
            title=title or f"Make {database} ready for repairs",
            author=author,
            ticket=ticket,
            risk=Risk(risk),
            database=database,
            tables=tables_of(tables),
            read=tables_of(read_only, "--read"),
        )
        _draw_up(wiring, wanted)
    else:
        raise UsageFault(
            "prepare-which",
            "draw a change up, with --id and --author, or run an approved one, with --review",
            hint="dbops repair prepare --help",
        )


def _draw_up(wiring: Wiring, wanted: Preparation) -> None:
    """Afterwards the change lies in the work tree; nobody asked the database."""
    from dbops.cli.render import say
    from dbops.cli.reviewing import worktree_of
    from dbops.errors import UsageFault
    from dbops.repair.prepare import draw_up_preparation
    from dbops.review.new_work import create_work

    engine = wiring.repair_engine(wiring.database(wanted.database))
    if engine.traits.roles and not wanted.tables:
        raise UsageFault(
            "prepare-tables",
            f"the role that repairs {wanted.database} could write nothing: no table is named",
            hint="name each one: --table his.visit",
        )
    worktree = worktree_of(wiring)
    folder = create_work(worktree, draw_up_preparation(wanted, engine))
    click.echo(f"{folder}")
    say(f"next: read up.sql, then dbops review request {wanted.id} --key KEY")


def _apply(wiring: Wiring, database: str, work_id: str, *, yes: bool) -> None:
    if not yes:
        confirm(f"Run {work_id} on {database}?")
    prepare_reviewed(wiring, database, work_id)
    click.echo(f"{database} is ready for repairs")


def prepare_reviewed(wiring: Wiring, database: str, work_id: str) -> None:
    """Afterwards the approved change has run, and the ledger says so; raises as the gate does."""
    from dbops.audit.entry import Event
    from dbops.cli.gates import gate
    from dbops.review.work import Kind

    event = Event.REPAIR_PREPARE
    with gate(wiring, Kind.CHANGE, database, work_id, event=event) as allowed:
        assert allowed is not None  # noqa: S101 - there is always leave for work that is named
        _run(wiring, database, allowed)


def _run(wiring: Wiring, database: str, allowed: Authorization) -> None:
    """Afterwards the approved text has run, and the ledger says how that ended."""
    from dbops.audit.entry import Draft, Effect, Event, Phase
    from dbops.cli.entries import allowed_by
    from dbops.cli.ledger import recording
    from dbops.errors import DbopsError, Unreachable
    from dbops.repair.prepare import prepare_database

    draft = Draft(event=Event.REPAIR_PREPARE, phase=Phase.INTENT, target=database)
    with recording(wiring, allowed_by(draft, allowed)) as account:
        account.effect(Effect.UNKNOWN)
        engine = wiring.repair_engine(wiring.database(database))
        try:
            prepare_database(allowed.work, database, engine)
        except Unreachable:
            raise  # perhaps at COMMIT
        except DbopsError:
            account.effect(Effect.NONE)
            raise
        account.effect(Effect.COMMITTED)
