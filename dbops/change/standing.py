"""What the journal of a database says of a change: done, half done, taken back or nothing; pure.

Rows are only ever added, so the last direction that began is the one that counts. A run in one
direction ends with an entry of its own, step 0, written when all was judged: without it the run is
half done, even where every step is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dbops.change.ports import JournalEntry, Progress
from dbops.change.step import Direction, Step
from dbops.errors import Refused

WHOLE: Final = 0
"""The number of the entry that ends a direction; its name is `whole`, its sha256 the plan's."""


class State(StrEnum):
    """How a change stands on a database."""

    NOTHING = "nothing"  # never run, or taken back whole
    HALF = "half"  # some of it is done, or something that began was never seen to end
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the direction that began last has come.

    `done` are the numbers of its steps that are done, `began` that of a step outside of a
    transaction that nobody saw end. `whole` says that the direction was judged and ended. `run` is
    the run that wrote last, `approval` what allowed it.
    """

    direction: Direction = Direction.UP
    done: frozenset[int] = frozenset()
    began: int | None = None
    whole: bool = False
    run: str | None = None
    approval: str = ""

    @property
    def state(self) -> State:
        """What a person would say."""
        if self.whole:
            return State.WHOLE if self.direction is Direction.UP else State.NOTHING
        return State.NOTHING if self.run is None else State.HALF


def standing_of(journal: Iterable[JournalEntry], plan: str) -> Standing:
    """Return how the change with this plan stands, given all entries of the database."""
    found = Standing()
    for entry in sorted(journal, key=lambda each: each.sequence):
        if entry.plan == plan:
            found = _after(found, entry)
    return found


def standing_of_work(journal: Iterable[JournalEntry], work: str) -> dict[str, Standing]:
    """Return how every revision of a change stands that the journal knows, by its plan."""
    own = [entry for entry in journal if entry.work == work]
    return {entry.plan: standing_of(own, entry.plan) for entry in own}


def _after(found: Standing, entry: JournalEntry) -> Standing:
    same = found.direction is entry.direction
    done, began = (found.done, found.began) if same else (frozenset[int](), None)
    if entry.progress is Progress.BEGAN:
        began = entry.step
    elif entry.step != WHOLE:
        done = done | {entry.step}
        began = None if began == entry.step else began
    whole = entry.step == WHOLE
    return Standing(entry.direction, done, began, whole, entry.run, entry.approval)


@dataclass(frozen=True, slots=True)
class Author:
    """Whose entries a run writes: `run` names the attempt, `plan` the reviewed files.

    `approval` is the sha256 of the signed request, empty where none was asked for.
    """

    run: str
    work: str
    plan: str
    approval: str = ""

    def entry(self, direction: Direction, step: Step, progress: Progress) -> JournalEntry:
        """A step that began, or is done."""
        return JournalEntry(
            run=self.run,
            work=self.work,
            plan=self.plan,
            direction=direction,
            step=step.number,
            name=step.name,
            sha256=step.digest,
            progress=progress,
            approval=self.approval,
        )

    def whole(self, direction: Direction) -> JournalEntry:
        """The direction has ended, and was judged."""
        return JournalEntry(
            run=self.run,
            work=self.work,
            plan=self.plan,
            direction=direction,
            step=WHOLE,
            name="whole",
            sha256=self.plan,
            progress=Progress.DONE,
            approval=self.approval,
        )


def got_to_its_end(journal: Iterable[JournalEntry], plan: str) -> bool:
    """Whether up.sql was judged and ended when it ran last, whatever of down.sql came behind it."""
    whole = False
    for entry in sorted(journal, key=lambda each: each.sequence):
        if entry.plan == plan and entry.direction is Direction.UP:
            whole = entry.step == WHOLE
    return whole


def all_done(journal: Iterable[JournalEntry], plan: str, steps: Iterable[Step]) -> bool:
    """Return whether all steps of up.sql were done when it ran last, judged or not."""
    found, up = Standing(), frozenset[int]()
    for entry in sorted(journal, key=lambda each: each.sequence):
        if entry.plan == plan:
            found = _after(found, entry)
            up = found.done if found.direction is Direction.UP else up
    return up == {step.number for step in steps}


def brought_to_end(journal: Iterable[JournalEntry], plan: str) -> frozenset[tuple[str, Direction]]:
    """Return the runs whose steps are in a direction that came to its end, with that direction."""
    ended: set[tuple[str, Direction]] = set()
    under_way: set[tuple[str, Direction]] = set()
    for entry in sorted(journal, key=lambda each: each.sequence):
        if entry.plan != plan or entry.progress is not Progress.DONE:
            continue
        under_way = {each for each in under_way if each[1] is entry.direction}
        under_way.add((entry.run, entry.direction))
        if entry.step == WHOLE:
            ended |= under_way
            under_way = set()
    return frozenset(ended)


def refuse_altered(
    journal: Iterable[JournalEntry], plan: str, scripts: dict[Direction, tuple[Step, ...]]
) -> None:
    """Raise Refused `change-journal` where an entry of this plan is of none of its steps."""
    known = {(way, step.number, step.digest) for way, steps in scripts.items() for step in steps}
    for entry in journal:
        if entry.plan != plan:
            continue
        if entry.step == WHOLE and entry.sha256 == plan:
            continue
        if (entry.direction, entry.step, entry.sha256) not in known:
            raise Refused(
                "change-journal",
                f"the journal says that step {entry.step} of {entry.work} ran, and it is not the"
                f" step {entry.step} of {entry.direction.file}",
                hint="somebody wrote to the journal by hand: compare it with the ledger",
            )


def refuse_second_run(journal: Iterable[JournalEntry], work: str, plan: str) -> None:
    """Raise Refused unless nothing of the change is there, of another revision neither.

    `change-already` where it has run; `change-half-done` where some of it is done, or some of
    another change: nobody can say then how the schema is to be.
    """
    entries = tuple(journal)
    refuse_half_beside(entries, work)
    for found, standing in standing_of_work(entries, work).items():
        other = "" if found == plan else " in another revision"
        if standing.state is State.WHOLE:
            raise Refused(
                "change-already",
                f"{work} has run on this database already{other}",
                hint=f"see when: dbops audit log --work {work}",
            )
        if standing.state is State.HALF:
            raise half_done(work, standing, other)


def refuse_half_beside(journal: Iterable[JournalEntry], work: str) -> None:
    """Raise Refused `change-half-done` where some of another change is done, and not all.

    What resumes it compares with the schema in which it began.
    """
    entries = tuple(journal)
    for other in sorted({entry.work for entry in entries} - {work}):
        for standing in standing_of_work(entries, other).values():
            if standing.state is State.HALF:
                raise half_done(other, standing)


def refuse_used(journal: Iterable[JournalEntry], author: Author, direction: Direction) -> None:
    """Raise Refused `change-used` where the same signed request led to this end before.

    The ledger of a host knows what that host ran; the journal knows it of every host. What was
    stepped back from did not come to this end, and leaves the request valid.
    """
    if not author.approval:
        return
    for entry in journal:
        ended = entry.step == WHOLE and entry.direction is direction
        if ended and entry.approval == author.approval:
            way = "" if direction is Direction.UP else " --revert"
            raise Refused(
                "change-used",
                f"the request for {author.work} was used on this database already, by another"
                " host or under another ledger, and is for one run only",
                hint=f"have it asked for anew: dbops review request {author.work}{way} --key KEY",
            )


def half_done(work: str, standing: Standing, other: str = "") -> Refused:
    """The refusal of what needs a change that stands whole, or not at all."""
    count = len(standing.done)
    steps = "1 step" if count == 1 else f"{count} steps"
    return Refused(
        "change-half-done",
        f"{work} is half done on this database{other}: {steps} of {standing.direction.file}",
        hint=onward_hint(work, back=standing.direction is Direction.DOWN),
    )


def onward_hint(work: str, *, back: bool = False) -> str:
    """What brings a half done change to an end; `back` where it is on its way back, or is to be."""
    resume = f"dbops change resume {work}"
    return (
        f"take it back: {resume} --revert"
        if back
        else f"finish it: {resume}, or take it back: {resume} --revert"
    )


def refuse_missing(journal: Iterable[JournalEntry], work: str, requires: Iterable[str]) -> None:
    """Raise Refused `change-requires` where a change that this one needs has not run here."""
    entries = tuple(journal)
    missing = [
        needed
        for needed in requires
        if not any(each.state is State.WHOLE for each in standing_of_work(entries, needed).values())
    ]
    if missing:
        raise Refused(
            "change-requires",
            f"{work} requires {', '.join(missing)}, and the journal of this database does not"
            " have it done",
            hint=f"run it first: dbops change run {missing[0]}",
        )
