"""Checkpoints that were kept away from the ledger: those of its anchors, and in a named file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dbops.audit.findings import KnownCheckpoint
from dbops.cli.reading import NOTE_MOST, read_named
from dbops.errors import DbopsError, NotFound

if TYPE_CHECKING:
    from dbops.audit.anchor import Anchor
    from dbops.cli.wiring import Wiring


def anchored_checkpoints(
    anchors: Mapping[str, Anchor], origin: str
) -> tuple[list[KnownCheckpoint], list[str]]:
    """The newest checkpoint of each anchor, and a sentence on each anchor that cannot be asked."""
    found: list[KnownCheckpoint] = []
    silent: list[str] = []
    for name, anchor in anchors.items():
        try:
            note = anchor.newest(origin)
        except DbopsError as failure:
            silent.append(f"anchor {name} could not be asked: {failure.message}")
            continue
        if note is None:
            silent.append(f"anchor {name} holds no checkpoint of this ledger yet")
        else:
            found.append(KnownCheckpoint(f"anchor {name}", note, anchored=True))
    return found, silent


def named_checkpoints(
    wiring: Wiring, anchors: Mapping[str, Anchor], names: Iterable[str]
) -> Iterator[KnownCheckpoint]:
    """What `--against` names: an anchor, which must answer, or a file, signed by a trusted key.

    Raises NotFound, Unreachable, and Refused for a file whose note this host does not trust.
    """
    from dbops.audit.checkpoint import open_checkpoint

    for name in names:
        if name in anchors:
            note = anchors[name].newest(wiring.estate.audit.origin)
            if note is None:
                raise NotFound(
                    "anchor-empty",
                    f"anchor {name} holds no checkpoint of this ledger",
                    hint=f"dbops audit anchor {name}",
                )
            yield KnownCheckpoint(f"anchor {name}", note, anchored=True)
            continue
        if not Path(name).exists():
            raise _nothing(name, anchors)
        note = _read(Path(name))
        open_checkpoint(note, wiring.trust, wiring.clock())
        yield KnownCheckpoint(name, note)


def _nothing(name: str, anchors: Mapping[str, Anchor]) -> NotFound:
    return NotFound(
        "no-checkpoint",
        f"{name} is neither a file nor an anchor of the estate",
        hint=f"anchors there are: {', '.join(anchors) or 'none'}",
    )


def _read(path: Path) -> str:
    """The note in a file; what is not text is no note, and is said to be none where it is read."""
    return read_named(path, NOTE_MOST).decode("utf-8", "replace")
