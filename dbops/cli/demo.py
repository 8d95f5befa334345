"""`dbops demo`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.cli.demo_change import Changed
    from dbops.cli.demo_repair import Repaired
    from dbops.cli.demo_story import Story
    from dbops.cli.wiring import Wiring

_TRY = (
    "dbops backup list lab",
    "dbops backup show pacs-ris",
    "dbops backup verify --all --level stored",
    "dbops restore run lab --to ./lab-copy.db --prove",
    "dbops audit verify",
)
_TRY_REPAIRS = (
    "dbops repair list",
    "dbops repair show {work} --identity hospital/reviewer",
    "dbops audit log --work {work}",
    "dbops repair new {next} --database {database} --playbook {playbook} --author {author}{set}",
    "dbops repair check {next}",
)
_NEXT = "2026-119-visit-ward"
# What the first pack opens to without dbops: a SQLite file begins with 16 bytes of text.
_WITHOUT_DBOPS = "age -d -i hospital/recovery {pack} | zstd -d | head -c 16"


@click.command()
@click.option(
    "--keep",
    "directory",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Play in DIR, and leave it there.",
)
@json_option
def demo(directory: str | None, as_json: bool) -> int:  # noqa: FBT001 - click passes by name
    """Watch fifty databases of a made-up hospital being backed up, lost, restored and proven.

    Everything happens in a temporary directory, which is removed at the end.

    \b
    Example: dbops demo --keep ./demo
    Exit statuses: 0 everything was proven, 1 something was not, 5 DIR is not empty.
    """
    import tempfile
    from pathlib import Path

    if directory is not None:
        place = Path(directory).absolute()
        _make_empty(place)
        return 0 if _play(place, keep=True, as_json=as_json) else 1
    with tempfile.TemporaryDirectory(prefix="dbops-demo-") as temporary:
        return 0 if _play(Path(temporary), keep=False, as_json=as_json) else 1


def _make_empty(place: Path) -> None:
    """Afterwards the directory is there; raises Refused where it holds anything."""
    from dbops.errors import Failed, Refused

    try:
        place.mkdir(parents=True, exist_ok=True)
        found = next(place.iterdir(), None)
    except OSError as failure:
        raise Failed(
            "directory-unusable",
            f"{place} cannot be made or read ({failure.strerror})",
            hint="name another directory: dbops demo --keep DIR",
        ) from None
    if found is not None:
        raise Refused(
            "directory-not-empty",
            f"{place} holds {found.name} already; nothing was changed",
            hint="name an empty directory: dbops demo --keep DIR",
        )


def _play(place: Path, *, keep: bool, as_json: bool) -> bool:
    from dbops.cli.demo_story import Stage, tell
    from dbops.cli.render import say

    def announce(text: str) -> None:
        if not as_json:
            say(click.style("· ", fg="cyan") + text)

    story, wiring = tell(Stage(place, announce, quiet=as_json))
    commands = _commands_to_try(place, story) if keep else []
    if as_json:
        _show_json(story, commands)
    else:
        _show_tables(story, wiring)
    if keep and not as_json:
        lines = "".join(
            f"  {command}\n" for command in (f"cd {shlex.quote(str(place))}", *commands)
        )
        say(f"\nIt is all still there. Commands to try:\n\n{lines}")
    return story.happy


def _commands_to_try(place: Path, story: Story) -> list[str]:
    """Commands for the directory that was kept."""
    pack = min(place.glob("backups/db/lab/pack/*/*.age"))
    repairs = _repairs_to_try(story.repaired) if story.repaired else []
    return [*_TRY, *repairs, _WITHOUT_DBOPS.format(pack=pack.relative_to(place))]


def _repairs_to_try(repaired: Repaired) -> list[str]:
    """The rows are wrong again, so the next repair of them can be drawn up."""
    from dbops.cli.demo_office import ENGINEER
    from dbops.cli.demo_repair import PLAYBOOK, SETTINGS

    return [
        line.format(
            work=repaired.run.work,
            next=_NEXT,
            database=repaired.run.database,
            playbook=PLAYBOOK,
            author=ENGINEER,
            set="".join(f" --set {shlex.quote(each)}" for each in SETTINGS),
        )
        for line in _TRY_REPAIRS
    ]


def _show_json(story: Story, commands: list[str]) -> None:
    from dbops.cli.render import show_json

    last = story.nights[-1].values()
    show_json(
        {
            "systems": len(story.nights[-1]),
            "backups": sum(len(night) for night in story.nights),
            "rows": sum(item.rows for item in story.proofs.values()),
            "read_bytes": sum(item.totals.bytes for item in last),
            "stored_bytes": sum(item.totals.stored for item in last),
            "proven": story.proven,
            "corruption_found": len(story.corruption),
            "restored": sum(story.restored.values()),
            "sign_off": story.repaired and story.repaired.sign_off,
            "repair": story.repaired and _repair_json(story.repaired),
            "undo": story.repaired and story.repaired.undo,
            "change": story.changed,
            "ledger": story.ledger,
            "seconds": story.seconds | {"total": round(sum(story.seconds.values()), 2)},
            "try": commands,
        }
    )


def _repair_json(repaired: Repaired) -> dict[str, object]:
    from dbops.cli.row_tables import rows_json

    run = repaired.run
    return {
        "work": run.work,
        "database": run.database,
        "rehearsed": run.rehearsed,
        "updated": run.updated,
        "rows": rows_json(run.rows),
    }


def _show_tables(story: Story, wiring: Wiring) -> None:
    from dbops.cli.render import show_table
    from dbops.wording import size

    rows = []
    for name, envelope in story.nights[-1].items():
        proof = story.proofs[name]
        system = wiring.estate.systems[name]
        rows.append(
            (
                system.name_zh[:16],
                system.tier,
                proof.tables,
                proof.rows,
                size(envelope.totals.bytes),
                size(envelope.totals.stored),
                f"{proof.milliseconds.get('restore', 0)} ms",
                proof.reached,
            )
        )
    headers = ("系统", "tier", "tables", "rows", "size", "stored", "restore", "level")
    show_table(rows, headers)
    if story.repaired is not None:
        from dbops.cli.row_tables import print_rows

        click.echo(f"\n{story.repaired.run.work}, before and after:\n")
        print_rows(story.repaired.run.rows)
    click.echo()
    for line in _summary(story):
        click.echo(line)


def _summary(story: Story) -> list[str]:
    from dbops.wording import size

    read = sum(item.totals.bytes for night in story.nights for item in night.values())
    stored = sum(item.totals.stored for night in story.nights for item in night.values())
    rows = sum(item.rows for item in story.proofs.values())
    mark = {True: "ok", False: "NO"}
    restored = ", ".join(f"{name} {mark[equal]}" for name, equal in story.restored.items())
    return [
        f"backups     {sum(len(night) for night in story.nights)} in two nights,"
        f" {size(read)} read, {size(stored)} stored, encrypted",
        f"proven      {story.proven} of {len(story.nights[-1])}: {rows} rows restored elsewhere"
        " and equal to their source",
        f"corruption  {len(story.corruption)} found: {'; '.join(story.corruption)}",
        f"disaster    3 databases destroyed, restored and compared: {restored}",
        *_repaired(story.repaired),
        *_changed(story.changed),
        *_ledger(story),
        f"time        {sum(story.seconds.values()):.1f} s: "
        + ", ".join(f"{name.replace('_', ' ')} {took}" for name, took in story.seconds.items()),
    ]


def _repaired(found: Repaired | None) -> list[str]:
    """What the sign-off, the run and its undo showed."""
    if found is None:
        return ["repair      not shown: git is not installed"]
    signed, run, undo = found.sign_off, found.run, found.undo
    byte, row = (each.message if each else "NOT REFUSED" for each in (signed.refused, undo.refused))
    equal = "equal to before" if undo.equal else "NOT EQUAL"
    return [
        f"sign-off    {signed.work} {'approved' if signed.approved else 'NO'};"
        f" one byte later refused: {byte}",
        f"repair      {run.work} rehearsed on {run.rehearsed}, run: {run.updated} rows of"
        f" {run.database} repaired, sealed before and after",
        f"undo        refused once a row was edited: {row}",
        f"            the row put back, the same undo ran: {undo.restored} rows, {equal}",
    ]


def _changed(found: Changed | None) -> list[str]:
    """What stopped the change at first, what it came to, and what somebody did past it."""
    if found is None:
        return ["change      not shown: git is not installed"]
    stopped = ", ".join(found.stopped) or "NOT STOPPED"
    drift = "; ".join(found.drift) or "NOT FOUND"
    return [
        f"change      {found.work} stopped by {stopped}; mended, rehearsed on {found.rehearsed},"
        f" signed, run: {'; '.join(found.words)}",
        f"drift       after an ALTER by hand: {drift}",
    ]


def _ledger(story: Story) -> list[str]:
    if story.ledger is None:
        return []
    found = story.ledger.found
    verdict = f"{found.verdict.name}: {found.message}" if found else "NOT FOUND"
    return [
        f"ledger      {story.ledger.entries} entries"
        f" {'whole' if story.ledger.whole else 'NOT WHOLE'};"
        f" with entry {story.ledger.edited} edited: {verdict}"
    ]
