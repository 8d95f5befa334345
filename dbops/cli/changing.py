"""Changes of the estate, wired: the folder, its scripts, what its rehearsal saw, the databases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.errors import DbopsError, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dbops.change.diff import Difference
    from dbops.change.manifest import Change
    from dbops.change.run_order import Rehearsed
    from dbops.change.schema import Schema
    from dbops.change.step import Direction, Step
    from dbops.cli.review_overview import Desk
    from dbops.cli.wiring import Wiring
    from dbops.review.work import Work


@dataclass(frozen=True, slots=True)
class ReadChange:
    """A change's folder, and what it says; `verify` is empty for one that runs nothing."""

    work: Work
    change: Change
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    verify: tuple[Step, ...]


def read_change(wiring: Wiring, work_id: str, worktree: str | None = None) -> ReadChange:
    """The change as it lies in the work tree now, whoever signed it or not.

    Raises NotFound work-missing, Refused `work-kind` for work of another kind, and with the line
    what is wrong with the manifest or a script.
    """
    from dbops.cli.reviewing import open_desk
    from dbops.review.folder import read_work

    desk = open_desk(wiring, worktree)
    (folder,) = desk.folders(work_id)
    return parsed_change(read_work(desk.worktree, folder))


def parsed_change(work: Work) -> ReadChange:
    """What the bytes of the folder say; raises as `read_change`."""
    from dbops.change.manifest_text import parse_change
    from dbops.change.script import steps_of, verify_steps
    from dbops.change.step import Direction
    from dbops.review.work import Kind

    if work.kind is not Kind.CHANGE:
        raise Refused(
            "work-kind",
            f"{work.id} is a {work.kind}, not a change",
            hint=f"dbops review show {work.id}",
        )
    change = parse_change(work)
    if change.prepares is not None or change.records is not None:
        return ReadChange(work, change, (), (), ())
    up, down = (steps_of(work, direction) for direction in (Direction.UP, Direction.DOWN))
    return ReadChange(work, change, up, down, verify_steps(work))


def refuse_set_aside(change: Change) -> None:
    """Raise Refused `change-other` for a change that another command is for."""
    if change.prepares is not None:
        raise Refused(
            "change-other",
            f"{change.id} prepares a database for repairs",
            hint=f"dbops repair prepare {change.databases[0]} --review {change.id}",
        )
    if change.records is not None:
        raise Refused(
            "change-other",
            f"{change.id} records a schema and runs nothing",
            hint=f"dbops change record {change.databases[0]} --review {change.id}",
        )


@dataclass(frozen=True, slots=True)
class EveryChange:
    """All changes of the ops repository.

    `drafts` are the ids of those that cannot be read yet and that nobody relies on: no signature,
    no rehearsal, no run. `faults` say why others cannot be read.
    """

    read: tuple[ReadChange, ...]
    drafts: tuple[str, ...]
    faults: tuple[str, ...]


def every_change(desk: Desk, ran: Collection[str]) -> EveryChange:
    """Return all changes; `ran` are the ids of those that the ledger knows of."""
    from dbops.review.folder import read_work
    from dbops.review.work import EVIDENCE, Kind

    found: list[ReadChange] = []
    drafts: list[str] = []
    faults: list[str] = []
    for folder in desk.folders(None):
        if folder.parent.name != Kind.CHANGE.folder:
            continue
        work = None
        try:
            work = read_work(desk.worktree, folder)
            found.append(parsed_change(work))
        except DbopsError as fault:
            relied = work is None or work.statements or EVIDENCE in work.files or work.id in ran
            if relied:
                faults.append(f"{folder.name}: {fault.message}")
            else:
                drafts.append(folder.name)
    return EveryChange(tuple(found), tuple(drafts), tuple(faults))


def source_of(work: Work, database: str) -> Schema | None:
    """The schema of the database itself as the rehearsed backup has it; None where not rehearsed.

    Raises Refused `schema-form` where the file is not as dbops writes it.
    """
    from dbops.change.rehearsed_files import source_file
    from dbops.change.schema_text import parse_schema

    path = source_file(database)
    data = work.files.get(path)
    return None if data is None else parse_schema(data, f"{work.folder}/{path}")


