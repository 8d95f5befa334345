"""`dbops doctor`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.cli.wiring import Wiring
    from dbops.doctor.finding import Check, Examined, Finding
    from dbops.estate.values import Database

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.argument("names", metavar="[DB]...", nargs=-1)
@json_option
@click.pass_obj
def doctor(estate: str | None, names: tuple[str, ...], as_json: bool) -> int:  # noqa: FBT001
    """Check files, keys, repositories, disks, clocks, tools and databases.

    Says of each whether it is ok, a warning (it works, but not for long or not safely enough) or
    a problem (backups or restores fail, or are not safe), and what to do about it. Looks at all
    databases, or at those named. Changes nothing; in each repository it writes, reads and deletes
    one small object.

    \b
    Example: dbops doctor lab
    Exit statuses: 0 no problem (perhaps warnings), 2 the estate file is wrong, 4 a problem,
    10 no estate or no such database.
    """
    from dbops.cli.wiring import open_wiring
    from dbops.doctor.finding import Verdict, count_verdicts, examine
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    databases = wiring.choose(names, every=not names)
    found: list[Examined] = []
    for one in examine(checks(wiring, databases)):
        if not as_json:
            _show(one, first=not found or found[-1].area != one.area)
        found.append(one)
    counted = count_verdicts(one.finding for one in found)
    if as_json:
        _show_json(found)
    else:
        summary = ", ".join(f"{count} {verdict.value}" for verdict, count in counted.items())
        click.echo(f"\n{len(found)} looked at: {summary}")
    return ExitStatus.FINDING if counted[Verdict.PROBLEM] else ExitStatus.DONE


def checks(wiring: Wiring, databases: Sequence[Database]) -> Iterator[Check]:
    """Everything to look at, in the order of the report."""
    from dbops.doctor import files, machine
    from dbops.doctor.finding import Check

    estate = wiring.estate
    yield Check("this host", partial(_machine, wiring))
    yield Check("this host", machine.check_programs)
    yield Check("estate", partial(files.check_estate_files, estate))
    yield Check("estate", partial(files.check_state, estate.state))
    yield Check("keys", partial(files.check_key_files, estate))
    yield Check("keys", partial(_keys, wiring))
    for name in estate.repositories:
        yield Check(f"repository {name}", partial(_repository, wiring, name))
    for database in databases:
        area = f"database {database.name}"
        yield Check(area, partial(_database, wiring, database))
        yield Check(area, partial(_changing, wiring, database))


def _machine(wiring: Wiring) -> Iterator[Finding]:
    from dbops.doctor.machine import check_clock

    yield check_clock(wiring.clock())


def _keys(wiring: Wiring) -> Iterator[Finding]:
    from dbops.doctor.keys import check_recipients, check_signing_keys

    now = wiring.clock()
    yield from check_signing_keys(wiring.estate.host, wiring.trust, now)
    yield from check_recipients(wiring.estate, wiring.trust, now)


def _repository(wiring: Wiring, name: str) -> Iterator[Finding]:
    import secrets

    from dbops.doctor.finding import ok
    from dbops.doctor.repository import (
        check_histories,
        check_leftovers,
        check_room,
        check_store,
    )
    from dbops.repository.reader import read_mark

    store = wiring.store(name)
    mark = read_mark(store)
    yield ok("repository", f"{store.title} at {store.root} is {mark.id}")
    yield from check_store(store, secrets.token_hex(8), wiring.clock)
    yield from check_leftovers(store, wiring.clock())
    repository = wiring.repository(name)
    histories = [wiring.history(repository, one) for one in repository.databases()]
    yield from check_room(store, histories)
    yield from check_histories(histories, wiring.clock())


def _database(wiring: Wiring, database: Database) -> Iterator[Finding]:
    from dbops.doctor.files import check_credentials
    from dbops.doctor.finding import warning
    from dbops.doctor.ports import Inspectable

    yield from check_credentials([database], wiring.environ)
    engine = wiring.engine(database)
    if isinstance(engine, Inspectable):
        yield from engine.inspect()
    else:
        yield warning(
            "not-inspected",
            f"{database.name} was not looked at: its engine has no inspection",
            f"take a backup to see whether it can be read: dbops backup run {database.name}",
        )


def _changing(wiring: Wiring, database: Database) -> Iterator[Finding]:
    from dbops.doctor.changing import check_changing

    refuse = partial(wiring.refuse_foreign_scratch, database)
    yield from check_changing(database, wiring.change_engine(database), refuse)


def _show(one: Examined, *, first: bool) -> None:
    finding = one.finding
    if first:
        click.echo(f"\n{one.area}")
    word = click.style(f"{finding.verdict.value:8}", fg=_COLOURS[finding.verdict.value])
    click.echo(f"  {word} {finding.text}")
    if finding.advice:
        click.echo(f"           → {finding.advice}")


def _show_json(found: Sequence[Examined]) -> None:
    from dbops.cli.render import show_json
    from dbops.doctor.finding import count_verdicts

    counted = count_verdicts(one.finding for one in found)
    show_json(
        {
            "verdicts": {verdict.value: count for verdict, count in counted.items()},
            "findings": [
                {
                    "area": one.area,
                    "code": one.finding.code,
                    "verdict": one.finding.verdict,
                    "text": one.finding.text,
                    "advice": one.finding.advice,
                }
                for one in found
            ],
        }
    )
