"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from dbops.errors import Refused, UsageFault

Command = TypeVar("Command", bound=Callable[..., object])


def json_option(command: Command) -> Command:
    """`--json`: a document on standard output instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(
        command
    )


def databases_argument(command: Command) -> Command:
    """`[DB…|--all]`."""
    command = click.option("--all", "every", is_flag=True, help="All databases of the estate.")(
        command
    )
    return click.argument("names", metavar="[DB]...", nargs=-1)(command)


def identities_option(meaning: str) -> Callable[[Command], Command]:
    """`--identity FILE`, several times, with what it is for."""
    return click.option(
        "--identity",
        "identities",
        multiple=True,
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help=meaning,
    )


def identity_option(command: Command) -> Command:
    """`--identity FILE` of commands that open backups."""
    meaning = "An identity that opens backups, besides those of dbops.toml."
    return identities_option(meaning)(command)


def jobs_option(command: Command) -> Command:
    """`--jobs N`."""
    return click.option(
        "--jobs", type=click.IntRange(1, 64), metavar="N", help="Parallel workers a database."
    )(command)


def yes_option(command: Command) -> Command:
    """`--yes`: no question; needed where there is no terminal."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def review_option(command: Command) -> Command:
    """`--review ID`: the approved piece of work that says the same as the command."""
    return click.option(
        "--review", "work_id", metavar="ID", help="The approved work, where the policy asks for it."
    )(command)


def confirm(question: str, above: Iterable[str] = ()) -> None:
    """Ask on a terminal, below the lines `above`; afterwards the person has agreed.

    Raises UsageFault where nobody can be asked, and Refused where the answer is no.
    """
    if not sys.stdin.isatty():
        raise UsageFault(
            "needs-yes", f"nobody is there to be asked: {question}", hint="add --yes to the command"
        )
    for line in above:
        click.echo(line, err=True)
    if not click.confirm(question, err=True):
        raise Refused("not-agreed", "nothing was changed", hint="run it again when you are sure")
