"""What the ledger remembers of sign-offs, read from its entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dbops.audit.entry import DigestOf, Draft, Effect, Event, Label, Phase, Result
from dbops.review.memory import Confirmation, Memory, SeenStatement, Use, remember
from dbops.review.statement import Decision
from tests.review.desk import SIGNED, entries_of

ONE, TWO, PLAN = "11" * 32, "22" * 32, "33" * 32
SEEN = Draft(
    event=Event.REVIEW_SEEN,
    work="w-1",
    names={Label.PRINCIPAL: "li.na@hospital", Label.DECISION: "reject"},
    digests={DigestOf.STATEMENT: ONE, DigestOf.PLAN: PLAN},
)
INTENT = Draft(
    event=Event.RESTORE_RUN,
    phase=Phase.INTENT,
    target="lab",
    work="w-1",
    approvals=(ONE, TWO),
    digests={DigestOf.PLAN: PLAN},
)
BROKEN = replace(INTENT, names={Label.DECISION: "break-glass"})
CONFIRM = Draft(
    event=Event.REVIEW_CONFIRM,
    work="w-1",
    names={Label.PRINCIPAL: "li.na@hospital"},
    digests={DigestOf.STATEMENT: TWO},
)


def outcome(effect: Effect | None, *, of: int = 0) -> Draft:
    """How an intent ended."""
    return Draft(
        event=Event.RESTORE_RUN, phase=Phase.OUTCOME, of=of, result=Result.DONE, effect=effect
    )


def resumed(effect: Effect) -> Draft:
    """What the database itself said afterwards."""
    return replace(outcome(effect), event=Event.REPAIR_RESUME)


def test_statements_seen() -> None:
    """A statement is remembered with who made it and when it was first there."""
    assert remember(entries_of(SEEN)).seen == (
        SeenStatement("w-1", "li.na@hospital", Decision.REJECT, ONE, SIGNED),
    )


@pytest.mark.parametrize(
    "draft",
    [
        replace(SEEN, work=None),
        replace(SEEN, names={Label.PRINCIPAL: "li.na@hospital"}),
        replace(SEEN, names={Label.DECISION: "reject"}),
        replace(SEEN, names={Label.PRINCIPAL: "x", Label.DECISION: "perhaps"}),
        replace(SEEN, digests={}),
        replace(INTENT, approvals=()),
        replace(INTENT, work=None),
        replace(INTENT, phase=Phase.RECORD),
        replace(CONFIRM, digests={}),
    ],
)
def test_other_entries_say_nothing(draft: Draft) -> None:
    """An entry that lacks something, or is of another sort, is no memory."""
    assert remember(entries_of(draft)) == Memory()


@pytest.mark.parametrize(
    ("outcomes", "effect"),
    [
        ((), Effect.UNKNOWN),
        ((outcome(Effect.COMMITTED),), Effect.COMMITTED),
        ((outcome(Effect.UNKNOWN),), Effect.UNKNOWN),
        ((outcome(Effect.NONE),), Effect.NONE),
        ((outcome(None),), Effect.UNKNOWN),
        ((outcome(Effect.NONE, of=7),), Effect.UNKNOWN),
        ((outcome(Effect.NONE), outcome(Effect.NONE)), Effect.NONE),
        ((outcome(Effect.NONE), outcome(Effect.COMMITTED)), Effect.UNKNOWN),
        ((outcome(Effect.COMMITTED), outcome(Effect.NONE)), Effect.UNKNOWN),
        ((resumed(Effect.NONE),), Effect.NONE),
        ((outcome(Effect.UNKNOWN), resumed(Effect.NONE)), Effect.NONE),
        ((outcome(Effect.UNKNOWN), resumed(Effect.COMMITTED)), Effect.COMMITTED),
        ((outcome(Effect.COMMITTED), resumed(Effect.NONE)), Effect.UNKNOWN),
        ((outcome(Effect.COMMITTED), resumed(Effect.NONE), resumed(Effect.NONE)), Effect.UNKNOWN),
        (
            (Draft(event=Event.LEDGER_CLOSE, of=0, reason="the host died", effect=Effect.NONE),),
            Effect.UNKNOWN,
        ),
    ],
)
def test_an_approval_is_used_up_unless_nothing_happened(
    outcomes: tuple[Draft, ...], effect: Effect
) -> None:
    """A commit and an unknown effect use it up, on that database; closing an intent undoes none."""
    memory = remember(entries_of(INTENT, *outcomes))
    assert memory.uses == (Use("w-1", PLAN, "lab", (ONE, TWO), effect, False, SIGNED, 0),)
    used = frozenset() if effect is Effect.NONE else frozenset({"lab"})
    assert memory.consumed(ONE) == memory.consumed(TWO) == used
    assert memory.consumed(PLAN) == frozenset()


def test_broken_glass_waits_for_its_review() -> None:
    """It is overdue after its time, unless confirmed afterwards by the statement's digest."""
    day = timedelta(days=1)
    later = SIGNED + day + timedelta(seconds=1)
    memory = remember(entries_of(BROKEN))
    assert memory.unreviewed() == memory.uses
    assert memory.overdue(day, SIGNED + day) == ()
    assert memory.overdue(day, later) == memory.uses
    confirmed = remember(entries_of(BROKEN, CONFIRM))
    assert confirmed.confirmed == (Confirmation("w-1", TWO, "li.na@hospital", 1),)
    assert confirmed.overdue(day, later) == ()


@pytest.mark.parametrize(
    "drafts",
    [
        (CONFIRM, BROKEN),
        (BROKEN, replace(CONFIRM, work="w-2")),
        (BROKEN, replace(CONFIRM, digests={DigestOf.STATEMENT: PLAN})),
        (BROKEN, replace(CONFIRM, phase=Phase.INTENT)),
        (BROKEN, CONFIRM, BROKEN),
    ],
)
def test_a_review_is_of_what_was_before_it(drafts: tuple[Draft, ...]) -> None:
    """No review counts in advance, for other work, or for another statement."""
    memory = remember(entries_of(*drafts))
    assert memory.unreviewed() == (memory.uses[-1],)


@pytest.mark.parametrize("drafts", [(INTENT,), (BROKEN, outcome(Effect.NONE))])
def test_nothing_else_waits_for_a_review(drafts: tuple[Draft, ...]) -> None:
    """Neither routine work nor broken glass that had no effect."""
    assert remember(entries_of(*drafts)).unreviewed() == ()
