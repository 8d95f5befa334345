"""Large objects as rows: their pages, and who owns and may read them.

Whoever may read `pg_largeobject` gets the pages as they are stored. Other roles read each object
through `lo_get`, where pages that were never written are zero bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbops.engines.postgresql.connect import Session

_RANGE_BYTES = 16 << 20
_READ = 0x40000  # INV_READ, src/include/libpq/libpq-fs.h

METADATA = """
    SELECT m.oid, pg_get_userbyid(m.lomowner), m.lomacl::text,
        obj_description(m.oid, 'pg_largeobject')
    FROM pg_largeobject_metadata AS m ORDER BY m.oid"""

_STORED = """
    SELECT m.oid, l.pageno, l.data
    FROM pg_largeobject_metadata AS m LEFT JOIN pg_largeobject AS l ON l.loid = m.oid
    WHERE m.oid >= {first} AND m.oid <= {last} ORDER BY 1, 2"""
_THROUGH_FUNCTIONS = """
    SELECT m.oid, p, lo_get(m.oid, p * 2048, 2048)
    FROM pg_largeobject_metadata AS m
    CROSS JOIN LATERAL (SELECT lo_open(m.oid, {read}) AS fd OFFSET 0) AS o
    CROSS JOIN LATERAL (SELECT lo_lseek64(o.fd, 0, 2) AS bytes OFFSET 0) AS s
    CROSS JOIN LATERAL (SELECT lo_close(CASE WHEN s.bytes >= 0 THEN o.fd END) OFFSET 0) AS c
    LEFT JOIN LATERAL generate_series(0, (s.bytes - 1) / 2048) AS p ON s.bytes > 0
    WHERE m.oid >= {first} AND m.oid <= {last} ORDER BY 1, 2"""

_STORED_SIZES = """
    SELECT m.oid, coalesce((SELECT l.pageno FROM pg_largeobject AS l WHERE l.loid = m.oid
        ORDER BY l.pageno DESC LIMIT 1), -1)::bigint * 2048 + 2048
    FROM pg_largeobject_metadata AS m ORDER BY m.oid"""
_SIZES = """
    SELECT m.oid, s.bytes FROM pg_largeobject_metadata AS m
    CROSS JOIN LATERAL (SELECT lo_open(m.oid, {read}) AS fd OFFSET 0) AS o
    CROSS JOIN LATERAL (SELECT lo_lseek64(o.fd, 0, 2) AS bytes OFFSET 0) AS s
    CROSS JOIN LATERAL (SELECT lo_close(CASE WHEN s.bytes >= 0 THEN o.fd END) OFFSET 0) AS c
    ORDER BY m.oid"""


@dataclass(frozen=True, slots=True)
class ObjectRange:
    """Large objects that are read together: a query of their pages, and about how many bytes."""

    query: str
    weight: int


def object_ranges(session: Session) -> tuple[ObjectRange, ...]:
    """Every large object in exactly one range of about 16 MiB; a larger one has its own."""
    stored = _stored_readable(session)
    sizes = session.rows(_STORED_SIZES if stored else _SIZES.format(read=_READ))
    pages = _STORED if stored else _THROUGH_FUNCTIONS
    return tuple(
        ObjectRange(pages.format(first=first, last=last, read=_READ), weight)
        for first, last, weight in _cut(sizes)
    )


def counting_query(session: Session) -> str:
    """A query of how many rows the ranges hold together."""
    pages = _STORED if _stored_readable(session) else _THROUGH_FUNCTIONS
    everything = pages.format(first=0, last=0xFFFFFFFF, read=_READ)
    return f"SELECT count(*) FROM ({everything}) AS pages"  # noqa: S608 - constants


def _stored_readable(session: Session) -> bool:
    return bool(session.value("SELECT has_table_privilege('pg_largeobject', 'SELECT')"))


def _cut(sizes: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """First and last OID and the bytes of each range."""
    start, weight, last = -1, 0, -1
    for oid, size in sizes:
        if start >= 0 and weight + size > _RANGE_BYTES:
            yield start, last, weight
            start, weight = -1, 0
        start = oid if start < 0 else start
        weight += size
        last = oid
    if start >= 0:
        yield start, last, weight
