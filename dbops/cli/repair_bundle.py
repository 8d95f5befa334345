"""`dbops repair bundle`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import identity_option, json_option

if TYPE_CHECKING:
    from dbops.repair.bundle import Bundle
    from dbops.repair.bundles import BundlePlace, StoredBundle


@click.group()
def bundle() -> None:
    """Look at the sealed rows of runs on this host."""


@bundle.command("list")
@click.argument("work_id", metavar="[ID]", required=False)
@json_option
@click.pass_obj
def list_(estate: str | None, work_id: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List the bundles of this host, or those of the repair ID; nothing is opened.

    \b
    Example: dbops repair bundle list
    Exit statuses: 0 done, 2 usage.
    """
    from dbops.cli.render import say, show_json, show_table
    from dbops.cli.repairing import bundle_place
    from dbops.cli.wiring import open_wiring
    from dbops.wording import size

    found = bundle_place(open_wiring(estate)).all(work_id)
    if as_json:
        show_json([_summary(each) for each in found])
    elif found:
        rows = [
            (each.work, each.kind.value, each.batch, each.run, size(each.path.stat().st_size))
            for each in found
        ]
        show_table(rows, ("work", "kind", "batch", "run", "size"))
    else:
        of = "" if work_id is None else f" of {work_id}"
        say(f"no bundle{of} lies on this host")


@bundle.command()
@click.argument("run", metavar="RUN")
@click.option("--batch", type=click.IntRange(0), help="Which batch of the run; else its only one.")
@click.option("--rows", "most", type=click.IntRange(1), help="At most so many rows.")
@identity_option
@json_option
@click.pass_obj
def show(
    estate: str | None,
    run: str,
    batch: int | None,
    most: int | None,
    identities: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Show every row of a bundle in clear: all columns before and after.

    RUN is the id of the run, or of the work if that ran once. The opening is recorded. Values
    stand as the server printed them; of SQLite those that are unusual for their column have a mark
    (~i: integer, ~r: real, ~t: text, ~x: blob).

    \b
    Example: dbops repair bundle show 2026-117-visit-ward --identity recovery.key
    Exit statuses: 0 done, 2 usage, 5 the bundle was changed or cut, 10 no such bundle, 12 no
    identity opens it.
    """
    from dbops.cli.repair_entries import shown
    from dbops.cli.repairing import bundle_place, opened_bundle, row_identities
    from dbops.cli.reviewing import recording_if_there
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    place = bundle_place(wiring)
    stored = _choose(place, run, batch)
    opening = row_identities(wiring, identities)
    opened = opened_bundle(place, stored, opening)
    header = opened.header
    with recording_if_there(wiring, shown(stored.work, header.database, stored.run)):
        _show(opened, most, as_json=as_json)


def _choose(place: BundlePlace, run: str, batch: int | None) -> StoredBundle:
    from dbops.errors import NotFound, UsageFault

    named = [each for each in place.all() if run in {each.run, each.work}]
    found = [each for each in named if batch in {None, each.batch}]
    if not found:
        raise NotFound(
            "no-bundle", f"no bundle of {run} lies on this host", hint="dbops repair bundle list"
        )
    if len(found) > 1:
        raise UsageFault(
            "which-bundle",
            f"{len(found)} bundles are of {run}",
            hint="name the run, and its batch: dbops repair bundle list",
        )
    return found[0]


def _summary(stored: StoredBundle) -> dict[str, object]:
    return {
        "work": stored.work,
        "kind": stored.kind,
        "batch": stored.batch,
        "run": stored.run,
        "bytes": stored.path.stat().st_size,
        "file": stored.path,
    }


def _show(opened: Bundle, most: int | None, *, as_json: bool) -> None:
    from dbops.cli.render import show_json
    from dbops.cli.repair_rows import differences
    from dbops.cli.row_tables import print_rows, rows_json

    rows = differences(opened, None, most)
    header = opened.header
    if as_json:
        document = {"work": header.work, "run": header.run, "kind": header.kind, "at": header.at}
        show_json(document | {"database": header.database, "rows": rows_json(rows)})
        return
    click.echo(f"{header.kind} {header.work} on {header.database}, {header.at:%Y-%m-%d %H:%M} UTC")
    print_rows(rows)
