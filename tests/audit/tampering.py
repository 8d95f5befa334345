"""What can be done to a ledger, and a verification that looks for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from dbops.audit.findings import KnownCheckpoint, LedgerPolicy, LedgerReport, Verdict
from dbops.audit.verify import verify_ledger
from dbops.crypto.trust import TrustRoot
from tests.audit.ledgers import BOOT, MadeLedger

POLICY = LedgerPolicy(heartbeat=timedelta(days=40), anchor_within=timedelta(days=2), anchors=True)
NO_ANCHOR = LedgerPolicy(POLICY.heartbeat, POLICY.anchor_within, anchors=False)


def verify(
    made: MadeLedger,
    *known: KnownCheckpoint,
    policy: LedgerPolicy = POLICY,
    trust: TrustRoot | None = None,
    running: Callable[[int, int], bool] = lambda _pid, _started: False,
    boot: str = BOOT,
    later: timedelta = timedelta(),
    cache: bool = False,
) -> LedgerReport:
    """Verify it, a little after its last entry."""
    return verify_ledger(
        made.segments,
        known=known,
        trust=trust or made.trust,
        policy=policy,
        now=made.clock.now + timedelta(hours=1) + later,
        running=running,
        boot=boot,
        tiles=made.tiles if cache else None,
    )


def told(report: LedgerReport) -> list[tuple[Verdict, str, int | None]]:
    """Verdict, code and first entry of each finding."""
    return [(each.verdict, each.code, each.sequence) for each in report.findings]


def rechain(lines: list[bytes], start: int) -> None:
    """Compute every `prev` again from a line on, as somebody who rewrites a ledger would."""
    for index in range(start, len(lines)):
        before = hashlib.sha256(b"\0" + lines[index - 1][:-1]).hexdigest().encode()
        lines[index] = re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"%b"' % before, lines[index])


def swap(lines: list[bytes]) -> None:
    """Exchange two lines."""
    lines[5], lines[6] = lines[6], lines[5]


def change_line(index: int) -> Callable[[list[bytes]], None]:
    """Change one line and leave its length, number and link."""

    def change(lines: list[bytes]) -> None:
        lines[index] = lines[index].replace(b'"account":"root"', b'"account":"toor"')

    return change


def change_prev(lines: list[bytes]) -> None:
    """Change what a line says of the line before."""
    lines[5] = re.sub(rb'"prev":"....', b'"prev":"0000', lines[5])


def change_number(lines: list[bytes]) -> None:
    """Change a line's number."""
    lines[5] = lines[5].replace(b'"seq":5,', b'"seq":9,')


def make_garbage(lines: list[bytes]) -> None:
    """Make something else of a line."""
    lines[5] = b"this was once an entry\n"


def delete(lines: list[bytes]) -> None:
    """Take a line out."""
    del lines[5]


def repeat(lines: list[bytes]) -> None:
    """Write a line twice."""
    lines.insert(5, lines[5])


def repeat_elsewhere(lines: list[bytes]) -> None:
    """Write an early line again further down."""
    lines.insert(9, lines[2])


def insert(lines: list[bytes]) -> None:
    """Put in a line that fits to the one before it."""
    change = lines[5].replace(b'"account":"root"', b'"account":"toor"')
    lines.insert(5, change)


def insert_unlinked(lines: list[bytes]) -> None:
    """Put in a line from a later place, changed."""
    lines.insert(5, lines[9].replace(b'"account":"root"', b'"account":"toor"'))


def insert_garbage(lines: list[bytes]) -> None:
    """Put in a line that is no entry."""
    lines.insert(5, b"hello\n")


def append_line(lines: list[bytes]) -> None:
    """Write a line behind the end."""
    lines.append(b"hello\n")


def append_bytes(lines: list[bytes]) -> None:
    """Write bytes behind the end."""
    lines.append(b"\xff\xfehello")


def cut_in_line(lines: list[bytes]) -> None:
    """Cut the last line in its middle."""
    lines[-1] = lines[-1][:100]
