"""The roles that a database refers to: present on a target, or made for a scratch copy.

Roles belong to the server, not to the database, so a restore never makes or changes them on a
target. On a scratch server they are needed for owners, grants and policies; there they are made
without a password and without the right to log in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dbops.engines.postgresql.connect import Session, literal, quoted
from dbops.errors import DbopsError, Failed, Refused

_SHOWN = 8
_OURS = "made by dbops for a scratch database"
_DOING = "scratch roles"


@dataclass(frozen=True, slots=True)
class Role:
    """A role as far as restored code can tell: index expressions run with their owner's rights."""

    name: str
    superuser: bool
    inherit: bool
    bypassrls: bool
    member_of: tuple[str, ...]


def read_roles(text: str) -> tuple[Role, ...]:
    """The roles that the schema stream's detail holds; raises Failed where it does not."""
    try:
        found: list[dict[str, Any]] = json.loads(text)
        return tuple(
            Role(
                name=role["name"],
                superuser=role["superuser"],
                inherit=role["inherit"],
                bypassrls=role["bypassrls"],
                member_of=tuple(role["member_of"]),
            )
            for role in found
        )
    except (ValueError, KeyError, TypeError):
        raise Failed(
            "detail-malformed",
            "the schema stream's detail does not list roles",
            hint="restore with the version of dbops that made the backup, or a newer one",
        ) from None


def refuse_missing_roles(session: Session, roles: Iterable[Role]) -> None:
    """Raises Refused `role-missing`, naming all that the server does not have."""
    missing = sorted({role.name for role in roles} - _existing(session))
    if missing:
        shown = ", ".join(missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise Refused(
            "role-missing",
            f"the target server lacks {len(missing)} roles: {shown}{more}",
            hint="create them first: CREATE ROLE, or from the backup's globals, as "
            "docs/how-to/restore-a-database.md says",
        )


def create_roles(session: Session, roles: Sequence[Role], *, attributes: bool) -> None:
    """The roles exist; those that did not before bear a comment that says whose they are.

    With `attributes` the new ones are superusers, bypass row security, inherit and are members of
    predefined roles as on the source: only for a server that is thrown away. Roles that existed
    are left as they are.
    """
    fresh = {role.name for role in roles} - _existing(session)
    for role in roles:
        if role.name in fresh:
            name = quoted(role.name)
            words = _attributes(role) if attributes else "NOLOGIN"
            session.run(f"CREATE ROLE {name} {words}", doing=_DOING)
            session.run(f"COMMENT ON ROLE {name} IS {literal(_OURS)}", doing=_DOING)
    for role in roles:
        for group in role.member_of:
            if role.name in fresh and (group in fresh or attributes):
                session.run(f"GRANT {quoted(group)} TO {quoted(role.name)}", doing=_DOING)


def drop_scratch_roles(session: Session) -> None:
    """Roles that `create_roles` made are gone, but for those that a database still needs."""
    ours = session.rows(
        "SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s", [_OURS]
    )
    for (name,) in ours:
        try:
            session.run(f"DROP ROLE IF EXISTS {quoted(name)}", doing=_DOING)
        except DbopsError as error:
            if "(2BP01)" not in error.message:
                raise


def _attributes(role: Role) -> str:
    words = ["NOLOGIN", "INHERIT" if role.inherit else "NOINHERIT"]
    words += ["SUPERUSER"] if role.superuser else []
    words += ["BYPASSRLS"] if role.bypassrls else []
    return " ".join(words)


def _existing(session: Session) -> set[str]:
    return {name for (name,) in session.rows("SELECT rolname FROM pg_roles")}
