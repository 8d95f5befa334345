"""`dbops change new`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dbops.change.diff import Difference
    from dbops.change.manifest import Ring
    from dbops.cli.wiring import Wiring


@click.command()
@click.argument("work_id", metavar="ID")
@click.option(
    "--database", "databases", multiple=True, metavar="DB", help="What is changed; repeatable."
)
@click.option(
    "--ring",
    "rings",
    multiple=True,
    metavar="NAME=DB[,DB]",
    help="Databases that change together, after those before; repeatable, test first.",
)
@click.option("--title", required=True, metavar="TEXT", help="What it is, in one line.")
@click.option("--author", required=True, metavar="PRINCIPAL", help="Who asks for it.")
@click.option("--why", metavar="TEXT", help="What it is for, in one line.")
@click.option("--ticket", metavar="TEXT", help="Where it is told at length.")
@click.option("--risk", type=click.Choice(["low", "high"]), default="low", show_default=True)
@click.option(
    "--from-diff",
    "pair",
    nargs=2,
    metavar="DB_A DB_B",
    callback=lambda _context, _option, pair: _both_named(pair),
    is_eager=True,  # before the title is missed that was taken for the second name
    help="Name what makes the schema of DB_A into that of DB_B.",
)
@click.pass_obj
def new(
    estate: str | None,
    /,
    work_id: str,
    databases: tuple[str, ...],
    rings: tuple[str, ...],
    title: str,
    author: str,
    why: str | None,
    ticket: str | None,
    risk: str,
    pair: tuple[str, str] | None,
) -> None:
    """Draw up the change ID in the ops repository: change.yml, up.sql, down.sql and verify.sql.

    What only its author can know is left as "?". With --from-diff both databases are asked for
    their schemas, and "touches" names what differs; the SQL is the author's to write, below the
    definitions that the other database has. What is changed is DB_A, where nothing else is named.

    \b
    Example:
      dbops change new 2026-031-visit-ward-fk --ring test=his-test --ring prod=his \\
        --title "Visits must point to a ward" --author zhang.wei@contractor
    Exit statuses: 0 done, 2 usage, 5 the id is taken or something may not stand there, 10 no such
    database, 11 unreachable.
    """
    from dbops.change.draw_up import NewChange, draw_up_change
    from dbops.cli.render import say
    from dbops.cli.reviewing import worktree_of
    from dbops.cli.wiring import open_wiring
    from dbops.review.new_work import create_work
    from dbops.review.work import Risk

    wiring = open_wiring(estate)
    chosen = _rings(wiring, databases, rings, pair)
    wanted = NewChange(
        id=work_id,
        title=title,
        author=author,
        databases=tuple(name for ring in chosen for name in ring.databases),
        rings=chosen if rings else (),
        ticket=ticket,
        why=why,
        risk=Risk(risk),
    )
    if pair is not None:
        _refuse_pair(pair, wanted.databases)
    differences = None if pair is None else _differences(wiring, *pair)
    folder = create_work(worktree_of(wiring), draw_up_change(wanted, differences))
    click.echo(f"{folder}")
    say(f"next: write the SQL and fill in the blanks, then dbops change check {work_id}")


def _both_named(pair: tuple[str, str] | None) -> tuple[str, str] | None:
    """The two databases; raises UsageFault where an option was taken for one."""
    from dbops.errors import UsageFault

    if pair is not None and any(name.startswith("-") for name in pair):
        raise UsageFault(
            "change-pair",
            "--from-diff names two databases, and one is missing",
            hint="name both: --from-diff his his-test",
        )
    return pair


def _refuse_pair(pair: tuple[str, str], databases: tuple[str, ...]) -> None:
    """Raise UsageFault where nothing can come of the two."""
    from dbops.errors import UsageFault

    one, other = pair
    if one == other:
        raise UsageFault(
            "change-pair",
            f"--from-diff names {one} twice",
            hint="name the database as it is, and one as it is to be: --from-diff his his-test",
        )
    if other in databases:
        raise UsageFault(
            "change-pair",
            f"{other} is as it is to be already: --from-diff makes {one} into it",
            hint=f"change {one}, and others that are like it: --database {one}",
        )


def _rings(
    wiring: Wiring,
    databases: tuple[str, ...],
    rings: tuple[str, ...],
    pair: tuple[str, str] | None,
) -> tuple[Ring, ...]:
    """What the command line says is to be changed; raises UsageFault where that is nothing."""
    from dbops.change.manifest import Ring
    from dbops.change.manifest_text import ALL
    from dbops.errors import UsageFault

    if rings and databases:
        raise UsageFault(
            "change-rings",
            "databases are named both in rings and outside of them",
            hint="name every one in a ring, or none",
        )
    found = [Ring(ALL, databases or (() if pair is None else pair[:1]))]
    if rings:
        found = []
        for each in rings:
            name, sign, listed = each.partition("=")
            if not sign or not name or not listed:
                raise UsageFault(
                    "change-rings", "--ring does not name databases", hint="--ring test=his-test"
                )
            found.append(Ring(name, tuple(listed.split(","))))
    names = [name for ring in found for name in ring.databases]
    if not names:
        raise UsageFault(
            "change-rings", "no database is named", hint="--database his, or --ring prod=his"
        )
    for name in names:
        wiring.database(name)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageFault(
            "change-rings",
            f"{', '.join(twice)} is named more than once",
            hint="name each database once, in one ring",
        )
    return tuple(found)


def _differences(wiring: Wiring, one: str, other: str) -> tuple[Difference, ...]:
    """What makes the schema of the one into that of the other.

    Raises Refused `change-engines`, and `change-alike` where nothing differs.
    """
    from dbops.change.diff import compare_schemas
    from dbops.change.schema import refuse_unknown
    from dbops.cli.change_drift import live_schema
    from dbops.errors import Refused

    dialects = {wiring.change_engine(wiring.database(name)).traits.dialect for name in (one, other)}
    if len(dialects) > 1:
        raise Refused(
            "change-engines",
            f"{one} and {other} are of different engines, whose schemas cannot be compared",
            hint="name two databases of one engine",
        )
    schemas = [live_schema(wiring, name) for name in (one, other)]
    for name, schema in zip((one, other), schemas, strict=True):
        refuse_unknown(schema, name)
    found = compare_schemas(*schemas)
    if not found:
        raise Refused(
            "change-alike",
            f"{one} and {other} have the same schema: there is nothing to change",
            hint="leave --from-diff out, and name what is to be changed: --database " + one,
        )
    return found
