"""How far a repair has come, until when it is due, and who must act next; pure.

What others know comes in as values: the judgement of the signatures, the ledger's runs, the
deadlines of the ticket. The same values always give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from dbops.audit.entry import Effect
from dbops.repair.clocks import Deadline, overdue
from dbops.repair.manifest import Repair


class RepairState(StrEnum):
    """How far a repair has come."""

    DRAFT = "draft"  # its author has not signed
    REQUESTED = "requested"  # to be rehearsed
    REHEARSED = "waiting"  # to be approved, and rehearsed where the policy asks for that
    APPROVED = "approved"
    REJECTED = "rejected"
    FORBIDDEN = "forbidden"  # by something else than a missing signature
    UNKNOWN = "unknown"  # it was run, and nobody knows what came of it
    PARTLY = "partly"  # some of its batches have committed
    RUN = "run"
    UNDONE = "undone"


_GIVEN_UP: Final = frozenset({RepairState.REJECTED, RepairState.UNDONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """What the judgement of the folder says.

    `requested` tells whether the author's signature counts, `rehearsed` whether evidence that the
    policy asks for is there (True where it asks for none). `waits_for` are those who are to sign
    next, in the words of the review; `obstacles` the codes of what else stands in the way.
    """

    requested: bool
    rehearsed: bool
    complete: bool
    rejected: bool = False
    waits_for: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the repair, or of work that takes it back, as the ledger has it.

    `whole` is False for a run that committed some of its batches and has others before it.
    """

    effect: Effect
    at: datetime
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What there is to say of one repair.

    `repaired_at` is when the last of it committed. `deadlines` are those of its ticket, the first
    at first; `overdue` those that ran out before the data were repaired and the cause was named.
    `next` says who must act, and how. `takes_back` is the repair of which it is the undo.
    """

    id: str
    title: str
    ticket: str | None
    database: str
    author: str
    state: RepairState
    cause_found: bool
    deadlines: tuple[Deadline, ...]
    overdue: tuple[Deadline, ...]
    next: tuple[str, ...]
    repaired_at: datetime | None = None
    takes_back: str | None = None


def progress(
    repair: Repair,
    sign_off: SignOff,
    runs: Sequence[Attempt],
    undos: Sequence[Attempt],
    deadlines: Sequence[Deadline],
    now: datetime,
) -> Progress:
    """Return how far the repair has come at `now`.

    `runs` are its own attempts and `undos` those of the works that take it back, both in the
    ledger's order and of whatever revision of the folder: what is in the database does not go
    away because a file was edited.
    """
    state = _state(sign_off, runs, undos)
    caused = repair.cause is not None or repair.undo_of is not None
    settled = state is RepairState.RUN and caused
    late = () if settled else tuple(each for each in deadlines if overdue(each, now))
    return Progress(
        id=repair.id,
        title=repair.title,
        ticket=repair.ticket,
        database=repair.database,
        author=repair.author,
        state=state,
        cause_found=repair.cause is not None,
        deadlines=tuple(deadlines),
        overdue=late,
        next=_next(repair, state, sign_off, undos, late=bool(late)),
        repaired_at=_last(runs) if state is RepairState.RUN else None,
        takes_back=None if repair.undo_of is None else repair.undo_of.work,
    )


def without_given_up(found: Iterable[Progress]) -> tuple[Progress, ...]:
    """Return the same, without alarms of repairs that another one has taken the place of.

    A repair that was rejected or undone is not overdue where another of the same ticket and
    database has been run; nor is one whose undo names the cause: the data were right after all.
    One that is still wanted stays overdue, whatever others did.
    """
    every = tuple(found)
    right_after_all = {
        each.takes_back for each in every if each.state is RepairState.RUN and each.cause_found
    }
    done = {
        (each.ticket, each.database)
        for each in every
        if each.state is RepairState.RUN and each.takes_back is None
    }
    return tuple(
        replace(each, overdue=(), next=() if each.state is RepairState.UNDONE else each.next)
        if (each.state is RepairState.UNDONE and each.id in right_after_all)
        or (each.state in _GIVEN_UP and each.ticket and (each.ticket, each.database) in done)
        else each
        for each in every
    )


def _state(sign_off: SignOff, runs: Sequence[Attempt], undos: Sequence[Attempt]) -> RepairState:
    if any(each.effect is Effect.UNKNOWN for each in (*runs, *undos)):
        return RepairState.UNKNOWN
    run, undone = _last_of(runs), _last_of(undos)
    if run is not None and (undone is None or undone.at < run.at):
        return RepairState.RUN if run.whole else RepairState.PARTLY
    if run is not None:
        return RepairState.UNDONE if undone is None or undone.whole else RepairState.PARTLY
    return _before_any_run(sign_off)


def _before_any_run(sign_off: SignOff) -> RepairState:
    if sign_off.complete:
        return RepairState.APPROVED
    if sign_off.rejected:
        return RepairState.REJECTED
    if sign_off.obstacles:
        return RepairState.FORBIDDEN
    if not sign_off.requested:
        return RepairState.DRAFT
    return RepairState.REHEARSED if sign_off.rehearsed else RepairState.REQUESTED


def _last_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """The last that took place."""
    committed = (each for each in reversed(attempts) if each.effect is Effect.COMMITTED)
    return next(committed, None)


def _last(attempts: Sequence[Attempt]) -> datetime | None:
    found = _last_of(attempts)
    return None if found is None else found.at


def _next(
    repair: Repair,
    state: RepairState,
    sign_off: SignOff,
    undos: Sequence[Attempt],
    *,
    late: bool,
) -> tuple[str, ...]:
    """Who must act, and how; nobody where nothing is left to do."""
    author = f"author {repair.author}"
    match state:
        case RepairState.DRAFT:
            return (f"{author}: sign the request",)
        case RepairState.REQUESTED:
            return ("the verifying host: rehearse", *_signers(sign_off))
        case RepairState.REHEARSED:
            return _signers(sign_off)
        case RepairState.APPROVED:
            return ("this host: run",)
        case RepairState.REJECTED | RepairState.FORBIDDEN:
            return (f"{author}: see {', '.join(sign_off.obstacles) or 'the rejection'}",)
        case RepairState.UNKNOWN:
            return ("this host: resume",)
        case RepairState.PARTLY:
            return ("this host: undo the rest" if _last_of(undos) else "this host: run the rest",)
        case RepairState.RUN:
            named = repair.cause is not None or repair.undo_of is not None
            return () if named else (f"{author}: name the cause",)
        case RepairState.UNDONE:
            return (f"{author}: another repair of the same ticket",) if late else ()


def _signers(sign_off: SignOff) -> tuple[str, ...]:
    return tuple(f"{each}: approve" for each in sign_off.waits_for)
