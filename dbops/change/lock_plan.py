"""Which locks a transaction of a change will need, as its rehearsal saw them; pure.

They are taken before its first step, in one wait: a step that finds its own lock only once it
begins lets others queue behind all that the steps before it have locked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from dbops.change.diff import Verb
from dbops.change.ports import Lock
from dbops.change.schema import ObjectKind
from dbops.change.step import Direction, Part
from dbops.change.touch import Touch

_ROWS: Final = {ObjectKind.TABLE, ObjectKind.COLUMN}
_LAST: Final = re.compile(r'\.(?:"(?:[^"]|"")*"|[^."]+)$')
_STRONGEST: Final = "AccessExclusiveLock"
"""PostgreSQL's word; elsewhere a writer has the whole file."""

RehearsedLocks = Mapping[tuple[Direction, int], tuple[Lock, ...]]
"""The locks that each step added when it was rehearsed, by its direction and number."""


def lock_plan(seen: RehearsedLocks, direction: Direction, part: Part) -> tuple[Lock, ...]:
    """Return the locks of all steps of a transaction: of each object the strongest.

    A step adds to what is held already, so the last lock that was seen of an object is the
    strongest. Of steps that no rehearsal saw none are known.
    """
    steps = (seen.get((direction, step.number), ()) for step in part.steps)
    return tuple(_last(lock for locks in steps for lock in locks))


def unrehearsed_locks(
    touches: Iterable[Touch], direction: Direction, part: Part
) -> tuple[Lock, ...]:
    """Return locks that nobody rehearsed: of the tables that are to be dropped, or lose columns.

    What others add to those while a transaction waits for them would go with it. Locked are those
    that the steps of the part name; what a function does is not known.
    """
    lost = Verb.DROP if direction is Direction.UP else Verb.CREATE
    tables = [_table_of(each) for each in touches if each.verb is lost and each.kind in _ROWS]
    named = [table for table in tables if any(_names(step.sql, table) for step in part.steps)]
    return tuple(Lock(table, _STRONGEST, "reads") for table in dict.fromkeys(named))


def _names(sql: str, table: str) -> bool:
    found = _LAST.search(f".{table}")
    last = table if found is None else found[0][1:].strip('"').replace('""', '"')
    return re.search(rf"(?i)(?<!\w){re.escape(last)}(?!\w)", sql) is not None


def _table_of(touch: Touch) -> str:
    return touch.written if touch.kind is ObjectKind.TABLE else _LAST.sub("", touch.written)


def _last(locks: Iterable[Lock]) -> Iterable[Lock]:
    return {lock.object: lock for lock in locks}.values()
