"""What it costs to verify a ledger: `python -m benchmarks.ledger [ENTRIES]`.

Writes a ledger of a million entries of some 350 bytes, and compares its verification with a bare
loop that reads the same lines and hashes them. Prints one line of Markdown for
benchmarks/README.md. Fails where verification takes over 5 times as long as the loop, or one proof
over a thousandth of it.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from dbops.audit.checkpoint import Checkpoint, sign_checkpoint
from dbops.audit.entry import (
    NOTHING_BEFORE,
    Actor,
    Count,
    Draft,
    Entry,
    Event,
    Label,
    Phase,
    Result,
    encode,
)
from dbops.audit.findings import KnownCheckpoint, LedgerPolicy
from dbops.audit.prove import check_proof, prove_entry
from dbops.audit.segments import SEGMENT_MOST, Segments
from dbops.audit.tiles import Tiles
from dbops.audit.tree import Frontier, leaf_hash
from dbops.audit.verify import verify_ledger
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustedSigner, TrustRoot

ORIGIN = "hospital/dbops/backup-1"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 3
RATIO_MOST = 5.0
PROOFS = 200
ACTOR = Actor("root", 0, "zhang", 1001, "zhang", 12345, 998877)


def main() -> None:
    """Measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_001
    with tempfile.TemporaryDirectory(prefix="dbops-benchmark-") as place:
        print(measure(Path(place), count))


def measure(place: Path, count: int) -> str:
    """One ledger; returns the line."""
    generate_signing_key(place / "key", "ledger@hospital")
    signer = KeyFileSigner.load(place / "key")
    spaces: frozenset[Namespace | str] = frozenset({Namespace.CHECKPOINT})
    trust = TrustRoot((TrustedSigner("ledger@hospital", signer.public_key, spaces),))
    audit = place / "audit"
    size, root = write(audit, count)
    note = sign_checkpoint(Checkpoint(ORIGIN, count, root), signer)
    segments, tiles = Segments(audit), Tiles(audit)
    now = BEGIN + timedelta(minutes=count)

    def verify() -> None:
        report = verify_ledger(
            segments,
            known=[KnownCheckpoint("anchor", note, anchored=True)],
            trust=trust,
            policy=LedgerPolicy(timedelta(hours=26), timedelta(hours=26), anchors=True),
            now=now,
            running=lambda _pid, _started: False,
            boot="none",
            tiles=tiles,
        )
        assert report.ok, report.findings[:3]
        assert report.root == root

    files = segments.files()
    pairs = [(seconds(lambda: hash_bare(files)), seconds(verify)) for _ in range(ROUNDS)]
    bare = min(pair[0] for pair in pairs)
    whole = min(pair[1] for pair in pairs)
    chosen = [count * number // PROOFS for number in range(PROOFS)]
    proof = statistics.median(
        seconds(partial(prove_entry, segments, tiles, note, at)) for at in chosen
    )
    text = prove_entry(segments, tiles, note, count // 3)
    check = seconds(lambda: check_proof(text, trust, now))
    assert whole <= RATIO_MOST * bare, f"{whole / bare:.2f} times the loop"
    assert proof <= whole * (1_000_000 / count) / 1000, f"one proof takes {proof * 1000:.2f} ms"
    return (
        f"| {count:,} | {size / 1e6:.0f} MB | {bare:.2f} s | {whole:.2f} s | {whole / bare:.2f} |"
        f" {proof * 1000:.2f} ms | 1/{whole / proof:.0f} | {check * 1000:.2f} ms |"
    )


def hash_bare(files: tuple[Path, ...]) -> None:
    """The bare loop: read every line, hash it."""
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                hashlib.sha256(line).digest()


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write(audit: Path, count: int) -> tuple[int, bytes]:
    """Write the lines that so many appends would write, without their fsyncs; bytes and root."""
    (audit / "seg").mkdir(parents=True)
    frontier, leaves = Frontier(), []
    previous, size, file, room = NOTHING_BEFORE, 0, None, 0
    for number in range(count):
        line = encode(entry(number, previous))
        if file is None or room <= 0:
            if file is not None:
                file.close()
            file = (audit / "seg" / f"{number:012d}.jsonl").open("wb")
            room = SEGMENT_MOST
        file.write(line + b"\n")
        size += len(line) + 1
        room -= len(line) + 1
        leaf = leaf_hash(line)
        leaves.append(leaf)
        previous = leaf.hex()
    if file is not None:
        file.close()
    frontier.extend(leaves)
    Tiles(audit).extend(leaves)
    return size, frontier.root()


def entry(number: int, previous: str) -> Entry:
    """An opening, then intents and their outcomes in turn."""
    if number == 0:
        draft = Draft(event=Event.LEDGER_OPEN, names={Label.ORIGIN: ORIGIN})
    elif number % 2:
        draft = Draft(event=Event.BACKUP_RUN, phase=Phase.INTENT, target="lab")
    else:
        counts = {Count.ROWS: number, Count.BYTES: 1000 * number}
        draft = Draft(
            event=Event.BACKUP_RUN,
            phase=Phase.OUTCOME,
            of=number - 1,
            target="lab",
            counts=counts,
            result=Result.DONE,
        )
    return Entry(
        sequence=number,
        previous=previous,
        at=BEGIN + timedelta(minutes=number),
        offset=480,
        host="backup-1",
        boot="7f1c3c1e-2a6b-4e57-a6f1-0d6b1a0c9a11",
        actor=ACTOR,
        tool="dbops 0.2.0",
        draft=draft,
    )


if __name__ == "__main__":
    main()