def rehearsed_of(work: Work, database: str) -> Rehearsed | None:
    """What the rehearsal saw, **unverified**; None where there was none of that database."""
    from dbops.change.diff_text import parse_diff
    from dbops.change.evidence import read_evidence
    from dbops.change.rehearsed_files import difference_file, end_files
    from dbops.change.run_order import Rehearsed

    path = difference_file(database)
    source, data = source_of(work, database), work.files.get(path)
    evidence = read_evidence(work, database)
    if source is None or data is None or evidence is None:
        return None
    ends = {
        end: parse_diff(work.files[each], f"{work.folder}/{each}")
        for end, each in end_files(database, work.files).items()
    }
    return Rehearsed(source, parse_diff(data, f"{work.folder}/{path}"), evidence.locks, ends)


def databases_of(
    change: Change, ring: str | None, only: str | None, direction: Direction
) -> tuple[str, ...]:
    """The databases that a command line means: a ring's, one, or all where there is one ring.

    Raises NotFound `no-ring`, and `change-not-of` where the change or the ring has no such
    database; Refused `change-ring` where nobody said which.
    """
    from dbops.change.step import Direction

    found = next((each for each in change.rings if each.name == ring), None)
    if ring is not None and found is None:
        names = ", ".join(each.name for each in change.rings)
        raise NotFound("no-ring", f'{change.id} has no ring "{ring}"', hint=f"there are: {names}")
    if only is not None:
        if change.ring_of(only) is None:
            raise NotFound(
                "change-not-of",
                f"{change.id} is not of {only}",
                hint=f"it is of {', '.join(change.databases)}",
            )
        if found is not None and only not in found.databases:
            raise NotFound(
                "change-not-of",
                f"ring {found.name} of {change.id} has no database {only}",
                hint=f"it has {', '.join(found.databases)}; leave --ring or --database out",
            )
        return (only,)
    if found is None:
        if len(change.rings) > 1:
            up = direction is Direction.UP
            # Taking back begins where the last ring is.
            verb, place = ("run", change.rings[0]) if up else ("revert", change.rings[-1])
            raise Refused(
                "change-ring",
                f"{change.id} has {len(change.rings)} rings, and none was named",
                hint=f"dbops change {verb} {change.id} --ring {place.name}",
            )
        return change.rings[0].databases
    return found.databases


def required_by(wiring: Wiring, work_id: str, database: str) -> tuple[str, ...]:
    """The ids of all changes of the ops repository that require this one.

    Raises Refused `change-unreadable` where one cannot be read that has run on the database: it
    may. A draft that never ran takes nothing for granted there.
    """
    from dbops.change.attempts import standing_on
    from dbops.cli.change_list import recorded_on
    from dbops.cli.reviewing import open_desk
    from dbops.review.folder import read_work
    from dbops.review.work import Kind

    desk, runs = open_desk(wiring), recorded_on(wiring)
    found: list[str] = []
    for folder in desk.folders(None):
        if folder.parent.name != Kind.CHANGE.folder:
            continue
        try:
            change = parsed_change(read_work(desk.worktree, folder)).change
        except DbopsError as fault:
            if standing_on(runs, folder.name, database) is None:
                continue
            raise Refused(
                "change-unreadable",
                f"whether {folder.name} requires {work_id} is not known: {fault.message}",
                hint=f"dbops change check {folder.name}",
            ) from None
        if work_id in change.requires:
            found.append(change.id)
    return tuple(found)


def told(differences: Iterable[Difference]) -> list[str]:
    """What differs, in words, a line each."""
    from dbops.change.words import difference_words

    return [line for each in differences for line in difference_words(each)]


def told_in_full(differences: Iterable[Difference]) -> Iterator[str]:
    """What differs, in words, and line by line below where words say no more than that."""
    from dbops.change.words import text_diff

    for each in differences:
        yield from told([each])
        yield from (f"  {line}" for line in text_diff(each))
