"""`dbops change record`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import confirm, review_option, yes_option

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dbops.change.schema import Schema
    from dbops.cli.wiring import Wiring
    from dbops.review.authorize import Authorization


@click.command()
@click.argument("name", metavar="DB")
@click.option("--id", "new_id", metavar="ID", help="Draw up the change of this id.")
@click.option("--title", metavar="TEXT", help="Why the schema is as it is, in one line.")
@click.option("--author", metavar="PRINCIPAL", help="Who asks for it.")
@click.option("--ticket", metavar="TEXT", help="Where it is told at length.")
@review_option
@yes_option
@click.pass_obj
def record(
    estate: str | None,
    /,
    name: str,
    new_id: str | None,
    title: str | None,
    author: str | None,
    ticket: str | None,
    work_id: str | None,
    yes: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Accept the schema that DB has as the one that it is to have.

    With --id a change is drawn up in the ops repository that holds the schema as it is now, as
    text; what differs from the one recorded before is said. Read it, commit it, have it approved.
    With --review the approved schema is recorded, if the database still has exactly it; "dbops
    change drift" compares with it from then on. Every run of a change records the schema itself.

    \b
    Example:
      dbops change record his --id 2026-030-baseline --author zhang.wei@contractor
      dbops change record his --review 2026-030-baseline
    Exit statuses: 0 done, 2 usage, 3 done but not recorded in the ledger, 5 not approved, or the
    schema is another one by now, 10 no such database or work, 11 unreachable.
    """
    from dbops.cli.wiring import open_wiring
    from dbops.errors import UsageFault

    wiring = open_wiring(estate)
    database = wiring.database(name).name
    typed = any(each is not None for each in (title, author, ticket))
    if work_id is not None and new_id is None and not typed:
        if not yes:
            # Nobody is asked about what may not be done.
            with _allowed(wiring, database, work_id) as allowed:
                _refuse_in_vain(wiring, database, allowed)
            confirm(f"record the schema of {work_id} for {database}?")
        digest = record_reviewed(wiring, database, work_id)
        click.echo(f"{database}: the schema {digest[:12]} is recorded")
    elif new_id is not None and work_id is None and author is not None:
        _draw_up(wiring, database, new_id, title, author, ticket)
    else:
        raise UsageFault(
            "record-which",
            "draw a change up, with --id and --author, or record an approved one, with --review",
            hint="dbops change record --help",
        )


def _draw_up(
    wiring: Wiring, database: str, new_id: str, title: str | None, author: str, ticket: str | None
) -> None:
    """Afterwards the change lies in the work tree, with the schema as the database has it now."""
    from dbops.change.draw_up import NewChange, draw_up_record
    from dbops.cli.change_drift import settled_schema
    from dbops.cli.render import say
    from dbops.cli.reviewing import worktree_of
    from dbops.review.new_work import create_work

    live = settled_schema(wiring, database)
    wanted = NewChange(
        id=new_id,
        title=title or f"The schema of {database} as it is",
        author=author,
        databases=(database,),
        ticket=ticket,
    )
    folder = create_work(worktree_of(wiring), draw_up_record(wanted, live))
    click.echo(f"{folder}")
    for line in _since_before(wiring, database, live):
        click.echo(f"  {line}")
    say(
        f"next: commit it, read dbops review show {new_id},"
        f" then dbops review request {new_id} --key KEY"
    )


def _since_before(wiring: Wiring, database: str, live: Schema) -> list[str]:
    """What differs from the schema that was recorded before, in words."""
    from dbops.change.diff import compare_schemas
    from dbops.cli.baselines import baseline_of
    from dbops.cli.changing import told
    from dbops.errors import DbopsError, NotFound

    try:
        before, _ = baseline_of(wiring, database)
    except NotFound:
        return []
    except DbopsError as fault:  # recording it anew is what mends that
        return [f"remark: compared with nothing: {fault.message}"]
    return told(compare_schemas(before, live))


def record_reviewed(wiring: Wiring, database: str, work_id: str) -> str:
    """Afterwards the approved schema is the database's; returns its digest.

    Raises as the gate does; Refused `change-other` for another sort of change, `change-drift` where
    the database is not so by now, and where a change is half done there, for all that is known.
    """
    from dbops.audit.entry import DigestOf, Effect
    from dbops.cli.baselines import keep_schema, recorded_alone
    from dbops.cli.change_entries import recorded_schema
    from dbops.cli.ledger import recording

    with _allowed(wiring, database, work_id) as allowed:
        schema = _approved_schema(allowed, database)
        with (
            recorded_alone(wiring, database),
            recording(wiring, recorded_schema(database, allowed, schema.digest)) as account,
        ):
            account.effect(Effect.NONE)
            _refuse_other_schema(wiring, work_id, database, schema)
            keep_schema(wiring, database, schema)
            account.digest(DigestOf.SCHEMA, schema.digest)
            account.effect(Effect.COMMITTED)
    return schema.digest


def _allowed(
    wiring: Wiring, database: str, work_id: str
) -> AbstractContextManager[Authorization | None]:
    """The gate of recording: inside it the schema may be recorded, by nobody else meanwhile."""
    from dbops.audit.entry import Event
    from dbops.cli.gates import gate
    from dbops.review.work import Kind

    return gate(wiring, Kind.CHANGE, database, work_id, event=Event.CHANGE_RECORD)


def _refuse_in_vain(wiring: Wiring, database: str, allowed: Authorization | None) -> None:
    """Raise Refused where recording would be refused, whatever the schema is by now."""
    from dbops.cli.open_runs import refuse_open_on

    _approved_schema(allowed, database)
    refuse_open_on(wiring, database)


def _approved_schema(allowed: Authorization | None, database: str) -> Schema:
    """The schema of the approved work; raises Refused `change-other` where it has none."""
    from dbops.change.schema_text import SOURCE, parse_schema
    from dbops.cli.changing import parsed_change
    from dbops.errors import Refused

    assert allowed is not None  # noqa: S101 - there is always leave for work that is named
    work = allowed.work
    change = parsed_change(work).change
    data = work.files.get(SOURCE)
    if change.records is None or change.databases != (database,) or data is None:
        raise Refused(
            "change-other",
            f"{work.id} does not record the schema of {database}",
            hint=f"draw one up: dbops change record {database} --id ID --author PRINCIPAL",
        )
    return parse_schema(data, f"{work.folder}/{SOURCE}")


def _refuse_other_schema(wiring: Wiring, work_id: str, database: str, schema: Schema) -> None:
    from dbops.change.drift import drift, told
    from dbops.cli.change_drift import settled_schema
    from dbops.errors import Refused

    found = drift(schema, settled_schema(wiring, database), database)
    if found:
        raise Refused(
            "change-drift",
            f"{database} has another schema by now than {work_id}: {told(found)}",
            hint=f"draw it up anew: dbops change record {database} --id ID --author PRINCIPAL",
        )
