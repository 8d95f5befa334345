"""The rules of repairs, wired: what the text says, and what the database adds where it answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dbops.errors import DbopsError, Refused

if TYPE_CHECKING:
    from dbops.cli.repairing import ReadRepair
    from dbops.cli.wiring import Wiring
    from dbops.repair.manifest import Repair
    from dbops.repair.ports import RepairEngine
    from dbops.repair.rules.finding import Facts
    from dbops.repair.table import Shape, TableName
    from dbops.review.finding import Report


def lint_repair(wiring: Wiring, found: ReadRepair, *, ask: bool) -> Report:
    """What the rules say of the repair; with `ask` the database is asked about its tables.

    One that does not answer is not asked: what could not be looked at stands in the report.
    """
    from dbops.repair.rules.lint import lint
    from dbops.review.finding import Unchecked
    from dbops.review.work import SCRIPT

    engine = wiring.repair_engine(wiring.database(found.repair.database))
    facts = facts_of(engine, found.repair) if ask else None
    text = found.work.files.get(SCRIPT, b"").decode("utf-8", "replace")
    report = lint(found.repair, found.script, engine.traits.dialect, facts, text=text)
    if not ask or facts is not None:
        return report
    silent = Unchecked("database", f"not checked: {found.repair.database} does not answer")
    return replace(report, unchecked=(silent, *report.unchecked))


def refuse_blocked(wiring: Wiring, found: ReadRepair) -> None:
    """Raise Refused `repair-lint` where a rule stops the repair and its manifest accepts it not."""
    from dbops.repair.rules.lint import blocking

    if found.repair.undo_of is not None:
        return
    report = lint_repair(wiring, found, ask=False)
    stops = blocking(report, found.repair.accepted)
    if stops:
        more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
        raise Refused(
            "repair-lint",
            f"{found.repair.id}: {stops[0].where}: {stops[0].rule}: {stops[0].sentence}{more}",
            hint=f"dbops repair check {found.repair.id}",
        )


def facts_of(engine: RepairEngine, repair: Repair) -> Facts | None:
    """What the database says of the tables that the manifest names; None where it cannot be asked.

    A table that cannot be looked at is no fact: the rules say what they could not look at. Raises
    NotFound `no-table` for one that is not there.
    """
    from dbops.repair.rehearse import written_tables
    from dbops.repair.rules.finding import Facts
    from dbops.repair.run_order import session_order

    shapes: dict[TableName, Shape] = {}
    loose: dict[TableName, frozenset[str]] = {}
    try:
        with engine.session(replace(session_order(repair), read_only=True)) as session:
            session.begin()
            for table in written_tables(repair):
                with suppress(Refused):
                    shapes[table] = session.shape(table)
                    loose[table] = session.loose(shapes[table])
    except DbopsError as fault:
        if fault.code == "no-table":
            raise
        return None
    return Facts(shapes, loose)
