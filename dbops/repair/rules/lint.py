"""What every rule says of a repair, before anybody rehearses or signs it; pure.

It loads sqlglot, so commands import it when they run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from dbops.repair.manifest import Accepted, Repair, Watch
from dbops.repair.parsed import read_statement
from dbops.repair.reading import Reading
from dbops.repair.rules.every import EVERY
from dbops.repair.rules.finding import Case, Facts
from dbops.review.finding import Finding, Report, Severity, Unchecked
from dbops.review.work import SCRIPT
from dbops.sql.statement import Statement


def lint(
    repair: Repair,
    script: tuple[Statement, ...],
    dialect: str,
    facts: Facts | None,
    *,
    text: str = "",
) -> Report:
    """Return what the rules find, and what they could not look at.

    `dialect` is sqlglot's name for the engine's SQL; `facts` is None where no database was asked;
    `text` is the script's whole file, in which comments may stand that belong to no statement.
    Nothing is run, and no constant of the SQL stands in what is returned.
    """
    case = Case(
        repair=repair,
        dialect=dialect,
        facts=facts,
        script=tuple(
            read_statement(each, dialect, f"{SCRIPT} line {each.line}") for each in script
        ),
        fragments=tuple(_fragments(repair, dialect)),
        rules=frozenset(rule.id for rule in EVERY),
        text=text,
    )
    said: list[Finding | Unchecked] = []
    for rule in EVERY:
        said += rule.examine(replace(case, earlier=tuple(said)))
    return Report(
        tuple(each for each in said if isinstance(each, Finding)),
        tuple(each for each in said if isinstance(each, Unchecked)),
    )


def blocking(report: Report, accepted: Collection[Accepted]) -> tuple[Finding, ...]:
    """Return the errors that the manifest does not accept; a repair with any is not run."""
    rules = {entry.rule for entry in accepted}
    return tuple(
        finding
        for finding in report.findings
        if finding.severity is Severity.ERROR and finding.rule not in rules
    )


def _fragments(repair: Repair, dialect: str) -> Iterator[Reading]:
    """Yield the readings of the SQL that stands in the manifest."""
    for watch in repair.watches:
        place = f"repair.yml line {watch.where.line}"
        yield read_statement(_as_query(watch), dialect, place)
    for condition in (*repair.before, *repair.after):
        yield read_statement(condition.sql, dialect, f"repair.yml line {condition.sql.line}")


def _as_query(watch: Watch) -> Statement:
    """Return a query that chooses the rows of a watch: a predicate alone is no statement."""
    head = f"SELECT 1 FROM {watch.table} WHERE ("  # noqa: S608  (read, never run)
    return Statement((head, *watch.where.pieces, ")"), watch.where.line)
