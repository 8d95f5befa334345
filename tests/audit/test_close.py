"""A person explains an intent that never ended, once, and cannot explain anything else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.close import close_intent
from dbops.audit.entry import Draft, Entry, Event, Phase
from dbops.audit.scan import scan
from dbops.errors import DbopsError, NotFound, Refused, UsageFault
from tests.audit.ledgers import ACTOR, BOOT, MadeLedger, make_ledger, new_signer

REASON = "the host lost power; the restore was run again, ticket 311"


@pytest.fixture
def made(tmp_path: Path) -> MadeLedger:
    """A ledger whose entry 13 is an intent without an outcome."""
    made = make_ledger(tmp_path / "audit", new_signer(tmp_path / "key"))
    draft = Draft(event=Event.RESTORE_RUN, phase=Phase.INTENT, target="lab", work="r-1")
    made.ledger.append(draft)
    return made


def close(
    made: MadeLedger,
    sequence: int,
    reason: str = REASON,
    *,
    runs: bool = False,
    boot: str = BOOT,
    silence: timedelta | None = None,
) -> Entry:
    """Close it where its process runs or does not."""
    return close_intent(
        made.ledger,
        made.segments,
        sequence,
        reason,
        silence=silence,
        running=lambda pid, started: runs and (pid, started) == (ACTOR.pid, ACTOR.started),
        boot=boot,
    )


def refused(made: MadeLedger, kind: type[DbopsError], sequence: int, *, runs: bool = False) -> str:
    """The code of the refusal; nothing is written."""
    with pytest.raises(kind) as caught:
        close(made, sequence, runs=runs)
    assert made.ledger.size == 14
    return caught.value.code


def test_an_open_intent_is_closed(made: MadeLedger) -> None:
    """The closing names the intent, its database and its work, and keeps the reason."""
    entry = close(made, 13)
    assert entry.sequence == 14
    assert entry.draft == Draft(
        event=Event.LEDGER_CLOSE, of=13, target="lab", work="r-1", reason=REASON
    )
    assert scan(made.segments).open_intents == ()
    with pytest.raises(Refused) as caught:
        close(made, 13)
    assert caught.value.code == "close-ended"


def test_what_still_runs_is_not_closed(made: MadeLedger) -> None:
    """Its process is looked for, on the same start of the machine."""
    assert refused(made, Refused, 13, runs=True) == "close-running"
    assert close(made, 13, runs=True, boot="another").sequence == 14


def test_nothing_else_is_closed(made: MadeLedger) -> None:
    """An intent that ended, an outcome, and an entry that is not there."""
    assert refused(made, Refused, 1) == "close-ended"
    assert refused(made, Refused, 2) == "close-ended"
    assert refused(made, NotFound, 14) == "ledger-entry"


def test_a_silence_is_explained_by_the_entry_before_it(made: MadeLedger) -> None:
    """Where the longest silence is named, the entry in front of a longer one can be explained."""
    made.clock.now += timedelta(days=3)
    close(made, 13)
    assert close(made, 13, silence=timedelta(days=2)).draft.of == 13
    with pytest.raises(Refused):
        close(made, 13, silence=timedelta(days=4))


def test_a_reason_names_nobody(made: MadeLedger) -> None:
    """A number that may be a patient's is refused before anything is written."""
    for reason, code in [
        ("patient 13800001111 was wrong", "ledger-reason-number"),
        ("two\nlines", "ledger-reason"),
        ("", "ledger-reason"),
    ]:
        with pytest.raises(UsageFault) as caught:
            close(made, 13, reason)
        assert caught.value.code == code
    assert made.ledger.size == 14
