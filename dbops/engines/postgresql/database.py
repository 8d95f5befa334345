"""What belongs to a database as a whole: encoding, locale, owner, grants, settings, comment.

pg_dump writes these under the source's name only, so they travel as values of their own and are
put back under the target's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dbops.engines.postgresql.connect import Session, literal, quoted
from dbops.errors import Failed

UNFINISHED = "dbops.restore"
"""The database's setting that says a restore into it has begun and not ended."""

# Settings whose value is a list of names, each quoted by itself: GUC_LIST_QUOTE in
# src/include/utils/guc_tables.h, listed in variable_is_guc_list_quote of pg_dump.
_NAME_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
_LISTED_NAME = re.compile(r'"((?:[^"]|"")*)"|([^,\s]+)')


class Provider(StrEnum):
    """Who sorts text: the C library, ICU, or PostgreSQL itself; the letters are pg_database's."""

    LIBC = "c"
    ICU = "i"
    BUILTIN = "b"


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege; `grantee` is empty for PUBLIC."""

    grantor: str
    grantee: str
    privilege: str
    grantable: bool


@dataclass(frozen=True, slots=True)
class DatabaseProperties:
    """The source database but for what lies in it; `grants` None stands for the defaults."""

    encoding: str
    collate: str
    ctype: str
    provider: Provider
    locale: str | None
    rules: str | None
    owner: str
    limit: int
    comment: str | None
    grants: tuple[Grant, ...] | None
    settings: tuple[tuple[str, str], ...]


def read_properties(text: str) -> DatabaseProperties:
    """The properties that the schema stream's detail holds; raises Failed where it does not."""
    try:
        found: dict[str, Any] = json.loads(text)
        grants = found["acl"]
        return DatabaseProperties(
            encoding=found["encoding"],
            collate=found["collate"],
            ctype=found["ctype"],
            provider=Provider(found["provider"] or Provider.LIBC),
            locale=found["locale"],
            rules=found["rules"],
            owner=found["owner"],
            limit=found["limit"],
            comment=found["comment"],
            grants=None if grants is None else tuple(Grant(*grant) for grant in grants),
            settings=tuple((role, setting) for role, setting in found["settings"]),
        )
    except (ValueError, KeyError, TypeError):
        raise Failed(
            "detail-malformed",
            "the schema stream's detail does not describe a database",
            hint="restore with the version of dbops that made the backup, or a newer one",
        ) from None


def property_differences(wanted: DatabaseProperties, found: DatabaseProperties) -> Iterator[str]:
    """What is not the same, by name; grants and settings count as sets."""
    for name in ("encoding", "collate", "ctype", "provider", "locale", "rules"):
        if getattr(wanted, name) != getattr(found, name):
            yield f"database {name}: differs"
    for name in ("owner", "comment", "limit"):
        if getattr(wanted, name) != getattr(found, name):
            yield f"database {name}: differs"
    if set(_granted(wanted)) != set(_granted(found)):
        yield "database grants: differ"
    settings = sorted(set(wanted.settings) ^ set(found.settings))
    for role, name in sorted({(role, each.partition("=")[0]) for role, each in settings}):
        yield f"database setting {name}{f' of role {role}' if role else ''}: differs"


def create_database(session: Session, name: str, properties: DatabaseProperties) -> None:
    """An empty database with this encoding and locale exists.

    Raises Failed `locale-missing` where the server's host has no such locale: with another one
    text sorts otherwise, and ranges of partitions can mean something else.
    """
    if properties.provider is Provider.BUILTIN and session.major < 17:
        raise _no_locale(properties, session)
    statement = f"CREATE DATABASE {quoted(name)} TEMPLATE template0 {_locale(properties)}"
    try:
        session.run(statement, doing=f"creating database {name}")
    except Failed as error:
        if "(22023)" in error.message or "(42809)" in error.message or "(0A000)" in error.message:
            raise _no_locale(properties, session) from None
        raise


def _locale(properties: DatabaseProperties) -> str:
    words = [
        f"ENCODING {literal(properties.encoding)}",
        f"LC_COLLATE {literal(properties.collate)}",
        f"LC_CTYPE {literal(properties.ctype)}",
    ]
    if properties.provider is Provider.ICU:
        words += ["LOCALE_PROVIDER icu", f"ICU_LOCALE {literal(properties.locale or '')}"]
        if properties.rules is not None:
            words.append(f"ICU_RULES {literal(properties.rules)}")
    if properties.provider is Provider.BUILTIN:
        words.append("LOCALE_PROVIDER builtin")
        words.append(f"BUILTIN_LOCALE {literal(properties.locale or '')}")
    return " ".join(words)


def _no_locale(properties: DatabaseProperties, session: Session) -> Failed:
    locale = properties.locale or properties.collate
    return Failed(
        "locale-missing",
        f"{session.server} at {session.parameters.where} cannot make a database with encoding "
        f"{properties.encoding} and locale {locale}",
        hint=f"install the locale there: localedef --list-archive | grep {locale.split('.')[0]}",
    )


