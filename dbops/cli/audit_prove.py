"""`dbops audit prove` and `dbops audit check-proof`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dbops.audit.prove import ProvenEntry
    from dbops.cli.wiring import Wiring
    from dbops.crypto.trust import TrustRoot


@click.command()
@click.argument("sequence", metavar="SEQ", type=click.IntRange(0))
@click.option(
    "--out", "out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="New file."
)
@click.pass_obj
def prove(estate: str | None, sequence: int, out: str) -> None:
    """Write a FILE that proves to anybody that the entry SEQ stands in the ledger.

    It holds the entry, its path in the tree and a signed checkpoint: nothing else of the ledger is
    needed to check it, or shown by it. A checkpoint that is too old for SEQ is signed anew.

    \b
    Example: dbops audit prove 1204 --out entry-1204.proof
    Exit statuses: 0 done, 1 the ledger is damaged, 2 usage, 5 FILE exists or the checkpoint is
    not trusted, 10 no such entry, 11 the ledger cannot be read.
    """
    from dbops.audit.prove import check_proof, prove_entry
    from dbops.cli.ledger import segments_of, tiles_of
    from dbops.cli.wiring import open_wiring
    from dbops.keys.recipients import create_document

    wiring = open_wiring(estate)
    segments = segments_of(wiring)
    note = _covering_note(wiring, sequence)
    proof = prove_entry(segments, tiles_of(wiring), note, sequence)
    check_proof(proof, wiring.trust, wiring.clock())  # nobody is handed one that proves nothing
    create_document(Path(out), proof.encode())
    click.echo(f"{out} proves entry {sequence}; to check it: dbops audit check-proof {out}")


def _covering_note(wiring: Wiring, sequence: int) -> str:
    """The newest local checkpoint, signed anew where it does not reach to the entry."""
    from dbops.audit.checkpoint import claimed_checkpoint
    from dbops.audit.links import line_at
    from dbops.cli.ledger import newest_note, segments_of, sign_checkpoint
    from dbops.errors import Refused

    line_at(segments_of(wiring), sequence)
    note = newest_note(wiring)
    with suppress(Refused):  # what is no checkpoint is damage, and signing says so
        if note is not None and claimed_checkpoint(note).size > sequence:
            return note
    return sign_checkpoint(wiring)


@click.command("check-proof")
@click.argument("proof", metavar="FILE", type=click.Path(dir_okay=False))
@click.option(
    "--trust",
    "trust_directory",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="The trust root, where there is no estate; a time without Z in it is read as UTC.",
)
@json_option
@click.pass_obj
def check_proof_file(
    estate: str | None,
    proof: str,
    trust_directory: str | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Check the proof in FILE, and show the entry that it proves.

    Needs nothing of the ledger and no estate: only the trust root, which says whose checkpoints
    count.

    \b
    Example: dbops audit check-proof entry-1204.proof --trust /media/hospital/trust
    Exit statuses: 0 it holds, 1 FILE cannot be read, 5 it does not hold or is not trusted,
    10 no such file.
    """
    from dbops.audit.prove import PROOF_MOST, check_proof
    from dbops.cli.reading import read_named
    from dbops.cli.wiring import utc_now

    trust, zone = _trust(estate, trust_directory)
    text = read_named(Path(proof), PROOF_MOST).decode("utf-8", "replace")
    proven = check_proof(text, trust, utc_now())
    if as_json:
        _show_json(proven)
    else:
        _show(proven, zone)


def _trust(estate: str | None, directory: str | None) -> tuple[TrustRoot, ZoneInfo]:
    from zoneinfo import ZoneInfo

    from dbops.cli.wiring import open_wiring
    from dbops.crypto.trust import load_trust_root
    from dbops.errors import NotFound

    if directory is not None:
        zone = ZoneInfo("UTC")
        return load_trust_root(Path(directory), zone), zone
    try:
        wiring = open_wiring(estate)
    except NotFound as failure:
        if estate is not None or failure.code != "no-estate":
            raise
        raise NotFound(
            "no-trust-root",
            "there is no estate here to say whose checkpoints count",
            hint="name the hospital's trust root: --trust DIR",
        ) from None
    return wiring.trust, wiring.estate.zone


def _show(proven: ProvenEntry, zone: ZoneInfo) -> None:
    from dbops.cli.audit_render import entry_lines, show_lines

    checkpoint = proven.checkpoint
    click.echo(
        f"entry {proven.entry.sequence} stands in {checkpoint.origin}, as its checkpoint over"
        f" {checkpoint.size} entries says"
    )
    click.echo()
    show_lines([*entry_lines(proven.entry, zone), ("root", checkpoint.root.hex())])


def _show_json(proven: ProvenEntry) -> None:
    import json

    from dbops.audit.entry import encode
    from dbops.cli.render import show_json

    checkpoint = proven.checkpoint
    shown = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
    show_json({"entry": json.loads(encode(proven.entry)), "checkpoint": shown})
