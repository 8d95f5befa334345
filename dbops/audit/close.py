"""Explain what the ledger cannot: an intent without an outcome, or a silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from dbops.audit.actor import boot_id, still_runs
from dbops.audit.entry import Draft, Entry, Event, check_reason
from dbops.audit.recording import LedgerPort
from dbops.audit.scan import OpenIntent, scan
from dbops.audit.segments import Segments
from dbops.errors import NotFound, Refused


def close_intent(
    ledger: LedgerPort,
    segments: Segments,
    sequence: int,
    reason: str,
    *,
    silence: timedelta | None = None,
    running: Callable[[int, int], bool] = still_runs,
    boot: str | None = None,
    refuse: Callable[[OpenIntent], None] = lambda _: None,
) -> Entry:
    """Afterwards an entry says for good what a person knows of entry `sequence`; return it.

    That entry is an intent without an outcome whose process no longer runs or, where `silence`
    says how long one is, the last before a silence. `boot` is the kernel's id of this start.
    `refuse` raises Refused of an intent that is not for a person to explain. Raises as that,
    UsageFault `ledger-reason…`, NotFound `ledger-entry`, `Refused` `close-running` and
    `close-ended`, and as `Ledger.append`.
    """
    check_reason(reason)
    seen = scan(segments, silence=silence)
    if not 0 <= sequence < seen.size:
        raise NotFound(
            "ledger-entry",
            f"the ledger has no entry {sequence}",
            hint="see which are open: dbops audit verify",
        )
    intent = next((each for each in seen.open_intents if each.sequence == sequence), None)
    if intent is not None:
        _refuse_running(intent, running, boot or boot_id())
        refuse(intent)
    elif all(each.after != sequence for each in seen.silences):
        raise Refused(
            "close-ended",
            f"entry {sequence} is not an intent that is open: there is nothing to explain",
            hint="see which are open: dbops audit verify",
        )
    target = None if intent is None else intent.target
    work = None if intent is None else intent.work
    draft = Draft(event=Event.LEDGER_CLOSE, of=sequence, target=target, work=work, reason=reason)
    return ledger.append(draft)


def _refuse_running(intent: OpenIntent, running: Callable[[int, int], bool], boot: str) -> None:
    if intent.boot == boot and running(intent.pid, intent.started):
        raise Refused(
            "close-running",
            f"entry {intent.sequence} is still at work, in process {intent.pid}",
            hint="wait until it has ended; its outcome closes it",
        )
