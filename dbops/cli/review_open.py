"""What is said of work that was done, and of a change whose run has not come to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dbops.change.attempts import RecordedChange
    from dbops.cli.review_overview import Desk, Overview
    from dbops.review.work import Work


def open_lines(overview: Overview) -> tuple[str, ...]:
    """What is next about the change's runs without an end, a line for all that stand alike."""
    return tuple(_open_lines(overview))


def _open_lines(overview: Overview) -> Iterator[str]:
    resume = f"dbops change resume {overview.id}"
    runs = overview.open_runs
    half = _on(runs, lambda run: run.is_half and not _went_back(run))
    back = _on(runs, lambda run: run.is_half and _went_back(run))
    unknown = _on(runs, lambda run: not run.is_half)
    if half:
        yield f"it is half done on {half}: {resume}, or take it back: {resume} --revert"
    if back:
        yield f"it is half taken back on {back}: {resume} --revert"
    if unknown:
        yield f"a run of it on {unknown} has not come to an end: {resume}"


def open_remarks(overview: Overview) -> tuple[str, ...]:
    """What whoever is about to sign for the change reads of its runs without an end."""
    names = _on(overview.open_runs, lambda _: True)
    if not names:
        return ()
    resume = f"dbops change resume {overview.id}"
    return (f"remark: a run of {overview.id} on {names} has not come to an end: {resume}",)


def done_lines(overview: Overview) -> tuple[str, ...]:
    """What can be asked of work that was done; nothing of other work."""
    from dbops.cli.review_overview import State
    from dbops.review.purpose import Purpose

    if overview.state is not State.DONE:
        return ()
    told = "it was done; to do it again, have it requested again"
    back = f"to take it back: dbops review request {overview.id} --revert --key KEY"
    return (told, back) if overview.purpose is Purpose.RUN else (told,)


def refuse_unreadable(desk: Desk, work: Work, *, takes_back: bool) -> None:
    """Raise what a run would say of a change that cannot be read, or needs what nobody knows.

    Nothing of work of other kinds; what is taken back needs no other change.
    """
    from dbops.cli.change_open import refuse_requiring_unknown
    from dbops.cli.changing import parsed_change
    from dbops.review.purpose import purpose_of
    from dbops.review.work import Kind

    if work.kind is not Kind.CHANGE:
        return
    purpose_of(work, takes_back=takes_back)  # that there is no way back is said first
    found = parsed_change(work)
    if not takes_back:
        refuse_requiring_unknown(desk.wiring, desk, found)


def _on(runs: Iterable[RecordedChange], which: Callable[[RecordedChange], bool]) -> str:
    """The databases of those runs, each once."""
    return ", ".join(dict.fromkeys(run.database for run in runs if which(run)))


def _went_back(run: RecordedChange) -> bool:
    from dbops.change.step import Direction

    return run.direction is Direction.DOWN
