"""What a rehearsal of a change is of, and what it leaves: findings, the source, the differences."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dbops.change.concerned import concerned
from dbops.change.diff import Difference
from dbops.change.diff_text import diff_text
from dbops.change.evidence import (
    ChangeEvidence,
    DownEvidence,
    HeldEvidence,
    RowCounts,
    StepEvidence,
    evidence_text,
)
from dbops.change.evidence_written import WrittenEvidence
from dbops.change.manifest import Change
from dbops.change.ports import TableSize
from dbops.change.rehearsed_files import (
    difference_file,
    end_file,
    findings_file,
    made_by_rehearsal,
    source_file,
)
from dbops.change.report import ChangeReport
from dbops.change.schema import ObjectName, Schema
from dbops.change.schema_text import schema_text
from dbops.change.step import Direction, Step
from dbops.change.touch import touch_of
from dbops.review.work import Work
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRehearsalOrder:
    """What is rehearsed, on a copy of what.

    `work` holds the files as they will run. The copy is of `backup` (such as `his@12`), which was
    `taken` then and verified up to `proof`. `source` is the schema of the database itself as the
    backup has it; None where the copy is the source byte for byte. `lint` counts findings by a
    word. `token` makes the ids of runs.
    """

    work: Work
    change: Change
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    verify: tuple[Step, ...]
    host: str
    database: str
    backup: str
    taken: datetime
    proof: str
    source: Schema | None
    lint: Mapping[str, int] = field(default_factory=dict)
    token: Callable[[], str] = field(default=lambda: secrets.token_hex(16), repr=False)


@dataclass(frozen=True, slots=True)
class ChangeRehearsal:
    """What was found on one database, and the files that say so, by path."""

    evidence: ChangeEvidence
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Counted:
    """The rows of each table before, after up.sql, and after down.sql: None without one.

    `sizes` are those of all tables before.
    """

    before: Mapping[ObjectName, int]
    after: Mapping[ObjectName, int]
    down: Mapping[ObjectName, int] | None
    sizes: Mapping[ObjectName, TableSize] = field(default_factory=dict)


def write_down(
    order: ChangeRehearsalOrder,
    reports: Sequence[ChangeReport],
    counted: Counted,
    down: DownEvidence | None,
    now: datetime,
) -> ChangeRehearsal:
    """Return what was found as files; the reports are those of up.sql, and of down.sql if any."""
    up = reports[0]
    source = schema_text(up.before if order.source is None else order.source)
    steps = tuple(step for report in reports for step in _steps(report))
    evidence = ChangeEvidence(
        id=order.change.id,
        at=_whole_second(now),
        host=order.host,
        database=order.database,
        backup=order.backup,
        taken=_whole_second(order.taken),
        proof=order.proof,
        server=up.server,
        source=(up.before if order.source is None else order.source).digest,
        touched=tuple(map(touch_of, _by_name(up.differences))),
        unseen=up.unseen,
        steps=steps,
        held=tuple(held for report in reports for held in _held(report)),
        rows=_rows(counted),
        sizes=_sizes(counted, concerned(up.differences, steps)),
        written=_written(reports),
        down=down,
        lint=dict(order.lint),
        files=_files(order),
    )
    name = order.database
    return ChangeRehearsal(
        evidence,
        {
            findings_file(name): evidence_text(evidence),
            source_file(name): source,
            difference_file(name): diff_text(up.differences),
            **{
                end_file(name, report.direction, step): diff_text(differences)
                for report in reports
                for step, differences in report.ends.items()
            },
        },
    )


def _by_name(differences: Sequence[Difference]) -> list[Difference]:
    return sorted(differences, key=lambda each: each.name)


def _steps(report: ChangeReport) -> list[StepEvidence]:
    return [
        StepEvidence(
            report.direction,
            each.step.number,
            each.step.name,
            round(1000 * each.effect.seconds),
            each.effect.locks,
            each.effect.rewritten,
        )
        for each in report.steps
    ]


def _held(report: ChangeReport) -> list[HeldEvidence]:
    return [
        HeldEvidence(report.direction, each.first, each.last, round(1000 * each.seconds))
        for each in report.held
    ]


def _written(reports: Sequence[ChangeReport]) -> WrittenEvidence | None:
    """What each direction wrote; None where not all of it was counted."""
    found: dict[Direction, Mapping[str, Written]] = {}
    for report in reports:
        if report.written is None:
            return None
        found[report.direction] = {name.written: rows for name, rows in report.written.items()}
    return found


def _sizes(counted: Counted, names: Collection[str]) -> dict[str, int]:
    sizes = {name.written: size.bytes for name, size in counted.sizes.items()}
    return {name: sizes[name] for name in sorted(sizes.keys() & names)}


def _rows(counted: Counted) -> dict[str, RowCounts]:
    down = counted.down or {}
    names = sorted({*counted.before, *counted.after, *down})
    return {
        name.written: RowCounts(counted.before.get(name), counted.after.get(name), down.get(name))
        for name in names
    }


def _files(order: ChangeRehearsalOrder) -> dict[str, str]:
    digests = order.work.digests
    made = made_by_rehearsal(digests)
    return {path: digest for path, digest in digests.items() if path not in made}


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
