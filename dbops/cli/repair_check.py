"""`dbops repair check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dbops.cli.wiring import Wiring
    from dbops.errors import DbopsError
    from dbops.repair.rules.finding import Finding, Report, Unchecked

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command()
@click.argument("work_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Every repair of the ops repository.")
@click.option("--offline", is_flag=True, help="Do not ask the databases about their tables.")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@json_option
@click.pass_obj
def check(
    estate: str | None,
    work_id: str | None,
    every: bool,  # noqa: FBT001 - click passes options by name
    offline: bool,  # noqa: FBT001
    worktree: str | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Hold the manifest and the script of a repair against its grammar and the rules REP-*.

    An error stops the repair unless the manifest accepts the rule, with a reason. What could not
    be read, and what needs a database that does not answer, is said.

    \b
    Example: dbops repair check 2026-117-visit-ward
    Exit statuses: 0 nothing stops it, 2 usage, 4 something does, 10 no such work.
    """
    from dbops.cli.reviewing import open_desk
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus, UsageFault

    if every == (work_id is not None):
        raise UsageFault(
            "which-work",
            "name one repair or say --all, not both" if every else "name a repair, or say --all",
            hint="dbops repair list shows the ids",
        )
    wiring = open_wiring(estate)
    desk = open_desk(wiring, worktree)
    folders = [each for each in desk.folders(work_id) if each.parent.name == "repairs" or work_id]
    looked = [_Looked.at(wiring, desk.worktree, folder, ask=not offline) for folder in folders]
    _show(looked, as_json=as_json)
    return ExitStatus.FINDING if any(each.stops for each in looked) else ExitStatus.DONE


class _Looked:
    """One repair: what the rules say, or why it could not be read at all."""

    def __init__(self, name: str, report: Report | None, fault: DbopsError | None) -> None:
        self.name = name
        self.report = report
        self.fault = fault
        self.blocked: tuple[Finding, ...] = ()

    @classmethod
    def at(cls, wiring: Wiring, worktree: Path, folder: Path, *, ask: bool) -> _Looked:
        from dbops.cli.repair_lint import lint_repair
        from dbops.cli.repair_list import deadlines_of
        from dbops.cli.repairing import parsed
        from dbops.errors import NotFound, Refused
        from dbops.repair.rules.finding import Report
        from dbops.repair.rules.lint import blocking
        from dbops.review.folder import read_work

        try:
            found = parsed(read_work(worktree, folder))
            wiring.database(found.repair.database)
            deadlines_of(wiring, found.repair)
            if found.repair.undo_of is not None:
                return cls(folder.name, Report((), ()), None)
            looked = cls(folder.name, lint_repair(wiring, found, ask=ask), None)
        except (Refused, NotFound) as fault:
            return cls(folder.name, None, fault)
        looked.blocked = blocking(looked.report or Report((), ()), found.repair.accepted)
        return looked

    @property
    def stops(self) -> bool:
        return self.fault is not None or bool(self.blocked)


def _show(looked: list[_Looked], *, as_json: bool) -> None:
    from dbops.cli.render import say, show_json

    if as_json:
        show_json(
            {"whole": not any(each.stops for each in looked), "work": list(map(_json, looked))}
        )
        return
    for each in looked:
        _show_one(each)
    if not looked:
        say("no repair to check")


def _json(looked: _Looked) -> dict[str, object]:
    report, fault = looked.report, looked.fault
    return {
        "id": looked.name,
        "stops": looked.stops,
        "fault": None if fault is None else {"code": fault.code, "message": fault.message},
        "findings": [] if report is None else report.findings,
        "blocking": looked.blocked,
        "unchecked": [] if report is None else report.unchecked,
    }


def _show_one(looked: _Looked) -> None:
    from dbops.cli.render import say

    if looked.fault is not None:
        click.echo(f"{looked.name}: {looked.fault.message}\n  hint: {looked.fault.hint}")
    findings = () if looked.report is None else looked.report.findings
    for finding in findings:
        stands = finding.severity.value == "error" and finding not in looked.blocked
        word = "accepted" if stands else finding.severity.value
        shown = click.style(word, fg=_COLOURS.get(word))
        click.echo(f"{looked.name}: {finding.where}: {shown} {finding.rule}: {finding.sentence}")
        click.echo(f"  hint: {finding.hint}")
    if not looked.stops:
        click.echo(f"{looked.name}: nothing stops it")
    for rule, sentences in _by_rule(() if looked.report is None else looked.report.unchecked):
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        say(f"remark: {looked.name}: {rule}: {sentences[0]}{more}")


def _by_rule(unchecked: Iterable[Unchecked]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for each in unchecked:
        found.setdefault(each.rule, []).append(each.sentence)
    return found.items()
