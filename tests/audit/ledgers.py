"""Ledgers for tests: written by the real thing, under a clock that goes on by a minute a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dbops.audit.append import Ledger, LedgerPlace
from dbops.audit.entry import Actor, Count, Draft, Event, Phase, Result
from dbops.audit.segments import Segments
from dbops.audit.tiles import Tiles
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustedSigner, TrustRoot, format_signer

BEGIN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
STEP = timedelta(minutes=1)
ORIGIN = "hospital/dbops/backup-1"
BOOT = "11111111-2222-3333-4444-555555555555"
ACTOR = Actor("root", 0, "zhang", 1001, None, 4711, 998877)


@dataclass
class Clock:
    """A minute later each time it is asked."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        """The time."""
        self.now += STEP
        return self.now


@dataclass
class MadeLedger:
    """A ledger in a directory, its key, and a trust root that knows the key."""

    directory: Path
    signer: KeyFileSigner
    origin: str = ORIGIN
    clock: Clock = field(default_factory=Clock)

    @property
    def trust(self) -> TrustRoot:
        """The trust root."""
        return trust_in(self.signer)

    @property
    def segments(self) -> Segments:
        """Its lines."""
        return Segments(self.directory)

    @property
    def tiles(self) -> Tiles:
        """Its cache."""
        return Tiles(self.directory)

    @property
    def ledger(self) -> Ledger:
        """The writer."""
        place = LedgerPlace(self.directory, self.origin, "backup-1", "dbops 0.2.0")
        return Ledger(place, self.clock, ACTOR, BOOT, UTC)

    def write(self, count: int) -> None:
        """Append that many entries, intents and outcomes in turn."""
        ledger = self.ledger
        for _ in range(count // 2):
            intent = ledger.append(
                Draft(event=Event.BACKUP_RUN, phase=Phase.INTENT, target="检验科")
            )
            ledger.append(
                Draft(
                    event=Event.BACKUP_RUN,
                    phase=Phase.OUTCOME,
                    of=intent.sequence,
                    target="检验科",
                    counts={Count.ROWS: intent.sequence},
                    result=Result.DONE,
                )
            )
        if count % 2:
            ledger.append(Draft(event=Event.LEDGER_HEARTBEAT))

    def note(self) -> str:
        """Sign a checkpoint over what is there."""
        self.ledger.checkpoint(self.signer)
        return (self.directory / "checkpoint").read_text("utf-8")

    def copy(self, directory: Path) -> MadeLedger:
        """The same ledger, to be damaged."""
        shutil.copytree(self.directory, directory)
        return MadeLedger(directory, self.signer, self.origin, Clock(self.clock.now))

    @property
    def files(self) -> list[Path]:
        """Its segments, oldest first."""
        return sorted((self.directory / "seg").glob("*.jsonl"))

    def edit(self, change: Callable[[list[bytes]], None], segment: int = 0) -> None:
        """Change the lines of a segment, each with its newline."""
        path = self.files[segment]
        lines = path.read_bytes().splitlines(keepends=True)
        change(lines)
        path.write_bytes(b"".join(lines))


def trust_in(*signers: KeyFileSigner) -> TrustRoot:
    """A trust root in which each may sign checkpoints and countersignatures."""
    spaces: frozenset[Namespace | str] = frozenset({Namespace.CHECKPOINT, Namespace.COUNTERSIGN})
    return TrustRoot(
        tuple(
            TrustedSigner(f"signer{number}@hospital", signer.public_key, spaces)
            for number, signer in enumerate(signers)
        )
    )


def write_trust(directory: Path, trust: TrustRoot) -> None:
    """Afterwards the trust root stands in the directory."""
    directory.mkdir(exist_ok=True)
    lines = "".join(map(format_signer, trust.signers))
    (directory / "allowed_signers").write_text(lines, "utf-8")


def new_signer(path: Path) -> KeyFileSigner:
    """A fresh key."""
    generate_signing_key(path, "ledger@hospital")
    return KeyFileSigner.load(path)


def make_ledger(directory: Path, signer: KeyFileSigner, months: int = 1) -> MadeLedger:
    """A ledger of 13 entries in its first segment, and 12 in that of each further month."""
    made = MadeLedger(directory, signer)
    for month in range(months):
        made.clock.now = BEGIN + timedelta(days=31 * month)
        made.write(12)
    return made
