"""`dbops change drift`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dbops.cli.options import databases_argument, json_option
from dbops.errors import DbopsError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dbops.audit.entry import Entry
    from dbops.change.diff import Difference
    from dbops.change.ports import ChangeSession, JournalEntry
    from dbops.change.schema import Schema
    from dbops.cli.wiring import Wiring

LOCK_WAIT = timedelta(seconds=5)
STATEMENT = timedelta(minutes=5)


@click.command()
@databases_argument
@click.option("--quiet", is_flag=True, help="Show only what needs a person.")
@json_option
@click.pass_obj
def drift(
    estate: str | None,
    names: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes options by name
    quiet: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Compare the schema of DB with the one that was recorded last: by a change, or by a person.

    Whatever differs is said in words, and line by line where texts are long: it came by another
    way than a signed change. With --all the databases that no schema was ever recorded of are
    named, and count as a finding; those that cannot be asked are named, and the others looked at
    all the same.

    \b
    Example: dbops change drift his
    Exit statuses: 0 no difference, 2 usage, 3 with --all: some could not be compared, 4 something
    differs, 5 objects that cannot be compared, 10 no such database or nothing recorded,
    11 unreachable.
    """
    from dbops.cli.render import show_json
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    found, failed = False, False
    results: list[dict[str, object]] = []
    for database in wiring.choose(names, every=every):
        try:
            entry, differences = look_for_drift(wiring, database.name)
        except DbopsError as fault:
            if not every:
                raise
            nothing = fault.code == "no-baseline"
            found, failed = found or nothing, failed or not nothing
            results.append({"database": database.name, "recorded": None, "error": fault.code})
            if not as_json:
                _say_why(database.name, fault)
            continue
        found = found or bool(differences)
        unsettled = open_work(wiring, database.name)
        results.append(_json(database.name, entry, differences, unsettled))
        if not as_json and (differences or unsettled or not quiet):
            _show(wiring, database.name, entry, differences)
            _remark_open(unsettled)
    if as_json:
        show_json({"databases": results})
    if found:
        return ExitStatus.FINDING
    return ExitStatus.PARTLY if failed else ExitStatus.DONE


def _say_why(database: str, fault: DbopsError) -> None:
    """Print of one of many databases why it was not compared."""
    from dbops.cli.render import say

    if fault.code == "no-baseline":  # its message names the database
        say(f"remark: {fault.message}")
    else:
        say(f"error: {database}: {fault.message}\n  hint: {fault.hint}")


def look_for_drift(wiring: Wiring, database: str) -> tuple[Entry, tuple[Difference, ...]]:
    """How the database differs from what was recorded, and where that was; the ledger knows.

    Raises as `baseline_of`; where a run has no known end the hint is to settle that first.
    """
    from dbops.change.drift import drift as compared
    from dbops.cli.baselines import baseline_of
    from dbops.cli.change_entries import looked_for_drift
    from dbops.cli.ledger import checkpoint_quietly, ledger_of

    try:
        baseline, entry = baseline_of(wiring, database)
    except DbopsError as fault:
        raise _settled_first(wiring, database, fault) from None
    live = live_schema(wiring, database)
    differences = compared(baseline, live, database)
    ledger_of(wiring).append(looked_for_drift(database, live.digest, len(differences)))
    checkpoint_quietly(wiring)
    return entry, differences


def _settled_first(wiring: Wiring, database: str, fault: DbopsError) -> DbopsError:
    """The fault; where nothing can be recorded yet, with what comes before that."""
    unsettled = open_work(wiring, database)
    if fault.code not in {"no-baseline", "baseline-lost"} or not unsettled:
        return fault
    work = unsettled[0]
    hint = f"first, a run of {work} has not come to an end: dbops change resume {work}"
    return type(fault)(fault.code, fault.message, hint=hint)


def live_schema(wiring: Wiring, database: str) -> Schema:
    """The schema of a database of the estate as it is now."""
    with _looking_at(wiring, database) as session:
        return session.schema()


def settled_schema(wiring: Wiring, database: str) -> Schema:
    """The same, where no change is half done.

    Raises Refused `change-half-done` where its journal has one: that may be taken back still. A
    journal that is lost says nothing; then this host's ledger does, and `change-open` is raised
    where it does not know how a run on the database ended.
    """
    from dbops.change.standing import refuse_half_beside
    from dbops.cli.open_runs import refuse_open_on

    with _looking_at(wiring, database) as session:
        refuse_half_beside(session.journal(), "")
        found = session.schema()
    refuse_open_on(wiring, database)
    return found


def journal_of(wiring: Wiring, database: str) -> tuple[JournalEntry, ...]:
    """All that the journal of a database of the estate says of changes."""
    with _looking_at(wiring, database) as session:
        return session.journal()


def _looking_at(wiring: Wiring, database: str) -> AbstractContextManager[ChangeSession]:
    from dbops.change.ports import SessionOrder

    order = SessionOrder(work="drift", lock_wait=LOCK_WAIT, statement=STATEMENT, read_only=True)
    return wiring.change_engine(wiring.database(database)).session(order)


def _show(wiring: Wiring, database: str, entry: Entry, differences: tuple[Difference, ...]) -> None:
    from dbops.cli.changing import told_in_full
    from dbops.cli.render import counted, moment

    since = moment(entry.at, wiring.estate.zone)
    recorded = f"recorded {since} by {entry.draft.work} (ledger entry {entry.sequence})"
    if not differences:
        click.echo(f"{database}: as {recorded}")
        return
    click.echo(f"{database}: {counted(len(differences), 'difference')} from what was {recorded}")
    for line in told_in_full(differences):
        click.echo(f"  {line}")


def _remark_open(unsettled: tuple[str, ...]) -> None:
    for work in unsettled:
        click.echo(f"  remark: a run of {work} has not come to an end: dbops change resume {work}")


def open_work(wiring: Wiring, database: str) -> tuple[str, ...]:
    """The changes whose runs on the database have no known end, as this host's ledger says."""
    from dbops.cli.open_runs import open_runs

    runs = [run for run in open_runs(wiring) if run.database == database]
    return tuple(dict.fromkeys(run.work for run in runs))


def _json(
    database: str, entry: Entry, differences: tuple[Difference, ...], unsettled: tuple[str, ...]
) -> dict[str, object]:
    from dbops.change.words import text_diff
    from dbops.cli.changing import told

    return {
        "database": database,
        "recorded": {"entry": entry.sequence, "at": entry.at, "work": entry.draft.work},
        "unsettled": unsettled,
        "differences": [
            {
                "verb": each.verb,
                "kind": each.name.kind,
                "name": each.name.written,
                "properties": each.changed,
                "words": told([each]),
                "texts": text_diff(each),
            }
            for each in differences
        ],
    }
