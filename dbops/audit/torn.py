"""What a writer that died left behind, and the entry behind it that says so; pure.

The bytes are never cut off: whoever deletes bytes of a ledger, be they worth nothing, cannot be
told from somebody who deletes others. They are ended with a newline, and the entry that stands
directly behind them names their place, length and digest. They are no leaf of the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from dbops.audit.entry import Count, DigestOf, Draft, Event, decode

TELLERS: Final = frozenset({Event.LEDGER_TORN, Event.LEDGER_OPEN})


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes behind the last entry, `offset` bytes into their segment, without the last newline.

    There are newlines among them where a writer died that was about to tell of earlier ones.
    """

    segment: str
    offset: int
    data: bytes


def telling(draft: Draft, region: Region) -> Draft:
    """Return the draft with the region's place, length and digest in it."""
    return replace(
        draft,
        counts={**draft.counts, Count.OFFSET: region.offset, Count.LENGTH: len(region.data)},
        digests={**draft.digests, DigestOf.TORN: sha256(region.data).hexdigest()},
    )


def tells_of(line: bytes, segment: str, region: Region) -> bool:
    """Whether the entry, which stands directly behind the region, says what the region is."""
    try:
        draft = decode(line).draft
    except ValueError:
        return False
    return (
        segment == region.segment
        and draft.event in TELLERS
        and draft.counts.get(Count.OFFSET) == region.offset
        and draft.counts.get(Count.LENGTH) == len(region.data)
        and draft.digests.get(DigestOf.TORN) == sha256(region.data).hexdigest()
    )
