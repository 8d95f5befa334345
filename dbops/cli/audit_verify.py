"""`dbops audit verify`."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Final

import click

from dbops.cli.options import json_option
from dbops.errors import DbopsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from dbops.audit.findings import LedgerFinding, LedgerReport
    from dbops.cli.wiring import Wiring

SHOWN: Final = 20  # findings of one verdict in a row


@click.command()
@click.option(
    "--against",
    "names",
    multiple=True,
    metavar="FILE|ANCHOR",
    help="A checkpoint that was kept elsewhere, or an anchor that must answer; several times.",
)
@json_option
@click.pass_obj
def verify(
    estate: str | None,
    names: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> int:
    """Read the whole ledger and say whether it is what it was.

    It is held to the checkpoints of this host, to the newest of each anchor, and to the months that
    the hospital has countersigned. Without one that this host cannot write, nobody can tell
    whether the ledger was written anew.

    \b
    EDITED    a line was changed, put in or moved
    TORN      the last line was never finished, and no entry tells of it
    ROLLBACK  a checkpoint knows more entries
    FORK      a checkpoint knows other entries
    STALE     the newest entries have waited too long to be anchored
    GAP       entries are missing, or none were written for too long
    DANGLING  a work was begun, and nothing says how it ended

    \b
    Example: dbops audit verify --against checkpoint-from-the-report.note
    Exit statuses: 0 it is whole, 4 something is wrong, 5 the file is not signed by a trusted key,
    10 no ledger or no such file, 11 it or the named anchor cannot be read.
    """
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    report = _verify(wiring, names)
    if as_json:
        _show_json(wiring, report)
    else:
        _show(wiring, report)
    return ExitStatus.DONE if report.ok else ExitStatus.FINDING


def _verify(wiring: Wiring, names: tuple[str, ...]) -> LedgerReport:
    from dbops.audit.actor import boot_id, still_runs
    from dbops.audit.findings import LedgerPolicy
    from dbops.audit.known import kept_checkpoints
    from dbops.audit.verify import verify_ledger
    from dbops.cli.countersigned import check_countersignatures
    from dbops.cli.known_checkpoints import anchored_checkpoints, named_checkpoints
    from dbops.cli.ledger import anchors_of, segments_of, tiles_of

    audit = wiring.estate.audit
    anchors = anchors_of(wiring)
    named = list(named_checkpoints(wiring, anchors, names))
    anchored, silent = anchored_checkpoints(
        {name: anchor for name, anchor in anchors.items() if name not in names}, audit.origin
    )
    segments = segments_of(wiring)
    report = verify_ledger(
        segments,
        known=[*kept_checkpoints(segments), *anchored, *named],
        trust=wiring.trust,
        policy=LedgerPolicy(audit.heartbeat, audit.anchor_within, bool(anchors)),
        now=wiring.clock(),
        running=still_runs,
        boot=boot_id(),
        tiles=tiles_of(wiring),
    )
    contradictions, doubts = check_countersignatures(wiring, segments)
    return dataclasses.replace(
        report,
        findings=(*report.findings, *contradictions),
        remarks=(*report.remarks, *silent, *doubts),
    )


def _show(wiring: Wiring, report: LedgerReport) -> None:
    from dbops.cli.render import say

    summary = _summary(report, wiring.estate.zone)
    if report.ok:
        click.echo(f"the ledger is whole: {summary}")
    else:
        say(f"the ledger is not whole: {summary}")
    for remark in report.remarks:
        say(f"remark: {remark}")
    for hint, group in groupby(report.findings, key=lambda each: _hint(wiring, each)):
        _show_findings(list(group), hint)


def _summary(report: LedgerReport, zone: ZoneInfo) -> str:
    from dbops.cli.render import moment

    entries = "1 entry" if report.size == 1 else f"{report.size} entries"
    span = f", {moment(report.first_at, zone)} to {moment(report.last_at, zone)}"
    anchored = "none" if report.anchored_size is None else report.anchored_size
    return (
        f"{entries}{span if report.size else ''}, root {report.root.hex()[:16]}…,"
        f" {anchored} of them anchored"
    )


def _show_findings(findings: list[LedgerFinding], hint: str) -> None:
    from dbops.cli.render import say

    for finding in findings[:SHOWN]:
        error = click.style("error:", fg="red")
        click.echo(f"{error} {finding.verdict.name}: {finding.message}", err=True)
    if len(findings) > SHOWN:
        say(f"… and {len(findings) - SHOWN} more; --json lists them all")
    click.echo(f"{click.style('hint:', fg='cyan')} {hint}", err=True)


def _hint(wiring: Wiring, finding: LedgerFinding) -> str:
    """What to do about it; nothing ever mends a ledger, so mostly: keep what is there."""
    from dbops.audit.findings import Verdict

    place = wiring.estate.audit.directory
    match finding.verdict:
        case Verdict.EDITED | Verdict.ROLLBACK:
            return f"keep {place} as it is; what was there stands in the last export or copy of it"
        case Verdict.FORK:
            return f"keep {place} and that checkpoint as they are: only one tells what was done"
        case Verdict.TORN:
            return "the next entry records it: dbops audit heartbeat"
        case Verdict.STALE if finding.code == "checkpoint-untrusted":
            return (
                f"compare it with the others of {place}/checkpoints and with the anchors; where its"
                " file was spoilt, the newest that counts can be copied over it"
            )
        case Verdict.STALE:
            return "dbops audit heartbeat; then see why cron did not run it"
        case Verdict.GAP if finding.code == "silence":
            return f"find out why, then: dbops audit close {finding.sequence} --reason TEXT"
        case Verdict.GAP:
            return f"keep {place} as it is; what is missing stands in the last export or copy of it"
        case Verdict.DANGLING:
            return _hint_of_intent(wiring, finding.sequence)


def _hint_of_intent(wiring: Wiring, sequence: int | None) -> str:
    """Repairs and changes have a witness inside of the database; of others only a person knows."""
    from dbops.audit.links import entry_at
    from dbops.cli.ledger import segments_of
    from dbops.cli.witness import witness_hint

    hint = None
    with suppress(DbopsError):
        hint = witness_hint(entry_at(segments_of(wiring), sequence or 0).draft)
    return hint or f"find out what it did, then: dbops audit close {sequence} --reason TEXT"


def _show_json(wiring: Wiring, report: LedgerReport) -> None:
    from dbops.cli.render import show_json

    show_json(
        {
            "ok": report.ok,
            "verdicts": report.verdicts,
            "origin": report.origin,
            "size": report.size,
            "root": report.root.hex(),
            "first_at": report.first_at,
            "last_at": report.last_at,
            "anchored_size": report.anchored_size,
            "exposed_since": report.exposed_since,
            "findings": list(_findings(wiring, report.findings)),
            "remarks": report.remarks,
        }
    )


def _findings(wiring: Wiring, findings: Iterable[LedgerFinding]) -> Iterable[dict[str, object]]:
    for finding in findings:
        yield {
            "verdict": finding.verdict,
            "code": finding.code,
            "sequence": finding.sequence,
            "message": finding.message,
            "hint": _hint(wiring, finding),
        }
