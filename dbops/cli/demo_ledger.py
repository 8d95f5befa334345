"""The end of the demo: the ledger is verified, and so is a copy of it that somebody edited."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from dbops.audit.actor import boot_id, still_runs
from dbops.audit.findings import LedgerFinding, LedgerPolicy, LedgerReport
from dbops.audit.known import kept_checkpoints
from dbops.audit.segments import Segments
from dbops.audit.verify import verify_ledger
from dbops.cli.ledger import ledger_of, require_checkpoint_signer
from dbops.cli.wiring import Wiring


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The ledger of the demo, and a copy of it in which entry number `edited` was changed."""

    entries: int
    whole: bool
    edited: int
    found: LedgerFinding | None

    @property
    def caught(self) -> bool:
        """Whether the right line was named."""
        return self.found is not None and self.found.sequence == self.edited


def check_ledger(wiring: Wiring, directory: Path) -> LedgerCheck:
    """The ledger is verified, and so is a copy in which one figure of one line was changed."""
    ledger_of(wiring).checkpoint(require_checkpoint_signer(wiring))
    place = wiring.estate.audit.directory
    report = _verify(wiring, place)
    copy = directory / "edited-ledger"
    shutil.copytree(place, copy)
    edited = _edit(copy)
    findings = _verify(wiring, copy).findings
    return LedgerCheck(report.size, report.ok, edited, next(iter(findings), None))


def _edit(copy: Path) -> int:
    """Afterwards a backup of the copy has read another number of bytes; returns its entry."""
    segment = min((copy / "seg").iterdir())
    lines = segment.read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"bytes":' in line)
    lines[number] = re.sub(
        rb'"bytes":(\d)', lambda found: b'"bytes":%d' % ((int(found[1]) % 9) + 1), lines[number]
    )
    segment.write_bytes(b"".join(lines))
    return number


def _verify(wiring: Wiring, place: Path) -> LedgerReport:
    audit = wiring.estate.audit
    segments = Segments(place)
    return verify_ledger(
        segments,
        known=tuple(kept_checkpoints(segments)),
        trust=wiring.trust,
        policy=LedgerPolicy(audit.heartbeat, audit.anchor_within, anchors=False),
        now=wiring.clock(),
        running=still_runs,
        boot=boot_id(),
    )
