"""`dbops demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.cli.demo_story import Story
    from dbops.cli.wiring import Wiring

_TRY = """
It is all still there. Five commands to try:

  cd {directory}
  dbops backup list lab
  dbops backup show pacs-ris
  dbops backup verify --all --level stored
  dbops restore run lab --to ./lab-copy.db --prove
  age -d -i hospital/recovery backups/db/lab/pack/*/*.age | zstd -d | head -c 16
"""


@click.command()
@click.option("--keep", "directory", metavar="DIR", help="Play in DIR, and leave it there.")
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

    from dbops.cli.render import say

    if directory is not None:
        place = Path(directory).absolute()
        place.mkdir(parents=True, exist_ok=True)
        happy = _play(place, as_json=as_json)
        if not as_json:
            say(_TRY.format(directory=place))
    else:
        with tempfile.TemporaryDirectory(prefix="dbops-demo-") as temporary:
            happy = _play(Path(temporary), as_json=as_json)
    return 0 if happy else 1


def _play(place: Path, *, as_json: bool) -> bool:
    from dbops.cli.demo_story import Stage, tell
    from dbops.cli.render import say

    def announce(text: str) -> None:
        if not as_json:
            say(click.style("· ", fg="cyan") + text)

    story, wiring = tell(Stage(place, announce, quiet=as_json))
    if as_json:
        _show_json(story)
    else:
        _show_tables(story, wiring)
    return story.happy


def _show_json(story: Story) -> None:
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
            "seconds": story.seconds | {"total": round(sum(story.seconds.values()), 2)},
        }
    )


def _show_tables(story: Story, wiring: Wiring) -> None:
    from dbops.cli.render import show_table, size

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
    click.echo()
    for line in _summary(story):
        click.echo(line)


def _summary(story: Story) -> list[str]:
    from dbops.cli.render import size

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
        f"time        {sum(story.seconds.values()):.1f} s: "
        + ", ".join(f"{name.replace('_', ' ')} {took}" for name, took in story.seconds.items()),
    ]
