"""A restore before it changes anything: the backup's schema opened, and a target that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dbops.backup.ports import Contents
from dbops.engines.postgresql.archive import Archive, spooled
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.connect import Parameters, Session
from dbops.engines.postgresql.database import DatabaseProperties, read_properties
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.roles import read_roles, refuse_missing_roles
from dbops.engines.postgresql.streams import DATABASE, ROLES, SCHEMA
from dbops.errors import Failed, Refused
from dbops.repository.ranges import Stream

_MAJOR = re.compile(r"PostgreSQL (\d+)")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to restore to. A `scratch` copy gets no user mappings, subscriptions, tablespaces."""

    parameters: Parameters
    programs: Sequence[Installation]
    scratch: bool


@dataclass(frozen=True, slots=True)
class OpenedSchema:
    """The schema stream, opened: the archive, and what its detail says of the database."""

    archive: Archive
    properties: DatabaseProperties


@contextmanager
def opened_schema(contents: Contents) -> Iterator[OpenedSchema]:
    """The backup's schema as an archive, and its database's properties."""
    stream = schema_stream(contents)
    properties = read_properties(stream.detail.get(DATABASE, ""))
    with contents.open() as reader:
        with spooled(reader.read(stream), Encoding(properties.encoding)) as archive:
            yield OpenedSchema(archive, properties)


def schema_stream(contents: Contents) -> Stream:
    """The stream that holds the schema; raises Failed where the backup has none."""
    for stream in contents.streams:
        if stream.name == SCHEMA:
            return stream
    raise Failed(
        "schema-missing",
        f"backup {contents.title} holds no schema",
        hint="restore from another backup: dbops backup list",
    )


def source_major(contents: Contents) -> int:
    """The major version of the source's server."""
    found = _MAJOR.match(contents.server)
    return int(found[1]) if found else 0


def refuse_unfit(
    session: Session, contents: Contents, schema: OpenedSchema, target: Target
) -> None:
    """Raises Refused where the target can never take the backup, whatever lies in it."""
    where = f"database {target.parameters.dbname} at {target.parameters.where}"
    if session.major < source_major(contents):
        raise Refused(
            "target-too-old",
            f"{where} is {session.server}, the backup is of {contents.server}",
            hint=f"restore into PostgreSQL {source_major(contents)} or newer",
        )
    if not session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        raise Refused(
            "target-needs-superuser",
            f"{where}: role {target.parameters.user} is no superuser, and owners, grants and "
            "large objects need one",
            hint="name a superuser for this target in dbops.toml",
        )
    if session.encoding.name != schema.properties.encoding:
        raise Refused(
            "encoding-differs",
            f"{where} has encoding {session.encoding.name}, the backup "
            f"{schema.properties.encoding}",
            hint=f"createdb -T template0 -E {schema.properties.encoding} "
            f"--locale={schema.properties.collate} {target.parameters.dbname}",
        )
    refuse_missing_roles(session, read_roles(schema_stream(contents).detail.get(ROLES, "")))
    if not target.scratch:
        _refuse_missing_tablespaces(session, schema)


def _refuse_missing_tablespaces(session: Session, schema: OpenedSchema) -> None:
    named = {entry.tablespace for entry in schema.archive.contents.entries if entry.tablespace}
    there = {name for (name,) in session.rows("SELECT spcname FROM pg_tablespace")}
    if missing := sorted(named - there):
        raise Refused(
            "tablespace-missing",
            f"the target server lacks {len(missing)} tablespaces: {', '.join(missing)}",
            hint="CREATE TABLESPACE each of them there first",
        )
