"""Whether a restored schema is the source's, object by object.

A schema's text is no fixed point: the server prints some views, checks and partial indexes
differently after one restore, and the same ever after. So the copy is not compared with the source
but with the source's definitions loaded once into an empty database. Both are dumped by pg_dump,
and the dumps are compared by entry: kind, schema and name, then owner, access method and text.
Tablespaces are not compared: a scratch server has none of the source's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from dbops.backup.ports import Contents
from dbops.engines.postgresql import toc
from dbops.engines.postgresql.binaries import Installation, client_for
from dbops.engines.postgresql.client import start_child
from dbops.engines.postgresql.connect import Parameters, connect, conninfo_keepalive
from dbops.engines.postgresql.database import property_differences, read_properties
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.opening import Target, opened_schema, schema_stream, source_major
from dbops.engines.postgresql.properties import schema_detail
from dbops.engines.postgresql.restore import reads_foreign, restore_schema_only
from dbops.engines.postgresql.selection import NOT_IN_SCRATCH, OF_DATABASE, REFRESH
from dbops.engines.postgresql.streams import DATABASE

Reference = Callable[[Contents], AbstractContextManager[Parameters]]
"""Makes an empty database on a server of the same major version, gone when its context ends."""

_DUMP = ("-Fc", "--section=pre-data", "--section=post-data", "--no-blobs")
_NOT_COMPARED = frozenset(
    {*NOT_IN_SCRATCH, *OF_DATABASE, REFRESH, "ENCODING", "STDSTRINGS", "SEARCHPATH"}
)

Key = tuple[str, str | None, str]
Text = tuple[str, str, str | None]


def compare_schema(
    params: Parameters,
    programs: Sequence[Installation],
    reference: Reference,
    contents: Contents,
) -> tuple[str, ...]:
    """How the database's definitions differ from the backup's: kinds and names only.

    A copy on another major version than the source's is a finding too: there the text and the
    order of things can be equal by chance only.
    """
    with connect(params) as session:
        major, encoding = session.major, session.encoding
        properties = read_properties(schema_detail(session)[DATABASE])
    findings = list(_other_version(major, contents))
    source = read_properties(schema_stream(contents).detail.get(DATABASE, ""))
    findings += property_differences(source, properties)
    with reference(contents) as empty:
        restore_schema_only(Target(empty, programs, scratch=True), contents)
        wanted = dump_entries(empty, programs, major, encoding)
    found = dump_entries(params, programs, major, encoding)
    return (*findings, *differences(wanted, found), *_not_filled(params, contents, found))


def dump_entries(
    params: Parameters, programs: Sequence[Installation], major: int, encoding: Encoding
) -> tuple[toc.Entry, ...]:
    """What pg_dump makes of the database's definitions."""
    tool = client_for(major, programs).tool("pg_dump")
    arguments = (*_DUMP, f"--encoding={encoding.name}", "--no-password", conninfo_keepalive())
    child = start_child(tool, arguments, params, encoding, doing="reading the schema")
    blocks = []
    try:
        while block := child.read():
            blocks.append(block)
        child.finish()
    finally:
        child.kill()
    return toc.read_contents(b"".join(blocks), encoding).entries


def differences(wanted: Sequence[toc.Entry], found: Sequence[toc.Entry]) -> Iterator[str]:
    """One sentence for each object that only one side has, or that is not the same."""
    left, right = _texts(wanted), _texts(found)
    for key in sorted(left.keys() | right.keys(), key=lambda key: (key[0], key[1] or "", key[2])):
        if left.get(key) == right.get(key):
            continue
        kind, schema, name = key
        title = toc.titled(kind, schema, name)
        if key not in right:
            yield f"{title}: missing from the restored copy"
        elif key not in left:
            yield f"{title}: not in the backup"
        else:
            yield f"{title}: definition differs"


def _texts(entries: Sequence[toc.Entry]) -> dict[Key, list[Text]]:
    """Several entries can share a key: overloaded operators, grants on one object."""
    unwanted = {entry.id for entry in entries if entry.kind in _NOT_COMPARED}
    texts: defaultdict[Key, list[Text]] = defaultdict(list)
    for entry in entries:
        if entry.id not in unwanted and not entry.needs & unwanted:
            text = (entry.definition, entry.owner, entry.method)
            texts[entry.kind, entry.schema, entry.name].append(text)
    return {key: sorted(each, key=str) for key, each in texts.items()}


def _not_filled(
    params: Parameters, contents: Contents, found: Sequence[toc.Entry]
) -> Iterator[str]:
    """Materialized views that were filled and are not, or the other way round.

    Those over foreign tables cannot be filled without the other server, so they do not count.
    """
    with opened_schema(contents) as schema:
        wanted = schema.archive.contents.of_kind(REFRESH)
    there = [entry for entry in found if entry.kind == REFRESH]
    left = {(entry.schema, entry.name): entry for entry in wanted}
    right = {(entry.schema, entry.name): entry for entry in there}
    with connect(params) as session:
        for key in sorted(left.keys() ^ right.keys(), key=str):
            entry = left.get(key) or right[key]
            if not reads_foreign(session, entry):
                title = toc.titled("materialized view", entry.schema, entry.name)
                yield f"{title}: is {'not filled' if key in left else 'filled, and was not'}"


def _other_version(major: int, contents: Contents) -> Iterator[str]:
    source = source_major(contents)
    if source != major:
        yield (
            f"the copy is on PostgreSQL {major}, the source on {source}: "
            "equality is proven on the same major version only"
        )
