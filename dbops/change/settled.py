"""What a change that was settled later had made of the schema, which nobody saw it do; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dbops.audit.entry import Effect
from dbops.change.attempts import RecordedChange
from dbops.change.diff import Difference, Verb, compare_schemas
from dbops.change.diff_text import same_effect
from dbops.change.drift import told
from dbops.change.fate import Became, Fate
from dbops.change.judging import touched
from dbops.change.ports import JournalEntry
from dbops.change.recorded import with_differences
from dbops.change.report import ChangeReport
from dbops.change.run_order import ChangeRun, Rehearsed
from dbops.change.schema import Schema
from dbops.change.step import Direction
from dbops.change.touch import uncovered


@dataclass(frozen=True, slots=True)
class Made:
    """The schema before and after, all of the change and nothing else between them.

    `is_live` says that after it is what the database has.
    """

    before: Schema
    after: Schema
    is_live: bool = True


def made_by_report(order: ChangeRun, became: Became, report: ChangeReport) -> Made:
    """Return what came of a half done change that was brought to an end just now.

    Without a rehearsal nobody knows how it was before: it is what this attempt made.
    """
    rehearsed, after = order.rehearsed, report.after
    if rehearsed is None:
        return Made(report.before, after)
    if report.direction is Direction.DOWN and became.direction is Direction.DOWN:
        return Made(with_differences(after, rehearsed.differences), after)
    return Made(rehearsed.source, after)


def made_before(order: ChangeRun, fate: Fate, live: Schema) -> Made | None:
    """Return what came of a change that had its end already; None of one that did nothing.

    Where the database is as the change left it, that is what it made; else what was rehearsed is,
    as it was judged by that. None without a rehearsal.
    """
    rehearsed = order.rehearsed
    if rehearsed is None:
        return None
    if fate is Fate.WHOLE:
        if _is_as_made(order, rehearsed, live):
            return Made(rehearsed.source, live)
        made = with_differences(rehearsed.source, rehearsed.differences)
        return Made(rehearsed.source, made, is_live=False)
    if fate is Fate.RETURNED:
        back = not touched(compare_schemas(rehearsed.source, live), order.change.touches)
        after = live if back else rehearsed.source
        return Made(with_differences(after, rehearsed.differences), after, is_live=False)
    return None


def traces_of(
    run: RecordedChange, rehearsed: Rehearsed | None, look: Callable[[], Schema]
) -> str | None:
    """Return why a run of which the journal has nothing did something all the same; None if none.

    What the change makes tells that where it was rehearsed; and the ledger, where its first part
    makes nothing that could be there.
    """
    found = () if rehearsed is None else already_there(rehearsed, look())
    if found:
        return f"what it makes is there: {told(found)}"
    unseen = rehearsed is None or not _first_end(rehearsed)
    ledger = unseen and run.effect is Effect.COMMITTED
    return "the ledger says that some of it is done" if ledger else None


def is_same_journal(
    journal: Iterable[JournalEntry], changes: Iterable[RecordedChange], run: RecordedChange
) -> bool:
    """Return whether the journal is the one that was there before the run: it has what ran before.

    Then it is no lost one: where it has nothing of the run, that did nothing. False also where
    nothing is known to have run on that database before.
    """
    before = {
        each.run
        for each in changes
        if each.database == run.database
        and each.sequence < run.sequence
        and each.effect is Effect.COMMITTED
    }
    return any(entry.run in before for entry in journal)


def already_there(rehearsed: Rehearsed, live: Schema) -> tuple[Difference, ...]:
    """Return what of the rehearsed differences the database has: each at least in a property."""
    found = {each.name: each for each in compare_schemas(rehearsed.source, live)}
    return tuple(
        each
        for each in rehearsed.differences
        if each.name in found and _is_begun(each, found[each.name])
    )


def _first_end(rehearsed: Rehearsed) -> Sequence[Difference]:
    """What differs from the start once the first part has ended."""
    steps = [step for direction, step in rehearsed.ends if direction is Direction.UP]
    return rehearsed.ends[Direction.UP, min(steps)] if steps else rehearsed.differences


def _is_begun(made: Difference, found: Difference) -> bool:
    if made.verb is not Verb.ALTER or found.verb is not Verb.ALTER:
        return made.verb is found.verb
    both = made.before.keys() | made.after.keys()
    return any(
        found.after.get(key) == made.after.get(key)
        for key in both & (found.before.keys() | found.after.keys())
    )


def _is_as_made(order: ChangeRun, rehearsed: Rehearsed, live: Schema) -> bool:
    found = compare_schemas(rehearsed.source, live)
    # What the change itself made may have been altered by hand since.
    return not uncovered(found, order.change.touches) and not same_effect(
        found, rehearsed.differences
    )
