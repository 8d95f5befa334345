"""Put a backup into a named target, and prove it there if asked."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dbops.backup.contents import BackupContents
from dbops.backup.ports import Advance, Engine, RestoreOrder
from dbops.backup.prove import prove
from dbops.errors import Refused
from dbops.repository.manifest import BackupId


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did. `differences` is None where nothing was compared."""

    backup: BackupId
    target: str
    tables: int
    seconds: float
    differences: tuple[str, ...] | None


def restore_backup(
    target: Engine,
    name: str,
    contents: BackupContents,
    order: RestoreOrder,
    *,
    overwrite: bool,
    compare: bool,
    advance: Advance,
) -> RestoreReport:
    """Afterwards the target holds the backup.

    A target that holds anything is refused, naming what is in the way, unless `overwrite` says
    that the user named it. With `compare` the target is read again and compared; only a restore
    of everything can be.
    """
    obstacles = target.obstacles()
    if obstacles and not overwrite:
        raise Refused(
            "target-occupied",
            f"{name} is not empty: {_shortened(obstacles)}",
            hint=f"restore elsewhere, or replace it: add --overwrite {name}",
        )
    if obstacles:
        target.clear()
    start = time.monotonic()
    target.restore(contents, order)
    seconds = time.monotonic() - start
    differences = prove(target, contents, advance) if compare and order.tables is None else None
    count = len(contents.catalogue.table_proofs) if order.tables is None else len(order.tables)
    return RestoreReport(contents.envelope.id, name, count, seconds, differences)


def _shortened(obstacles: tuple[str, ...]) -> str:
    shown = ", ".join(obstacles[:3])
    return shown if len(obstacles) <= 3 else f"{shown} and {len(obstacles) - 3} more"
