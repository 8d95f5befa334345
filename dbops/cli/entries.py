"""What the commands of backup say of themselves to the ledger: names, counts and digests; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase, Result

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.audit.recording import Account
    from dbops.backup.expire import ExpiryPlan, ExpiryReport
    from dbops.backup.restore import RestoreReport
    from dbops.repository.chain import Backup, Damage, Head
    from dbops.repository.manifest import Envelope
    from dbops.repository.records import Certificate, ProofLevel
    from dbops.review.authorize import Authorization

_TICKET: Final = re.compile(r"[\w./#-]{1,40}")
_NUMBERED: Final = re.compile(r"\d{9}")  # may belong to a patient; as in a closing's reason


def fit(text: str) -> str:
    """Return the text, or its digest where it has what an entry may not hold.

    Paths and what servers say of themselves are not in our hands.
    """
    try:
        Draft(event=Event.LEDGER_HEARTBEAT, target=text)
    except ValueError:
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
    return text


def fit_ticket(text: str) -> str:
    """Return the ticket where it is one word without a long number, else its digest.

    A manifest's ticket is free text of an engineer, and the ledger can never be changed.
    """
    if _TICKET.fullmatch(text) and not _NUMBERED.search(text):
        return fit(text)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"


def backup_intent(database: str) -> Draft:
    return Draft(event=Event.BACKUP_RUN, phase=Phase.INTENT, target=database)


def backup_taken(
    account: Account, repository: str, envelope: Envelope, head: Head, damages: Sequence[Damage]
) -> None:
    """Afterwards the outcome names the new backup, what it holds, and its manifest's digest.

    `repository` is the store's title or the name in it.
    """
    account.name(Label.BACKUP, str(envelope.id))
    account.name(Label.IDENTITY, fit(envelope.identity))
    account.name(Label.REPOSITORY, fit(repository.removeprefix("repository ")))
    account.name(Label.SERVER, fit(envelope.server))
    account.count(Count.BYTES, envelope.totals.bytes)
    account.count(Count.STORED, envelope.totals.stored)
    account.count(Count.PACKS, len(envelope.packs))
    account.count(Count.GAPS, envelope.totals.gaps)
    account.count(Count.DAMAGES, len(damages))
    account.digest(DigestOf.MANIFEST, head.sha256)
    if damages:
        account.ended(Result.FINDING)


def of_backup(event: Event, backup: Backup) -> Draft:
    """The intent of something that is done with one backup, to its own database."""
    return Draft(
        event=event,
        phase=Phase.INTENT,
        target=backup.id.database,
        names={Label.BACKUP: str(backup.id)},
        digests={DigestOf.MANIFEST: backup.sha256},
    )


def restore_intent(backup: Backup, target: str | None, path: Path | None) -> Draft:
    """The intent of a restore into the target of that name, or else into a file at `path`.

    A file is no database of the estate: its approval is used up as one that names none.
    """
    draft = of_backup(Event.RESTORE_RUN, backup)
    names = dict(draft.names)
    if path is not None:
        names[Label.PATH] = fit(str(path))
    return replace(draft, target=target, names=names)


def allowed_by(draft: Draft, authorization: Authorization | None) -> Draft:
    """Return the intent with what allowed it: that is what uses the approvals up."""
    if authorization is None:
        return draft
    # Loaded here: commands that need no approval do not load a reader of YAML.
    from dbops.review.statement import Decision

    names = {**draft.names, Label.COMMIT: authorization.commit}
    if authorization.break_glass:
        names[Label.DECISION] = Decision.BREAK_GLASS.value
    return replace(
        draft,
        work=authorization.manifest.id,
        ticket=None if (ticket := authorization.manifest.ticket) is None else fit_ticket(ticket),
        approvals=authorization.approvals,
        names=names,
        digests={
            **draft.digests,
            DigestOf.PLAN: authorization.plan,
            DigestOf.POLICY: authorization.policy,
        },
    )


def verify_intent(backup: Backup, level: ProofLevel) -> Draft:
    draft = of_backup(Event.BACKUP_VERIFY, backup)
    return replace(draft, names={**draft.names, Label.LEVEL: level.label})


def verified(account: Account, certificate: Certificate) -> None:
    """Afterwards the outcome says how far the backup came, and how much was compared."""
    account.name(Label.BACKUP, f"{certificate.database}@{certificate.sequence}")
    account.name(Label.LEVEL, certificate.reached)
    account.count(Count.TABLES, certificate.tables)
    account.count(Count.ROWS, certificate.rows)
    account.count(Count.FINDINGS, len(certificate.findings))
    account.count(Count.MILLISECONDS, sum(certificate.milliseconds.values()))
    if certificate.findings:
        account.ended(Result.FINDING)


def expire_intent(plan: ExpiryPlan) -> Draft:
    counts = {Count.MARKED: len(plan.mark), Count.DELETED: len(plan.delete)}
    return Draft(event=Event.BACKUP_EXPIRE, phase=Phase.INTENT, target=plan.database, counts=counts)


def expired(account: Account, report: ExpiryReport) -> None:
    """Afterwards the outcome counts what was marked and deleted, and the bytes that it freed."""
    account.count(Count.MARKED, len(report.marked))
    account.count(Count.DELETED, len(report.deleted))
    account.count(Count.BYTES, report.freed)


def restored(account: Account, report: RestoreReport) -> None:
    """Afterwards the outcome counts what was restored and what differs."""
    account.name(Label.BACKUP, str(report.backup))
    account.count(Count.TABLES, report.tables)
    account.count(Count.MILLISECONDS, round(report.seconds * 1000))
    if report.differences is not None:
        account.count(Count.FINDINGS, len(report.differences))
    if report.differences:
        account.ended(Result.FINDING)
