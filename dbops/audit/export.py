"""Hand the ledger to somebody: one file of lines, with all that is needed to check it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dbops.audit.checkpoint import Checkpoint
from dbops.audit.links import Link, links
from dbops.audit.scan import scan
from dbops.audit.segments import Segments
from dbops.audit.tree import Frontier
from dbops.errors import Failed, Refused, Unreachable
from dbops.publish import sync_directory

LINES: Final = "ledger.jsonl"
ORIGIN: Final = "origin"
BESIDE: Final = ("checkpoint", "checkpoints", "countersigned")
TRUST: Final = ("allowed_signers", "revoked")


def export_ledger(segments: Segments, directory: Path, *, trust: Path | None = None) -> Checkpoint:
    """Afterwards the new `directory` holds the ledger's entries; return their size and root.

    `ledger.jsonl` has one entry a line and nothing else: torn tails stay behind, the entries that
    tell of them do not. `origin` names the ledger; its checkpoints and countersignatures stand
    beside it, and `allowed_signers` and `revoked` of the trust root in the directory `trust`.

    The chain is checked on the way: Failed `ledger-damaged`, and then nothing is left. `Refused`
    `export-exists`, NotFound `ledger-missing`, Unreachable `export-unwritable`. A crash leaves a
    directory called `….part`.
    """
    partial = directory.with_name(directory.name + ".part")
    if os.path.lexists(directory) or os.path.lexists(partial):
        raise Refused(
            "export-exists",
            f"{directory.name} or {partial.name} exists already",
            hint="choose the name of a directory that does not",
        )
    segments.measure()
    with _making(partial):
        for name in BESIDE:  # before the lines, which only grow
            _copy(segments.directory / name, partial / name)
        for name in TRUST if trust is not None else ():
            _copy((trust or partial) / name, partial / name)
        done = _write(segments, partial)
        sync_directory(partial)
        partial.rename(directory)
        sync_directory(directory.absolute().parent)
    return done


def _write(segments: Segments, directory: Path) -> Checkpoint:
    frontier = Frontier()
    with (directory / LINES).open("xb") as file:
        file.writelines(_lines(links(segments), frontier))
        file.flush()
        os.fsync(file.fileno())
    origin = scan(segments).origin
    if origin is None:
        raise Failed(
            "ledger-damaged",
            "the ledger is damaged: entry 0 does not say which ledger it is",
            hint="see all that is wrong with it: dbops audit verify",
        )
    (directory / ORIGIN).write_text(origin + "\n", "utf-8")
    return Checkpoint(origin, frontier.size, frontier.root())


def _lines(found: Iterator[Link], frontier: Frontier) -> Iterator[bytes]:
    for link in found:
        frontier.append(link.leaf)
        yield link.line + b"\n"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        shutil.copyfile(source, target)


@contextmanager
def _making(partial: Path) -> Iterator[None]:
    """The directory is there for the block, and gone where the block fails."""
    try:
        partial.mkdir(mode=0o700)
        yield
    except OSError as fault:
        shutil.rmtree(partial, ignore_errors=True)
        raise Unreachable(
            "export-unwritable",
            f"the export cannot be written ({type(fault).__name__})",
            hint=f"look at the place: ls -ld {partial.parent}",
        ) from None
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
