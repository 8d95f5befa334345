"""What `check` says of pieces of work: findings, what stops them, and what nobody looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dbops.errors import DbopsError
    from dbops.review.finding import Finding, Report, Unchecked

_COLOURS = {"error": "red", "warning": "yellow"}


@dataclass(frozen=True, slots=True)
class Looked:
    """One piece of work: what the rules say, or why it could not be read at all.

    `blocked` are the errors that its manifest does not accept, `accepted` what it does, and why.
    """

    name: str
    report: Report | None = None
    fault: DbopsError | None = None
    blocked: tuple[Finding, ...] = ()
    accepted: Mapping[Finding, str] = field(default_factory=dict)

    @property
    def stops(self) -> bool:
        """Whether the work is not run as it is."""
        return self.fault is not None or bool(self.blocked)


def show_looked(looked: Sequence[Looked], *, nothing: str, as_json: bool) -> None:
    """Print all of it; `nothing` is what to say where there is no work."""
    from dbops.cli.render import say, show_json

    if as_json:
        show_json(
            {
                "whole": not any(each.stops for each in looked),
                "work": list(map(looked_json, looked)),
            }
        )
        return
    for each in looked:
        show_one(each)
    if not looked:
        say(nothing)


def show_one(looked: Looked) -> None:
    """Print what was found in one piece of work."""
    from dbops.cli.render import say

    if looked.fault is not None:
        click.echo(f"{looked.name}: {looked.fault.message}\n  hint: {looked.fault.hint}")
    findings = () if looked.report is None else looked.report.findings
    for finding in findings:
        why = looked.accepted.get(finding)
        word = finding.severity.value if why is None else "accepted"
        shown = click.style(word, fg=_COLOURS.get(word))
        click.echo(f"{looked.name}: {finding.where}: {shown} {finding.rule}: {finding.sentence}")
        click.echo(f"  hint: {finding.hint}" if why is None else f"  why: {why}")
    if not looked.stops:
        click.echo(f"{looked.name}: nothing stops it")
    for rule, sentences in _by_rule(() if looked.report is None else looked.report.unchecked):
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        say(f"remark: {looked.name}: {rule}: {sentences[0]}{more}")


def looked_json(looked: Looked) -> dict[str, object]:
    """The same for `--json`."""
    report, fault = looked.report, looked.fault
    return {
        "id": looked.name,
        "stops": looked.stops,
        "fault": None if fault is None else {"code": fault.code, "message": fault.message},
        "findings": [] if report is None else report.findings,
        "blocking": looked.blocked,
        "accepted": [
            {"rule": each.rule, "where": each.where, "why": why}
            for each, why in looked.accepted.items()
        ],
        "unchecked": [] if report is None else report.unchecked,
    }


def _by_rule(unchecked: Iterable[Unchecked]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for each in unchecked:
        found.setdefault(each.rule, []).append(each.sentence)
    return found.items()
