"""Every property that the reader can give an object is altered by a case, or stands in one exactly.

A property that nobody alters could be left out of the reader, and nobody would notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbops.change import members
from dbops.change.diff import Verb
from dbops.change.schema import ObjectKind
from dbops.change.touch import parse_touch
from dbops.engines.postgresql.change_schema import OLDEST_READ, schema_queries
from dbops.engines.postgresql.change_schema_members import member_queries
from tests.engines.postgresql.change_schema_made import RARE
from tests.engines.postgresql.test_change_schema import CASES
from tests.engines.postgresql.test_change_schema_members import CASES as MEMBERS

NEWEST_READ = 18
MARKS = {
    ("any", "comment"),
    ("any", "depends on extension"),
    ("any", "grants"),
    ("any", "security labels"),
}
OF_MEMBERS = {
    ("extension", key)
    for key in (
        members.MEMBERS,
        members.MEMBER_GRANTS,
        members.MEMBER_POLICIES,
        members.MEMBER_POWERS,
        members.MEMBER_TABLES,
    )
}
ELSEWHERE = {
    ("collation", "locale"),  # test_collations_of_libraries
    ("collation", "rules"),  # test_change_schema_members.py, where they are known from 16 on
    ("constraint", "partition of"),  # there as well, with the next two
    ("index", "partition of"),
    ("trigger", "partition of"),
    ("publication", "generated columns"),  # of 18, of which no server is at hand
}


def arguments(text: str) -> list[str]:
    """What stands between the commas of a list of SQL expressions, up to its end."""
    found: list[str] = []
    depth, quoted, begin = 0, False, 0
    for at, sign in enumerate(text):
        quoted ^= sign == "'"
        if quoted:
            continue
        depth += (sign in "([") - (sign in ")]")
        if depth < 0:
            return [*found, text[begin:at].strip()]
        if sign == "," and depth == 0:
            found.append(text[begin:at].strip())
            begin = at + 1
    return found


def emitted() -> Iterator[tuple[frozenset[str], str]]:
    """Kinds, and a property that the listing of just these has, of every version."""
    own = set(member_queries())
    for major in range(OLDEST_READ, NEWEST_READ + 1):
        for query in schema_queries(major):
            if query in own:
                continue
            columns = arguments(f"{query.removeprefix('SELECT ').partition('::text FROM')[0]},")
            kinds = frozenset(re.findall("'([^']+)'", columns[6])) & set(ObjectKind)
            assert kinds
            texts = arguments(columns[9].removeprefix("json_build_object("))
            yield from ((kinds, key.strip("'")) for key in texts[::2] if key)


def held() -> set[tuple[str, str]]:
    """Kinds and properties that a case alters, or of which a test knows the exact text."""
    lines = [line for case in CASES for line in case.touches]
    lines += [line for case in MEMBERS for line in case.touches]
    touches = map(parse_touch, lines)
    altered = {
        (touch.kind.value, key)
        for touch in touches
        if touch is not None and touch.verb is Verb.ALTER
        for key in touch.properties
    }
    exact = {
        (kind.value, key)
        for _, title, properties in RARE
        for kind in ObjectKind
        if title.startswith(f"{kind.value} ")
        for key in ("owner", *properties)
    }
    return altered | exact | {("any", key) for _, key in altered} | ELSEWHERE


def test_every_property_is_held() -> None:
    """Of a listing of several kinds it is enough that one of them is altered."""
    known, all_of = held(), set(emitted())
    assert len({key for _, key in all_of}) > 80
    missing = [
        f"{' or '.join(sorted(kinds))}: {key}"
        for kinds, key in all_of
        if not any((kind, key) in known for kind in kinds)
    ]
    missing += [f"{kind}: {key}" for kind, key in (MARKS | OF_MEMBERS) - known]
    assert sorted(missing) == []


def test_no_property_is_also_a_mark() -> None:
    """What can be set on any object would hide a property of the same name."""
    marks = {key for _, key in MARKS}
    assert {key for kinds, key in emitted() if kinds != {"database"}}.isdisjoint(marks)
