"""`dbops audit heartbeat`, `dbops audit checkpoint` and `dbops audit anchor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.audit.anchor import Anchor
    from dbops.audit.checkpoint import Checkpoint
    from dbops.cli.wiring import Wiring
    from dbops.errors import DbopsError


@click.command()
@click.option("--quiet", is_flag=True, help="Print only what went wrong, as cron wants it.")
@click.pass_obj
def heartbeat(
    estate: str | None,
    quiet: bool,  # noqa: FBT001 - click passes options by name
) -> int:
    """Record that this host lives, sign a checkpoint, and publish it to all anchors.

    Run it once a day: a silence longer than audit.heartbeat in dbops.toml is reported as a gap.
    A host without audit.signing_key records only that it lives.

    \b
    Example, for cron:
        dbops --estate /etc/dbops/dbops.toml audit heartbeat --quiet

    \b
    Exit statuses: 0 done, 1 the ledger is damaged, 3 recorded, but not published to all anchors,
    5 the key cannot be used, 10 there is no key file, 11 the ledger cannot be written.
    """
    from dbops.audit.entry import Draft, Event
    from dbops.cli.ledger import anchors_of, checkpoint_signer, ledger_of, sign_checkpoint
    from dbops.cli.render import say
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    entry = ledger_of(wiring).append(Draft(event=Event.LEDGER_HEARTBEAT))
    lives = f"{wiring.estate.audit.origin}: {wiring.estate.host.name} lives"
    if not quiet:
        click.echo(f"entry {entry.sequence} of {lives}")
    if checkpoint_signer(wiring) is None:
        say("remark: no checkpoint, as dbops.toml has no audit.signing_key")
        return ExitStatus.DONE
    sign_checkpoint(wiring)
    failures = _publish(wiring, anchors_of(wiring), quiet=quiet)
    return ExitStatus.PARTLY if failures else ExitStatus.DONE


@click.command()
@click.pass_obj
def checkpoint(estate: str | None) -> None:
    """Sign a checkpoint over all entries and print it as a note.

    Whoever keeps the note can later tell whether the ledger was shortened or written anew: put it
    where this host cannot reach it, or its size and root on the report that both parties sign.

    \b
    Example: dbops audit checkpoint > checkpoint-2026-11.note
    Exit statuses: 0 done, 1 the ledger is damaged, 2 no key for it, 5 the key cannot be used,
    10 no ledger, 11 it cannot be written.
    """
    from dbops.cli.ledger import sign_checkpoint
    from dbops.cli.wiring import open_wiring

    click.echo(sign_checkpoint(open_wiring(estate)), nl=False)


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.pass_obj
def anchor(estate: str | None, name: str | None) -> int:
    """Sign a checkpoint and publish it to the anchor NAME, or to all of them.

    An anchor that holds more entries than there are, or other ones, is left as it is: run dbops
    audit verify then.

    \b
    Example: dbops audit anchor hospital
    Exit statuses: 0 done, 1 the ledger is damaged, 2 no anchor or no key, 3 not to all of them,
    5 an anchor knows other entries, 10 no such anchor, 11 it cannot be reached.
    """
    from dbops.cli.ledger import (
        anchor_named,
        anchors_of,
        require_checkpoint_signer,
        segments_of,
    )
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus, UsageFault

    wiring = open_wiring(estate)
    anchors = anchors_of(wiring)
    if not anchors:
        raise UsageFault(
            "no-anchors",
            "dbops.toml has no [audit.anchors.NAME]",
            hint="a clone of a git repository, or a directory on another machine, can be one",
        )
    require_checkpoint_signer(wiring)
    segments_of(wiring).measure()  # a ledger that is not there is not begun by this
    chosen = anchors if name is None else {name: anchor_named(wiring, name)}
    failures = _publish(wiring, chosen, quiet=False)
    if len(failures) < len(chosen):
        return ExitStatus.PARTLY if failures else ExitStatus.DONE
    return failures[0].status


def _publish(wiring: Wiring, anchors: Mapping[str, Anchor], *, quiet: bool) -> list[DbopsError]:
    """Publish to each; what went wrong is said, and the next one is tried."""
    from dbops.cli.render import show_error
    from dbops.errors import DbopsError

    failures: list[DbopsError] = []
    for name, one in anchors.items():
        try:
            done = _publish_to(wiring, name, one)
        except DbopsError as failure:
            show_error(failure, as_json=False)
            failures.append(failure)
            continue
        if not quiet:
            click.echo(f"anchor {name} holds {done.size} entries, root {done.root.hex()[:16]}…")
    return failures


def _publish_to(wiring: Wiring, name: str, one: Anchor) -> Checkpoint:
    """The intent stands under the checkpoint that is published, the outcome behind it."""
    from dbops.audit.anchor import publish_checkpoint
    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase
    from dbops.cli.ledger import recording, sign_checkpoint, tiles_of

    draft = Draft(event=Event.LEDGER_ANCHOR, phase=Phase.INTENT, names={Label.ANCHOR: name})
    with recording(wiring, draft) as account:
        note = sign_checkpoint(wiring)
        done = publish_checkpoint(one, note, tiles_of(wiring), wiring.trust, wiring.clock())
        account.count(Count.SIZE, done.size)
        account.digest(DigestOf.ROOT, done.root.hex())
    return done
