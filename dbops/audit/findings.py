"""What a verification of the ledger says: seven verdicts, each with its reasons; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """What happened to the ledger, as far as its lines and the known checkpoints show."""

    EDITED = "edited"  # a line was changed, put in, repeated or moved
    TORN = "torn"  # the last line was never finished, and nobody recorded that
    ROLLBACK = "rollback"  # a checkpoint knows more entries than there are
    FORK = "fork"  # a checkpoint knows other entries than these
    STALE = "stale"  # no checkpoint outside covers what one should cover by now
    GAP = "gap"  # entries are missing, or none were written for too long
    DANGLING = "dangling"  # a work was announced, and nothing says how it ended


@dataclass(frozen=True, slots=True)
class LedgerFinding:
    """One thing that is wrong. `sequence` is the first entry that it concerns, if one is known."""

    verdict: Verdict
    code: str
    sequence: int | None
    message: str


@dataclass(frozen=True, slots=True)
class KnownCheckpoint:
    """A checkpoint to hold the ledger to, as the note that was found; it is verified when used.

    `title` names where it was found, and `file` the file there. `anchored` says that this place is
    out of the host's reach.
    """

    title: str
    note: str
    anchored: bool = False
    file: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """What is asked of the ledger: see `estate.values.Audit`.

    `anchors` says whether there is any place out of the host's reach to anchor to.
    """

    heartbeat: timedelta
    anchor_within: timedelta
    anchors: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """What was found. `findings` are wrong, `remarks` are worth reading.

    `anchored_size` is the number of entries under the newest trusted checkpoint out of the host's
    reach, None where there is none; `exposed_since` is the time of the first entry behind it.
    """

    origin: str | None
    size: int
    root: bytes
    findings: tuple[LedgerFinding, ...]
    remarks: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    anchored_size: int | None
    exposed_since: datetime | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts, each once, in the order of `Verdict`."""
        given = {finding.verdict for finding in self.findings}
        return tuple(verdict for verdict in Verdict if verdict in given)


def number_of(sequences: range) -> str:
    """Return `entry 5` or `entries 5 to 7`."""
    if len(sequences) == 1:
        return f"entry {sequences.start}"
    return f"entries {sequences.start} to {sequences.stop - 1}"
