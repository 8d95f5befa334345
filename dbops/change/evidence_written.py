"""The rows that each direction of a change wrote in its rehearsal, as evidence says it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from dbops.change.step import Direction
from dbops.review.evidence_text import EvidenceReader, mapping_lines, quoted_text
from dbops.sql.written import Written

WrittenEvidence = Mapping[Direction, Mapping[str, Written]]
"""By direction, and by the table's name as it was when the part ended that wrote the rows."""

_KEY: Final = "written"
_COUNT: Final = "(0|[1-9][0-9]{0,17})"
_ROWS: Final = re.compile(f"{_COUNT} inserted, {_COUNT} updated, {_COUNT} deleted")


def written_lines(written: WrittenEvidence) -> Iterator[str]:
    """Yield the lines of the key `written`, one text a table."""
    yield f"{_KEY}:" if written else f"{_KEY}: {{}}"
    for direction in (each for each in Direction if each in written):
        rows = {name: quoted_text(str(each)) for name, each in written[direction].items()}
        yield from (f"  {line}" for line in mapping_lines(direction.value, rows))


def read_written(top: EvidenceReader) -> WrittenEvidence:
    """Return what the key `written` says; raises Refused `evidence-form`."""
    below = top.below(_KEY)
    directions = [each for each in Direction if each.value in below.tree.fields]
    found = {each: below.below(each.value).each(_written) for each in directions}
    below.refuse_others()
    return found


def _written(reader: EvidenceReader, key: str) -> Written:
    found = _ROWS.fullmatch(reader.text(key, lambda text: _ROWS.fullmatch(text) is not None))
    assert found is not None  # noqa: S101 - it was allowed
    return Written(*map(int, found.groups()))
