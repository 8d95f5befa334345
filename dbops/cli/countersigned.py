"""Hold a ledger to what the hospital has countersigned of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.audit.countersign import Countersignature, read_countersigned
from dbops.audit.findings import LedgerFinding, Verdict
from dbops.audit.scan import Scan, scan
from dbops.errors import Refused

if TYPE_CHECKING:
    from dbops.audit.segments import Segments
    from dbops.cli.wiring import Wiring


def check_countersignatures(
    wiring: Wiring, segments: Segments
) -> tuple[list[LedgerFinding], list[str]]:
    """What contradicts a countersigned month, and a remark where a signature cannot be judged.

    Reads the ledger once more, where a month is countersigned at all.
    """
    directory = wiring.estate.audit.directory
    try:
        signed = list(read_countersigned(directory, wiring.trust, wiring.clock()))
    except Refused as fault:
        message = f"a countersignature does not count: {fault.message}"
        if fault.code.startswith("trust-"):
            return [], [message]  # a key that was replaced since says nothing about the ledger
        return [LedgerFinding(Verdict.EDITED, fault.code, None, message)], []
    if not signed:
        return [], []
    seen = scan(segments, roots=[each.size for each in signed])
    return [finding for each in signed if (finding := _contradiction(each, seen))], []


def _contradiction(signed: Countersignature, seen: Scan) -> LedgerFinding | None:
    what = f"{signed.signer} confirmed {signed.month} with {signed.size} entries"
    if seen.origin is not None and signed.origin != seen.origin:
        message = f"{what}, of ledger {signed.origin}, and this is ledger {seen.origin}"
        return LedgerFinding(Verdict.FORK, "origin-differs", 0, message)
    if signed.size > seen.size:
        message = f"{what}, and the ledger has only {seen.size}"
        return LedgerFinding(Verdict.ROLLBACK, "truncated", seen.size, message)
    if seen.roots.get(signed.size, signed.root) != signed.root:
        message = f"{what}, and they were others than these"
        return LedgerFinding(Verdict.FORK, "countersigned-differs", signed.first, message)
    return None
