"""`dbops backup verify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dbops.cli.options import databases_argument, identity_option, jobs_option, json_option

if TYPE_CHECKING:
    from dbops.cli.tasks import Opener, Verification
    from dbops.errors import DbopsError
    from dbops.estate.values import Database
    from dbops.repository.manifest import BackupId
    from dbops.repository.records import Certificate

_LEVELS = ("stored", "readable", "restored", "proven")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out for one database: certificates, damages of its chain, or why none."""

    database: str
    certificates: tuple[Certificate, ...] = ()
    damages: tuple[str, ...] = ()
    error: DbopsError | None = None

    @property
    def wrong(self) -> bool:
        return bool(self.damages) or any(item.findings for item in self.certificates)


@click.command()
@databases_argument
@click.option("--level", type=click.Choice(_LEVELS), default="proven", show_default=True)
@click.option("--each", is_flag=True, help="Every backup there is, not only the newest.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong: for cron.")
@identity_option
@jobs_option
@json_option
@click.pass_obj
def verify(
    estate: str | None,
    names: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes options by name
    level: str,
    each: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    identities: tuple[str, ...],
    jobs: int | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Verify the newest backup of each database, or the named DATABASE@NUMBER.

    \b
    stored    every pack is there, unchanged and sealed to all recipients; needs no identity
    readable  every range opens and matches its digest
    restored  a scratch server took all of it and its own check passed
    proven    rows, schema, sequences and grants equal the source's at the instant

    What was found is signed and kept beside the backup.

    \b
    Example: dbops backup verify --all --level proven
    Exit statuses: 0 all reached the level, 3 some could not be verified, 4 something is wrong,
    10 not found, 11 no scratch server or no ledger to write to, 12 no identity opens it.
    """
    from dbops.cli.render import show_json
    from dbops.cli.tasks import Verification, each_named, repository_opener
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus
    from dbops.repository.records import ProofLevel

    wiring = open_wiring(estate)
    wanted = each_named(wiring, names, every=every)
    climb = ProofLevel.parse(level)
    # `stored` needs no key, and so asks for none.
    opening = wiring.identities(identities) if climb > ProofLevel.STORED else ()
    plan = Verification(wiring, climb, opening, jobs or 2, set())
    opener = repository_opener(wiring)
    verdicts: list[Verdict] = []
    for database, backup in wanted:
        verdict = _verify_one(plan, opener, database, backup, each=each, quiet=quiet or as_json)
        verdicts.append(verdict)
        if not as_json:
            _show(verdict, level, quiet=quiet, alone=len(wanted) == 1)
    if as_json:
        show_json({"level": level, "databases": [_json(verdict) for verdict in verdicts]})
    if any(verdict.wrong for verdict in verdicts):
        return ExitStatus.FINDING
    errors = [verdict.error for verdict in verdicts if verdict.error is not None]
    if not errors:
        return ExitStatus.DONE
    return errors[0].status if len(errors) == len(verdicts) else ExitStatus.PARTLY


def _verify_one(
    plan: Verification,
    opener: Opener,
    database: Database,
    wanted: BackupId | None,
    *,
    each: bool,
    quiet: bool,
) -> Verdict:
    from dbops.backup.night import bug_at
    from dbops.cli.progress import Progress
    from dbops.cli.tasks import pick_backup
    from dbops.errors import DbopsError

    damages: tuple[str, ...] = ()
    found: list[Certificate] = []
    try:
        repository = opener(database.repository)
        history = plan.wiring.history(repository, database.name)
        damages = tuple(str(damage) for damage in history.damages)
        if not damages:
            plan.wiring.remember(repository, database.name, history.head)
        for backup in history.backups if each else (pick_backup(history, wanted),):
            with Progress(str(backup.id), quiet=quiet) as progress:
                found.append(plan.verify(database, repository, backup, progress))
    except DbopsError as error:
        return Verdict(database.name, tuple(found), damages, error)
    except Exception as failure:  # noqa: BLE001 - a bug at one database must not cost the others
        return Verdict(database.name, tuple(found), damages, bug_at(database.name, failure))
    return Verdict(database.name, tuple(found), damages)


def _show(verdict: Verdict, level: str, *, quiet: bool, alone: bool) -> None:
    from dbops.cli.render import counted

    for damage in verdict.damages:
        click.echo(f"error: {damage}", err=True)
    if verdict.error is not None:
        subject = "" if alone else f"{verdict.database}: "
        click.echo(f"error: {subject}{verdict.error.message}", err=True)
        click.echo(f"hint: {verdict.error.hint}", err=True)
    for item in verdict.certificates:
        name = f"{item.database}@{item.sequence}"
        if item.findings:
            found = counted(len(item.findings), "finding")
            click.echo(f"error: {name} did not reach {level}: {found}", err=True)
            for finding in item.findings[:20]:
                click.echo(f"  {finding}", err=True)
            click.echo(f"hint: dbops backup show {name}", err=True)
        elif not quiet:
            seconds = sum(item.milliseconds.values()) / 1000
            held = f", {counted(item.rows, 'row')} in {counted(item.tables, 'table')}"
            click.echo(f"{name}  {item.reached}{held if item.tables else ''}, {seconds:.1f} s")


def _json(verdict: Verdict) -> dict[str, object]:
    error = verdict.error
    return {
        "database": verdict.database,
        "certificates": verdict.certificates,
        "damages": verdict.damages,
        "error": {"code": error.code, "message": error.message, "hint": error.hint}
        if error
        else None,
    }
