"""What a rule of lint finds, and what it could not look at; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


class Severity(StrEnum):
    """An ERROR stops the work unless its manifest accepts it, with a reason; a WARNING is shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a reviewer should know.

    `where` is a file and a line. `sentence` holds names and counts only, and never a constant of
    the SQL, which may be a patient's number. `hint` says what to write instead.
    """

    rule: str
    severity: Severity
    where: str
    sentence: str
    hint: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What a rule could not look at; the sentence begins "not checked: "."""

    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found, and all that nobody looked at."""

    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...]


@dataclass(frozen=True, slots=True)
class LintRule(Generic[Subject]):
    """One rule: `examine` yields what it finds; `title` is the heading of its page."""

    id: str
    severity: Severity
    title: str
    examine: Callable[[Subject], Iterable[Finding | Unchecked]]

    def found(self, where: str, sentence: str, hint: str) -> Finding:
        """Return a finding of this rule."""
        return Finding(self.id, self.severity, where, sentence, hint)

    def unchecked(self, what: str) -> Unchecked:
        """Return that the rule could not look at something."""
        return Unchecked(self.id, f"not checked: {what}")
