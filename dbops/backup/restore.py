"""Put a backup into a named target, and prove it there if asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from dbops.backup.contents import BackupContents, read_whole
from dbops.backup.ports import Advance, Engine, RestoreOrder
from dbops.backup.prove import prove
from dbops.errors import Refused, UsageFault
from dbops.repository.manifest import BackupId


class Step(Enum):
    """What changes a target: what it holds is removed, the backup is written."""

    CLEAR = auto()
    LOAD = auto()


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did.

    `differences` is None where nothing was compared; `left_out` names what a restore of single
    tables could not bring along.
    """

    backup: BackupId
    target: str
    tables: int
    seconds: float
    differences: tuple[str, ...] | None
    left_out: tuple[str, ...]


def restore_backup(
    target: Engine,
    name: str,
    contents: BackupContents,
    order: RestoreOrder,
    *,
    overwrite: bool,
    compare: bool,
    advance: Advance,
    begin: Callable[[Step], None] = lambda _: None,
) -> RestoreReport:
    """Afterwards the target holds the backup, or the named tables of it beside what it held.

    A target that holds anything is refused for a whole restore, naming what is in the way, unless
    `overwrite` says that the user named it. Tables are only ever added. With `compare` the target
    is read again and compared. Both go with a whole restore only: UsageFault.

    `begin` is told each step that can change the target, just before it.
    """
    if order.tables is None:
        _make_room(target, name, contents, overwrite=overwrite, advance=advance, begin=begin)
    elif overwrite or compare:
        raise UsageFault(
            "tables-only-added",
            "single tables are added to what is there: they cannot overwrite or be proven",
            hint="leave out --overwrite and --prove, or leave out --table",
        )
    begin(Step.LOAD)
    start = time.monotonic()
    target.restore(contents, order)
    seconds = time.monotonic() - start
    return RestoreReport(
        backup=contents.envelope.id,
        target=name,
        tables=len(contents.catalogue.named_tables if order.tables is None else order.tables),
        seconds=seconds,
        differences=prove(target, contents, advance) if compare else None,
        left_out=() if order.tables is None else target.left_out(contents, order),
    )


def _make_room(
    target: Engine,
    name: str,
    contents: BackupContents,
    *,
    overwrite: bool,
    advance: Advance,
    begin: Callable[[Step], None],
) -> None:
    """Clear the target, but only for a backup that was read whole and a restore that can go."""
    obstacles = target.obstacles()
    if obstacles and not overwrite:
        raise Refused(
            "target-occupied",
            f"{name} is not empty: {_shortened(obstacles)}",
            hint=f"restore elsewhere, or replace it: add --overwrite {name}",
        )
    if obstacles:
        target.refuse_unfit(contents)
        read_whole(contents, advance)
        begin(Step.CLEAR)
        target.clear()


def _shortened(obstacles: tuple[str, ...]) -> str:
    shown = ", ".join(obstacles[:3])
    return shown if len(obstacles) <= 3 else f"{shown} and {len(obstacles) - 3} more"
