"""`dbops repair resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.audit.entry import Effect
    from dbops.cli.wiring import Wiring
    from dbops.repair.attempts import RecordedRun
    from dbops.repair.ports import RepairEngine
    from dbops.repair.resume import Became


@click.command()
@click.argument("work_id", metavar="[ID]", required=False)
@json_option
@click.pass_obj
def resume(estate: str | None, work_id: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Find out what became of runs whose end nobody recorded, and record it.

    After a crash or a lost connection: the row that a run's transaction leaves in the database
    says whether it committed. Nothing is run and nothing of the data is changed. A run that did not
    take place leaves its approvals valid; a sealed bundle of it is removed. Of a run in batches
    the rest is run by a new request and approval of the same files.

    \b
    Example: dbops repair resume
    Exit statuses: 0 all is known, 2 usage, 5 still at work, 11 the database or the server's lock is
    out of reach: still not known.
    """
    from dbops.cli.render import say, show_json
    from dbops.cli.repair_list import recorded
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    runs = _unknown(recorded(wiring), work_id)
    found = [(run, _settle(wiring, run)) for run in runs]
    if as_json:
        show_json([_json(run, became) for run, became in found])
    elif not found:
        of = "" if work_id is None else f" of {work_id}"
        say(f"nothing is unknown: every run{of} in this host's ledger has a known end")
    else:
        for run, became in found:
            click.echo(_sentence(run, became))
    return 0


def _unknown(runs: Sequence[RecordedRun], work_id: str | None) -> list[RecordedRun]:
    from dbops.audit.entry import Effect

    return [run for run in runs if run.effect is Effect.UNKNOWN and work_id in {None, run.work}]


def _settle(wiring: Wiring, run: RecordedRun) -> Became:
    """Ask the database and record its answer; raises what it raises where it cannot be asked."""
    from dbops.cli.repairing import bundle_place
    from dbops.repair.resume import what_became
    from dbops.review.authorize import only_run

    # Who is at it holds the lock of the work; what is not decided yet must not be recorded.
    with only_run(wiring.state.locks, run.work):
        engine = wiring.repair_engine(wiring.database(run.database))
        _refuse_other(run, engine)
        became = what_became(run.open_run, engine)
        _record(wiring, run, became)
        place = bundle_place(wiring)
        place.sweep()
        for stored in () if became.unused is None else place.of_run(became.unused):
            place.remove(stored.path)
    return became


def _refuse_other(run: RecordedRun, engine: RepairEngine) -> None:
    """Raise Refused where the alias leads to another database than then: it knows nothing."""
    from dbops.cli.entries import fit
    from dbops.errors import Refused

    if run.identity not in {None, fit(engine.identity())}:
        raise Refused(
            "repair-database",
            f"{run.database} is another database now than the one that {run.work} ran on",
            hint="let the name in dbops.toml lead to that one, and ask again",
        )


def _record(wiring: Wiring, run: RecordedRun, became: Became) -> None:
    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase, Result
    from dbops.cli.ledger import checkpoint_quietly, ledger_of

    last = became.markers[-1] if became.markers else None
    ledger_of(wiring).append(
        Draft(
            event=Event.REPAIR_RESUME,
            phase=Phase.OUTCOME,
            of=run.sequence,
            target=run.database,
            work=run.work,
            names={Label.RUN: run.run},
            counts={Count.BATCHES: len(became.markers)} if len(became.markers) > 1 else {},
            digests={} if last is None else {DigestOf.BUNDLE: last.bundle},
            result=Result.DONE,
            effect=_effect(became),
        )
    )
    checkpoint_quietly(wiring)


def _effect(became: Became) -> Effect:
    from dbops.audit.entry import Effect
    from dbops.repair.resume import Fate

    return Effect.NONE if became.fate is Fate.NOTHING else Effect.COMMITTED


def _sentence(run: RecordedRun, became: Became) -> str:
    from dbops.repair.resume import Fate

    what = f"{run.kind} {run.work} on {run.database} (ledger entry {run.sequence})"
    match became.fate:
        case Fate.COMMITTED:
            return f"{what}: it took place"
        case Fate.NOTHING:
            return f"{what}: it did not take place; the database is as it was"
        case Fate.PARTLY:
            return (
                f"{what}: {len(became.markers)} of its batches took place; the rest needs a new"
                f" approval: dbops review request {run.work} --key KEY"
            )


def _json(run: RecordedRun, became: Became) -> dict[str, object]:
    return {
        "work": run.work,
        "database": run.database,
        "run": run.run,
        "kind": run.kind,
        "entry": run.sequence,
        "fate": became.fate,
        "batches": len(became.markers),
    }
