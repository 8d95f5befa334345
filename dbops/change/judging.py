"""What a change came to, beside what its manifest declares and its rehearsal showed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dbops.change.declare import declaring
from dbops.change.diff import Difference, Verb, compare_schemas, is_only_order
from dbops.change.diff_text import same_effect
from dbops.change.drift import listed, told
from dbops.change.implied import may_be_unset
from dbops.change.ports import ChangeSession
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema, refuse_unknown
from dbops.change.step import Step
from dbops.change.touch import Touch, leaders, names_touched, uncovered, unseen
from dbops.errors import Failed, Refused

_REVERSED: Final = {Verb.CREATE: Verb.DROP, Verb.DROP: Verb.CREATE, Verb.ALTER: Verb.ALTER}


class NotAsDeclared(Refused):
    """What the steps came to is not what was to come of them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a direction, and that it is as it should be."""

    before: Schema
    after: Schema
    differences: tuple[Difference, ...]
    unseen: tuple[Touch, ...] = ()


def judge_up(order: ChangeRun, session: ChangeSession, before: Schema) -> Judged:
    """Return what differs from `before`, inside the transaction that is to commit it.

    Constraints hold, verify.sql is true, `touches` cover every difference, and what was rehearsed
    is what came of it. Raises NotAsDeclared `change-constraints`, `change-verify`, the code of a
    verify.sql that does not run, `schema-unknown`, `change-undeclared` and `change-effect`.
    """
    try:
        refuse_unsettled(order, session)
        _verified(order, session)
        after = schema_after(order, session)
    except (Refused, Failed) as fault:
        raise NotAsDeclared(fault.code, fault.message, hint=fault.hint) from None
    found = compare_schemas(before, after)
    _refuse_undeclared(order, found, order.change.touches)
    if order.rehearsed is not None:
        refuse_other_effect(order, found, order.rehearsed.differences)
    return Judged(before, after, found, unseen(found, order.change.touches))


def judge_down(
    order: ChangeRun, session: ChangeSession, before: Schema, start: Schema | None
) -> Judged:
    """Return what down.sql changed: the objects of the change are as they were at the `start`.

    The places of columns may be others; nothing else differs from `before`, when down.sql began.
    Without a start nothing says how the objects were. Raises
    NotAsDeclared `change-constraints`, `schema-unknown`, `change-undeclared` and `change-down`.
    """
    try:
        refuse_unsettled(order, session)
        after = schema_after(order, session)
    except (Refused, Failed) as fault:
        raise NotAsDeclared(fault.code, fault.message, hint=fault.hint) from None
    found = compare_schemas(before, after)
    _refuse_undeclared(order, found, reversed_touches(order.change.touches), revert=True)
    if start is not None:
        left = touched(compare_schemas(start, after), order.change.touches)
        if left:
            raise _not_back(order, left)
    return Judged(before, after, found)


def judge_back(order: ChangeRun, session: ChangeSession, live: Schema, start: Schema) -> Judged:
    """Return what down.sql changed of `live`: everything is as at the `start`.

    Of a change that did not get to its end nobody can say what it touched, so all is compared; the
    places of columns may be others. Raises as `judge_down`.
    """
    try:
        refuse_unsettled(order, session)
        after = schema_after(order, session)
    except (Refused, Failed) as fault:
        raise NotAsDeclared(fault.code, fault.message, hint=fault.hint) from None
    left = [each for each in compare_schemas(start, after) if not is_only_order(each)]
    if left:
        raise _not_back(order, left)
    return Judged(live, after, compare_schemas(live, after))


def refuse_altered_since(order: ChangeRun, live: Schema) -> None:
    """Raise Refused `change-altered` where what the change made is not as the change left it.

    Without a rehearsal nothing says how it was left, but that it is there: or not, once dropped.
    """
    if order.rehearsed is None:
        _refuse_gone(order, live)
        return
    since = touched(compare_schemas(order.rehearsed.source, live), order.change.touches)
    rehearsed = touched(order.rehearsed.differences, order.change.touches)
    other = same_effect(since, rehearsed)
    if other:
        raise Refused(
            "change-altered",
            f"what {order.work} changed was changed again since: {listed(other)}",
            hint="down.sql would take that along; write a change that goes on from here",
        )


def touched(differences: Iterable[Difference], touches: Iterable[Touch]) -> tuple[Difference, ...]:
    """Return the differences of objects that touches name, or that came or went with these.

    The place of a column among the others is none.
    """
    named = tuple(touches)
    own = names_touched(named)
    outer = names_touched(each for each in named if each.verb is not Verb.ALTER)
    return tuple(
        each
        for each in differences
        if not is_only_order(each)
        and (
            (each.name.kind, each.name.written) in own
            or any((name.kind, name.written) in outer for name in each.within)
            or any((name.kind, name.written) in own for name in leaders(each))
        )
    )


def reversed_touches(touches: Iterable[Touch]) -> tuple[Touch, ...]:
    """Return what the way back may make differ."""
    return tuple(replace(each, verb=_REVERSED[each.verb]) for each in touches)


def untrue(session: ChangeSession, verify: Iterable[Step]) -> tuple[str, ...]:
    """Return the names of the queries of verify.sql that are not true, with their lines."""
    return tuple(
        f"{step.name} (verify.sql line {step.line})" for step in verify if not session.verify(step)
    )


def refuse_unsettled(order: ChangeRun, session: ChangeSession, *, whole: bool = True) -> None:
    """Raise Refused `change-constraints` where rows or indexes would be left behind wrong."""
    wrong = session.settle(whole=whole)
    if wrong:
        raise Refused(
            "change-constraints",
            f"{order.work} would leave behind: {listed(wrong)}",
            hint="mend that first, or have the change do it",
        )


def _verified(order: ChangeRun, session: ChangeSession) -> None:
    wrong = untrue(session, order.verify)
    if wrong:
        raise Refused(
            "change-verify",
            f"not true after {order.work}: {listed(wrong)}",
            hint="look at what these queries ask; correct the change, and have it signed anew",
        )


def schema_after(order: ChangeRun, session: ChangeSession) -> Schema:
    """Return the schema as the session sees it; Refused `schema-unknown` where not all is known."""
    after = session.schema()
    refuse_unknown(after, order.database)
    return after


def _refuse_undeclared(
    order: ChangeRun,
    found: Sequence[Difference],
    touches: Iterable[Touch],
    *,
    revert: bool = False,
) -> None:
    other = uncovered(found, touches)
    if other and order.resumed:
        what = f"what the touches of {order.work} do not name differs, by it or by others since"
        raise _to_be_looked_at(order, "change-undeclared", f"{what}: {told(other)}", revert=revert)
    if other:
        # What down.sql alone does is no matter of touches, which are of up.sql.
        what = "leave it out of down.sql" if revert else declaring(other, touches)
        raise NotAsDeclared(
            "change-undeclared",
            f"{order.work} changes what its touches do not name: {told(other)}",
            hint=f"{what}; then: dbops change rehearse {order.work}",
        )


def refuse_other_effect(
    order: ChangeRun,
    found: Sequence[Difference],
    rehearsed: Sequence[Difference],
    *,
    revert: bool = False,
) -> None:
    """Raise NotAsDeclared `change-effect` where what came is not what was rehearsed."""
    other = same_effect(found, rehearsed)
    if other and order.resumed:
        what = f"what differs is not what {order.work} was rehearsed to, by it or by others since"
        raise _to_be_looked_at(order, "change-effect", f"{what}: {listed(other)}", revert=revert)
    if other:
        raise NotAsDeclared(
            "change-effect",
            f"{order.work} came to something else than when it was rehearsed: {listed(other)}",
            hint="take a new backup, verify it, and rehearse again",
        )


def _not_back(order: ChangeRun, left: Sequence[Difference]) -> NotAsDeclared:
    if order.resumed:
        what = f"not all is as before {order.work}, by it or by others since"
        return _to_be_looked_at(order, "change-down", f"{what}: {told(left)}", revert=True)
    return NotAsDeclared(
        "change-down",
        f"down.sql does not bring back what {order.work} changed: {told(left)}",
        hint="write what is missing into down.sql; have it rehearsed and signed",
    )


def _to_be_looked_at(
    order: ChangeRun, code: str, what: str, *, revert: bool = False
) -> NotAsDeclared:
    """What is said where others may have altered the schema since the change began."""
    command = f"dbops change resume {order.work}{' --revert' if revert else ''}"
    hint = f"look at it, and bring back what others altered; then: {command}"
    return NotAsDeclared(code, what, hint=hint)


def _refuse_gone(order: ChangeRun, live: Schema) -> None:
    there = {(name.kind, name.written) for name in live.objects}
    for touch in order.change.touches:
        if touch.verb is Verb.ALTER and may_be_unset(touch.kind, touch.written, live):
            continue
        if ((touch.kind, touch.written) in there) is (touch.verb is Verb.DROP):
            what = "there again" if touch.verb is Verb.DROP else "gone"
            raise Refused(
                "change-altered",
                f"what {order.work} changed was changed again since: {_title(touch)} is {what}",
                hint="down.sql would take that along; write a change that goes on from here",
            )


def _title(touch: Touch) -> str:
    return f"{touch.kind.value} {touch.written}"
