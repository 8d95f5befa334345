"""What a repair would meet on the database itself: watched rows counted, conditions checked.

Nothing is written and nothing is locked; between this look and the run the rows may change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.cli.repairing import ReadRepair
    from dbops.cli.wiring import Wiring
    from dbops.repair.judgement import Breach
    from dbops.repair.payload import Payload
    from dbops.repair.ports import RepairEngine
    from dbops.repair.table import TableName
    from dbops.sql.written import Written


@dataclass(frozen=True, slots=True)
class Preview:
    """What stands there now; `watched` are the rows for which a predicate holds."""

    server: str
    watched: tuple[tuple[TableName, int, Written], ...]
    unmet: tuple[Breach, ...]


def preview(wiring: Wiring, work_id: str, identities: Sequence[str], *, as_json: bool) -> None:
    """Afterwards the person has seen how many rows each watch set has now."""
    from dbops.cli.repairing import payload_of, read_repair, row_identities
    from dbops.errors import UsageFault

    found = read_repair(wiring, work_id)
    if found.repair.undo_of is not None or found.repair.batch is not None:
        raise UsageFault(
            "preview-kind",
            f"{work_id} is an undo or runs in batches: there is no one set of rows to count",
            hint=f"dbops repair rehearse {work_id}",
        )
    engine = wiring.repair_engine(wiring.database(found.repair.database))
    sealed = any(parameter.sealed for parameter in found.repair.parameters.values())
    payload = payload_of(found.work, row_identities(wiring, identities)) if sealed else None
    _show(found, look(found, payload, engine), as_json=as_json)


def look(found: ReadRepair, payload: Payload | None, engine: RepairEngine) -> Preview:
    """Return what the watch sets and conditions meet on the database now."""
    from dbops.repair.binding import bind
    from dbops.repair.refusals import failed_conditions
    from dbops.repair.run_order import session_order

    repair = found.repair
    with engine.session(replace(session_order(repair), read_only=True)) as session:
        session.begin()
        binding = bind(session, repair, payload)
        watched = []
        for watch in repair.watches:
            shape = session.shape(watch.table)
            rows = session.read(shape, watch.where, binding, lock=False)
            watched.append((shape.table, sum(1 for _ in rows), watch.expect))
        unmet = failed_conditions(session, repair.before, binding)
        return Preview(session.server, tuple(watched), tuple(unmet))


def _show(found: ReadRepair, seen: Preview, *, as_json: bool) -> None:
    from dbops.cli.render import counted, show_json

    if as_json:
        show_json(
            {
                "id": found.repair.id,
                "database": found.repair.database,
                "server": seen.server,
                "watched": {str(table): rows for table, rows, _ in seen.watched},
                "unmet": [breach.sentence for breach in seen.unmet],
            }
        )
        return
    click.echo(f"{found.repair.database} ({seen.server}), nothing written, nothing locked")
    for table, rows, expect in seen.watched:
        click.echo(f"{table}: {counted(rows, 'row')} watched now; declared: {expect}")
    for breach in seen.unmet:
        click.echo(f"not as it should be before: {breach.sentence}")
