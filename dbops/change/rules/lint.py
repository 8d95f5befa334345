"""What every rule says of a change, before anybody rehearses or signs it; pure.

It loads sqlglot, so commands import it when they run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from dbops.change.manifest import Accepted, Change
from dbops.change.parsed import read_step
from dbops.change.reading import Reading
from dbops.change.rules.ddl_accepted import DDL_ACCEPTED
from dbops.change.rules.ddl_own import DDL_OWN, own_places
from dbops.change.rules.every import EVERY
from dbops.change.rules.finding import Case, Facts
from dbops.change.squawk_report import Heard, is_squawks, silent, unrepeated
from dbops.change.step import Part
from dbops.review.finding import Finding, Report, Severity, Unchecked
from dbops.review.work import DOWN, UP


def lint(
    change: Change,
    up: Sequence[Part],
    down: Sequence[Part],
    dialect: str,
    facts: Facts | None,
    squawk: Heard | None = None,
) -> Report:
    """Return what the rules find, and what they could not look at.

    `up` and `down` are the parts in which dbops runs the scripts. `dialect` is sqlglot's name for
    the engine's SQL; `facts` is None where no database was asked, `squawk` what that linter says
    of up.sql, None where it was not asked. Nothing is run, and no constant of the SQL stands in
    what is returned.
    """
    case = Case(
        change=change,
        dialect=dialect,
        facts=facts,
        up=_readings(up, dialect, UP),
        down=_readings(down, dialect, DOWN),
        rules=frozenset(rule.id for rule in EVERY),
    )
    said: list[Finding | Unchecked] = []
    for rule in EVERY:
        if rule is DDL_ACCEPTED:  # it looks at what all others found
            said += unrepeated(_heard(change, squawk), said)
        said += rule.examine(replace(case, earlier=tuple(said)))
    owned, alone = DDL_OWN.id, own_places(case)
    return Report(
        tuple(
            dict.fromkeys(
                each
                for each in said
                if isinstance(each, Finding) and (each.rule == owned or each.where not in alone)
            )
        ),
        tuple(dict.fromkeys(each for each in said if isinstance(each, Unchecked))),
    )


def _readings(parts: Sequence[Part], dialect: str, file: str) -> tuple[Reading, ...]:
    return tuple(
        replace(read_step(step, dialect, file), part=number)
        for number, part in enumerate(parts, 1)
        for step in part.steps
    )


def _heard(change: Change, squawk: Heard | None) -> Heard:
    """Return what squawk said; that it was not asked only where the manifest rests on that."""
    if squawk is not None:
        return squawk
    accepted = any(is_squawks(entry.rule) for entry in change.accepted)
    return (silent("squawk, of which a finding is accepted, is not here"),) if accepted else ()


def blocking(report: Report, accepted: Collection[Accepted]) -> tuple[Finding, ...]:
    """Return the errors that the manifest does not accept; a change with any is not run."""
    return tuple(
        finding
        for finding in report.findings
        if finding.severity is Severity.ERROR
        and not any(accepts(entry, finding) for entry in accepted)
    )


def accepts(entry: Accepted, finding: Finding) -> bool:
    """Whether the author lets the finding stand: by its rule, and its place where one is said."""
    return entry.rule == finding.rule and entry.at in {None, finding.where}
