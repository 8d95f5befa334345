"""Which tables a change concerns: those that differ, that it locks or writes anew; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dbops.change.diff import Difference
from dbops.change.evidence import StepEvidence


def concerned(differences: Iterable[Difference], steps: Iterable[StepEvidence]) -> frozenset[str]:
    """Return the written names of all objects that differ, of what they belong to, and of locks.

    Not only tables are among them: whoever has rows or sizes looks up those that it has.
    """
    return frozenset((*_differing(differences), *_reached(steps)))


def _differing(differences: Iterable[Difference]) -> Iterator[str]:
    for each in differences:
        yield from (name.written for name in (each.name, *each.within))


def _reached(steps: Iterable[StepEvidence]) -> Iterator[str]:
    for step in steps:
        yield from step.rewritten
        yield from (lock.object for lock in step.locks)
