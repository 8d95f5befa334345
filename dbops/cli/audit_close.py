"""`dbops audit close` and `dbops audit export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("sequence", metavar="SEQ", type=click.IntRange(0))
@click.option("--reason", required=True, metavar="TEXT", help="What became of it, in one line.")
@click.pass_obj
def close(estate: str | None, sequence: int, reason: str) -> None:
    """Explain the intent SEQ that has no outcome, so that it is no longer reported as dangling.

    SEQ may also be the last entry before a silence. What became of a repair or a change is asked of
    its database, as long as the estate has that. The reason stays in the ledger for good: it names
    a ticket, never a patient. What was approved and begun stays used up.

    \b
    Example: dbops audit close 1204 --reason "power failed; the backup was taken again, ticket 311"
    Exit statuses: 0 done, 1 the ledger is damaged, 2 such a reason is not taken, 5 nothing is open
    there, it still runs, or its database can be asked, 10 no such entry, 11 the ledger cannot be
    written.
    """
    from dbops.audit.close import close_intent
    from dbops.cli.ledger import checkpoint_quietly, ledger_of, segments_of
    from dbops.cli.wiring import open_wiring
    from dbops.cli.witness import refuse_witnessed

    wiring = open_wiring(estate)
    closing = close_intent(
        ledger_of(wiring),
        segments_of(wiring),
        sequence,
        reason,
        silence=wiring.estate.audit.heartbeat,
        refuse=lambda intent: refuse_witnessed(wiring, intent),
    )
    checkpoint_quietly(wiring)
    click.echo(f"entry {sequence} is closed by entry {closing.sequence}: {reason}")


@click.command()
@click.argument("directory", metavar="DIRECTORY", type=click.Path())
@click.pass_obj
def export(estate: str | None, directory: str) -> None:
    """Copy the ledger into a new DIRECTORY, with its checkpoints, countersignatures and keys.

    docs/verify_ledger.py checks such a copy without dbops, and so does any reader of RFC 9162.

    \b
    Example: dbops audit export ledger-2026
    Exit statuses: 0 done, 1 the ledger is damaged, 5 DIRECTORY exists, 10 no ledger,
    11 the ledger cannot be written.
    """
    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase
    from dbops.audit.export import export_ledger
    from dbops.cli.entries import fit
    from dbops.cli.ledger import recording, segments_of
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    segments = segments_of(wiring)
    segments.measure()
    names = {Label.PATH: fit(str(Path(directory).absolute()))}
    draft = Draft(event=Event.LEDGER_EXPORT, phase=Phase.INTENT, names=names)
    with recording(wiring, draft) as account:
        done = export_ledger(segments, Path(directory), trust=wiring.estate.trust)
        account.count(Count.SIZE, done.size)
        account.digest(DigestOf.ROOT, done.root.hex())
    click.echo(f"{directory} holds {done.size} entries, root {done.root.hex()[:16]}…")