def mark_unfinished(session: Session, title: str, *, closed: bool) -> None:
    """Everybody can see that a restore has begun here, and with `closed` nobody but superusers
    can log in: half a database must not be taken for a whole one.

    The marks are the database's setting `dbops.restore` and its connection limit 0.
    """
    name = quoted(session.value("SELECT current_database()"))
    session.run(f"ALTER DATABASE {name} SET {UNFINISHED} = {literal(title)}", doing="marking")
    if closed:
        session.run(f"ALTER DATABASE {name} CONNECTION LIMIT 0", doing="marking")


def unfinished(session: Session) -> str | None:
    """The backup whose restore into this database has begun and not ended."""
    found = session.rows(
        "SELECT s FROM pg_db_role_setting, unnest(setconfig) AS s"
        " WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())"
    )
    marks = [str(setting) for (setting,) in found if setting.startswith(f"{UNFINISHED}=")]
    return marks[0].partition("=")[2] if marks else None


def unmark(session: Session) -> None:
    """The mark is gone, all else of the database stays."""
    name = quoted(session.value("SELECT current_database()"))
    session.run(f"ALTER DATABASE {name} RESET {UNFINISHED}", doing="removing the mark")


def apply_properties(session: Session, properties: DatabaseProperties) -> None:
    """The database has the source's owner, grants, settings and comment, and the mark is gone.

    One transaction: after a crash either all of it holds, or the mark still stands.
    """
    name = quoted(session.value("SELECT current_database()"))
    bare = session.value(
        "SELECT datacl IS NULL FROM pg_database WHERE datname = current_database()"
    )
    statements = [*_reset(session, name), f"ALTER DATABASE {name} OWNER TO {_role(properties)}"]
    if not (bare and properties.grants is None):
        statements += _grants(name, properties)
    statements += [_setting(name, role, setting) for role, setting in properties.settings]
    comment = "NULL" if properties.comment is None else literal(properties.comment)
    statements.append(f"COMMENT ON DATABASE {name} IS {comment}")
    statements.append(f"ALTER DATABASE {name} CONNECTION LIMIT {properties.limit}")
    for statement in ["BEGIN", *statements, "COMMIT"]:
        session.run(statement, doing="restoring the database's properties")


def _role(properties: DatabaseProperties) -> str:
    return quoted(properties.owner)


def _reset(session: Session, name: str) -> list[str]:
    """What forgets every setting that the target had, of its own and for single roles."""
    roles = session.rows(
        "SELECT r.rolname FROM pg_db_role_setting AS s"
        " JOIN pg_roles AS r ON r.oid = s.setrole"
        " WHERE setdatabase = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())"
    )
    of_roles = [f"ALTER ROLE {quoted(role)} IN DATABASE {name} RESET ALL" for (role,) in roles]
    return [f"ALTER DATABASE {name} RESET ALL", *of_roles]


def _grants(name: str, properties: DatabaseProperties) -> list[str]:
    owner = properties.owner
    statements = [
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"REVOKE ALL ON DATABASE {name} FROM {quoted(owner)}",
    ]
    for grant in _granted(properties):
        statements += grant_statements(grant, f"DATABASE {name}", owner)
    return statements


def _granted(properties: DatabaseProperties) -> tuple[Grant, ...]:
    """The grants, or what their absence stands for: acldefault('d', owner)."""
    if properties.grants is not None:
        return properties.grants
    owner = properties.owner
    return tuple(
        Grant(owner, grantee, privilege, grantable=False)
        for grantee, privilege in (
            ("", "TEMPORARY"),
            ("", "CONNECT"),
            (owner, "CREATE"),
            (owner, "TEMPORARY"),
            (owner, "CONNECT"),
        )
    )


def grant_statements(grant: Grant, target: str, owner: str) -> list[str]:
    """What grants it as the one who did; a superuser's own grant counts as the owner's."""
    grantee = quoted(grant.grantee) if grant.grantee else "PUBLIC"
    option = " WITH GRANT OPTION" if grant.grantable else ""
    statement = f"GRANT {grant.privilege} ON {target} TO {grantee}{option}"
    if grant.grantor == owner:
        return [statement]
    return [f"SET LOCAL ROLE {quoted(grant.grantor)}", statement, "RESET ROLE"]


def _setting(name: str, role: str, setting: str) -> str:
    subject = f"ROLE {quoted(role)} IN DATABASE {name}" if role else f"DATABASE {name}"
    parameter, _, value = setting.partition("=")
    if parameter.lower() in _NAME_LISTS:
        names = [a.replace('""', '"') or b for a, b in _LISTED_NAME.findall(value)]
        values = ", ".join(literal(each) for each in names) or "''"
    else:
        values = literal(value)
    quoted_parameter = ".".join(quoted(part) for part in parameter.split("."))
    return f"ALTER {subject} SET {quoted_parameter} TO {values}"
