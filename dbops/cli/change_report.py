"""What `dbops change run` and `revert` say of a database that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.change.diff import Difference
    from dbops.change.report import ChangeReport


def show_report(report: ChangeReport) -> None:
    """A line for the database, and one for each difference."""
    from dbops.change.step import Direction
    from dbops.cli.changing import told
    from dbops.cli.render import counted

    done = "is changed" if report.direction is Direction.UP else "is as it was"
    again = f", {report.attempts} attempts" if report.attempts > 1 else ""
    click.echo(
        f"{report.database} {done}: {counted(len(report.steps), 'step')},"
        f" {report.seconds:.1f} s{again}"
    )
    for line in told(report.differences):
        click.echo(f"  {line}")


def names_json(differences: Iterable[Difference]) -> list[dict[str, object]]:
    """Which objects differ, and how."""
    return [
        {"verb": each.verb, "kind": each.name.kind, "name": each.name.written}
        for each in differences
    ]


def report_json(report: ChangeReport) -> dict[str, object]:
    """The same as a document, with the times of the steps."""
    return {
        "run": report.run,
        "database": report.database,
        "direction": report.direction,
        "server": report.server,
        "steps": [
            {
                "number": each.step.number,
                "name": each.step.name,
                "milliseconds": round(1000 * each.effect.seconds),
                "attempts": each.attempts,
            }
            for each in report.steps
        ],
        "differences": names_json(report.differences),
        "drift": names_json(report.drift),
        "schema": report.digest,
        "seconds": round(report.seconds, 3),
    }
