"""What stops a change still, for whoever is about to sign or to rehearse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.cli.changing import ReadChange
    from dbops.cli.review_overview import Desk, Overview
    from dbops.cli.wiring import Wiring


def refuse_requiring_unknown(wiring: Wiring, desk: Desk, found: ReadChange) -> None:
    """Raise Refused `change-no-such` where the change requires one that nobody knows.

    Known are those in the ops repository, and those that ran and are there no longer.
    """
    from dbops.change.manifest_checks import refuse_unknown_required
    from dbops.cli.change_list import recorded_on
    from dbops.review.work import Kind

    if not found.change.requires:
        return
    folders = (each for each in desk.folders(None) if each.parent.name == Kind.CHANGE.folder)
    known = {each.name for each in folders} | {run.work for run in recorded_on(wiring)}
    refuse_unknown_required(found.work, found.change, known)


def open_errors(wiring: Wiring, desk: Desk, overview: Overview) -> Iterator[str]:
    """Yield lines that say which findings stop a change that is to be run; none for other work.

    The database is asked as it is before a run. A fault is told: it keeps nobody from deciding.
    """
    from dbops.change.rules.lint import blocking
    from dbops.cli.change_lint import lint_change
    from dbops.cli.changing import parsed_change
    from dbops.errors import DbopsError
    from dbops.review.purpose import Purpose

    work = overview.work
    if work is None or overview.purpose is not Purpose.RUN:
        return
    try:
        found = parsed_change(work)
        refuse_requiring_unknown(wiring, desk, found)
        blocked = blocking(lint_change(wiring, found, ask=True), found.change.accepted)
    except DbopsError as fault:
        yield f"remark: whether something stops {work.id} is not known: {fault.message}"
        return
    if blocked:
        yield f"remark: {work.id} will not run as it is: rules stop it that it does not accept"
    yield from (f"  {each.where}: {each.rule}: {each.sentence}" for each in blocked)
