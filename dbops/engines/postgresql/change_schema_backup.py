"""The source's schema as a backup holds it: read at the backup's instant, and found again.

A change is judged by what the source's own server printed, because a restored copy prints some
objects differently. Rows come first: where the schema cannot be read, for whatever reason that is
not a change of it just then, the backup is made without it and says so as a gap. Such a backup can
be restored and proven as any other; only changes cannot be rehearsed on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dbops.backup.ports import Contents
from dbops.change.schema import Schema
from dbops.change.schema_text import parse_schema, schema_text
from dbops.engines.postgresql.change_schema import OLDEST_READ, read_schema
from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.streams import OBJECTS
from dbops.errors import DbopsError, Failed, Refused, Unreachable
from dbops.repository.manifest import Gap

# What a change of the schema looks like that takes place just now: the whole attempt begins anew.
_MOVING: Final = frozenset({"object-missing", "schema-changed", "transaction-conflict"})


@dataclass(frozen=True, slots=True)
class SourceObjects:
    """The text of the schema; None where there is none, with a gap where one was to be expected."""

    text: str | None
    gaps: tuple[Gap, ...] = ()


def read_objects(session: Session, lock_seconds: float) -> SourceObjects:
    """Return the schema that the open transaction sees; the transaction goes on whatever happens.

    A server before 14 has none. Raises Failed where the schema is changed just now, `lock-behind`
    where somebody else holds a view for longer than `lock_seconds`, and Unreachable.
    """
    if session.major < OLDEST_READ:
        return SourceObjects(None)
    session.run("SAVEPOINT objects")
    try:
        session.run(f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}")
        text = schema_text(read_schema(session)).decode()
    except DbopsError as failure:
        session.run("ROLLBACK TO SAVEPOINT objects")
        if failure.code == "lock-timeout":
            raise _behind() from None
        if failure.code in _MOVING or isinstance(failure, Unreachable):
            raise
        reason = f"could not be read ({failure.code}); changes cannot be rehearsed on this backup"
        return SourceObjects(None, (Gap("the schema as a list of objects", reason),))
    session.run("ROLLBACK TO SAVEPOINT objects")
    return SourceObjects(text)


def source_schema(contents: Contents) -> Schema:
    """Return the schema of the source as the backup saw it.

    Raises Refused `change-source` where the backup does not have it, `schema-form` where it is not
    what dbops writes, and what reading a damaged backup raises.
    """
    found = next((stream for stream in contents.streams if stream.name == OBJECTS), None)
    if found is None:
        raise Refused(
            "change-source",
            f"backup {contents.title} does not hold the schema as a list of objects",
            hint="take one more backup, prove it, and rehearse on that",
        )
    with contents.open() as reader:
        data = b"".join(reader.read(found))
    return parse_schema(data, f"{contents.title}: stream {OBJECTS}")


def _behind() -> Failed:
    return Failed("lock-behind", "somebody waits for a view", hint="run the command again")
