"""What the doctor finds: a verdict, a sentence, and what to do about it. Pure."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dbops.errors import DbopsError


class Verdict(StrEnum):
    """`problem`: backups or restores fail, or are not safe. `warning`: they soon may."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `code` is kebab-case and stable; never a row value."""

    code: str
    verdict: Verdict
    text: str
    advice: str = ""


def ok(code: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(code, Verdict.OK, text)


def warning(code: str, text: str, advice: str) -> Finding:
    """It works, and somebody should do something about it."""
    return Finding(code, Verdict.WARNING, text, advice)


def problem(code: str, text: str, advice: str) -> Finding:
    """It does not work, or it is not safe."""
    return Finding(code, Verdict.PROBLEM, text, advice)


def problem_of(failure: DbopsError) -> Finding:
    """What a command would have failed with."""
    return problem(failure.code, failure.message, failure.hint)


@dataclass(frozen=True, slots=True)
class Check:
    """Some things to look at; `area` is the heading that they stand under."""

    area: str
    run: Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding and its heading."""

    area: str
    finding: Finding


def examine(checks: Iterable[Check]) -> Iterator[Examined]:
    """Every finding as it comes. A check that cannot go on ends with its error as a problem.

    What the system refuses to show (a directory of another account, say) is one too.
    """
    for check in checks:
        try:
            for finding in check.run():
                yield Examined(check.area, finding)
        except DbopsError as failure:
            yield Examined(check.area, problem_of(failure))
        except OSError as failure:
            reason = errno.errorcode.get(failure.errno or 0, "unknown error")
            text = f"a part of it cannot be looked at ({reason})"
            yield Examined(check.area, problem("not-visible", text, "run dbops doctor as root"))


def count_verdicts(findings: Iterable[Finding]) -> dict[Verdict, int]:
    """How many there are of each verdict."""
    counted = Counter(finding.verdict for finding in findings)
    return {verdict: counted[verdict] for verdict in Verdict}
