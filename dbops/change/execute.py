"""Carry parts out, one after the other, each whole or not at all, and each written down.

A part in a transaction has its journal entries inside of it. A step outside of any has one before
that says it began, and one after that says it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from dbops.change.going import Going, clean_up, look, note, note_entry, patiently
from dbops.change.judging import Judged, NotAsDeclared
from dbops.change.part_end import PartEnds, refuse_altered_meanwhile
from dbops.change.ports import (
    ChangeSession,
    CommitUnknown,
    JournalEntry,
    Progress,
    Remains,
    StepEffect,
)
from dbops.change.report import ChangeReport, StepReport
from dbops.change.schema import ObjectName, Schema
from dbops.change.stage import Stage
from dbops.change.standing import standing_of
from dbops.change.step import Direction, Part, Step
from dbops.errors import DbopsError, Failed, Partly, Refused
from dbops.sql.written import Written

Judge = Callable[[ChangeSession], Judged]
_JudgeInside = Callable[[ChangeSession], Schema | None]
"""Returns the schema where it had to read it."""


def carry_out(
    going: Going, parts: Sequence[Part], judge: Judge, start: Schema | None = None
) -> ChangeReport:
    """Afterwards the parts are done, judged and written down; the last one is a transaction.

    `judge` is asked inside of it, before it commits. Where the others end is compared with the
    rehearsal, if the schema at the `start` of the change is given. Whatever is raised, the part
    that raised it did not happen, but for CommitUnknown, and for a step outside of a transaction
    behind which the schema is another; `going.committed` says whether others did. Raises
    Unreachable `change-locked` where a lock was not to be had in all attempts; Refused
    `change-left-over`, Failed `change-half-built`; and what the session and the judge raise.
    """
    reports: list[StepReport] = []
    ends = PartEnds(going.order, going.direction, start)
    for part in parts[:-1]:
        reports += _part(going, part, ends)
    found: list[Judged] = []

    def judged(session: ChangeSession) -> Schema:
        found[:] = [judge(session)]
        return found[0].after

    whole = going.order.author.whole(going.direction)
    reports += _together(going, parts[-1], judged, (whole,))
    order, end = going.order, found[0]
    return ChangeReport(
        run=order.run,
        work=order.work,
        plan=order.plan,
        database=order.database,
        direction=going.direction,
        server=going.session.server,
        steps=tuple(reports),
        differences=end.differences,
        unseen=end.unseen,
        before=end.before,
        after=end.after,
        seconds=going.clock.monotonic() - going.began,
        ends=ends.found,
    )


def _part(going: Going, part: Part, ends: PartEnds) -> list[StepReport]:
    """Carry out a part behind which another comes; what it came to is judged as far as it can be.

    Of a step outside of a transaction only afterwards.
    """
    last = part.steps[-1].number
    if not part.alone:
        return _together(going, part, lambda session: ends.judge(session, last))
    refuse_altered_meanwhile(going, lambda: look(going))
    reports = _alone(going, part.steps[0], ends)
    now = ends.compare(last, lambda: look(going))
    if going.seen is not None:
        going.seen = now or look(going)
    return reports


class _Done(NamedTuple):
    """What the steps of a transaction came to, how long it held its locks, and what it wrote."""

    effects: list[StepEffect]
    held: float  # seconds
    written: Mapping[ObjectName, Written] | None


def _together(
    going: Going, part: Part, judge: _JudgeInside, more: Sequence[JournalEntry] = ()
) -> list[StepReport]:
    done, attempts = patiently(going, lambda: _transaction(going, part, judge, more))
    return [
        StepReport(
            step,
            effect,
            alone=False,
            attempts=attempts,
            held=done.held,
            part=part.steps[0].number,
            written=done.written,
        )
        for step, effect in zip(part.steps, done.effects, strict=True)
    ]


def _transaction(
    going: Going, part: Part, judge: _JudgeInside, more: Sequence[JournalEntry]
) -> _Done:
    session, author = going.session, going.order.author
    entries = [author.entry(going.direction, step, Progress.DONE) for step in part.steps]
    sent = False
    session.begin()
    try:
        going.tell(Stage.BEGUN)
        began = going.clock.monotonic()
        session.lock(going.order.locks_of(going.direction, part))
        refuse_altered_meanwhile(going, session.schema)
        effects = [_ran(going, step) for step in part.steps]
        now = judge(session)
        after = None if going.seen is None else now or session.schema()
        written = session.written()
        session.note([*entries, *more])
        going.tell(Stage.COMMITTING)
        sent = True
        session.commit()
    except CommitUnknown:
        raise _unknown(going) from None
    except BaseException as failure:
        if not sent or isinstance(failure, DbopsError):
            _roll_back(going)
        raise
    held = going.clock.monotonic() - began
    going.seen = after
    going.tell(Stage.COMMITTED)
    return _Done(effects, held, written)


def _ran(going: Going, step: Step) -> StepEffect:
    effect = going.session.run(step)
    going.tell(Stage.STEP, step)
    return effect


def _roll_back(going: Going) -> None:
    with suppress(DbopsError):  # why it failed matters more; a lost connection rolls back, too
        going.session.rollback()
    going.tell(Stage.ROLLED_BACK)


def _alone(going: Going, step: Step, ends: PartEnds) -> list[StepReport]:
    was = Remains.NOTHING
    if _began_before(going, step):
        if going.session.remains(step) is Remains.DONE:
            _refuse_of_others(going, step, ends)
            _end(going, step)
            return []
    else:
        was = going.session.remains(step)
        _refuse_left_over(going, step, was)
    try:
        return [_carried_out_alone(going, step, was)]
    except KeyboardInterrupt:
        _take_stock(going, step, was)
        raise
    except CommitUnknown:
        going.tell(Stage.COMMITTING, step)
        raise _unknown(going) from None


def _refuse_of_others(going: Going, step: Step, ends: PartEnds) -> None:
    """Raise NotAsDeclared where somebody else made what a step that began was to make.

    What is written down as done is what was rehearsed; the change stays half done.
    """
    try:
        ends.compare(step.number, lambda: look(going))
    except NotAsDeclared:
        going.committed = True
        raise


def _carried_out_alone(going: Going, step: Step, was: Remains) -> StepReport:
    if not _began_before(going, step):
        note(going, step, Progress.BEGAN)
    try:
        effect, attempts = patiently(going, lambda: _outside(going, step))
    except CommitUnknown:
        raise
    except DbopsError as fault:
        left = _cleaned_up(going, step, fault)
        if was is Remains.DONE or left is not Remains.DONE:
            # What is half done still, or done after all, was begun: resume looks at it again.
            if was is Remains.DONE or left is Remains.NOTHING:
                _stand_back(going, step, fault)
            raise
        effect, attempts = StepEffect(0.0), going.order.change.limits.attempts
    _end(going, step)
    took, own = effect.seconds, step.number
    return StepReport(step, effect, alone=True, attempts=attempts, held=took, part=own, written={})


def _cleaned_up(going: Going, step: Step, fault: DbopsError) -> Remains:
    """Return what is left once nothing of the step is half done any more."""
    try:
        clean_up(going, step)
        return going.session.remains(step)
    except DbopsError as failure:
        raise Partly(
            "change-left",
            f"{fault.message}; and what {step.name} of {going.order.work} left half done may be"
            f" there still: {failure.message}",
            hint=f"clean it up: dbops change resume {going.order.work}",
        ) from None


def _take_stock(going: Going, step: Step, was: Remains) -> None:
    """Afterwards the journal and whoever looks on know how a step ended that was interrupted.

    Where that is not to be seen at once, nobody knows, and resume asks again.
    """
    session = going.session
    going.tell(Stage.COMMITTING, step)
    with suppress(DbopsError):
        session.rollback()  # of what was being written to the journal
        standing = standing_of(session.journal(), going.order.plan)
        if standing.direction is going.direction and step.number in standing.done:
            going.tell(Stage.COMMITTED, step)
            return
        session.clean_up(step)
        left = session.remains(step)
        if was is not Remains.DONE and left is Remains.DONE:
            session.note((going.order.author.entry(going.direction, step, Progress.DONE),))
            going.tell(Stage.COMMITTED, step)
        elif was is Remains.DONE or left is Remains.NOTHING:
            if not going.committed and going.instead is not None:
                session.note((going.order.author.whole(going.instead),))
            going.tell(Stage.CLEANED, step)


def _began_before(going: Going, step: Step) -> bool:
    """Whether a run before this one began the step, and nobody saw its end."""
    standing = standing_of(going.journal, going.order.plan)
    return standing.direction is going.direction and standing.began == step.number


def _refuse_left_over(going: Going, step: Step, found: Remains) -> None:
    if found is Remains.HALF and going.direction is Direction.UP:
        raise Refused(
            "change-left-over",
            f"what {step.name} of {going.order.work} is to make is there already, and not valid",
            hint="somebody's attempt by hand ended half done: drop what it left",
        )


def _outside(going: Going, step: Step) -> StepEffect:
    session = going.session
    if session.remains(step) is Remains.HALF:  # of the attempt before
        session.clean_up(step)
        going.tell(Stage.CLEANED, step)
    going.tell(Stage.ALONE, step)
    effect = session.run_alone(step)
    if session.remains(step) is Remains.HALF:
        raise Failed(
            "change-half-built",
            f"{step.name} of {going.order.work} ended without an error, and what it made is not"
            " valid; it was removed again",
            hint="look at the rows that it is of, and run it again",
        )
    return effect


def _end(going: Going, step: Step) -> None:
    try:
        note(going, step, Progress.DONE)
    except CommitUnknown:
        raise
    except DbopsError as failure:
        raise Partly(
            "change-left",
            f"{step.name} is done on {going.order.database}, and the journal of"
            f" {going.order.work} does not say so yet: {failure.message}",
            hint=f"let it look again: dbops change resume {going.order.work}",
        ) from None
    going.tell(Stage.COMMITTED, step)


def _stand_back(going: Going, step: Step, fault: DbopsError) -> None:
    """Afterwards the journal says that nothing of this direction took place, where that is so."""
    if not going.committed and going.instead is not None:
        try:
            note_entry(going, going.order.author.whole(going.instead))
        except DbopsError as failure:
            raise Partly(
                "change-left",
                f"{fault.message}; nothing of {step.name} of {going.order.work} is left, and the"
                f" journal says still that it began: {failure.message}",
                hint=f"let it look again: dbops change resume {going.order.work}",
            ) from None
    going.tell(Stage.CLEANED, step)


def _unknown(going: Going) -> CommitUnknown:
    order = going.order
    return CommitUnknown(
        "commit-unknown",
        f"the connection to {order.database} was lost, and nobody knows whether the last part of"
        f" {order.work} took place",
        hint=f"when the database can be reached again: dbops change resume {order.work}",
    )
