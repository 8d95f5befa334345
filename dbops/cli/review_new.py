"""`dbops review new`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

if TYPE_CHECKING:
    from dbops.cli.wiring import Wiring
    from dbops.review.new_work import NewWork
    from dbops.review.work import Kind

Command = TypeVar("Command", bound=Callable[..., object])
DOCUMENT_MOST = 1 << 20


class _Said(TypedDict):
    """What the author says of every kind of work."""

    work_id: str
    title: str
    author: str
    ticket: str | None
    risk: str


def _said_of_all(command: Command) -> Command:
    """The options by which the author says it."""
    options = (
        click.option("--title", required=True, metavar="TEXT", help="What it is, in one line."),
        click.option("--author", required=True, metavar="PRINCIPAL", help="Who asks for it."),
        click.option("--ticket", metavar="TEXT", help="Where it is told at length."),
        click.option(
            "--risk",
            type=click.Choice(["low", "high"]),
            default="low",
            show_default=True,
            help="The policy may ask for more where it is high.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return click.argument("work_id", metavar="ID")(command)


@click.group()
def new() -> None:
    """Write the manifest of a new piece of work into the ops repository.

    Nothing is ever replaced. Look at the file, commit it, and sign it with dbops review request.
    """


@new.command()
@_said_of_all
@click.option("--from", "source", required=True, metavar="DB|DB@N", help="A backup, or the newest.")
@click.option("--to", "target", required=True, metavar="TARGET", help="A target, or a new file.")
@click.option("--table", "tables", multiple=True, metavar="T", help="Only this table; repeatable.")
@click.option("--overwrite", is_flag=True, help="Replace what the target holds.")
@click.pass_obj
def restore(
    estate: str | None,
    /,
    source: str,
    target: str,
    tables: tuple[str, ...],
    overwrite: bool,  # noqa: FBT001 - click passes options by name
    **said: Unpack[_Said],
) -> None:
    """Ask for a restore to anything but scratch.

    \b
    Example:
      dbops review new restore 2026-117-lab --from lab@12 --to lab-restored \\
        --title "Lab as of Monday, for the inquiry" --author wei@contractor
    Exit statuses: 0 done, 2 usage, 5 the id is taken or may not be, 10 no such database or target.
    """
    from dbops.cli.wiring import open_wiring
    from dbops.review.work import Kind

    wiring = open_wiring(estate)
    wiring.database(source.partition("@")[0])
    place = str(Path(target).absolute()) if "/" in target else wiring.target(target).name
    settings = {"source": source, "target": place, "overwrite": "yes" if overwrite else "no"}
    _create(wiring, _new_work(Kind.RESTORE, said, settings, tables=tables))


@new.command()
@_said_of_all
@click.option("--backup", "backup_id", required=True, metavar="DB@N", help="What is on hold.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
@click.pass_obj
def release(estate: str | None, /, backup_id: str, reason: str, **said: Unpack[_Said]) -> None:
    """Ask for the release of a hold.

    \b
    Example:
      dbops review new release 2026-118-lab --backup lab@12 --reason "the inquiry is closed" \\
        --title "Release of the backup of 3 March" --author wei@contractor
    Exit statuses: 0 done, 2 usage, 5 the id is taken or may not be, 10 no such database.
    """
    from dbops.cli.tasks import require_backup_id
    from dbops.cli.wiring import open_wiring
    from dbops.review.work import Kind

    wiring = open_wiring(estate)
    wiring.database(require_backup_id(backup_id).database)
    settings = {"backup": backup_id, "reason": reason}
    _create(wiring, _new_work(Kind.RELEASE, said, settings))


@new.command()
@_said_of_all
@click.option(
    "--document",
    "document",
    required=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help='The new list, as "dbops keys recipients sign" wrote it.',
)
@click.pass_obj
def recipients(estate: str | None, /, document: str, **said: Unpack[_Said]) -> None:
    """Ask for a new list of those who can open backups.

    \b
    Example:
      dbops review new recipients 2026-119-escrow --document new-recipients \\
        --title "The notary holds a key from now on" --author wei@contractor
    Exit statuses: 0 done, 2 usage, 5 the id is taken or the document is not signed by the
    hospital, 10 no such file.
    """
    from dbops.cli.wiring import open_wiring
    from dbops.keys.recipients import open_recipients
    from dbops.review.work import Kind

    wiring = open_wiring(estate)
    data = _read(Path(document))
    open_recipients(data, wiring.trust, wiring.clock())
    _create(wiring, _new_work(Kind.RECIPIENTS, said, {}, files={"recipients": data}))


def _new_work(
    kind: Kind,
    said: _Said,
    settings: Mapping[str, str],
    *,
    tables: tuple[str, ...] = (),
    files: Mapping[str, bytes] | None = None,
) -> NewWork:
    from dbops.review.new_work import NewWork
    from dbops.review.work import Risk

    return NewWork(
        kind=kind,
        id=said["work_id"],
        title=said["title"],
        author=said["author"],
        ticket=said["ticket"],
        risk=Risk(said["risk"]),
        settings=settings,
        tables=tables,
        files=files or {},
    )


def _read(path: Path) -> bytes:
    from dbops.errors import Failed, NotFound

    try:
        with path.open("rb") as file:
            return file.read(DOCUMENT_MOST)
    except FileNotFoundError:
        raise NotFound(
            "no-document", f"there is no document {path}", hint="dbops keys recipients sign --help"
        ) from None
    except OSError as failure:
        raise Failed(
            "document-unreadable",
            f"the document {path} cannot be read ({failure.strerror})",
            hint=f"ls -l {path}",
        ) from None


def _create(wiring: Wiring, wanted: NewWork) -> None:
    from dbops.cli.render import say
    from dbops.cli.reviewing import worktree_of
    from dbops.review.new_work import create_work, draw_up_work

    _refuse_texts(wanted)
    worktree = worktree_of(wiring)
    work = draw_up_work(wanted)
    folder = create_work(worktree, work)
    click.echo(f"{folder / work.kind.manifest}")
    say(f"next: dbops review request {work.id} --key KEY")


def _refuse_texts(wanted: NewWork) -> None:
    """What is typed is named as it was typed, not by its line of a file that is not there."""
    from dbops.errors import UsageFault
    from dbops.review.work import TEXT_RULE, is_text

    typed = {"title": wanted.title, "ticket": wanted.ticket}
    if "reason" in wanted.settings:
        typed["reason"] = wanted.settings["reason"]
    for option, text in typed.items():
        if text is not None and not (is_text(text) and is_plain(text)):
            raise UsageFault(
                "bad-text",
                f"--{option} may not be that",
                hint=f"allowed: {TEXT_RULE}, none of them hidden",
            )


def is_plain(text: str) -> bool:
    """Whether it reads as it is: UTF-8, and no character that hides or turns what stands there."""
    from dbops.crypto.trust import plain_text
    from dbops.errors import Refused

    try:
        plain_text(f"{text}\n".encode("utf-8", "surrogateescape"), "the text")
    except Refused:
        return False
    return True
