"""One rehearsal of a change, wired: the work, a backup and a copy for each of its databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbops.cli.rehearsal_ground import Ground, of_copy
from dbops.errors import DbopsError, Refused

if TYPE_CHECKING:
    from dbops.change.rehearsal import ChangeRehearsal
    from dbops.cli.changing import ReadChange
    from dbops.cli.progress import Progress
    from dbops.cli.wiring import Wiring
    from dbops.crypto.age import Identity
    from dbops.crypto.signing import KeyFileSigner
    from dbops.estate.values import Database
    from dbops.repository.chain import Backup
    from dbops.repository.reader import Repository


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A database of the change, and the backup of it on which it is rehearsed."""

    database: Database
    repository: Repository
    backup: Backup


@dataclass(frozen=True, slots=True)
class ChangeRehearsing:
    """What is about to be rehearsed, on which backups, with what opens them."""

    ground: Ground
    found: ReadChange
    places: tuple[Rehearsed, ...]
    signer: KeyFileSigner
    identities: tuple[Identity, ...] = field(repr=False)


def plan_change_rehearsal(
    wiring: Wiring, work_id: str, identities: tuple[str, ...] = ()
) -> ChangeRehearsing:
    """Return what would be rehearsed; nothing is opened or restored yet.

    `identities` are files named on the command line, beside the host's own. Raises NotFound
    `no-proven-backup`; UsageFault `no-host-key` where this host signs no evidence; Refused where
    the author has not signed the files as they are, they require a change that nobody knows, others
    can change the rules, or a run of the change has no known end: what settles that needs the
    evidence that it ran with.
    """
    from dbops.change.rehearsed_files import made_by_rehearsal
    from dbops.cli.change_open import refuse_requiring_unknown
    from dbops.cli.changing import parsed_change, refuse_set_aside
    from dbops.cli.open_runs import refuse_open_of
    from dbops.cli.rehearsal_ground import evidence_signer, ground_of, refuse_unasked
    from dbops.cli.reviewing import open_desk

    ground = ground_of(wiring, work_id)
    found = parsed_change(ground.work)
    refuse_set_aside(found.change)
    refuse_open_of(wiring, found.change.id)
    refuse_requiring_unknown(wiring, open_desk(wiring, None), found)
    refuse_unasked(wiring, ground, made_by_rehearsal(ground.work.files))
    return ChangeRehearsing(
        ground=ground,
        found=found,
        places=tuple(_place(wiring, name) for name in found.change.databases),
        signer=evidence_signer(wiring),
        identities=wiring.identities(identities),
    )


def _place(wiring: Wiring, name: str) -> Rehearsed:
    from dbops.cli.rehearsal_ground import proven_backup

    database = wiring.database(name)
    wiring.refuse_foreign_scratch(database)
    repository = wiring.repository(database.repository)
    return Rehearsed(database, repository, proven_backup(wiring, repository, database))


def rehearse_each(
    wiring: Wiring, plan: ChangeRehearsing, place: Rehearsed, *, jobs: int, quiet: bool
) -> ChangeRehearsal:
    """Return what was found on the backup of one database; the ledger knows of it.

    The backup was restored into scratch for it, which is gone again.
    """
    from dbops.audit.entry import Effect
    from dbops.cli.change_entries import change_rehearsal_intent, change_rehearsed
    from dbops.cli.ledger import recording
    from dbops.cli.progress import Progress

    intent = change_rehearsal_intent(plan.ground.work, plan.found.change, place.backup)
    with recording(wiring, intent) as account:
        try:
            with Progress(str(place.backup.id), quiet=quiet) as progress:
                progress.expect(place.backup.envelope.totals.bytes)
                found = _rehearse(wiring, plan, place, progress, jobs)
        except DbopsError as fault:
            account.effect(Effect.NONE)
            raise of_copy(fault, place.database.name) from None
        except BaseException:
            account.effect(Effect.NONE)  # whatever it did, it did to a copy
            raise
        change_rehearsed(account, found.evidence)
    return found


def _rehearse(
    wiring: Wiring, plan: ChangeRehearsing, place: Rehearsed, progress: Progress, jobs: int
) -> ChangeRehearsal:
    from dbops.backup.contents import open_contents
    from dbops.backup.ports import RestoreOrder
    from dbops.change.rehearsal import ChangeRehearsalOrder
    from dbops.change.rehearse import rehearse_change
    from dbops.cli.change_lint import lint_change

    lint = lint_change(wiring, plan.found, ask=False)
    contents = open_contents(place.repository, place.backup.envelope, plan.identities)
    with wiring.scratch(place.database).open(contents) as copy:
        copy.restore(contents, RestoreOrder(jobs=jobs, advance=progress.advance))
        engine = wiring.change_engine_of_copy(place.database, copy)
        order = ChangeRehearsalOrder(
            work=plan.ground.work,
            change=plan.found.change,
            up=plan.found.up,
            down=plan.found.down,
            verify=plan.found.verify,
            host=wiring.estate.host.name,
            database=place.database.name,
            backup=str(place.backup.id),
            taken=place.backup.envelope.snapshot,
            proof=place.backup.level.label,
            source=wiring.source_schema(place.database, contents),
            lint=Counter(each.severity.value for each in lint.findings),
        )
        return rehearse_change(order, engine, wiring.clock, wiring.sleep)


def kept_files(
    wiring: Wiring, plan: ChangeRehearsing, stands: Mapping[str, Refused]
) -> dict[str, bytes]:
    """The files of earlier rehearsals on databases where the change has run since.

    Raises the refusal of one of them where no host of the hospital vouches for its files.
    """
    from dbops.change.rehearsed_files import files_of
    from dbops.review.evidence import attested_by

    work, wanted = plan.ground.work, files_of(stands, plan.ground.work.files)
    for fault in stands.values():
        if not wanted <= work.files.keys():
            raise fault
        try:
            attested_by(work, wiring.trust, wiring.clock())
        except Refused:
            raise fault from None
    return {path: work.files[path] for path in sorted(wanted)}


def write_attested(
    wiring: Wiring,
    plan: ChangeRehearsing,
    found: Sequence[ChangeRehearsal],
    kept: Mapping[str, bytes],
) -> None:
    """Afterwards the folder has what was found of every database, and evidence that signs it.

    What earlier rehearsals left and this one does not is gone.
    """
    from dbops.change.attest import attested_files
    from dbops.change.rehearsed_files import made_by_rehearsal
    from dbops.review.rehearsed_files import write_rehearsed

    work = plan.ground.work
    files = {**kept, **{path: data for each in found for path, data in each.files.items()}}
    names = plan.found.change.databases
    host = wiring.estate.host.name
    written = attested_files(work, host, names, files, plan.signer, wiring.clock())
    stale = made_by_rehearsal(work.files) - written.keys()
    write_rehearsed(plan.ground.worktree, work.folder, written, stale)
