"""`dbops repair show`."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.cli.repairing import ReadRepair
    from dbops.cli.wiring import Wiring
    from dbops.repair.bundle import Bundle
    from dbops.repair.evidence import RepairEvidence
    from dbops.repair.manifest import Repair
    from dbops.review.work import Work


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--run", "of_run", is_flag=True, help="The rows of the run, not of the rehearsal.")
@click.option(
    "--rows",
    "most",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="At most so many rows; 0 shows none.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a page for people without dbops.",
)
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@identity_option
@json_option
@click.pass_obj
def show(
    estate: str | None,
    work_id: str,
    of_run: bool,  # noqa: FBT001 - click passes options by name
    most: int,
    page: str | None,
    worktree: str | None,
    identities: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show the repair ID: what it declares, what was rehearsed, and the rows before and after.

    The rows come from rows.age of the rehearsal, or with --run from the sealed bundle of the last
    run on this host; an identity opens them. Columns that the manifest lists under "show" are in
    clear, others are digests: equal ones are equal values. "dbops repair bundle show" shows all.

    \b
    Example: dbops repair show 2026-117-visit-ward --identity ~/.ssh/id_ed25519
    Exit statuses: 0 done, 2 usage, 5 the repair or its rows are not as they should be, 10 no such
    work or bundle, 12 no identity opens the rows.
    """
    from dbops.cli.repairing import read_repair
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    found = read_repair(wiring, work_id, worktree)
    remark_unattested(wiring, found.work)
    with _rows(wiring, found, identities, of_run=of_run, wanted=most > 0) as bundle:
        if page is not None:
            _write_page(Path(page), found, bundle, most)
        elif as_json:
            _show_json(found, bundle, most)
        else:
            _show_text(found, bundle, most)


def remark_unattested(wiring: Wiring, work: Work) -> None:
    """Say aloud where no host of the hospital vouches for what the rehearsal is said to show."""
    from dbops.cli.render import say
    from dbops.errors import Refused
    from dbops.review.evidence import attested_by
    from dbops.review.work import EVIDENCE, ROWS

    if not work.files.keys() & {EVIDENCE, ROWS}:
        return
    try:
        attested_by(work, wiring.trust, wiring.clock())
    except Refused as fault:
        say(f"remark: nobody vouches for its evidence and rows: {fault.message}")


@contextmanager
def _rows(
    wiring: Wiring, found: ReadRepair, named: Sequence[str], *, of_run: bool, wanted: bool
) -> Iterator[Bundle | None]:
    """The bundle to show rows of, its opening recorded; None, said aloud, where there is none."""
    from dbops.cli.render import say
    from dbops.cli.repair_entries import shown
    from dbops.cli.repairing import bundle_place, last_bundle, row_identities
    from dbops.cli.reviewing import recording_if_there
    from dbops.repair.rehearsed import rehearsed_rows

    opening = row_identities(wiring, named) if wanted else ()
    if not opening:
        if wanted:
            say("remark: no identity is at hand, so no rows are shown; name one with --identity")
        yield None
        return
    draft = shown(found.repair.id, found.repair.database, None)
    with recording_if_there(wiring, draft):
        if of_run:
            yield last_bundle(bundle_place(wiring), found.repair.id, opening)
            return
        rows = rehearsed_rows(found.work, opening)
        if rows is None:
            say(f"remark: {_without_rows(found.repair)}")
        yield rows


def _without_rows(repair: Repair) -> str:
    if repair.undo_of is None:
        return "it was not rehearsed, so there are no rows to show"
    return (
        "what it takes back is sealed on the host that ran it:"
        f" dbops repair bundle show {repair.undo_of.work}"
    )


def _facts(repair: Repair, evidence: RepairEvidence | None) -> Iterator[tuple[str, str]]:
    """What stands above the rows: names, counts and times."""
    from dbops.cli.render import counted

    yield "repair", repair.id
    yield "title", repair.title
    yield "author", repair.author
    yield "database", repair.database
    yield "ticket", repair.ticket or "-"
    yield "opened", "-" if repair.opened is None else repair.opened.isoformat()
    cause = repair.cause
    if repair.undo_of is not None:
        yield "takes back", repair.undo_of.work
    elif cause is None:
        yield "cause", "not found yet"
    if cause is not None:
        yield "cause", cause.found
    if cause is not None and cause.fix is not None:
        yield "fixed by", cause.fix
    for watch in repair.watches:
        yield "declares", f"{watch.table}: {watch.expect}"
    for effect in repair.side_effects:
        yield "declares", f"{effect.table}: triggers append {effect.inserted}"
    if evidence is not None:
        yield "rehearsed", f"{evidence.at:%Y-%m-%d %H:%M} UTC on {evidence.backup}"
        for table, found in sorted(evidence.tables.items()):
            yield "found", f"{table}: {found.ops}"
        yield "undo", f"restores {counted(evidence.undo.restored, 'row')}"


def _show_text(found: ReadRepair, bundle: Bundle | None, most: int) -> None:
    from dbops.cli.render import say
    from dbops.cli.repair_rows import differences
    from dbops.cli.row_tables import print_rows
    from dbops.repair.evidence import read_evidence

    for name, value in _facts(found.repair, read_evidence(found.work)):
        click.echo(f"{name:<11}{value}")
    if bundle is None:
        return
    click.echo()
    rows = list(differences(bundle, found.repair.show, most + 1))
    print_rows(rows[:most])
    if len(rows) > most:
        say(f"remark: only the first {most} rows are shown; --rows N shows more")


def _show_json(found: ReadRepair, bundle: Bundle | None, most: int) -> None:
    from dbops.cli.render import show_json
    from dbops.cli.repair_rows import differences
    from dbops.cli.row_tables import rows_json
    from dbops.repair.evidence import read_evidence

    repair = found.repair
    rows = None if bundle is None else list(differences(bundle, repair.show, most))
    evidence = read_evidence(found.work)
    show_json(
        {
            "id": repair.id,
            "title": repair.title,
            "author": repair.author,
            "database": repair.database,
            "ticket": repair.ticket,
            "opened": None if repair.opened is None else repair.opened.isoformat(),
            "cause": repair.cause,
            "undo_of": repair.undo_of,
            "declares": {str(watch.table): watch.expect for watch in repair.watches},
            "rehearsed": None if evidence is None else evidence.backup,
            "rows": None if rows is None else rows_json(rows),
        }
    )


def _write_page(path: Path, found: ReadRepair, bundle: Bundle | None, most: int) -> None:
    """A new file that only this account reads; a page is never written over another file."""
    from dbops.cli.render import say
    from dbops.cli.repair_rows import differences
    from dbops.cli.row_tables import html_page
    from dbops.errors import Failed
    from dbops.repair.evidence import read_evidence

    rows = () if bundle is None else differences(bundle, found.repair.show, most)
    facts = tuple(_facts(found.repair, read_evidence(found.work)))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as failure:
        raise Failed(
            "page-unwritable",
            f"{path} cannot be made ({errno.errorcode.get(failure.errno or 0, 'unknown')})",
            hint="name a new file in a directory that you can write to",
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(html_page(found.repair.title, facts, rows))
    say(f"wrote {path}; only this account can read it")
