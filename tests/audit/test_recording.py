"""An intent before, an outcome after, and what happens where one of them cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.audit.entry import (
    Count,
    DigestOf,
    Draft,
    Effect,
    Entry,
    Event,
    Label,
    Phase,
    Result,
)
from dbops.audit.recording import Account, Unwritable, recorded
from dbops.audit.scan import entries
from dbops.errors import (
    DbopsError,
    Failed,
    Finding,
    NoIdentity,
    NotFound,
    Partly,
    Refused,
    TryAgain,
    Unreachable,
    UsageFault,
)
from tests.audit.made_ledger import Made, intent

GATED = Draft(
    event=Event.RESTORE_RUN,
    phase=Phase.INTENT,
    target="lab",
    work="restore-7",
    ticket="T-1",
    approvals=("ab" * 32,),
)
FULL = Unreachable("ledger-unwritable", "the ledger cannot be written (no room)", hint="make room")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "audit")


def drafts(made: Made) -> list[Draft]:
    """What was written behind the opening."""
    return [entry.draft for entry in entries(made.segments, 1)]


class Failing:
    """A real ledger on a disk that is full at some appends, counted from 0."""

    def __init__(self, made: Made, full_at: set[int]) -> None:
        self._ledger = made.ledger()
        self._full_at = full_at
        self._count = -1

    def append(self, draft: Draft) -> Entry:
        self._count += 1
        if self._count in self._full_at:
            raise FULL
        return self._ledger.append(draft)


def test_the_intent_is_there_before_the_work_and_the_outcome_after(made: Made) -> None:
    """Whoever reads the ledger while the work runs sees that it runs."""
    with recorded(made.ledger(), intent()) as account:
        assert drafts(made) == [intent()]
        account.count(Count.ROWS, 1)
        account.count(Count.ROWS, 2)
        account.name(Label.BACKUP, "lab@12")
        account.digest(DigestOf.MANIFEST, "cd" * 32)
    assert drafts(made)[1] == Draft(
        event=Event.BACKUP_RUN,
        phase=Phase.OUTCOME,
        of=1,
        target="lab",
        names={Label.BACKUP: "lab@12"},
        counts={Count.ROWS: 2},
        digests={DigestOf.MANIFEST: "cd" * 32},
        result=Result.DONE,
    )
    assert (account.sequence, account.fault) == (1, None)
    assert made.scan().open_intents == ()


def test_work_that_was_approved_says_its_effect(made: Made) -> None:
    """The outcome names the piece of work again; the approvals stand in the intent."""
    with recorded(made.ledger(), GATED):
        pass
    assert drafts(made) == [
        GATED,
        Draft(
            event=Event.RESTORE_RUN,
            phase=Phase.OUTCOME,
            of=1,
            target="lab",
            work="restore-7",
            ticket="T-1",
            result=Result.DONE,
            effect=Effect.COMMITTED,
        ),
    ]


WORDS = ("a-code", "it failed")


@pytest.mark.parametrize(
    ("raised", "result", "effect"),
    [
        (Refused(*WORDS, hint=""), Result.REFUSED, Effect.NONE),
        (NotFound(*WORDS, hint=""), Result.REFUSED, Effect.NONE),
        (UsageFault(*WORDS, hint=""), Result.REFUSED, Effect.NONE),
        (Unreachable(*WORDS, hint=""), Result.REFUSED, Effect.NONE),
        (TryAgain(*WORDS, hint=""), Result.REFUSED, Effect.NONE),
        (NoIdentity(*WORDS, hint=""), Result.REFUSED, Effect.NONE),
        (Finding(*WORDS, hint=""), Result.FINDING, Effect.COMMITTED),
        (Partly(*WORDS, hint=""), Result.PARTLY, Effect.COMMITTED),
        (Failed(*WORDS, hint=""), Result.FAILED, Effect.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DbopsError) else str(value),
)
def test_an_error_says_how_the_work_ended(
    made: Made, raised: DbopsError, result: Result, effect: Effect
) -> None:
    """Its code is recorded, its text is not; doubt about the effect is an effect."""
    with pytest.raises(type(raised)) as caught, recorded(made.ledger(), GATED):
        raise raised
    assert caught.value is raised
    outcome = drafts(made)[1]
    assert (outcome.result, outcome.effect, outcome.code) == (result, effect, "a-code")
    assert b"it failed" not in made.text()


@pytest.mark.parametrize(
    ("raised", "result", "code"),
    [
        (KeyboardInterrupt(), Result.INTERRUPTED, None),
        (ZeroDivisionError("4711"), Result.FAILED, "bug"),
        (SystemExit(3), Result.FAILED, "bug"),
    ],
    ids=["interrupt", "bug", "exit"],
)
def test_what_nobody_expected_has_an_unknown_effect(
    made: Made, raised: BaseException, result: Result, code: str | None
) -> None:
    """It goes on up as it was, and its text is not recorded."""
    with pytest.raises(type(raised)) as caught, recorded(made.ledger(), intent()):
        raise raised
    assert caught.value is raised
    outcome = drafts(made)[1]
    assert (outcome.result, outcome.effect, outcome.code) == (result, Effect.UNKNOWN, code)
    assert b"4711" not in made.text()


def test_the_work_may_know_its_effect_better(made: Made) -> None:
    """Work that fails before it touched anything says so, and what it says holds."""

    def refuse_to_begin() -> None:
        with recorded(made.ledger(), GATED) as account:
            account.effect(Effect.NONE)
            raise Failed(*WORDS, hint="")

    with pytest.raises(Failed):
        refuse_to_begin()
    with recorded(made.ledger(), intent()) as account:
        account.effect(Effect.COMMITTED)
    assert [draft.effect for draft in drafts(made)] == [None, Effect.NONE, None, Effect.COMMITTED]


def test_the_work_may_end_partly(made: Made) -> None:
    """An end that is no exception and not well either."""
    with recorded(made.ledger(), intent()) as account:
        account.ended(Result.PARTLY)
    assert drafts(made)[1].result is Result.PARTLY


@pytest.mark.parametrize(
    "fault", [FULL, Failed("ledger-damaged", "the ledger is damaged: x", hint="look")]
)
def test_what_cannot_be_announced_is_not_done(fault: DbopsError) -> None:
    """The work does not start, whatever it is that the ledger says."""

    class Broken:
        def append(self, _draft: Draft) -> Entry:
            raise fault

    started = []
    with pytest.raises(type(fault)) as caught, recorded(Broken(), GATED):
        started.append(True)
    assert caught.value is fault
    assert started == []


def test_a_night_goes_on_without_its_ledger(made: Made) -> None:
    """The work is done, and the account says that it was not recorded."""
    with recorded(Failing(made, {0, 1}), intent(), unwritable=Unwritable.GO_ON) as account:
        assert account.fault is FULL
    assert (account.sequence, account.fault) == (None, FULL)
    assert made.segments.files() == ()


def test_what_could_not_be_announced_is_told_afterwards(made: Made) -> None:
    """Where there is room again, the ending is an entry of its own, and the fault stays."""
    with recorded(Failing(made, {0}), intent(), unwritable=Unwritable.GO_ON) as account:
        account.count(Count.ROWS, 7)
    assert account.fault is FULL
    assert drafts(made) == [
        Draft(event=Event.BACKUP_RUN, target="lab", counts={Count.ROWS: 7}, result=Result.DONE)
    ]


def test_a_night_whose_outcome_is_lost_goes_on_too(made: Made) -> None:
    """The intent stays open, and the account says why."""
    with recorded(Failing(made, {1}), intent(), unwritable=Unwritable.GO_ON) as account:
        assert account.sequence == 1
    assert account.fault is FULL
    assert [found.sequence for found in made.scan().open_intents] == [1]


def test_other_work_whose_outcome_is_lost_ends_partly(made: Made) -> None:
    """It was done, and nobody can read how."""
    with pytest.raises(Partly) as caught, recorded(Failing(made, {1}), GATED):
        pass
    assert caught.value.code == "ledger-outcome"
    assert caught.value.message == (
        "restore.run was done, but the ledger could not record how it ended "
        "(the ledger cannot be written (no room))"
    )
    assert caught.value.hint == (
        "mend that, then close the intent that stays open: dbops audit verify"
    )


def test_a_lost_outcome_does_not_hide_why_the_work_failed(made: Made) -> None:
    """The first failure is the one that goes up."""
    failure = Failed(*WORDS, hint="")
    accounts: list[Account] = []

    def fail() -> None:
        with recorded(Failing(made, {1}), GATED) as account:
            accounts.append(account)
            raise failure

    with pytest.raises(Failed) as caught:
        fail()
    assert caught.value is failure
    assert accounts[0].fault is FULL
