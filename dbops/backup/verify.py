"""Climb the levels of proof of one backup, and write down how far it came.

stored → readable → restored → proven. A level is reached when its check found nothing; the climb
ends at the first that found something. The certificate is signed by the verifier and stands beside
the backup, whatever was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from dbops.backup.contents import BackupContents, open_contents
from dbops.backup.ports import Advance, Engine, RestoreOrder, ScratchPlace
from dbops.backup.prove import prove
from dbops.crypto.age import Identity
from dbops.crypto.signed import sign_document
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.errors import DbopsError, NoIdentity, NotFound, Refused, Unreachable
from dbops.repository.chain import Backup
from dbops.repository.check import check_readable, check_stored
from dbops.repository.codec import encode, whole_second
from dbops.repository.layout import certificate_name
from dbops.repository.ports import ObjectExists, put_bytes
from dbops.repository.reader import Repository
from dbops.repository.records import Certificate, ProofLevel

MOST_FINDINGS = 200
# These say that the scratch could not be used; they say nothing about the backup.
SCRATCH_FAULTS = frozenset(
    {"no-space", "target-unwritable", "server-out-of-space", "client-too-old"}
)


@dataclass(frozen=True, slots=True)
class VerifyOrder:
    """How far to climb, with what. `checked` holds packs found good before in this run."""

    level: ProofLevel
    identities: tuple[Identity, ...] = field(repr=False)
    scratch: ScratchPlace
    host: str
    tool: str
    signer: Signer | None
    checked: set[str]
    jobs: int = 1


@dataclass
class _Climb:
    """What was reached so far, and how long each step took."""

    reached: ProofLevel = ProofLevel.UNKNOWN
    where: str = ""
    tables: int = 0
    rows: int = 0
    findings: list[str] = field(default_factory=list)
    milliseconds: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.milliseconds[name] = round((time.monotonic() - start) * 1000)

    def finish(self, level: ProofLevel, findings: Sequence[str]) -> bool:
        self.findings += findings
        if not findings:
            self.reached = level
        return not findings


def verify_backup(
    repository: Repository,
    backup: Backup,
    order: VerifyOrder,
    clock: Callable[[], datetime],
    advance: Advance,
) -> Certificate:
    """Afterwards what was found is signed and stored, where the host holds a verifier's key.

    Damage and differences are findings, not errors. Raises NoIdentity where the level needs an
    identity and none at hand opens the backup, Unreachable where no scratch could be had, and
    NotFound or Refused where a program is missing or this version cannot read the backup: then
    nothing was found out, and nothing is certified.
    """
    climb = _Climb()
    try:
        _climb(repository, backup, order, climb, advance)
    except (NoIdentity, NotFound, Refused, Unreachable):
        raise
    except DbopsError as failure:
        climb.findings.append(failure.message)
    certificate = _certificate(repository.id, backup, order, climb, clock())
    if order.signer is not None:
        document = sign_document(encode(certificate), Namespace.CERTIFICATE, order.signer)
        name = certificate_name(backup.id.database, backup.sequence, document)
        # ObjectExists: the same verification within the same second, to the letter.
        with suppress(ObjectExists):
            put_bytes(repository.store, name, document)
    return certificate


def _climb(
    repository: Repository, backup: Backup, order: VerifyOrder, climb: _Climb, advance: Advance
) -> None:
    envelope = backup.envelope
    with climb.step("stored"):
        damages = (
            *repository.check_recipients(envelope),
            *check_stored(repository.store, envelope, order.checked, advance),
        )
    if not climb.finish(ProofLevel.STORED, [str(item) for item in damages]):
        return
    if order.level is ProofLevel.STORED:
        return
    contents = open_contents(repository, envelope, order.identities)
    climb.tables = len(contents.catalogue.named_tables)
    climb.rows = contents.catalogue.rows
    if order.level is ProofLevel.READABLE:
        _read_all(contents, climb, advance)
        return
    with ExitStack() as stack:
        copy = _open_scratch(stack, order.scratch, contents)
        climb.where = order.scratch.title
        with climb.step("restore"):
            _restore(copy, contents, RestoreOrder(jobs=order.jobs, advance=advance))
        # A restore checks the digest of every range it reads, and need not read all of them.
        if not _read_all(contents, climb, advance):
            return
        with climb.step("check"):
            findings = copy.check()
        if not climb.finish(ProofLevel.RESTORED, findings) or order.level is ProofLevel.RESTORED:
            return
        with climb.step("compare"):
            climb.finish(ProofLevel.PROVEN, prove(copy, contents, advance))


def _open_scratch(stack: ExitStack, place: ScratchPlace, contents: BackupContents) -> Engine:
    """A scratch that cannot be had says nothing about the backup: it is no finding."""
    try:
        return stack.enter_context(place.open(contents))
    except DbopsError as failure:
        raise _no_scratch(failure) from None


def _restore(copy: Engine, contents: BackupContents, order: RestoreOrder) -> None:
    """A scratch that fills up says nothing about the backup either."""
    try:
        copy.restore(contents, order)
    except DbopsError as failure:
        if failure.code in SCRATCH_FAULTS:
            raise _no_scratch(failure) from None
        raise


def _no_scratch(failure: DbopsError) -> Unreachable:
    return Unreachable("no-scratch", f"no scratch database: {failure.message}", hint=failure.hint)


def _read_all(contents: BackupContents, climb: _Climb, advance: Advance) -> bool:
    """Read what was not read yet; whether every range was right."""
    reader = contents.range_reader()
    try:
        with climb.step("readable"):
            damages = check_readable(
                reader, contents.envelope, contents.catalogue, contents.seen, advance
            )
    finally:
        reader.close()
    return climb.finish(ProofLevel.READABLE, [str(item) for item in damages])


def _certificate(
    repository: str, backup: Backup, order: VerifyOrder, climb: _Climb, now: datetime
) -> Certificate:
    findings = climb.findings[:MOST_FINDINGS]
    if len(climb.findings) > MOST_FINDINGS:
        findings.append(f"and {len(climb.findings) - MOST_FINDINGS} more")
    return Certificate(
        format="dbops-certificate/1",
        repository=repository,
        database=backup.id.database,
        sequence=backup.sequence,
        manifest=backup.sha256,
        asked=order.level.label,
        reached=climb.reached.label,
        at=whole_second(now),
        host=order.host,
        tool=order.tool,
        where=climb.where,
        tables=climb.tables,
        rows=climb.rows,
        milliseconds=climb.milliseconds,
        findings=tuple(findings),
    )
