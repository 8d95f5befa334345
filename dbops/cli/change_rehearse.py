"""`dbops change rehearse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, jobs_option, json_option
from dbops.errors import Interrupted, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.change.evidence import ChangeEvidence
    from dbops.cli.wiring import Wiring


@click.command()
@click.argument("work_id", metavar="ID")
@identity_option
@jobs_option
@json_option
@click.pass_obj
def rehearse(
    estate: str | None,
    work_id: str,
    identities: tuple[str, ...],
    jobs: int | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Run the change ID and take it back on the last proven backup of each of its databases.

    For the verifying host, and only with the author's signature on the files as they are, and while
    no run of ID lacks a known end. Each backup is restored into scratch; up.sql runs there,
    verify.sql must be true, and nothing may differ that "touches" does not name; after down.sql the
    schema must be as before, and up.sql runs once more. The folder gets what was found of each
    database, and evidence.yml, signed. Commit them, and have the author request the work again.

    \b
    Example: dbops change rehearse 2026-031-visit-ward-fk
    Exit statuses: 0 done, 1 failed, 2 this host signs no evidence, 3 done but not recorded,
    5 refused as it would be on the database, not requested, or a run has no known end, 10 no such
    work or no proven backup, 11 unreachable, 12 no identity opens the backup, 130 stopped: nothing
    is written.
    """
    from dbops.cli.change_ground import remark_other_schema
    from dbops.cli.changing import read_change
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    found = rehearse_change_recorded(
        wiring, work_id, identities=identities, jobs=jobs or 1, quiet=as_json
    )
    _show(work_id, found, as_json=as_json)
    rehearsed = read_change(wiring, work_id).work
    names = [each.database for each in found]
    remark_other_schema(wiring, rehearsed, names)
    _remark_stands(wiring, work_id, names)


def rehearse_change_recorded(
    wiring: Wiring,
    work_id: str,
    *,
    identities: tuple[str, ...] = (),
    jobs: int,
    quiet: bool,
) -> tuple[ChangeEvidence, ...]:
    """Afterwards the evidence is in the work's folder, and the ledger says so.

    Returns what was found, a value for each database. Where the change has run already, as in a
    ring before, the signed files of its rehearsal there stay. The folder is as it was where any
    other is refused.
    """
    from dbops.cli.change_rehearsing import (
        kept_files,
        plan_change_rehearsal,
        rehearse_each,
        write_attested,
    )
    from dbops.cli.stopping import stopping

    plan = plan_change_rehearsal(wiring, work_id, identities)
    found, stands = [], {}
    try:
        with stopping() as stops:
            for place in plan.places:
                try:
                    found.append(rehearse_each(wiring, plan, place, jobs=jobs, quiet=quiet))
                except Refused as fault:
                    if fault.code != "change-already":
                        raise
                    stands[place.database.name] = fault
            if not found:
                raise next(iter(stands.values()))
            kept = kept_files(wiring, plan, stands)
            with stops.held():
                write_attested(wiring, plan, found, kept)
    except KeyboardInterrupt:
        raise _interrupted(work_id) from None
    return tuple(each.evidence for each in found)


def _interrupted(work_id: str) -> Interrupted:
    return Interrupted(
        "interrupted",
        f"interrupted: {work_id} is not rehearsed; its databases were not touched, and its folder"
        " is as it was",
        hint=f"to try again: dbops change rehearse {work_id}",
    )


def _show(work_id: str, found: tuple[ChangeEvidence, ...], *, as_json: bool) -> None:
    from dbops.cli.change_rehearsed import down_words
    from dbops.cli.render import counted, say, show_json

    if as_json:
        show_json({"work": work_id, "databases": [_json(each) for each in found]})
        return
    for each in found:
        click.echo(
            f"{each.database}: rehearsed on {each.backup} ({each.proof}, {each.server}):"
            f" {counted(len(each.touched), 'difference')}; down: {down_words(each)}"
        )
        for touch in each.touched:
            click.echo(f"  {touch.line}")
        for touch in each.unseen:
            say(f"remark: touches names it, and nothing differs: {touch.line}")
    click.echo(f"wrote the evidence: commit it, then dbops review request {work_id} --key KEY")


def _remark_stands(wiring: Wiring, work_id: str, databases: Iterable[str]) -> None:
    """Say where the change stands already: on a backup from before, it was rehearsed once more."""
    from dbops.change.attempts import standing_on
    from dbops.change.step import Direction
    from dbops.cli.change_list import recorded_on
    from dbops.cli.render import say

    runs = recorded_on(wiring)
    for database in databases:
        last = standing_on(runs, work_id, database)
        if last is not None and last.judged and last.direction is Direction.UP:
            say(
                f"remark: {work_id} has run on {database} (ledger entry {last.sequence}): what is"
                " rehearsed now is not what ran"
            )


def _json(evidence: ChangeEvidence) -> dict[str, object]:
    from dbops.cli.change_rehearsed import down_words

    return {
        "database": evidence.database,
        "backup": evidence.backup,
        "proof": evidence.proof,
        "server": evidence.server,
        "touched": [touch.line for touch in evidence.touched],
        "unseen": [touch.line for touch in evidence.unseen],
        "steps": evidence.steps,
        "held": evidence.held,
        "down": down_words(evidence),
    }
