"""Large objects back under their numbers, with owners, grants and comments.

The server does the work, in portions: pages come as COPY text into a temporary table, and one
statement writes them. A portion ends at a line, so no page is ever cut; each is a transaction of
its own, because an object that is changed holds a lock to the end of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbops.engines.postgresql.connect import Session, literal, quoted
from dbops.engines.postgresql.database import Grant, grant_statements
from dbops.engines.postgresql.loading import load
from dbops.errors import Failed

PORTION_BYTES = 8 << 20
PORTION_OBJECTS = 500

# A page has 2048 bytes, LOBLKSIZE of every server with the usual block size. 393216 is
# INV_READ | INV_WRITE of src/include/libpq/libpq-fs.h.
_DOING = "restoring large objects"

_CREATE = """
    SELECT count(lo_create(new.oid_)) FROM (
        SELECT DISTINCT oid_ FROM pg_temp.dbops_pages AS p WHERE NOT EXISTS
            (SELECT FROM pg_largeobject_metadata AS m WHERE m.oid = p.oid_)
    ) AS new"""
_WRITE = """
    SELECT count(*) FROM (
        SELECT lo_put(oid_, page_ * 2048, bytes_)
        FROM (SELECT * FROM pg_temp.dbops_pages WHERE bytes_ <> '' ORDER BY oid_, page_) AS pages
        OFFSET 0
    ) AS written"""
# A page without bytes stands where an object was cut off at a page's edge; cutting makes it again.
_CUT = """
    SELECT lo_truncate64(lo_open(oid_, 393216), page_ * 2048)
    FROM pg_temp.dbops_pages WHERE bytes_ = '' ORDER BY oid_, page_"""


@dataclass(frozen=True, slots=True)
class _Object:
    oid: int
    owner: str
    comment: str | None
    grants: tuple[Grant, ...]
    bare: bool


def load_large_objects(session: Session, blocks: Iterable[bytes]) -> None:
    """Every large object of the stream exists with its bytes.

    Raises DbopsError; what was written before stays.
    """
    session.run(
        "CREATE TEMPORARY TABLE pg_temp.dbops_pages (oid_ oid, page_ bigint, bytes_ bytea)",
        doing=_DOING,
    )
    for portion in portions(blocks, PORTION_BYTES):
        session.run("BEGIN", doing=_DOING)
        load(session, "COPY pg_temp.dbops_pages FROM STDIN", iter([portion]), _DOING)
        session.rows(_CREATE, doing=_DOING)
        # What is cut comes first: a later page may lie behind the cut.
        session.rows(_CUT, doing=_DOING)
        session.rows(_WRITE, doing=_DOING)
        session.run("TRUNCATE pg_temp.dbops_pages", doing=_DOING)
        session.run("COMMIT", doing=_DOING)
    session.run("DROP TABLE pg_temp.dbops_pages", doing=_DOING)


def load_metadata(session: Session, blocks: Iterator[bytes]) -> None:
    """Every large object of the stream has its owner, its grants and its comment."""
    session.run(
        "CREATE TEMPORARY TABLE pg_temp.dbops_large_objects"
        " (oid_ oid, owner_ text, acl_ aclitem[], comment_ text)",
        doing=_DOING,
    )
    load(session, "COPY pg_temp.dbops_large_objects FROM STDIN", blocks, _DOING)
    _refuse_missing(session)
    last = -1
    while objects := _objects(session, last):
        session.run("BEGIN", doing=_DOING)
        for item in objects:
            for statement in _statements(item):
                session.run(statement, doing=f"{_DOING} ({item.oid})")
        session.run("COMMIT", doing=_DOING)
        last = objects[-1].oid
    session.run("DROP TABLE pg_temp.dbops_large_objects", doing=_DOING)


def portions(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in portions of whole lines, each of about `size` bytes or one line."""
    kept: list[bytes] = []
    held = 0
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end and held + end >= size:
            yield b"".join([*kept, block[:end]])
            kept, held = [], 0
            block = block[end:]  # noqa: PLW2901 - the rest of it
        kept.append(block)
        held += len(block)
    if held:
        yield b"".join(kept)


def _refuse_missing(session: Session) -> None:
    """Both streams must speak of the same objects."""
    missing = session.value(
        "SELECT count(*) FROM pg_largeobject_metadata AS m"
        " FULL JOIN pg_temp.dbops_large_objects AS s ON s.oid_ = m.oid"
        " WHERE m.oid IS NULL OR s.oid_ IS NULL",
        doing=_DOING,
    )
    if missing:
        raise Failed(
            "large-objects-differ",
            f"{missing} large objects have either bytes or properties in the backup, but not both",
            hint="restore from another backup: dbops backup list",
        )


def _objects(session: Session, last: int) -> list[_Object]:
    """The next objects that differ from a fresh one."""
    rows = session.rows(
        "SELECT oid_::bigint, owner_, comment_, acl_ IS NULL FROM pg_temp.dbops_large_objects"
        " WHERE oid_::bigint > %s AND (comment_ IS NOT NULL OR acl_ IS NOT NULL"
        " OR owner_ <> SESSION_USER) ORDER BY 1 LIMIT %s",
        [last, PORTION_OBJECTS],
        doing=_DOING,
    )
    numbers = [row[0] for row in rows]
    grants: dict[int, list[Grant]] = {number: [] for number in numbers}
    for number, *grant in session.rows(
        "SELECT s.oid_::bigint, g.rolname, coalesce(e.rolname, ''), a.privilege_type,"
        " a.is_grantable FROM pg_temp.dbops_large_objects AS s, aclexplode(s.acl_)"
        " WITH ORDINALITY AS a JOIN pg_roles AS g ON g.oid = a.grantor"
        " LEFT JOIN pg_roles AS e ON e.oid = a.grantee"
        " WHERE s.oid_::bigint = ANY(%s) ORDER BY 1, a.ordinality",
        [numbers],
        doing=_DOING,
    ):
        grants[number].append(Grant(*grant))
    return [
        _Object(number, owner, comment, tuple(grants[number]), bare)
        for number, owner, comment, bare in rows
    ]


def _statements(item: _Object) -> Iterator[str]:
    target = f"LARGE OBJECT {item.oid}"
    yield f"ALTER {target} OWNER TO {quoted(item.owner)}"
    if not item.bare:
        yield f"REVOKE ALL ON {target} FROM {quoted(item.owner)}"
        for grant in item.grants:
            yield from grant_statements(grant, target, item.owner)
    if item.comment is not None:
        yield f"COMMENT ON {target} IS {literal(item.comment)}"
