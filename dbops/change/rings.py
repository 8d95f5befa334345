"""Whether it is a database's turn: every ring before its own is done, and has soaked; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dbops.audit.entry import Effect
from dbops.change.attempts import RecordedChange, standing_on
from dbops.change.manifest import Change, Ring
from dbops.change.step import Direction
from dbops.durations import duration_text
from dbops.errors import Refused


def refuse_out_of_turn(
    change: Change, ring: Ring, changes: Sequence[RecordedChange], scripts: str, now: datetime
) -> None:
    """Raise Refused `change-turn` unless the rings before `ring` are done, long enough ago.

    Done is a run to its end of these very files (`scripts` is the digest of those that no rehearsal
    makes) on each database of a ring, not taken back since. `soak` counts from the last of them;
    `now` is in UTC.
    """
    for before in change.rings[: change.rings.index(ring)]:
        for database in before.databases:
            if not is_done(standing_on(changes, change.id, database), scripts):
                raise Refused(
                    "change-turn",
                    f"{change.id} has not run on {database} of ring {before.name}, as it is now",
                    hint=f"dbops change run {change.id} --ring {before.name}",
                )
    _refuse_too_soon(change, ring, changes, now)


def is_done(last: RecordedChange | None, scripts: str) -> bool:
    """Whether the last run is one to the end of these very files, not taken back since."""
    return (
        last is not None
        and last.direction is Direction.UP
        and last.effect is Effect.COMMITTED
        and last.judged
        and last.scripts == scripts
    )


def _refuse_too_soon(
    change: Change, ring: Ring, changes: Sequence[RecordedChange], now: datetime
) -> None:
    place = change.rings.index(ring)
    if not place:
        return
    before = change.rings[place - 1]
    runs = [standing_on(changes, change.id, database) for database in before.databases]
    ends = [each.ended for each in runs if each is not None and each.ended is not None]
    ready = max(ends) + ring.soak
    if now < ready:
        left = timedelta(minutes=-(-(ready - now) // timedelta(minutes=1)))
        raise Refused(
            "change-turn",
            f"ring {before.name} of {change.id} has not soaked for {duration_text(ring.soak)}",
            hint=f"run it again in {duration_text(left)}",
        )
