"""In which order an undo writes: so that no foreign key is broken on the way, where that can be.

Pure. A row that comes back needs its parent first; a row that goes must have lost its children
first, those that the undo moves back included. Within one table rows go before others change and
come back, so that a unique value is free again when it is wanted; where a foreign key forbids
that, the foreign key wins. Tables that point at each other in a circle have no right order: then
only deferred constraints can carry the undo, and the database says so if there are none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from dbops.repair.table import Reference, Row, Shape, TableName, Value


class Action(IntEnum):
    """What an undo does with a row."""

    INSERT = 0  # it was deleted
    UPDATE = 1
    DELETE = 2  # it was inserted


class Step(NamedTuple):
    """All rows of one table with which the undo does the same."""

    action: Action
    table: TableName


_Edge = tuple[Step, Step]  # the first before the second


def action_of(before: Row | None, after: Row | None) -> Action:
    """Return what takes the change from `before` to `after` back."""
    if after is None:
        return Action.INSERT
    return Action.DELETE if before is None else Action.UPDATE


def undo_steps(steps: Collection[Step], references: Iterable[Reference]) -> tuple[Step, ...]:
    """Return the steps in an order that the references allow; the same for the same arguments."""
    wanted = frozenset(steps)
    links = sorted(set(references), key=lambda link: (link.child, link.target, link.name))
    edges = {edge for link in links for edge in _needed(link) if wanted.issuperset(edge)}
    preferred = [edge for link in links for edge in _better(link)]
    preferred += [
        edge for table in sorted({step.table for step in wanted}) for edge in _free(table)
    ]
    for first, second in preferred:
        if wanted.issuperset((first, second)) and not _leads(edges, second, first):
            edges.add((first, second))
    return tuple(_sorted(wanted, edges))


def _needed(link: Reference) -> Iterator[_Edge]:
    """What the foreign key asks for whatever the rows hold."""
    child, parent = link.child, link.target
    yield Step(Action.INSERT, parent), Step(Action.UPDATE, child)
    yield Step(Action.UPDATE, child), Step(Action.DELETE, parent)
    if child != parent:
        yield Step(Action.INSERT, parent), Step(Action.INSERT, child)
        yield Step(Action.DELETE, child), Step(Action.DELETE, parent)


def _better(link: Reference) -> Iterator[_Edge]:
    """What it asks for where an update takes back the very values that are pointed at."""
    child, parent = link.child, link.target
    if child != parent:
        yield Step(Action.UPDATE, parent), Step(Action.INSERT, child)
        yield Step(Action.UPDATE, parent), Step(Action.UPDATE, child)
        yield Step(Action.DELETE, child), Step(Action.UPDATE, parent)


def _free(table: TableName) -> Iterator[_Edge]:
    """Unique values are free before they are wanted."""
    yield Step(Action.DELETE, table), Step(Action.INSERT, table)
    yield Step(Action.DELETE, table), Step(Action.UPDATE, table)
    yield Step(Action.UPDATE, table), Step(Action.INSERT, table)


def _leads(edges: Collection[_Edge], start: Step, end: Step) -> bool:
    """Whether some path of edges leads from `start` to `end`."""
    seen, open_ = {start}, [start]
    while open_:
        here = open_.pop()
        further = {second for first, second in edges if first == here} - seen
        seen |= further
        open_ += sorted(further)
    return end in seen


def _sorted(steps: Collection[Step], edges: Collection[_Edge]) -> Iterator[Step]:
    """Each step after those that lead to it; from a circle the least step first."""
    left = set(steps)
    while left:
        free = [step for step in left if not any(b == step and a in left for a, b in edges)]
        chosen = min(free or left)
        left.remove(chosen)
        yield chosen


def waves(rows: Sequence[Row], shape: Shape) -> tuple[tuple[int, ...], ...]:
    """Return the places of `rows` in waves: a row's parents among them stand in an earlier wave.

    Only foreign keys of the table to itself count. A row that points at itself has no parent; rows
    that point at each other in a circle come together, at the end.
    """
    own = [link for link in shape.outgoing if link.target == shape.table]
    parents = [set[int]() for _ in rows]
    for link in own:
        targets = {_values(row, shape, link.target_columns): at for at, row in enumerate(rows)}
        for at, row in enumerate(rows):
            parent = targets.get(_values(row, shape, link.columns))
            if parent is not None and parent != at:
                parents[at].add(parent)
    return tuple(_levels(parents))


def _levels(parents: Sequence[set[int]]) -> Iterator[tuple[int, ...]]:
    left = {at: set(above) for at, above in enumerate(parents)}
    children: dict[int, list[int]] = {at: [] for at in left}
    for at, above in left.items():
        for parent in above:
            children[parent].append(at)
    ready = sorted(at for at, above in left.items() if not above)
    while ready:
        yield tuple(ready)
        following = []
        for at in ready:
            del left[at]
            for child in children[at]:
                left[child].discard(at)
                if not left[child]:
                    following.append(child)
        ready = sorted(following)
    if left:
        yield tuple(sorted(left))


def _values(row: Row, shape: Shape, columns: Sequence[str]) -> tuple[Value, ...] | None:
    """The row's values of these columns; None where one is NULL, which points at nothing."""
    found = tuple(row[shape.names.index(name)] for name in columns)
    return None if None in found else found
