"""Carry a change up, down or back to its end, and say what stays where it did not get there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Final

from dbops.change.diff import Difference, Verb, compare_schemas
from dbops.change.diff_text import same_effect
from dbops.change.execute import carry_out
from dbops.change.going import Going, look
from dbops.change.half_back import made_by, spares_rows
from dbops.change.judging import (
    Judged,
    NotAsDeclared,
    judge_back,
    judge_down,
    judge_up,
    refuse_other_effect,
)
from dbops.change.manifest import DataLoss
from dbops.change.parsed import read_step
from dbops.change.part_end import PartEnds, refuse_altered_meanwhile
from dbops.change.parts import judged_last, parts_of, remaining
from dbops.change.ports import ChangeSession, CommitUnknown, Remains
from dbops.change.report import ChangeReport
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.stage import Stage
from dbops.change.standing import Standing, all_done, half_done, onward_hint, standing_of
from dbops.change.step import Direction, Part, Step
from dbops.errors import DbopsError, HalfDone, Refused
from dbops.review.policy_document import FailedVerify
from dbops.sql.tokens import tokens_of

_GUARD: Final = ("if", "exists")
_COMPARED: Final = frozenset({"change-undeclared", "change-effect", "change-down"})


def carry_up(going: Going, before: Schema, start: Schema | None) -> ChangeReport:
    """Afterwards what is left of up.sql is done, and all that differs from `before` is judged.

    Where the judgement fails after parts were committed, down.sql takes them back to the `start` if
    the order says so: Refused all the same, and as it was. Raises Refused where all was rolled
    back, Partly `change-partly` where parts of it stay, and as `carry_out`.
    """
    order = going.order
    try:
        _refuse_altered_between(going, start)
        parts = parts_left(going)
        if _must_see(order, parts):
            going.seen = look(going) if order.resumed else before
        return carry_out(going, parts, lambda session: judge_up(order, session, before), start)
    except CommitUnknown:
        raise
    except NotAsDeclared as fault:
        if not going.committed:
            raise _rolled_back(order.work, fault) from None
        if order.on_failed_verify is FailedVerify.STOP:
            raise partly(order, fault) from None
        raise _taken_back(going, fault, start) from None
    except DbopsError as fault:
        if not going.committed:
            raise
        raise partly(order, fault) from None


def _must_see(order: ChangeRun, parts: Sequence[Part]) -> bool:
    """Whether what others alter between the parts has to be known: it would be lost, or dropped.

    Where no rehearsal saw how parts end, nothing else tells that before the policy's way back.
    """
    if order.measured:
        return False
    unseen = order.rehearsed is None or not order.rehearsed.ends
    taken_back = order.on_failed_verify is FailedVerify.DOWN and len(parts) > 1
    return order.change.data_loss is not DataLoss.NONE or (taken_back and unseen)


def carry_down(going: Going, live: Schema, start: Schema | None) -> ChangeReport:
    """Afterwards what is left of down.sql is done, and what the change touched is as at the start.

    `live` is the schema now. Raises Refused where all was rolled back, Partly `change-partly` where
    parts of it stay, and as `carry_out`.
    """
    order = going.order
    going.seen = None if order.measured else live  # nobody else is at a copy
    try:
        _refuse_altered_between(going, start)
        return carry_out(
            going, parts_left(going), lambda session: judge_down(order, session, live, start), start
        )
    except CommitUnknown:
        raise
    except DbopsError as fault:
        if going.committed:
            raise partly(order, fault, back=True) from None
        if isinstance(fault, NotAsDeclared):
            raise _rolled_back(f"down.sql of {order.work}", fault) from None
        raise


def carry_back(going: Going, start: Schema | None) -> ChangeReport:
    """Afterwards down.sql has taken back a change that did not get to its end.

    All is as at the `start`. Without one it must have got to its last step: then it is taken back
    as a change that did, in the parts of down.sql. Else it is one transaction as far as it can be,
    whatever parts down.sql names: nobody alters anything between them. Raises Refused
    `change-half-done` where down.sql cannot do that, NotAsDeclared `change-altered` where the
    schema is not as it was seen last, or the code of what it did not do, and as `carry_out`.
    """
    order, live, parts = going.order, look(going), parts_left(going)
    refuse_altered_meanwhile(going, lambda: live)
    followed, going.seen = going.seen is not None, live
    standing = standing_of(going.journal, order.plan)
    if standing.direction is Direction.UP:  # else it was found to be possible before
        _refuse_altered_between(going, start)
        _refuse_half(going, standing, parts, start, followed=followed)
    elif start is not None:
        _refuse_strange(order, compare_schemas(start, live))

    def judge(session: ChangeSession) -> Judged:
        if start is None:
            return judge_down(order, session, live, None)
        return judge_back(order, session, live, start)

    whole = all_done(going.journal, order.plan, order.up)
    return carry_out(going, parts if whole else _in_one(parts), judge)


def _in_one(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts as one transaction, where none of their steps stands outside of any."""
    if any(part.alone for part in parts):
        return parts
    return (Part(tuple(step for part in parts for step in part.steps), alone=False),)


def _refuse_strange(order: ChangeRun, found: Sequence[Difference]) -> None:
    """Raise NotAsDeclared `change-effect` where something differs from the start that is not its.

    Half a change that was half taken back has come to no state that a rehearsal saw; but all that
    is there of it is as it was in one of those.
    """
    rehearsed = order.rehearsed
    if rehearsed is None:
        return
    known = [*chain(*rehearsed.ends.values(), rehearsed.differences)]
    strange = [each for each in found if all(same_effect([each], [one]) for one in known)]
    refuse_other_effect(order, strange, (), revert=True)


