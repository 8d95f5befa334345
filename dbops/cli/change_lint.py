"""The rules of changes, wired: what the text says, and what the databases add where they answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbops.errors import DbopsError, Refused

if TYPE_CHECKING:
    from dbops.change.rules.finding import Facts
    from dbops.change.squawk_report import Heard
    from dbops.change.step import Part
    from dbops.cli.changing import ReadChange
    from dbops.cli.wiring import Wiring
    from dbops.review.finding import Report


def lint_change(wiring: Wiring, found: ReadChange, *, ask: bool, squawk: bool = False) -> Report:
    """What the rules say of the change; with `ask` its last database is asked about its tables.

    That is the one of the last ring: where it counts. One that does not answer is not asked: what
    could not be looked at stands in the report. With `squawk` that linter is heard too where it is
    installed: what it says is shown, and stops nothing.
    """
    from dbops.change.parts import parts_of
    from dbops.change.rules.lint import lint
    from dbops.review.finding import Unchecked

    database = found.change.databases[-1]
    engine = wiring.change_engine(wiring.database(database))
    facts = facts_of(wiring, found, database) if ask else None
    dialect = engine.traits.dialect
    up, down = parts_of(found.up, engine), parts_of(found.down, engine)
    heard = _squawk(up, dialect) if squawk else None
    report = lint(found.change, up, down, dialect, facts, heard)
    if not ask or facts is not None:
        return report
    silent = Unchecked("database", f"not checked: {database} does not answer")
    return replace(report, unchecked=(silent, *report.unchecked))


def _squawk(up: tuple[Part, ...], dialect: str) -> Heard | None:
    """What squawk says of up.sql; nothing of other SQL than PostgreSQL's, None without squawk."""
    from dbops.change.squawk import ask_squawk, find_squawk

    if dialect != "postgres":
        return ()
    program = find_squawk()
    return None if program is None else ask_squawk(program, up)


def refuse_blocked_change(wiring: Wiring, found: ReadChange) -> None:
    """Raise Refused `change-lint` where a rule stops the change and its manifest accepts it not.

    The database is asked: a table that was empty when the change was written may be full.
    """
    from dbops.change.rules.lint import blocking

    stops = blocking(lint_change(wiring, found, ask=True), found.change.accepted)
    if stops:
        more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
        raise Refused(
            "change-lint",
            f"{found.change.id}: {stops[0].where}: {stops[0].rule}: {stops[0].sentence}{more}",
            hint=f"dbops change check {found.change.id}",
        )


def facts_of(wiring: Wiring, found: ReadChange, database: str) -> Facts | None:
    """What the database says of its schema and sizes; None where it cannot be asked."""
    from dbops.change.ports import SessionOrder
    from dbops.change.rules.finding import Facts

    limits = found.change.limits
    order = SessionOrder(
        work=found.change.id,
        lock_wait=limits.lock_wait,
        statement=limits.statement,
        read_only=True,
    )
    try:
        with wiring.change_engine(wiring.database(database)).session(order) as session:
            return Facts(schema=session.schema(), sizes=session.sizes())
    except DbopsError:
        return None
