"""What the repository alone says of a database's safety, against what its system promises; pure.

A backup that a verification found damaged does not count as a backup, nor does one that claims to
come from the future: either would keep the alarm silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dbops.estate.values import System
from dbops.repository.chain import Backup, Damage, History
from dbops.repository.manifest import BackupId
from dbops.repository.records import ProofLevel

# By how much the clock of the host that took a backup may be ahead of the one that asks.
CLOCK_TOLERANCE = timedelta(minutes=5)


class Verdict(StrEnum):
    """The worst thing there is to say about a database; the members stand worst first."""

    DAMAGED = "damaged"  # the chain is broken, or a record in it cannot be trusted
    NEVER = "never"  # there is no sound backup
    RPO_MISSED = "rpo-missed"  # the newest sound backup is too old
    FINDINGS = "findings"  # something is wrong with a backup, and no later one was proven
    RTO_MISSED = "rto-missed"  # the last restore took longer than it may
    UNPROVEN = "unproven"  # no backup was ever restored and found equal
    OK = "ok"

    @property
    def alarming(self) -> bool:
        """Whether a person should act: all but `ok` and `unproven`, which a new database is."""
        return self not in {Verdict.OK, Verdict.UNPROVEN}


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """One line of `dbops backup status`. Times are UTC, ages whole seconds.

    `last_backup` is the newest that nothing speaks against, `level` how far it was verified.
    `last_proven_at` is the instant whose data were last shown to come back whole, and
    `last_proof_at` when that was shown. `measured_restore_seconds` is from the newest certificate
    of a restore.
    """

    database: str
    system: str
    verdict: Verdict
    last_backup_id: BackupId | None
    last_backup_at: datetime | None
    age_seconds: int | None
    level: ProofLevel
    last_proven_id: BackupId | None
    last_proven_at: datetime | None
    last_proof_at: datetime | None
    rpo_seconds: int
    rpo_missed: bool
    rto_seconds: int
    measured_restore_seconds: float | None
    rto_missed: bool
    backup_count: int
    held_count: int
    findings: tuple[str, ...]
    damages: tuple[Damage, ...]


def database_status(history: History, system: System, now: datetime) -> DatabaseStatus:
    """The status of one database at `now` (aware)."""
    living = history.living
    last = _newest(living, lambda backup: _sound(backup, now))
    proven = _newest(
        living, lambda backup: _sound(backup, now) and backup.level is ProofLevel.PROVEN
    )
    age = None if last is None else max(timedelta(), now - last.envelope.snapshot)
    rpo_missed = age is None or age > system.rpo
    restore = _measured_restore(history)
    rto_missed = restore is not None and restore > system.rto
    return DatabaseStatus(
        database=history.database,
        system=system.name,
        verdict=_verdict(
            history,
            last,
            proven,
            now,
            rpo_missed=rpo_missed,
            rto_missed=rto_missed,
        ),
        last_backup_id=last.id if last else None,
        last_backup_at=last.envelope.snapshot if last else None,
        age_seconds=None if age is None else int(age.total_seconds()),
        level=last.level if last else ProofLevel.UNKNOWN,
        last_proven_id=proven.id if proven else None,
        last_proven_at=proven.envelope.snapshot if proven else None,
        last_proof_at=proven.proven_at if proven else None,
        rpo_seconds=int(system.rpo.total_seconds()),
        rpo_missed=rpo_missed,
        rto_seconds=int(system.rto.total_seconds()),
        measured_restore_seconds=None if restore is None else restore.total_seconds(),
        rto_missed=rto_missed,
        backup_count=len(living),
        held_count=sum(backup.held for backup in history.backups),
        findings=tuple(text for backup in living for text in _findings(backup, now)),
        damages=history.damages,
    )


def _newest(backups: Iterable[Backup], choose: Callable[[Backup], bool]) -> Backup | None:
    return max(filter(choose, backups), key=lambda backup: backup.sequence, default=None)


def _sound(backup: Backup, now: datetime) -> bool:
    return not any(_findings(backup, now))


def _findings(backup: Backup, now: datetime) -> tuple[str, ...]:
    """What speaks against the backup, each with its name."""
    wrong = backup.findings
    if backup.envelope.snapshot > now + CLOCK_TOLERANCE:
        wrong = (*wrong, "it claims to come from the future: compare the clocks of the hosts")
    return tuple(f"{backup.id}: {text}" for text in wrong)


def _verdict(
    history: History,
    last: Backup | None,
    proven: Backup | None,
    now: datetime,
    *,
    rpo_missed: bool,
    rto_missed: bool,
) -> Verdict:
    # What is wrong with an old backup no longer alarms once a newer one was proven.
    settled = proven.sequence if proven else 0
    unsettled = any(
        _findings(backup, now) for backup in history.living if backup.sequence > settled
    )
    cases = {
        Verdict.DAMAGED: bool(history.damages),
        Verdict.NEVER: last is None,
        Verdict.RPO_MISSED: rpo_missed,
        Verdict.FINDINGS: unsettled,
        Verdict.RTO_MISSED: rto_missed,
        Verdict.UNPROVEN: proven is None,
    }
    return next((verdict for verdict, holds in cases.items() if holds), Verdict.OK)


def _measured_restore(history: History) -> timedelta | None:
    """How long the newest restore that was carried through took."""
    measured = [
        (certificate.at, certificate.milliseconds["restore"])
        for backup in history.backups
        for certificate in backup.certificates
        if "restore" in certificate.milliseconds
        and ProofLevel.parse(certificate.reached) >= ProofLevel.READABLE
    ]
    return timedelta(milliseconds=max(measured)[1]) if measured else None


Sample = int | float | None

_METRICS: tuple[tuple[str, str, Callable[[DatabaseStatus], Sample]], ...] = (
    (
        "dbops_last_backup_timestamp_seconds",
        "The instant whose data the newest sound backup holds.",
        lambda status: _timestamp(status.last_backup_at),
    ),
    (
        "dbops_last_proven_timestamp_seconds",
        "The instant whose data were last restored and found equal.",
        lambda status: _timestamp(status.last_proven_at),
    ),
    (
        "dbops_rpo_seconds",
        "The age that the newest backup may reach.",
        lambda status: status.rpo_seconds,
    ),
    (
        "dbops_rpo_missed",
        "1 where the newest sound backup is older than that, or missing.",
        lambda status: int(status.rpo_missed),
    ),
    (
        "dbops_rto_seconds",
        "The time that a restore may take.",
        lambda status: status.rto_seconds,
    ),
    (
        "dbops_restore_seconds",
        "The time that the newest measured restore took.",
        lambda status: status.measured_restore_seconds,
    ),
    (
        "dbops_rto_missed",
        "1 where that restore took longer than it may.",
        lambda status: int(status.rto_missed),
    ),
    (
        "dbops_backup_proof_level",
        "How far the newest sound backup was verified, 0 to 4 (proven).",
        lambda status: int(status.level),
    ),
    (
        "dbops_backup_damaged",
        "1 where the chain of backups is broken or a record cannot be trusted.",
        lambda status: int(bool(status.damages)),
    ),
    (
        "dbops_backup_findings",
        "What verifications found wrong with living backups.",
        lambda status: len(status.findings),
    ),
    ("dbops_backups", "Living backups.", lambda status: status.backup_count),
    ("dbops_backups_held", "Backups on hold.", lambda status: status.held_count),
    (
        "dbops_backup_alarm",
        "1 where a person should act.",
        lambda status: int(status.verdict.alarming),
    ),
)


def prometheus_text(statuses: Iterable[DatabaseStatus]) -> str:
    """The statuses in Prometheus' text exposition format 0.0.4; what is not known has no sample."""
    listed = tuple(statuses)
    lines: list[str] = []
    for name, meaning, measure in _METRICS:
        samples = [
            f"{name}{_labels(status)} {value}"
            for status in listed
            if (value := measure(status)) is not None
        ]
        if samples:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", *samples]
    return "".join(f"{line}\n" for line in lines)


def _timestamp(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _labels(status: DatabaseStatus) -> str:
    return f'{{database="{_escaped(status.database)}",system="{_escaped(status.system)}"}}'


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