def _refuse_altered_between(going: Going, start: Schema | None) -> None:
    """Raise NotAsDeclared `change-effect` where others altered what had come of the change so far.

    A step that began, whose end nobody saw and that left something is looked at behind it. What was
    made by hand under the name of something that the change is to make would go with a way back.
    """
    standing, back = standing_of(going.journal, going.order.plan), going.direction is Direction.DOWN
    if standing.whole or not standing.done or has_left(going, standing):
        return
    if standing.direction is going.direction or back:
        ends = PartEnds(going.order, standing.direction, start)
        ends.compare(max(standing.done), lambda: look(going), back=back)


def has_left(going: Going, standing: Standing) -> bool:
    """Return whether something is there of a step that began."""
    steps = going.order.scripts[standing.direction]
    began = next((step for step in steps if step.number == standing.began), None)
    return began is not None and going.session.remains(began) is not Remains.NOTHING


def parts_left(going: Going) -> tuple[Part, ...]:
    """Return what the journal does not have done of the direction, with an end to be judged."""
    order = going.order
    parts = parts_of(order.scripts[going.direction], going.engine)
    return judged_last(remaining(parts, going.journal, order.plan, going.direction))


def partly(order: ChangeRun, fault: DbopsError, *, back: bool = False) -> HalfDone:
    """What is said where some parts are done for good, and the end is not.

    `back` says that what goes on is the way back. On a copy nobody goes on.
    """
    hint = onward_hint(order.work, back=back)
    if order.measured or (order.resumed and fault.code in _COMPARED):
        hint = fault.hint
    elif fault.code == "change-effect":
        hint = f"look at it, and bring back what others altered; then {hint}"
    message = f"{order.work} is half done on {order.database}: {fault.message}"
    return HalfDone("change-partly", message, hint=hint, cause=fault.code)


def _refuse_half(
    going: Going,
    standing: Standing,
    parts: Sequence[Part],
    start: Schema | None,
    *,
    followed: bool,
) -> None:
    """Raise Refused unless down.sql can be tried on a change of which only some steps are done.

    `followed` says that all was looked at since it began. Else a rehearsal must have seen how the
    last part that is done ends: what others made since would go with the way back. In one
    transaction it can be tried: what does not come back rolls it back. Of several parts each step
    must say IF EXISTS, or one that finds nothing to take back would end it half way. Rows are not
    compared, so each step must leave them alone.
    """
    order = going.order
    if order.down and standing.done == {step.number for step in order.up}:
        return
    half = half_done(order.work, standing).message
    hint = f"finish it: dbops change resume {order.work}"
    guarded = all(_is_guarded(step.sql) for part in parts for step in part.steps)
    if not order.down or start is None or not (len(parts) == 1 or guarded):
        message = f"{half}, and down.sql takes back a whole one only"
        raise Refused("change-half-done", message, hint=hint)
    if standing.done and not (followed or _end_is_known(order, max(standing.done))):
        message = (
            f"{half}, and no rehearsal saw how the schema is then: what others made since would go"
            " with the way back"
        )
        raise Refused("change-half-done", message, hint=hint)
    unsafe = _rows_at_risk(going, parts)
    if unsafe is not None:
        message = (
            f"{half}, and {unsafe.name} (down.sql line {unsafe.line}) may write or drop rows that"
            " are as they always were"
        )
        raise Refused("change-half-done", message, hint=hint)


def _end_is_known(order: ChangeRun, step: int) -> bool:
    rehearsed = order.rehearsed
    return rehearsed is not None and (Direction.UP, step) in rehearsed.ends


def _rows_at_risk(going: Going, parts: Sequence[Part]) -> Step | None:
    """The first step that does not leave rows alone which up.sql may never have come to."""
    order, dialect = going.order, going.engine.traits.dialect
    created = {each.written for each in order.change.touches if each.verb is Verb.CREATE}
    made = made_by(created, [read_step(step, dialect, Direction.UP.file) for step in order.up])
    steps = (step for part in parts for step in part.steps)
    readings = ((step, read_step(step, dialect, Direction.DOWN.file)) for step in steps)
    return next((step for step, reading in readings if not spares_rows(reading, made)), None)


def _taken_back(going: Going, fault: NotAsDeclared, start: Schema | None) -> DbopsError:
    """What is said once down.sql has taken the committed parts back, or has not."""
    order = going.order
    down = going.turned(Direction.DOWN, instead=None, committed=True)
    try:
        down.journal = going.session.journal()
        carry_back(down, start)
        if not order.resumed:  # else there was something before, and it is gone
            down.tell(Stage.TAKEN_BACK)
    except CommitUnknown as failure:
        return failure
    except DbopsError as failure:
        told = partly(order, fault)
        why = "" if failure.message == fault.message else f": {failure.message}"
        message = f"{told.message}; and it was not taken back{why}"
        hint = failure.hint if failure.code == "change-half-done" else told.hint
        return HalfDone(told.code, message, hint=hint, cause=told.cause)
    message = f"{order.work} was taken back by down.sql: {fault.message}"
    # All is as it was: what differed was made by the change alone.
    compared = order.resumed and fault.code in _COMPARED
    hint = f"mend it, then: dbops change rehearse {order.work}" if compared else fault.hint
    return Refused(fault.code, message, hint=hint)


def _rolled_back(what: str, fault: NotAsDeclared) -> Refused:
    return Refused(fault.code, f"{what} was rolled back: {fault.message}", hint=fault.hint)


def _is_guarded(sql: str) -> bool:
    """Whether IF EXISTS stands in the statement itself, not in a text or a comment of it."""
    words = [
        token.piece.lower()
        for token in tokens_of(sql, "down.sql", 1, counted=True)
        if not token.blank and isinstance(token.piece, str)
    ]
    return _GUARD in pairwise(words)
