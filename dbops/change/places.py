"""The places of columns in a schema that was put together of others; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dbops.change.schema import POSITION, ObjectKind, ObjectName, SchemaObject

_Objects = Mapping[ObjectName, SchemaObject]


def with_places(
    found: _Objects, recorded: _Objects, before: _Objects, after: _Objects
) -> dict[ObjectName, SchemaObject]:
    """Return what was found with its columns counted from 1 again, where a table had drifted.

    They are in the order in which they were recorded, or in that of `after` where the run itself
    put them in another; a column that the order does not know stands behind the one before it.
    """
    columns, had, was, now = map(_tables, (found, recorded, before, after))
    placed = dict(found)
    for table, names in columns.items():
        sides = [each.get(table, ()) for each in (had, was, now)]
        if sides[0] == sides[1] or sides[1] == sides[2]:
            continue
        for place, name in enumerate(_in_order(frozenset(names), *sides), start=1):
            own = {**placed[name].properties, POSITION: str(place)}
            placed[name] = replace(placed[name], properties=own)
    return placed


def _in_order(
    wanted: frozenset[ObjectName],
    had: Sequence[ObjectName],
    was: Sequence[ObjectName],
    now: Sequence[ObjectName],
) -> list[ObjectName]:
    kept = [name for name in was if name in now] == [name for name in now if name in was]
    first, second = (had, now) if kept else (now, had)
    order = [name for name in first if name in wanted]
    at = 0
    for name in second:
        if name in order:
            at = order.index(name) + 1
        elif name in wanted:
            order.insert(at, name)
            at += 1
    return order


def _tables(objects: _Objects) -> dict[ObjectName, tuple[ObjectName, ...]]:
    """The columns of each table in their order, as far as they have places."""
    found: dict[ObjectName, list[tuple[int, ObjectName]]] = {}
    for one in _columns(objects.values()):
        if one.of is not None:
            found.setdefault(one.of, []).append((int(one.properties[POSITION]), one.name))
    return {table: tuple(name for _, name in sorted(each)) for table, each in found.items()}


def _columns(objects: Iterable[SchemaObject]) -> Iterable[SchemaObject]:
    return (
        one
        for one in objects
        if one.name.kind is ObjectKind.COLUMN and one.properties.get(POSITION, "").isdecimal()
    )
