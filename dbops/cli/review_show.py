"""`dbops review show`."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from dbops.cli.options import identities_option, json_option
from dbops.cli.review_list import worktree_option_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from dbops.cli.review_overview import Desk, Overview
    from dbops.repair.difference import RowDifference
    from dbops.review.work import Manifest, Work

TEXT_MOST: Final = 16 << 10  # bytes of a file that is shown on the screen


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--worktree", type=click.Path(file_okay=False), help=worktree_option_text())
@identities_option("Open the rows of the rehearsal with this SSH key or age identity.")
@json_option
@click.pass_obj
def show(
    estate: str | None,
    work_id: str,
    worktree: str | None,
    identities: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Show everything about the work ID that a reviewer needs on one screen.

    What is done where and why, the files with their digests and their text, what dbops itself
    objects to, the evidence, who signed what, and what is missing. With --identity also the rows
    of a repair before and after, as they were rehearsed: columns that the manifest lists under
    "show" in clear, others as digests. That they were opened is recorded.

    \b
    Example: dbops review show 2026-117-lab --identity ~/.ssh/id_ed25519
    Exit statuses: 0 done, 2 no ops repository or a malformed policy, 5 the trust root or the
    sealed rows are not as they should be, 10 no such work or no policy, 12 no identity opens the
    rows.
    """
    from dbops.cli.render import show_json
    from dbops.cli.review_overview import Asked
    from dbops.cli.reviewing import open_desk
    from dbops.cli.row_tables import print_rows, rows_json
    from dbops.cli.wiring import open_wiring

    desk = open_desk(open_wiring(estate), worktree)
    (folder,) = desk.folders(work_id)
    overview = desk.look(folder, Asked.THERE)
    if as_json:
        with _rows(desk, overview, identities) as rows:
            show_json(_json(desk, overview) | {"rows": None if rows is None else rows_json(rows)})
        return
    _show_head(desk, overview)
    if overview.work is not None:
        _show_files(desk, overview.work)
        _show_form(desk, overview)
        _show_statements(desk, overview)
    _show_missing(overview)
    with _rows(desk, overview, identities) as rows:
        if rows is not None:
            click.echo()
            print_rows(rows)


@contextmanager
def _rows(
    desk: Desk, overview: Overview, named: Sequence[str]
) -> Iterator[Sequence[RowDifference] | None]:
    """The rows before and after; None where nobody asks for them, or there are none."""
    from dbops.cli.repair_show import remark_unattested
    from dbops.cli.review_rows import reviewed_rows

    if not named or overview.work is None:
        yield None
        return
    remark_unattested(desk.wiring, overview.work)
    with reviewed_rows(desk.wiring, overview.work, named) as rows:
        yield rows


def _json(desk: Desk, overview: Overview) -> dict[str, object]:
    from dbops.cli.review_list import summary
    from dbops.cli.review_schema import baseline_json

    work, manifest = overview.work, overview.manifest
    return summary(overview, desk.policy) | {
        "ticket": manifest.ticket if manifest else None,
        "risk": manifest.risk if manifest else None,
        "settings": dict(manifest.settings) if manifest else {},
        "limits": manifest.limits if manifest else (),
        "identities": dict(overview.identities.known),
        "unchecked": overview.identities.unchecked,
        "files": [
            {"path": path, "bytes": len(work.files[path]), "sha256": digest}
            for path, digest in work.digests.items()
        ]
        if work
        else [],
        "plan": work.plan if work else None,
        "baseline": baseline_json(desk, work),
        "statements": [dict(row) for row in _statements(desk, overview)],
    }


def _show_head(desk: Desk, overview: Overview) -> None:
    from dbops.cli.render import moment

    rows = [("work", overview.folder.relative_to(desk.worktree).as_posix())]
    if overview.manifest is not None:
        rows += _manifest_rows(overview, overview.manifest)
    rows.append(("state", overview.state.value))
    if overview.due is not None:
        rows.append(("due", moment(overview.due, desk.wiring.estate.zone)))
    for use in overview.uses:
        when = moment(use.at, desk.wiring.estate.zone)
        on = f" on {use.database}" if use.database else ""
        told = f"{when}{on}, effect {use.effect.value} (ledger entry {use.sequence})"
        rows.append(("taken back" if use.takes_back else "was run", told))
    for name, value in rows:
        click.echo(f"{name:<10} {value}")


def _manifest_rows(overview: Overview, manifest: Manifest) -> Iterator[tuple[str, str]]:
    from dbops.review.work import Kind

    # Who the databases are as the author says, for those that cannot be asked here.
    claimed = {} if overview.request is None else overview.request.databases
    yield "title", manifest.title
    yield "kind", f"{manifest.kind.value}, risk {manifest.risk.value}"
    if manifest.kind is Kind.CHANGE:
        yield "purpose", _purpose(overview)
    yield "author", manifest.author
    yield "ticket", manifest.ticket or "-"
    for alias in manifest.databases:
        unchecked = f"{claimed.get(alias, 'not known')} (as the author says, unchecked here)"
        yield "database", f"{alias}  {overview.identities.known.get(alias, unchecked)}"
    for limit in manifest.limits:
        name, _, value = limit.partition(": ")
        yield name, value


def _purpose(overview: Overview) -> str:
    if overview.purpose is not None:
        return overview.purpose.value
    return "nobody has asked yet" if overview.request is None else "the request does not say"


