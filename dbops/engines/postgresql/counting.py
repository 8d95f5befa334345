"""The witness: what another connection, in the same snapshot, says about the same rows.

A reader cannot vouch for itself. `psql` reads ranges of blocks as text; here the server scans each
table from end to end, counts its rows and, when asked, sums a hash of every row as it prints it.
The hash is `hashtextextended` of the row without its generated columns: it need not be
cryptographic, and it is compared on the same major version only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.object_pages import counting_query as counting_pages
from dbops.engines.postgresql.sequences import SequenceState
from dbops.engines.postgresql.sequences import counting_query as counting_sequences
from dbops.engines.postgresql.streams import LARGE_OBJECT_METADATA, LARGE_OBJECTS, SEQUENCES
from dbops.engines.postgresql.tables import Relation, RowStream
from dbops.repository.manifest import Facts

_SEED = 7266212
_PER_QUERY = 50


def count_rows(
    session: Session,
    streams: Sequence[RowStream],
    sequences: Sequence[SequenceState],
    *,
    witness: bool,
) -> Facts:
    """The sections `count` and, if asked for, `witness`, for every stream of rows."""
    scans = [(stream, part) for stream in streams for part in stream.parts]
    counts = {stream.name: 0 for stream in streams}
    sums = {stream.name: 0 for stream in streams}
    for start in range(0, len(scans), _PER_QUERY):
        for place, count, total in _scan(
            session, scans[start : start + _PER_QUERY], witness=witness
        ):
            name = scans[start + place][0].name
            counts[name] += count
            sums[name] += int(total)
    counts[SEQUENCES] = session.value(counting_sequences(sequences), doing="counting sequences")
    counts[LARGE_OBJECTS] = session.value(counting_pages(session), doing="counting large objects")
    counts[LARGE_OBJECT_METADATA] = session.value("SELECT count(*) FROM pg_largeobject_metadata")
    facts = {"count": {name: str(count) for name, count in counts.items()}}
    if witness:
        facts["witness"] = {name: str(total) for name, total in sums.items()}
    return facts


def _scan(
    session: Session, scans: Sequence[tuple[RowStream, Relation]], *, witness: bool
) -> Iterator[tuple[int, int, int]]:
    """Place in the list, count and sum of each table."""
    queries = (
        f"SELECT {place}, count(*), {_total(stream) if witness else '0::numeric'}"  # noqa: S608 - quoted names
        f" FROM ONLY {part.sql} AS whole {stream.condition}"
        for place, (stream, part) in enumerate(scans)
    )
    doing = f"counting {scans[0][0].name} to {scans[-1][0].name}"
    yield from session.rows(" UNION ALL ".join(queries), doing=doing)


def _total(stream: RowStream) -> str:
    row = f'ROW({", ".join(stream.columns)})::text COLLATE "C"'
    return f"coalesce(sum(hashtextextended({row}, {_SEED})::numeric), 0)"
