"""Write what is about to be done, do it, write how it ended: an intent and its outcome.

What cannot be announced is not done, except where going without is worse than going unrecorded:
a night's backup goes on and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, Protocol

from dbops.audit.entry import Count, DigestOf, Draft, Effect, Entry, Label, Phase, Result
from dbops.errors import (
    DbopsError,
    Finding,
    HalfDone,
    NoIdentity,
    NotFound,
    Partly,
    Refused,
    Unreachable,
    UsageFault,
)

BUG: Final = "bug"  # the code of an outcome whose work ended in something that dbops did not expect

_NOTHING_DONE: Final = (Refused, NotFound, UsageFault, Unreachable, NoIdentity)


class LedgerPort(Protocol):
    """Where entries go."""

    def append(self, draft: Draft) -> Entry:
        """Afterwards the entry is durable; raises DbopsError where it is not."""


class Unwritable(Enum):
    """What happens where the ledger cannot be written."""

    STOP = auto()
    GO_ON = auto()


@dataclass(slots=True)
class Account:
    """What the work tells about itself while it runs; the outcome is written from it.

    `sequence` is the intent's, None where it could not be written. `fault` says why the ledger
    does not hold all of it, None where it does.
    """

    sequence: int | None = None
    fault: DbopsError | None = None
    _names: dict[Label, str] = field(default_factory=dict)
    _counts: dict[Count, int] = field(default_factory=dict)
    _digests: dict[DigestOf, str] = field(default_factory=dict)
    _result: Result | None = None
    _effect: Effect | None = None

    def name(self, label: Label, text: str) -> None:
        """The outcome names it so."""
        self._names[label] = text

    def count(self, count: Count, number: int) -> None:
        """The outcome says the number, in place of an earlier one."""
        self._counts[count] = number

    def digest(self, of: DigestOf, sha256: str) -> None:
        """The outcome says the digest, 64 hex digits."""
        self._digests[of] = sha256

    def ended(self, result: Result) -> None:
        """Work that ends without an exception ends so, instead of `DONE`."""
        self._result = result

    def effect(self, effect: Effect) -> None:
        """From here on the effect is known, and however the work ends it is this."""
        self._effect = effect

    def outcome_of(self, intent: Draft, ending: _Ending) -> Draft:
        """Return the draft of the outcome; a record of its own where no intent was written."""
        answers = self.sequence is not None
        return Draft(
            event=intent.event,
            phase=Phase.OUTCOME if answers else Phase.RECORD,
            of=self.sequence,
            target=intent.target,
            work=intent.work,
            ticket=intent.ticket,
            names=self._names,
            counts=self._counts,
            digests=self._digests,
            approvals=() if answers else intent.approvals,
            result=ending.result,
            effect=self._effect or ending.effect,
            code=ending.code,
        )

    def well_ended(self, intent: Draft) -> _Ending:
        """Return how work ended that raised nothing."""
        return _Ending(self._result or Result.DONE, _taken_place(intent), None)


@dataclass(frozen=True, slots=True)
class _Ending:
    result: Result
    effect: Effect | None
    code: str | None


@contextmanager
def recorded(
    ledger: LedgerPort, draft: Draft, *, unwritable: Unwritable = Unwritable.STOP
) -> Iterator[Account]:
    """Do the block's work between an intent and its outcome; what the block raises goes on up.

    `draft` is the intent. An effect is always written where the work failed; where it succeeded,
    where `draft` names a piece of work or approvals, or the block said one.

    With `STOP`, raises what the ledger raised before the block runs (`ledger-unwritable`,
    `ledger-damaged`), and Partly with `ledger-outcome` where the block succeeded and that could
    not be written. With `GO_ON`, `Account.fault` says so instead. A process that dies in the block
    leaves an intent without an outcome, for a person to close.
    """
    account = Account()
    _announce(account, ledger, replace(draft, phase=Phase.INTENT), unwritable)
    try:
        yield account
    except BaseException as raised:
        if isinstance(raised, HalfDone):
            account.name(Label.CAUSE, raised.cause)
        _conclude(account, ledger, draft, _ending_of(raised, draft))
        raise
    lost = _conclude(account, ledger, draft, account.well_ended(draft))
    if lost is not None and unwritable is Unwritable.STOP:
        raise _not_recorded(draft, lost) from lost


def _announce(account: Account, ledger: LedgerPort, draft: Draft, unwritable: Unwritable) -> None:
    try:
        account.sequence = ledger.append(draft).sequence
    except DbopsError as fault:
        if unwritable is Unwritable.STOP:
            raise
        account.fault = fault


def _conclude(
    account: Account, ledger: LedgerPort, intent: Draft, ending: _Ending
) -> DbopsError | None:
    """Write the outcome; return why it could not be, without hiding what the block raised."""
    try:
        ledger.append(account.outcome_of(intent, ending))
    except DbopsError as fault:
        account.fault = account.fault or fault
        return fault
    return None


def _ending_of(raised: BaseException, draft: Draft) -> _Ending:
    """What an exception says about the work: doubt about its effect counts as an effect."""
    match raised:
        case Finding():
            return _Ending(Result.FINDING, _taken_place(draft), raised.code)
        case Partly():
            return _Ending(Result.PARTLY, _taken_place(draft), raised.code)
        case DbopsError() if isinstance(raised, _NOTHING_DONE):
            return _Ending(Result.REFUSED, Effect.NONE, raised.code)
        case DbopsError():
            return _Ending(Result.FAILED, Effect.UNKNOWN, raised.code)
        case KeyboardInterrupt():
            return _Ending(Result.INTERRUPTED, Effect.UNKNOWN, None)
        case _:
            return _Ending(Result.FAILED, Effect.UNKNOWN, BUG)


def _taken_place(draft: Draft) -> Effect | None:
    return Effect.COMMITTED if draft.work or draft.approvals else None


def _not_recorded(draft: Draft, lost: DbopsError) -> Partly:
    return Partly(
        "ledger-outcome",
        f"{draft.event} was done, but the ledger could not record how it ended ({lost.message})",
        hint="mend that, then close the intent that stays open: dbops audit verify",
    )
