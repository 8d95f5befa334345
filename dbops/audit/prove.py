"""One entry and the proof that it stands in the ledger, in a file that needs nothing else.

The form is C2SP's tlog-proof (c2sp.org/tlog-proof): the entry's line in base64 as `extra`, its
index, the path of the tree from the leaf upwards, and the signed checkpoint. The line is believed
because its hash, by the path, gives the root that was signed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dbops.audit.checkpoint import Checkpoint, claimed_checkpoint, open_checkpoint
from dbops.audit.entry import LINE_MOST, Entry, decode
from dbops.audit.links import line_at, links
from dbops.audit.segments import Segments
from dbops.audit.tiles import Tiles
from dbops.audit.tree import HASH_SIZE, check_inclusion, inclusion_path, leaf_hash
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError, Failed, Refused

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
PROOF_MOST: Final = 2 * LINE_MOST + (80 << 10)  # characters: the line, a path, a note

_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
_EXTRA: Final = "extra "
_PATH_MOST: Final = 63


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry, and the signed checkpoint of the ledger that it stands in."""

    entry: Entry
    checkpoint: Checkpoint


def prove_entry(segments: Segments, tiles: Tiles, note: str, sequence: int) -> str:
    """Return the proof that the entry stands in the ledger of the checkpoint in `note`.

    The path comes from the cache and is checked against the root in the note before it is handed
    out; a cache that does not fit is made anew once. The note's signature is not verified: who
    checks the proof does. Raises `Refused` `proof-uncovered` where the checkpoint is older than the
    entry, Failed `ledger-damaged` where the lines are not those that were signed, NotFound.
    """
    checkpoint = claimed_checkpoint(note)
    if sequence >= checkpoint.size:
        raise Refused(
            "proof-uncovered",
            f"entry {sequence} is not among the {checkpoint.size} of the checkpoint",
            hint="sign a newer one: dbops audit checkpoint",
        )
    line = line_at(segments, sequence)
    leaf = leaf_hash(line)
    path = _path(tiles, leaf, sequence, checkpoint)
    if path is None:
        tiles.rebuild(link.leaf for link in links(segments))
        path = _path(tiles, leaf, sequence, checkpoint)
    if path is None:
        raise Failed(
            "ledger-damaged",
            f"the ledger is not the one of the checkpoint over {checkpoint.size} entries",
            hint="see all that is wrong with it: dbops audit verify",
        )
    extra = base64.b64encode(line).decode("ascii")
    hashes = [base64.b64encode(each).decode("ascii") for each in path]
    return _text([FIRST_LINE, _EXTRA + extra, f"index {sequence}", *hashes, ""]) + note


def check_proof(text: str, trust: TrustRoot, now: datetime) -> ProvenEntry:
    """Return the entry that the proof proves, for who holds nothing but the trust root.

    `Refused` otherwise: `proof-form`, `proof-path` where the entry does not lead to the signed
    root, `proof-entry` where what is proven is no entry, and as `open_checkpoint`.
    """
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if len(text) > PROOF_MOST or not blank or lines[0] != FIRST_LINE or len(lines) < 3:
        raise _refusal("form", "the file is no proof of an entry")
    index = _INDEX.fullmatch(lines[2])
    if not lines[1].startswith(_EXTRA) or index is None or len(lines) > 3 + _PATH_MOST:
        raise _refusal("form", "the proof does not hold the entry and its index")
    line = _decoded(lines[1].removeprefix(_EXTRA))
    path = [_decoded(each) for each in lines[3:]]
    if any(len(each) != HASH_SIZE for each in path):
        raise _refusal("form", "a hash of the proof has not 32 bytes")
    checkpoint = open_checkpoint(note, trust, now)
    sequence = int(index[1])
    if not check_inclusion(leaf_hash(line), sequence, checkpoint.size, path, checkpoint.root):
        raise _refusal("path", f"the proof does not lead from entry {sequence} to the signed root")
    return ProvenEntry(_entry(line, sequence), checkpoint)


def _path(
    tiles: Tiles, leaf: bytes, sequence: int, checkpoint: Checkpoint
) -> tuple[bytes, ...] | None:
    """The path, if the cache has it and it is right."""
    try:
        path = inclusion_path(tiles, sequence, checkpoint.size)
    except DbopsError:
        return None
    size, root = checkpoint.size, checkpoint.root
    return path if check_inclusion(leaf, sequence, size, path, root) else None


def _entry(line: bytes, sequence: int) -> Entry:
    try:
        entry = decode(line)
    except ValueError:
        entry = None
    if entry is None or entry.sequence != sequence:
        raise _refusal("entry", f"what is proven is not entry {sequence} of a ledger")
    return entry


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or base64.b64encode(data).decode("ascii") != text:
        raise _refusal("form", "the proof holds a line that is not canonical base64")
    return data


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _refusal(reason: str, message: str) -> Refused:
    return Refused(
        f"proof-{reason}", message, hint="have the proof made again: dbops audit prove SEQ"
    )