def _show_files(desk: Desk, work: Work) -> None:
    from dbops.cli.render import show_table
    from dbops.cli.review_schema import schema_words
    from dbops.wording import size

    click.echo()
    rows = [(digest, size(len(work.files[path])), path) for path, digest in work.digests.items()]
    show_table(rows, ("sha256", "size", "file"))
    words = schema_words(desk, work)
    for path, data in sorted(work.files.items()):
        text = "\n".join(words[path]) if path in words else _text(data)
        shown = "    (not shown: read the file itself)" if text is None else _indented(text)
        click.echo(f"\n--- {path}\n{shown}".rstrip("\n"))


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


def _text(data: bytes) -> str | None:
    """The text of a small file that reads as it is; others are only listed."""
    from dbops.crypto.trust import plain_text
    from dbops.errors import Refused

    if len(data) > TEXT_MOST:
        return None
    try:
        return plain_text(data, "the file")
    except Refused:
        return None


def _show_form(desk: Desk, overview: Overview) -> None:
    """What dbops objects to whatever anybody signs, and how the evidence stands."""
    click.echo()
    faults = overview.judgement.faults if overview.judgement else ()
    for reason in faults:
        click.echo(f"{'objection':<10} {reason.message}")
    if overview.judgement is not None and not faults:
        click.echo(f"{'objections':<10} none")
    click.echo(f"{'evidence':<10} {_evidence(desk, overview)}")


def _evidence(desk: Desk, overview: Overview) -> str:
    from dbops.review.work import EVIDENCE

    judgement, manifest = overview.judgement, overview.manifest
    if judgement is not None and judgement.evidence:
        return "does not count"
    if overview.work is None or EVIDENCE not in overview.work.files:
        return "none"
    if manifest is not None:
        rules, _ = desk.policy.matching(manifest.kind, manifest.concerns, manifest.risk)
        if any(rule.evidence for rule in rules):
            return "counts"
    return "there, and not checked: no rule asks for it"


def _statements(desk: Desk, overview: Overview) -> Iterator[dict[str, object]]:
    """Who said what, whether it counts, and if not, why."""
    from dbops.errors import Refused
    from dbops.review.verified import statement_path, verify_statement

    work, judgement = overview.work, overview.judgement
    if work is None or judgement is None:
        return
    counted = set(judgement.approvals)
    used = {sha256 for use in overview.uses for sha256 in use.approvals}
    for name, signed in sorted(work.statements.items()):
        row: dict[str, object] = {"principal": name, "sha256": signed.sha256}
        try:
            found = verify_statement(work, name, desk.policy, desk.wiring.trust, desk.now)
        except Refused as failure:
            yield row | {"decision": None, "counts": False, "why": [failure.message]}
            continue
        statement, path = found.statement, statement_path(work, name)
        yield row | {
            "decision": statement.decision,
            "purpose": statement.purpose,
            "role": statement.role,
            "name": found.person.name,
            "key": found.key.fingerprint,
            "signed_at": statement.signed_at,
            "not_after": statement.not_after,
            "note": statement.note,
            "databases": dict(statement.databases),
            "counts": signed.sha256 in counted,
            "used": signed.sha256 in used,
            "why": [
                reason.message.removeprefix(f"{path}: ")
                for reason in (*judgement.ignored, *judgement.faults)
                if reason.message.startswith(f"{path}: ")
            ],
        }


def _show_statements(desk: Desk, overview: Overview) -> None:
    click.echo()
    rows = list(_statements(desk, overview))
    for row in rows:
        click.echo("\n".join(_statement_lines(row, desk.wiring.estate.zone)))
    if not rows:
        click.echo(f"{'signed by':<10} nobody")


def _statement_lines(row: dict[str, object], zone: ZoneInfo) -> Iterator[str]:
    from datetime import datetime

    from dbops.cli.render import moment

    until = row.get("not_after")
    said = f"{row['decision']}" + (f" as {row['role']}" if row.get("role") else "")
    said += f", to {row['purpose']}" if row.get("purpose") else ""
    when = f", until {moment(until, zone)}" if isinstance(until, datetime) else ""
    known = row["decision"] is not None
    yield f"{'signed by':<10} {row['principal']}: {said + when if known else 'does not count'}"
    if row.get("note"):
        yield f"{'':<10} note: {row['note']}"
    if row.get("used"):
        yield f"{'':<10} was used for the run"
        return
    why = row["why"]
    for reason in why if isinstance(why, list) else ():
        yield f"{'':<10} does not count: {reason}"


def _show_missing(overview: Overview) -> None:
    from dbops.cli.review_open import open_lines

    click.echo()
    for text in open_lines(overview):
        click.echo(f"{'next':<10} {text}")
    for text in _missing(overview):
        click.echo(f"{'missing':<10} {text}")


def _missing(overview: Overview) -> list[str]:
    """What somebody has to do next; that a run used its approvals up is nothing that is missing."""
    from dbops.cli.review_open import done_lines

    if done := done_lines(overview):
        return [f"nothing: {done[0]}", *(f"nothing; {each}" for each in done[1:])]
    if overview.unreviewed:
        return [f"a review after break-glass: dbops review confirm {overview.id}"]
    if overview.open_runs and overview.is_used_up:
        return []
    return [reason.message for reason in overview.obstacles] or ["nothing"]
